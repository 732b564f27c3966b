"""Leaving views out: views that agree predict each other; one that contradicts the others is a relief when it goes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from meshopt.cameras import Camera
from meshopt.config import CheckConfig, LeaveOutChecks
from meshopt.consistency import examination, leave_out
from meshopt.consistency.corrections import Turned
from meshopt.consistency.findings import Finding
from meshopt.consistency.leave_out import FAR, Fit, LeftOut, check_left_out, fit_of, halve, left_out_findings
from meshopt.consistency.surface import rough_surface, subset
from meshopt.consistency.turns import rotation
from meshopt.rigs import load_rig

GRID = 32
THRESHOLDS = LeaveOutChecks()


def checked(views) -> list[Finding]:
    with torch.no_grad():
        return check_left_out(views, GRID, THRESHOLDS)


def named(rig: str, halves) -> list[set[str]]:
    cameras = load_rig(rig).cameras()
    return [{cameras[v].name for v in half} for half in halves]


def test_views_that_agree_predict_each_other(shapes) -> None:
    *each, halves = checked(shapes.of(load_rig("wonder3d").cameras(), shapes.EGG, 64))
    assert [finding.views for finding in each] == [(c.name,) for c in load_rig("wonder3d").cameras()]
    for finding in each:
        assert (finding.code, finding.severity) == ("left_out", "note")
        assert finding.details["moved_percent"] < 1.5
        assert finding.details["fit"]["median"] < 12.0
        assert finding.details["fit"]["uncovered"] < 0.06
        assert f"without {finding.views[0]} the shape moves by" in finding.message
    assert (halves.code, halves.severity) == ("halves", "note")
    assert halves.value < 3.0


def test_a_view_that_contradicts_is_a_relief_when_it_goes(shapes) -> None:
    views = shapes.of(load_rig("unique3d").cameras(), shapes.EGG, 64)
    wrong = Turned(2, rotation(np.radians([0.0, 40.0, 0.0]))).apply(views)
    before, after = ({f.views[0]: f for f in checked(some) if f.code == "left_out"} for some in (views, wrong))
    assert after["back"].value == max(finding.value for finding in after.values())
    assert after["back"].value > before["back"].value + 1.0
    assert after["back"].details["fit"]["median"] == pytest.approx(40.0, abs=15.0)
    assert after["back"].details["fit"]["median"] > 2 * before["back"].details["fit"]["median"]


def test_fit_of_a_surface_that_is_known(shapes) -> None:
    """Normals turned by a known angle about the view's axis: each is off by at most that angle."""
    views = shapes.of(load_rig("unique3d").cameras(), shapes.EGG, 64)
    surface = rough_surface(views, 64)
    good = fit_of(views, 0, surface)
    assert good.median < 6.0
    assert good.uncovered < 0.05
    opposite = replace(views, normals=-views.normals)
    assert fit_of(opposite, 0, surface).median == pytest.approx(180.0 - good.median, abs=1e-2)
    assert fit_of(opposite, 0, surface).mean == FAR
    aside = replace(surface, vertices=surface.vertices + torch.tensor([5.0, 0.0, 0.0]))
    assert fit_of(views, 0, aside) == Fit(FAR, FAR, 1.0)


def test_findings_follow_the_threshold() -> None:
    fit, within = Fit(27.3, 30.0, 0.11), Fit(9.2, 12.0, 0.1)
    front, right, back = (
        LeftOut(moved, fit, within, relief) for moved, relief in ((1.26, 2.9), (4.0, 3.1), (0.0, 0.0))
    )
    found = {0: front, 1: right, 2: back, 3: None}
    a, b, c, d = left_out_findings(found, ["front", "right", "back", "left"], LeaveOutChecks(relief=3.0))
    assert a.message == (
        "without front the shape moves by 1.3 % of its diagonal; the others predict its normals to 27 degrees (9 with"
        " it) and its silhouette but for 11 %."
    )
    assert [finding.severity for finding in (a, b, c, d)] == ["note", "suspect", "suspect", "note"]
    assert (b.views, b.value, b.threshold) == (("right",), 3.1, 3.0)
    assert "3.1 degrees better without it" in b.message
    assert "without left no shape" in d.message
    assert "is made without back" in c.message


