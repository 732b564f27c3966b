"""The fast search for crossing faces against all pairs, one by one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch

from meshopt.initial.primitives import icosphere
from meshopt.intersections import CrossingSearch, crossing_pairs, self_intersections


def tangled(seed: int = 0, size: float = 0.6, levels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    mesh = icosphere((0.2, -0.1, 5.0), 1.0, levels)
    noise = np.random.default_rng(seed).normal(0, size, mesh.vertices.shape)
    return mesh.vertices.numpy().astype(np.float64) + noise, mesh.faces.numpy()


def volume(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> float:
    return float(np.linalg.det(np.stack([b - a, c - a, d - a])))


def slow_cross(points: np.ndarray, one: np.ndarray, two: np.ndarray) -> bool:
    """By the signs of the volumes that edges and corners span."""
    if len(set(one) & set(two)) > 1:
        return False
    for first, second in ((one, two), (two, one)):
        a, b, c = points[second]
        for k in range(3):
            pair = (first[k], first[(k + 1) % 3])
            if set(pair) & set(second):
                continue
            p, q = points[list(pair)]
            if volume(a, b, c, p) * volume(a, b, c, q) < 0:
                signs = np.sign([volume(p, q, a, b), volume(p, q, b, c), volume(p, q, c, a)])
                if abs(signs.sum()) == 3:
                    return True
    return False


def test_all_pairs() -> None:
    points, faces = tangled()
    slow = [(i, k) for i, k in combinations(range(len(faces)), 2) if slow_cross(points, faces[i], faces[k])]
    fast = crossing_pairs(torch.from_numpy(points), torch.from_numpy(faces))
    assert len(slow) > 100
    assert [tuple(pair) for pair in fast.tolist()] == slow
    marked = self_intersections(torch.from_numpy(points), torch.from_numpy(faces))
    assert set(torch.nonzero(marked)[:, 0].tolist()) == {face for pair in slow for face in pair}


def test_pairs_of_some_faces_after_a_move() -> None:
    points, faces = tangled()
    search = CrossingSearch(points, faces)
    points[:] = tangled(1)[0]
    search.update()
    everything = search.pairs()
    assert np.array_equal(everything, CrossingSearch(points, faces).pairs())
    wanted = np.arange(len(faces)) % 3 == 0
    assert np.array_equal(search.pairs(wanted), everything[wanted[everything].any(axis=1)])


def test_more_pairs_than_expected_have_room() -> None:
    points, faces = tangled(size=2.0, levels=3)
    pairs = CrossingSearch(points, faces).pairs()
    assert len(pairs) > 10_000
    assert len(np.unique(pairs, axis=0)) == len(pairs)


def test_clean_and_empty() -> None:
    mesh = icosphere((0.0, 0.0, 0.0), 1.0, 3)
    assert len(crossing_pairs(mesh.vertices, mesh.faces)) == 0
    assert len(crossing_pairs(mesh.vertices, mesh.faces[:0])) == 0
    assert len(crossing_pairs(mesh.vertices, mesh.faces[:1])) == 0
