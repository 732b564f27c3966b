"""Corrections: each undoes its damage exactly, changes nothing else, and can be written down."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from meshopt.cameras import Camera
from meshopt.consistency.corrections import (
    Correction,
    Discounted,
    Mirrored,
    Placed,
    Rearranged,
    Tilted,
    Turned,
    corrected,
)
from meshopt.consistency.turns import rotation
from meshopt.evaluate.corruptions import corrupt
from meshopt.views import Source, ViewSet

ORDER = (0, 3, 1, 2)
INVERSE = (0, 2, 3, 1)
ALL: tuple[Correction, ...] = (
    Turned(1, rotation(np.array([0.1, 0.2, -0.3]))),
    Placed(2, 1.05, 0.02, -0.03),
    Mirrored(3),
    Rearranged(ORDER, carried=True),
    Rearranged(ORDER, carried=False),
    Discounted(2, np.eye(64, dtype=bool)),
    Tilted(8.0, carried=True),
)


def same(one: ViewSet, two: ViewSet, error: float = 0.0) -> bool:
    pairs = ((one.normals, two.normals), (one.masks, two.masks), (one.rgb, two.rgb))
    return all(float((a - b).abs().max()) <= error for a, b in pairs)


@pytest.fixture(scope="module")
def views(small) -> ViewSet:
    return small("unique3d")


def test_turned_normals_are_turned_back(views: ViewSet) -> None:
    there = rotation(np.array([0.4, -0.3, 0.6]))
    turned = Turned(1, there).apply(views)
    pixel = turned.normals[1, 64, 64].double().numpy()
    assert pixel == pytest.approx(there @ views.normals[1, 64, 64].double().numpy(), abs=1e-6)
    assert not same(turned, views, 0.1)
    assert same(Turned(1, there.T).apply(turned), views, 1e-6)


def test_corruption_rotate_is_undone_by_its_truth(views: ViewSet) -> None:
    wrong = corrupt(views, "rotate", 20, view="left")
    told = wrong.truth.parameters["left"]
    back = rotation(-np.radians(told["degrees"]) * np.array(told["axis"]))
    assert same(Turned(3, back).apply(wrong.views), views, 1e-5)


def test_mirrored_twice_is_the_same(views: ViewSet) -> None:
    once = Mirrored(2).apply(views)
    assert torch.equal(once.masks[2], views.masks[2].flip(1))
    assert torch.equal(once.rgb[2], views.rgb[2].flip(1))
    assert not same(once, views, 0.1)
    assert same(Mirrored(2).apply(once), views, 1e-6)


def test_mirroring_is_what_a_mirrored_object_shows(shapes: SimpleNamespace) -> None:
    """The object mirrored left to right, seen from the front."""
    cameras = (Camera.orbit("front", 0),)
    flipped = tuple(((-x, y, z), axes) for (x, y, z), axes in shapes.FIGURE)
    seen, other = shapes.of(cameras, shapes.FIGURE), shapes.of(cameras, flipped)
    mended = Mirrored(0).apply(other)
    assert torch.allclose(mended.normals, seen.normals, atol=1e-5)
    assert torch.allclose(mended.masks, seen.masks, atol=1e-6)


@pytest.mark.parametrize("carried", [True, False])
def test_order_is_undone_by_the_inverse(views: ViewSet, carried: bool) -> None:
    there = Rearranged(ORDER, carried).apply(views)
    assert torch.equal(there.masks, views.masks[list(ORDER)])
    assert [camera.name for camera in there.cameras] == [camera.name for camera in views.cameras]
    assert same(Rearranged(INVERSE, carried).apply(there), views, 1e-6)


def test_normals_carried_stay_as_the_camera_sees_them(views: ViewSet) -> None:
    for carried, frame in ((True, lambda k: views.cameras[k].rotation), (False, lambda k: np.eye(3))):
        there = Rearranged(ORDER, carried).apply(views)
        for k, i in enumerate(ORDER):
            now, before = there.normals[k].double().numpy() @ frame(k).T, views.normals[i].double().numpy()
            assert now == pytest.approx(before @ frame(i).T, abs=1e-6)


def test_sources_go_with_their_pictures(views: ViewSet) -> None:
    named = ViewSet(
        views.cameras, views.normals, views.masks, sources=tuple(Source(c.name, f"{c.name}.png") for c in views.cameras)
    )
    there = Rearranged((1, 0, 2, 3), carried=True).apply(named)
    assert [source.rgb for source in there.sources] == ["right.png", "front.png", "back.png", "left.png"]


@pytest.mark.parametrize(
    ("kind", "correction"),
    [("swapped", Rearranged((0, 2, 1, 3), False)), ("swapped_camera", Rearranged((0, 2, 1, 3), True))],
)
def test_corruption_swapped_is_undone(views: ViewSet, kind: str, correction: Rearranged) -> None:
    wrong = next(
        c for c in (corrupt(views, kind, seed=s) for s in range(40)) if set(c.truth.views) == {"right", "back"}
    )
    assert same(correction.apply(wrong.views), views, 1e-5)


@pytest.mark.parametrize("rig", ["unique3d", "zero123plus"])
def test_placed_camera_hits_the_damaged_pixels(shapes: SimpleNamespace, small, rig: str) -> None:
    """Where a misplaced camera drew a point, the mended camera projects it to."""
    views = small(rig)
    zoom, right, up = 1.06, 0.05, -0.08
    drawn = shapes.misplaced(views.cameras[2], zoom, right, up)
    # mending: first enlarged by 1 / zoom, then moved
    mended = Placed(2, 1 / zoom, -right / zoom, -up / zoom).apply(views)
    points = np.random.default_rng(0).uniform(-0.7, 0.7, (50, 3))
    assert mended.cameras[2].project(points)[0] == pytest.approx(drawn.project(points)[0], abs=1e-12)
    plain = views.cameras[2].project(points)[0]
    assert drawn.project(points)[0] == pytest.approx(plain * zoom + [right, up], abs=1e-12)
    assert mended.masks is views.masks


@pytest.mark.parametrize(("kind", "strength"), [("zoom", 8.0), ("shift", 5.0)])
def test_corruption_is_met_by_its_truth(views: ViewSet, kind: str, strength: float) -> None:
    """The outline's extremes, projected back by the mended camera, lie where the clean ones do."""
    wrong = corrupt(views, kind, strength, view="back", seed=3)
    told = wrong.truth.parameters["back"]
    size = views.resolution[1]
    right, down = told.get("shift", (0.0, 0.0))
    correction = Placed(2, 1 / told.get("zoom", 1.0), -2 * right / size, 2 * down / size)
    origins = [
        camera.rays(size, size)[0][mask.numpy() > 0.5] @ camera.rotation[:2].T
        for camera, mask in (
            (views.cameras[2], views.masks[2]),
            (correction.apply(wrong.views).cameras[2], wrong.views.masks[2]),
        )
    ]
    for extreme in (np.min, np.max):
        assert extreme(origins[0], 0) == pytest.approx(extreme(origins[1], 0), abs=2.2 / size)


