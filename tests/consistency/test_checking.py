"""`check` as a whole: the same for the same views, on any device and in any precision, for any number of views."""

from __future__ import annotations

import json
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
import trimesh

import meshopt
from meshopt import parallel
from meshopt.config import CheckConfig
from meshopt.consistency import Checked, check, check_mesh, remaining_turns
from meshopt.consistency.corrections import Turned
from meshopt.consistency.turns import rotation
from meshopt.mesh import Mesh
from meshopt.rigs import turntable
from meshopt.views import ViewSet

TURN = np.radians([3.0, 9.0, -2.0])


@pytest.fixture(scope="module")
def views(small) -> ViewSet:
    """One of them turned."""
    return Turned(1, rotation(TURN)).apply(small("unique3d"))


@pytest.fixture(scope="module")
def checked(views: ViewSet) -> Checked:
    return check(views)


def text(checked: Checked) -> str:
    names = [view.name for view in checked.report.views]
    return json.dumps([checked.report.as_plain(), [c.as_plain(names) for c in checked.corrections]], allow_nan=False)


def codes(checked: Checked) -> set[tuple[str, tuple[str, ...]]]:
    return {(f.code, f.views) for f in checked.report.findings if f.code in ("rotated", "zoomed", "shifted", "swapped")}


def test_report_says_what_was_done(checked: Checked) -> None:
    report = checked.report
    assert codes(checked) == {("rotated", ("right",))}
    assert [view.name for view in report.views] == ["front", "right", "back", "left"]
    assert report.verdict != "ok"
    assert {view.name: view.verdict for view in report.views}["right"] == report.verdict
    assert report.score == pytest.approx(sum(view.score for view in report.views))
    assert max(report.views, key=lambda view: view.score).name == "right"
    assert len(checked.corrections) == 1
    assert checked.degrees.shape == (4, 128, 128)


def test_views_given_stay_as_they_are(small) -> None:
    views = Turned(1, rotation(TURN)).apply(small("unique3d"))
    before = [part.clone() for part in (views.normals, views.masks, views.rgb)]
    cameras = [camera.clip_matrix() for camera in views.cameras]
    found = check(views)
    assert all(torch.equal(a, b) for a, b in zip(before, (views.normals, views.masks, views.rgb), strict=True))
    assert all(np.array_equal(a, b.clip_matrix()) for a, b in zip(cameras, views.cameras, strict=True))
    assert not torch.equal(found.views.normals, views.normals)


def test_same_bytes_for_any_number_of_threads(views: ViewSet, checked: Checked) -> None:
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        try:
            with parallel.limit(threads):
                again = check(views)
        finally:
            torch.set_num_threads(before)
        assert text(again) == text(checked)
        assert torch.equal(again.views.normals, checked.views.normals)
        assert np.array_equal(again.degrees, checked.degrees, equal_nan=True)


def test_the_public_function_is_this_one() -> None:
    assert meshopt.check is check


def test_any_precision(views: ViewSet, checked: Checked) -> None:
    for dtype, kind in ((torch.float64, "same"), (torch.float16, "near")):
        given = views.to("cpu", dtype)
        found = check(given)
        assert found.views.normals.dtype == given.normals.dtype
        assert codes(found) == codes(checked)
        error = 1e-4 if kind == "same" else 0.5
        (one,), (two,) = ([f.value for f in c.report.findings if f.code == "rotated"] for c in (found, checked))
        assert one == pytest.approx(two, abs=error)


def test_another_device(accelerator: ModuleType, views: ViewSet, checked: Checked) -> None:
    """What is found there is what is found here, and mended views stay there."""
    with accelerator.Accelerator():
        found = check(views.to(accelerator.DEVICE))
        assert found.views.normals.device == accelerator.DEVICE
        assert found.views.masks.device == accelerator.DEVICE
        back = found.views.to("cpu")
    assert text(found) == text(checked)
    assert torch.allclose(back.normals, checked.views.normals, atol=1e-6)


