"""Figures between surfaces against analytic truths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from meshopt.evaluate.geometry import FScore, compare
from meshopt.evaluate.surfaces import Surface
from meshopt.mesh import Mesh

DIAGONAL = np.sqrt(12)  # of the unit ball's box


@pytest.mark.parametrize("offset", [0.003, 0.03])
def test_shells_are_as_far_apart_as_their_radii_differ(shapes: Any, offset: float) -> None:
    found = compare(shapes.surface_of(shapes.ball(1 + offset)), shapes.surface_of(shapes.ball(1.0)), 4000)
    scores = found.everything
    for way in (scores.point_to_surface, scores.hausdorff_95):
        assert way.accuracy == pytest.approx(offset, rel=0.02)
        assert way.completeness == pytest.approx(offset, rel=0.02)
    half, whole = scores.fscores
    assert (half.precision, half.recall) == 2 * (float(offset < 0.005 * DIAGONAL),)
    assert whole.fscore == float(offset < 0.01 * DIAGONAL)
    assert scores.normal_angle.mean < 1
    assert scores.normal_cosine.mean == pytest.approx(1, abs=1e-3)
    plain = found.as_plain()["all"]["point_to_surface"]
    assert plain["percent"]["mean"] == pytest.approx(100 * offset / DIAGONAL, rel=0.02)
    assert plain["unit_sphere"]["mean"] == pytest.approx(offset, rel=0.02)
    assert found.visible == scores


def _plane(height: float, side: float = 1.0) -> Surface:
    corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]) * side + torch.tensor([0, 0, height])
    return Surface.of(Mesh(corners, torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)))


def test_shifted_planes() -> None:
    """Open surfaces; samples of either are no nearer to each other than the planes are."""
    found = compare(_plane(0.25), _plane(0.0), 20_000, (10.0, 20.0))
    scores = found.everything
    assert scores.point_to_surface.accuracy == pytest.approx(0.25)
    assert scores.point_to_surface.completeness == pytest.approx(0.25)
    assert 0.25 <= scores.point_to_point.mean == pytest.approx(0.25, rel=1e-3)
    assert scores.point_to_point_squared.mean == pytest.approx(0.0625, rel=1e-3)
    assert [score.fscore for score in scores.fscores] == [0, 1]  # the diagonal is 1.41
    assert scores.normal_angle.mean == pytest.approx(0, abs=1e-5)


def test_each_direction_has_its_own_figure() -> None:
    """What is missing shows in completeness and recall alone."""
    found = compare(_plane(0.0, 0.5), _plane(0.0, 1.0), 20_000, (1e-6,))
    scores = found.everything
    assert scores.point_to_surface.accuracy == pytest.approx(0, abs=1e-12)
    # over the three quarters outside: two strips at distance t = 0 ... 0.5, and a quarter about its corner
    corner = 0.125 * (np.sqrt(2) + np.arcsinh(1)) / 3
    assert scores.point_to_surface.completeness == pytest.approx(2 * 0.0625 + corner, rel=0.02)
    (score,) = scores.fscores
    assert (score.precision, score.recall) == (1, pytest.approx(0.25, abs=0.01))
    assert score.fscore == pytest.approx(0.4, abs=0.01)


def test_floor_is_what_equal_surfaces_have(shapes: Any) -> None:
    found = compare(shapes.surface_of(shapes.lump()), shapes.surface_of(shapes.lump()), 20_000)
    assert found.everything.point_to_surface.mean < 1e-12
    assert found.everything.point_to_point.mean == pytest.approx(found.floor, rel=0.1)
    assert found.everything.fscores[0].fscore == 1


def test_inverted_surface_differs_in_orientation_alone(shapes: Any) -> None:
    inverted = shapes.ball(1.0)
    inverted.invert()
    scores = compare(shapes.surface_of(inverted), shapes.surface_of(shapes.ball(1.0)), 2000).everything
    assert scores.point_to_surface.mean < 1e-12
    assert scores.normal_angle.mean == pytest.approx(180, abs=0.1)
    assert scores.normal_angle_unoriented.mean == pytest.approx(0, abs=0.1)
    assert scores.normal_cosine.mean == pytest.approx(-1, abs=1e-4)
    assert scores.normal_cosine_unoriented.mean == pytest.approx(1, abs=1e-4)


def test_hidden_inner_surface_is_not_visible(shapes: Any) -> None:
    found = compare(shapes.surface_of(shapes.ball(1.0)), shapes.surface_of(shapes.ball(1.0), shapes.ball(0.5)), 4000)
    assert found.visible is not None
    assert found.visible.point_to_surface.mean < 1e-12
    # a fifth of the truth's area is half a radius away
    assert found.everything.point_to_surface.completeness == pytest.approx(0.2 * 0.5, rel=0.02)
    assert found.visible_share.accuracy == 1
    assert found.visible_share.completeness == pytest.approx(0.8, abs=0.01)


def test_same_figures_again_and_in_other_units(shapes: Any) -> None:
    first, second = shapes.surface_of(shapes.lump()), shapes.surface_of(shapes.ball(0.9))
    found = compare(first, second, 3000)
    assert compare(first, second, 3000) == found
    larger = compare(Surface(1000 * first.triangles), Surface(1000 * second.triangles), 3000).as_plain()["all"]
    for unit in ("percent", "unit_sphere"):
        for key in ("point_to_surface", "point_to_point", "hausdorff_95"):
            assert larger[key][unit] == pytest.approx(found.as_plain()["all"][key][unit], rel=1e-6)


def test_foreign_meshes_are_measured(shapes: Any) -> None:
    """Open, several parts, an edge of three faces, a face without area, a face of a vertex used twice."""
    box = trimesh.creation.box((1, 1, 1))
    fin = trimesh.Trimesh([*box.vertices[box.faces[0]][:2], [2.0, 2, 2]], [[0, 1, 2]], process=False)
    flat = trimesh.Trimesh([[0.0, 0, 0], [1, 1, 1], [2, 2, 2]], [[0, 1, 2], [0, 0, 1]], process=False)
    found = compare(shapes.surface_of(box, fin, flat, shapes.ball(0.2, 1)), shapes.surface_of(shapes.ball(1.0)), 2000)
    assert np.isfinite(found.everything.point_to_surface.mean)
    assert found.visible is not None


def test_fscore_of_nothing_is_nothing() -> None:
    assert FScore(1.0, 0.0, 0.0).fscore == 0