@pytest.mark.parametrize("correction", ALL, ids=lambda c: type(c).__name__)
def test_input_stays_and_report_is_plain(views: ViewSet, correction: Correction) -> None:
    before = [views.normals.clone(), views.masks.clone(), views.rgb.clone()]
    cameras = [camera.clip_matrix() for camera in views.cameras]
    changed = correction.apply(views)
    assert isinstance(correction, Correction)
    for old, new in zip(before, (views.normals, views.masks, views.rgb), strict=True):
        assert torch.equal(old, new)
    assert all(np.array_equal(a, b.clip_matrix()) for a, b in zip(cameras, views.cameras, strict=True))
    assert changed.normals.dtype == views.normals.dtype
    plain = correction.as_plain([camera.name for camera in views.cameras])
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["kind"] in ("normals", "placement", "mirror", "order", "discount", "elevation")
    without = correction.apply(ViewSet(views.cameras, views.normals, views.masks))
    assert without.rgb is None
    assert torch.equal(without.normals, changed.normals)


def test_half_precision_stays_half(views: ViewSet) -> None:
    half = views.to("cpu", torch.float16)
    for correction in ALL:
        assert correction.apply(half).normals.dtype == torch.float16


def test_corrections_are_made_in_order(views: ViewSet) -> None:
    assert same(corrected(views, ()), views)
    one, two = Mirrored(1), Rearranged((1, 0, 2, 3), carried=True)
    assert same(corrected(views, (one, two)), two.apply(one.apply(views)))
    assert not same(corrected(views, (one, two)), corrected(views, (two, one)), 0.1)


def test_discounted_normals_are_unknown_and_nothing_else_changes(views: ViewSet) -> None:
    part = np.zeros((32, 32), bool)
    part[10:20, 12:16] = True
    done = Discounted(2, part).apply(views)
    assert not done.normals[2, 42:78, 50:62].any()
    assert torch.equal(done.masks, views.masks)
    assert torch.equal(done.normals[[0, 1, 3]], views.normals[[0, 1, 3]])
    kept = np.ones(views.resolution, bool)
    kept[38:82, 46:66] = False
    assert torch.equal(done.normals[2][torch.from_numpy(kept)], views.normals[2][torch.from_numpy(kept)])
    assert Discounted(2, part).as_plain("abcd") == {
        "kind": "discount", "view": "c", "share": round(40 / 1024, 5), "box": [0.375, 0.312, 0.5, 0.625],
    }  # fmt: skip
    assert Discounted(2, ~part & part).as_plain("abcd")["box"] == [0.0, 0.0, 0.0, 0.0]
