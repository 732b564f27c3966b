"""The winding number against the sum of solid angles, and what moves do."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from meshopt.untangle import kernels
from meshopt.untangle.tangle import DIRECTION, Tangle


def made(shapes: SimpleNamespace) -> Tangle:
    parts = shapes.sphere(2), shapes.sphere(2, (0.6, 0.0, 0.0)), shapes.inside_out(shapes.sphere(1, (0, 1.5, 0), 0.7))
    vertices, faces = shapes.together(*parts)
    return Tangle(vertices.double().numpy(), faces.numpy(), np.dtype(np.float32))


def slow_winding(points: np.ndarray, faces: np.ndarray, place: np.ndarray) -> float:
    """van Oosterom & Strackee 1983."""
    a, b, c = (points[faces] - place).transpose(1, 0, 2)
    p, q, r = (np.linalg.norm(x, axis=1) for x in (a, b, c))
    above = (a * np.cross(b, c)).sum(1)
    below = p * q * r + (a * b).sum(1) * r + (b * c).sum(1) * p + (c * a).sum(1) * q
    return float(np.arctan2(above, below).sum() / (2 * np.pi))


def test_winding_numbers_are_those_of_solid_angles(shapes: SimpleNamespace) -> None:
    work = made(shapes)
    places = np.random.default_rng(0).uniform([-1.2, -1.2, -1.2], [1.8, 2.3, 1.2], (200, 3))
    fast = [kernels.winding(work.search.tree, *place, DIRECTION) for place in places]
    slow = [slow_winding(work.points, work.faces, place) for place in places]
    assert set(fast) >= {-1, 0, 1, 2}
    assert np.abs(np.array(fast) - slow).max() < 1e-6


def test_defects_around_what_moved_are_those_of_the_whole(shapes: SimpleNamespace) -> None:
    vertices, faces = shapes.noisy_sphere(0.04)
    work = Tangle(vertices.double().numpy(), faces.numpy(), np.dtype(np.float32))
    work.defects()
    for _ in range(3):
        counts = work.defects(work.move())
        fresh = Tangle(work.points.copy(), work.faces, np.dtype(np.float32))
        assert counts == fresh.defects()
        assert np.array_equal(work.wrong[0], fresh.wrong[0])


def test_growing_is_by_edges(shapes: SimpleNamespace) -> None:
    vertices, faces = shapes.sphere(3)
    work = Tangle(vertices.double().numpy(), faces.numpy(), np.dtype(np.float32))
    seeds = np.array([0, 100], np.int32)
    region, left = work.grown(seeds, np.array([3, 1]))
    marked = np.zeros(len(vertices), bool)
    marked[0] = True
    for _ in range(2):
        marked[work.faces[work.around(marked)]] = True
    marked[100] = True
    assert np.array_equal(np.sort(region), np.flatnonzero(marked))
    assert left[list(region).index(0)] == 3
    assert left.min() == 1
