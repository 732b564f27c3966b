"""Distances between surfaces against analytic truths and against trying all triangles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from surfaces import Surface, compare

from meshopt.mesh import Mesh


def _surface(*shapes: trimesh.Trimesh) -> Surface:
    whole = trimesh.util.concatenate(list(shapes))
    return Surface.of(Mesh(torch.tensor(np.array(whole.vertices)).double(), torch.tensor(np.array(whole.faces))))


def _ball(radius: float, subdivisions: int = 4) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions, radius=radius)


def test_nearest_is_the_least_over_all_triangles() -> None:
    """In front of faces, edges and corners, on and inside the surface, and with slivers and doubled faces."""
    random = np.random.default_rng(0)
    triangles = random.normal(size=(37, 3, 3))
    triangles[1] = triangles[0]
    triangles[2, 2] = triangles[2, 0] + 1e-9 * triangles[2, 1]
    surface = Surface(triangles)
    points = np.concatenate([2 * random.normal(size=(60, 3)), triangles.mean(1), triangles[:, 0]])
    weights = random.dirichlet((0.5, 0.5, 0.5), 20_000)
    weights = np.concatenate([weights, np.eye(3)])
    cloud = np.einsum("sk,tkx->tsx", weights, triangles).reshape(-1, 3)
    found = surface.nearest(points)[0]
    dense = np.array([np.linalg.norm(cloud - p, axis=1).min() for p in points])
    assert (found <= dense + 1e-9).all()
    assert (dense - found).max() < 0.03  # the cloud's spacing
    assert found[60:].max() < 1e-9


@pytest.mark.parametrize("offset", [0.003, 0.02])
def test_shells_are_as_far_apart_as_their_radii_differ(offset: float) -> None:
    found = compare(_surface(_ball(1 + offset)), _surface(_ball(1.0)), 4000)
    assert found["p2s"] == pytest.approx(offset, rel=0.01)
    assert found["chamfer_pct"] == pytest.approx(100 * offset / np.sqrt(12), rel=0.02)
    assert found["f_01"] == float(offset < 0.01)
    assert found["f_005"] == float(offset < 0.005)
    assert found["normal_angle_deg"] < 1


def test_equal_surfaces_are_equal_and_inverted_ones_are_not() -> None:
    ball, inverted = _ball(1.0), _ball(1.0)
    inverted.invert()
    assert compare(_surface(ball), _surface(ball), 2000)["p2s"] < 1e-12
    found = compare(_surface(inverted), _surface(ball), 2000)
    assert found["p2s"] < 1e-12
    assert found["normal_angle_deg"] == pytest.approx(180, abs=0.1)


def test_hidden_inner_surface_counts_in_one_of_the_two_figures_only() -> None:
    truth = _surface(_ball(1.0), _ball(0.5))
    found = compare(_surface(_ball(1.0)), truth, 4000)
    assert found["p2s_visible"] < 1e-12
    assert found["p2s"] == pytest.approx(0.2 * 0.5 / 2, rel=0.02)  # a fifth of the truth's area is half a radius away
    assert found["seen_share_truth"] == pytest.approx(0.8, abs=0.01)
    assert found["seen_share"] == 1


def test_samples_lie_on_the_surface_and_spread_over_its_area() -> None:
    box = trimesh.creation.box((2.0, 1.0, 1.0))
    samples = _surface(box).sample(5000, 0)
    assert np.abs(np.abs(samples.points / [1, 0.5, 0.5]).max(1) - 1).max() < 1e-12
    assert (np.abs(samples.normals[:, 0]) > 0.5).mean() == pytest.approx(0.2, abs=0.002)
