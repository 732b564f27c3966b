"""Bent normals: the field that was put in is found in its view alone, and nothing in views that are not bent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from meshopt.config import CheckConfig
from meshopt.consistency import bends
from meshopt.consistency.bends import Bend, agreeing, find_bends, fitted
from meshopt.consistency.corrections import Correction, Turned, Unbent
from meshopt.consistency.observation import observe
from meshopt.consistency.reports import of_bend
from meshopt.consistency.rotation_fields import basis, field, rotated, splines
from meshopt.consistency.turn_evidence import Equations, integrability, rim
from meshopt.consistency.turns import rotation
from meshopt.evaluate.corruptions import corrupt
from meshopt.rigs import load_rig
from meshopt.views import ViewSet


def bent(views: ViewSet, view: int, degrees: float = 10.0, seed: int = 1) -> ViewSet:
    return corrupt(views, "bend", degrees, seed=seed, view=views.cameras[view].name).views


def apart(a: ViewSet, b: ViewSet, view: int) -> float:
    """Mean degrees between the normals of one view."""
    cosine = (a.normals[view] * b.normals[view]).sum(-1).clamp(-1, 1)[a.masks[view] > 0.5]
    return float(torch.rad2deg(torch.arccos(cosine)).mean())


def found(views: ViewSet) -> list[Bend]:
    return find_bends(views, observe(views))


@pytest.mark.parametrize(("rig", "view", "seed"), [("unique3d", 2, 1), ("wonder3d", 1, 2), ("zero123plus", 3, 3)])
def test_a_bent_view_is_found_and_mended(small, rig: str, view: int, seed: int) -> None:
    clean = small(rig)
    views = bent(clean, view, seed=seed)
    bends = found(views)
    assert [bend.view for bend in bends] == [view]
    assert abs(bends[0].degrees - 10) < 3 * bends[0].uncertainty
    mended = bends[0].correction.apply(views)
    assert apart(mended, clean, view) < 0.5 * apart(views, clean, view)
    assert agreeing(views, bends) == bends


@pytest.mark.parametrize("rig", ["unique3d", "wonder3d", "zero123plus"])
def test_views_of_a_surface_are_not_bent(small, rig: str) -> None:
    assert found(small(rig)) == []


@pytest.mark.parametrize("degrees", [10.0, 25.0])
def test_a_rotation_is_no_bend(small, degrees: float) -> None:
    """However much curl it has: that of one rotation is another finding's."""
    assert found(Turned(2, rotation(np.radians(degrees) * np.array([0.6, 0.64, 0.48]))).apply(small("unique3d"))) == []


def test_noise_on_a_finer_scale_is_no_bend(small) -> None:
    views = corrupt(small("unique3d"), "noise", 10.0, seed=1).views
    assert agreeing(views, found(views)) == []


def test_what_makes_views_disagree_is_not_kept(small) -> None:
    views = small("unique3d")
    wrong = Bend(1, np.radians(20.0) * np.ones((5, 5, 3)), 20.0, 1.0, (9.0, 1.0))
    assert agreeing(views, [wrong]) == []
    assert agreeing(views, []) == []


def test_the_correction_is_undone_by_its_opposite() -> None:
    """Exactly where the vectors point along one axis; other views and what has no normal stay as they are."""
    views = small_views()
    grid = np.random.default_rng(0).uniform(-0.4, 0.4, (5, 5, 1)) * np.array([0.3, -0.5, 0.8])
    there = Unbent(1, grid).apply(views)
    assert torch.linalg.norm(there.normals[1], dim=-1) == pytest.approx(torch.linalg.norm(views.normals[1], dim=-1))
    assert (there.normals[0] == views.normals[0]).all()
    assert not there.normals[1][views.normals[1].abs().amax(-1) == 0].any()
    assert (there.normals[1] - views.normals[1]).abs().max() > 0.05
    assert Unbent(1, -grid).apply(there).normals[1] == pytest.approx(views.normals[1], abs=1e-6)


