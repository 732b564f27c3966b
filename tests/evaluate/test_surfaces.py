"""Surfaces: against trying all triangles, and against what is known of simple shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from meshopt import parallel
from meshopt.errors import InputError
from meshopt.evaluate.surfaces import DIRECTIONS, Samples, Surface, _directions
from meshopt.mesh import Mesh


def _soup() -> Surface:
    """Triangles that cross, with a doubled one and a sliver."""
    triangles = np.random.default_rng(0).normal(size=(37, 3, 3))
    triangles[1] = triangles[0]
    triangles[2, 2] = triangles[2, 0] + 1e-9 * triangles[2, 1]
    return Surface(triangles)


def test_nearest_is_the_least_over_all_triangles() -> None:
    """In front of faces, edges and corners, and on the surface."""
    random, surface = np.random.default_rng(1), _soup()
    triangles = surface.triangles
    points = np.concatenate([2 * random.normal(size=(60, 3)), triangles.mean(1), triangles[:, 0]])
    weights = np.concatenate([random.dirichlet((0.5, 0.5, 0.5), 5000), np.eye(3)])
    cloud = np.einsum("sk,tkx->tsx", weights, triangles).reshape(-1, 3)
    found = surface.nearest(points)
    dense = np.array([np.linalg.norm(cloud - p, axis=1).min() for p in points])
    assert (found.distance <= dense + 1e-9).all()
    assert (dense - found.distance).max() < 0.06  # the cloud's spacing
    assert found.distance[60:].max() < 1e-9


def test_nearest_places_lie_on_the_surface_at_that_distance() -> None:
    surface = _soup()
    points = 2 * np.random.default_rng(2).normal(size=(200, 3))
    found = surface.nearest(points)
    assert np.allclose(np.linalg.norm(found.points - points, axis=1), found.distance, atol=1e-9)
    assert surface.nearest(found.points).distance.max() < 1e-9
    assert np.allclose(np.linalg.norm(found.normals, axis=1), 1)


def test_rays_are_blocked_as_all_triangles_say(shapes: Any) -> None:
    """A box with a lid that is half open, and a ball inside."""
    box = trimesh.creation.box((2, 2, 2))
    box.update_faces(np.arange(len(box.faces)) != 0)
    surface = shapes.surface_of(box, shapes.ball(0.5, 1))
    samples = surface.sample(300, 0)
    found = surface.reached(samples)
    for i in range(len(samples)):
        assert found[i] == any(_leaves(surface, samples, i, d) for d in _directions(DIRECTIONS))
    assert 0.5 < found.mean() < 1


def _leaves(surface: Surface, samples: Samples, i: int, direction: np.ndarray) -> bool:
    """Plain: the ray's crossing with each triangle's plane, and whether it lies inside."""
    start = samples.points[i] + np.sign(samples.normals[i] @ direction) * 1e-4 * surface.side * samples.normals[i]
    a, b, c = surface.triangles.transpose(1, 0, 2)
    along = ((a - start) * surface.cross).sum(1) / (surface.cross @ direction)
    place = start + along[:, None] * direction
    sides = [(np.cross(q - p, place - p) * surface.cross).sum(1) >= 0 for p, q in ((a, b), (b, c), (c, a))]
    return not ((along > 0) & sides[0] & sides[1] & sides[2]).any()


def test_samples_lie_on_the_surface_and_spread_over_its_area(shapes: Any) -> None:
    surface = shapes.surface_of(trimesh.creation.box((2.0, 1.0, 1.0)))
    samples = surface.sample(5000, 0)
    assert np.abs(np.abs(samples.points / [1, 0.5, 0.5]).max(1) - 1).max() < 1e-12
    assert (np.abs(samples.normals[:, 0]) > 0.5).mean() == pytest.approx(0.2, abs=0.002)
    assert surface.area == pytest.approx(10)


def test_threads_do_not_matter(shapes: Any) -> None:
    surface = shapes.surface_of(shapes.lump())
    samples = surface.sample(10_000, 0)
    with parallel.limit(1):
        alone = surface.nearest(1.1 * samples.points), surface.reached(samples)
    together = surface.nearest(1.1 * samples.points), surface.reached(samples)
    assert np.array_equal(alone[0].distance, together[0].distance)
    assert np.array_equal(alone[0].points, together[0].points)
    assert np.array_equal(alone[1], together[1])


def test_measures_of_a_box(shapes: Any) -> None:
    surface = shapes.surface_of(trimesh.creation.box((1.0, 2.0, 2.0)))
    assert surface.diagonal == pytest.approx(3)
    assert surface.radius == pytest.approx(1.5)
    assert surface.side == pytest.approx(2)


@pytest.mark.parametrize(
    ("points", "faces", "message"),
    [
        ([[0.0, 0, 0]], [], "it has no faces, expected a triangle mesh"),
        ([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0, 1, 2]], "all 1 faces of it are without area, expected a surface"),
        ([[0.0, 0, 0], [1, 0, 0], [0, 1, float("nan")]], [[0, 1, 2]], "it has vertices that are NaN or infinite"),
        ([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 3]], "it has faces with the vertices 0 to 3, expected 0 to 2"),
    ],
)
def test_what_is_no_surface_is_refused(points: list[list[float]], faces: list[list[int]], message: str) -> None:
    mesh = Mesh(torch.tensor(points), torch.tensor(faces, dtype=torch.int32).reshape(-1, 3))
    with pytest.raises(InputError, match=message):
        Surface.of(mesh, "it")