def part(views: ViewSet, places: list[int]) -> ViewSet:
    cameras = tuple(views.cameras[k] for k in places)
    rgb = None if views.rgb is None else views.rgb[places]
    return replace(views, cameras=cameras, normals=views.normals[places], masks=views.masks[places], rgb=rgb)


@pytest.mark.parametrize("places", [[0], [0, 2], [0, 1]])
def test_few_views(small, places: list[int]) -> None:
    found = check(part(small("unique3d"), places))
    assert codes(found) == set()
    assert found.corrections == ()
    assert len(found.report.views) == len(places)
    assert json.loads(text(found))


@pytest.mark.slow
def test_many_views(shapes: SimpleNamespace) -> None:
    views = shapes.of(turntable(16).cameras(), shapes.FIGURE, 64)
    wrong = Turned(6, rotation(2 * TURN)).apply(replace(views, rgb=None))
    assert codes(check(wrong)) == {("rotated", (views.cameras[6].name,))}


def test_views_without_normals(small) -> None:
    views = small("unique3d")
    with pytest.raises(meshopt.InputError, match=r"the views have no normals, which check needs: .*--normals"):
        check(replace(views, normals=torch.zeros_like(views.normals)))


def test_views_without_object(small) -> None:
    """Masks that are empty, and such that share no volume, are no reason to fail."""
    views = replace(small("unique3d"), rgb=None)
    empty = replace(views, normals=views.normals * 0, masks=views.masks * 0)
    apart = views.masks.clone()
    apart[0, :90], apart[1, 30:] = 0, 0
    for given in (replace(views, masks=apart, normals=views.normals * apart[..., None]), empty):
        found = check(given)
        assert json.loads(text(found))
        assert found.degrees.shape[0] == 4


def test_against_a_mesh(views: ViewSet, shapes: SimpleNamespace, small) -> None:
    """The turned view is found on a surface that is given, too, and nothing in clean ones; not mended, and said so."""
    egg = shapes.compared(small("wonder3d"))[1]
    assert check_mesh(small("unique3d"), egg, CheckConfig()) == []
    (found,) = check_mesh(views, egg, CheckConfig())
    assert (found.code, found.views, found.details["on"]) == ("rotated", ("right",), "mesh")
    assert found.message.startswith("on the finished mesh, the normals of right are turned by")
    assert found.value == pytest.approx(np.degrees(np.linalg.norm(TURN)), abs=1.5)
    assert check_mesh(views, egg, CheckConfig(rotation=30.0)) == []


def test_what_remains_to_be_turned_back(shapes: SimpleNamespace, small) -> None:
    """Small turns that are sure; not more than that, and nothing in clean views or without a common surface."""
    egg, clean = shapes.compared(small("wonder3d"))[1], small("unique3d")
    little = 4.0 / np.degrees(np.linalg.norm(TURN)) * TURN
    turned = Turned(1, rotation(little)).apply(clean)
    (found,) = remaining_turns(turned, egg)
    assert found.view == 1
    left = Turned(1, found.matrix @ rotation(little))
    assert left.degrees < 1.5
    assert remaining_turns(found.apply(turned), egg) == []
    assert remaining_turns(clean, egg) == []
    assert remaining_turns(Turned(1, rotation(2 * TURN)).apply(clean), egg) == []
    far = egg.with_vertices(0.01 * egg.vertices + 0.95)
    assert remaining_turns(turned, far) == []


def test_a_mesh_that_has_nothing_to_do_with_the_views(views: ViewSet) -> None:
    far = trimesh.creation.icosphere(1, 0.01)
    mesh = Mesh(torch.tensor(far.vertices + 0.95).float(), torch.tensor(np.array(far.faces)).int())
    assert all(finding.code == "rotated" for finding in check_mesh(views, mesh, CheckConfig()))