def small_views() -> ViewSet:
    normals = torch.randn(2, 24, 32, 3, generator=torch.Generator().manual_seed(0))
    normals = torch.nn.functional.normalize(normals, dim=-1)
    normals[:, :3] = 0
    masks = torch.ones(2, 24, 32)
    return ViewSet(load_rig("unique3d").cameras()[:2], normals, masks)


def test_a_constant_field_is_a_rotation_in_the_camera_s_frame() -> None:
    views = small_views()
    vector = np.array([0.2, -0.1, 0.3])
    turn = views.cameras[1].rotation.T @ rotation(vector) @ views.cameras[1].rotation
    expected = Turned(1, turn).apply(views)
    got = Unbent(1, np.broadcast_to(vector, (5, 5, 3)).copy()).apply(views)
    assert got.normals == pytest.approx(expected.normals, abs=1e-6)
    assert rotated(views.normals[1].numpy(), np.broadcast_to(vector, (24, 32, 3))) == pytest.approx(
        views.normals[1].numpy() @ rotation(vector).T, abs=1e-6
    )


def test_splines_add_up_to_one_and_reproduce_lines() -> None:
    shares = splines(40, 5)
    assert shares.shape == (40, 5)
    assert shares.sum(1) == pytest.approx(np.ones(40))
    assert (shares >= 0).all()
    assert shares @ np.arange(5) == pytest.approx((np.arange(40) + 0.5) / 40 * 2 + 1)


def test_a_field_does_not_depend_on_the_resolution() -> None:
    grid = np.random.default_rng(1).standard_normal((5, 5, 3))
    fine, coarse = field(grid, 90, 60), field(grid, 30, 20)
    assert fine[1::3, 1::3] == pytest.approx(coarse)


@pytest.mark.parametrize("kind", [integrability, rim])
def test_equations_are_finite_differences(small, kind: Callable[..., Equations]) -> None:
    """In the spline's coefficients; of the rim, those that are not relative to its median."""
    view = observe(small("zero123plus"), 96)[0]
    normals = view.normals.astype(np.float64)
    height, width = view.mask.shape
    shares = basis(height, width, 5, 5)
    here, step = kind(view, normals, shares), 1e-5
    use = slice(0, len(here) // 2) if kind is rim else slice(None)
    for column in (0, 37, 41):
        change = np.zeros(75)
        change[column] = step
        vectors = field(change.reshape(5, 5, 3), height, width)
        there, back = (kind(view, rotated(normals, sign * vectors), shares).residual for sign in (1, -1))
        slope = (there - back)[use] / (2 * step)
        assert here.jacobian[use, column] == pytest.approx(slope, abs=1e-3)


def test_the_field_of_a_view_by_itself_says_how_sure_it_is(small) -> None:
    grid, covariance = fitted(observe(bent(small("unique3d"), 1), 96)[1])
    assert grid.shape == (5, 5, 3)
    values = np.linalg.eigvalsh(covariance)
    assert (values > 0).all()
    assert np.sqrt(values.max()) <= bends.PRIOR * 1.001


def test_the_report_says_it_in_plain_data(small) -> None:
    views = small("unique3d")
    bend = Bend(2, np.full((5, 5, 3), 0.1), 8.24, 1.13, (5.9, 0.6))
    plain = bend.correction.as_plain([camera.name for camera in views.cameras])
    assert json.loads(json.dumps(plain)) == plain
    assert plain["view"] == views.cameras[2].name
    assert np.array(plain["grid"]).shape == (5, 5, 3)
    assert isinstance(bend.correction, Correction)
    finding = of_bend(views, bend, CheckConfig())
    assert (finding.code, finding.severity, finding.views) == ("bent", "suspect", (views.cameras[2].name,))
    assert "8.2 ± 1.1 degrees" in finding.message
    assert of_bend(views, replace(bend, degrees=11.0), CheckConfig()).severity == "inconsistent"


def test_views_without_normals(small) -> None:
    views = small("unique3d")
    blank = replace(views, normals=torch.zeros_like(views.normals))
    assert found(blank) == []
    grid, _ = fitted(observe(blank, 64)[0])
    assert grid == pytest.approx(np.zeros((5, 5, 3)), abs=1e-9)