@pytest.mark.parametrize(
    ("rig", "halves"),
    [
        ("unique3d", [{"front", "right"}, {"back", "left"}]),
        ("wonder3d", [{"front", "right", "left"}, {"front_right", "back", "front_left"}]),
        ("zero123plus", [{"000", "002", "004"}, {"001", "003", "005"}]),
    ],
)
def test_halves_see_all_round(rig: str, halves: list[set[str]]) -> None:
    assert named(rig, halve(load_rig(rig).cameras())) == halves


def test_halves_do_not_depend_on_the_order_of_the_views() -> None:
    cameras = load_rig("turntable:9").cameras()
    order = np.random.default_rng(0).permutation(9)
    shuffled = [cameras[k] for k in order]
    one, other = ({cameras[v].name for v in half} for half in halve(cameras))
    assert [{shuffled[v].name for v in half} for half in halve(shuffled)] == [one, other]
    assert not one & other
    assert (len(one), len(other)) == (5, 4)


def test_halves_of_views_from_above_and_below() -> None:
    cameras = [Camera.orbit(str(a), a, e) for a, e in ((0, 0), (90, 0), (180, 0), (270, 0), (0, 90), (0, -90))]
    for half in halve(cameras):
        axes = np.stack([cameras[v].rotation[2] for v in half])
        assert np.abs(axes @ axes[0]).min() < 0.1
    assert halve(cameras[:3]) is None


@pytest.mark.parametrize("count", [1, 2])
def test_nothing_to_leave_out(small, count: int) -> None:
    (found,) = checked(subset(small("unique3d"), range(count)))
    assert (found.code, found.severity, found.views) == ("left_out", "note", ())
    assert f"found {count}" in found.message


def test_empty_masks_do_not_count(shapes) -> None:
    views = shapes.of(load_rig("unique3d").cameras(), shapes.EGG, 64)
    views.masks[1] = 0.0
    found = checked(views)
    assert [finding.views[0] for finding in found] == ["front", "back", "left"]
    views.masks[:] = 0.0
    assert "found 0" in checked(views)[0].message


def test_one_view_without_which_there_is_a_volume(shapes, monkeypatch: pytest.MonkeyPatch) -> None:
    views = shapes.of(load_rig("unique3d").cameras(), shapes.EGG, 64)
    surface = rough_surface(views, GRID)
    monkeypatch.setattr(
        leave_out, "rough_surface", lambda some, _: None if "left" in [c.name for c in some.cameras] else surface
    )
    (found,) = checked(views)
    assert (found.severity, found.views) == ("suspect", ("left",))
    assert "without left" in found.message


def test_a_view_that_the_shape_is_made_without(shapes) -> None:
    """Its mask cuts off what the other three agree on."""
    views = shapes.of(load_rig("unique3d").cameras(), shapes.EGG, 64)
    views.masks[3, 20:] = 0.0
    found = {finding.views[0]: finding for finding in checked(views) if finding.code == "left_out"}
    assert found["left"].details["moved_percent"] == 0.0
    assert [name for name, finding in found.items() if finding.severity == "suspect"] == ["left"]


def test_silhouettes_that_share_nothing(shapes) -> None:
    views = shapes.of(load_rig("unique3d").cameras(), shapes.EGG, 64)
    views.masks[:] = 0.0
    for v in range(4):
        views.masks[v, 16 * v : 16 * v + 4, 20:40] = 1.0
    (found,) = checked(views)
    assert (found.severity, found.views) == ("note", ())
    assert "nor when any one is left out" in found.message


def test_halves_without_a_shape(shapes, monkeypatch: pytest.MonkeyPatch) -> None:
    views = shapes.of(load_rig("unique3d").cameras(), shapes.EGG, 64)
    monkeypatch.setattr(
        leave_out, "rough_surface", lambda some, grid: None if len(some) < 3 else rough_surface(some, grid)
    )
    *each, halves = checked(views)
    assert len(each) == 4
    assert (halves.severity, halves.value) == ("note", None)
    assert "no shape can be made" in halves.message


def test_only_on_request(small, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(examination, "check_left_out", lambda *given: asked.append(given) or [])
    views = subset(small("unique3d"), [0, 1])
    examination.examine(views, CheckConfig())
    assert asked == []
    done = examination.examine(views, CheckConfig(deep=True))
    assert asked == [(done.small, examination.GRID, CheckConfig().leave_out)]
