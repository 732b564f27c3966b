"""The surface of a scalar field on a regular grid, by marching tetrahedra.

Each grid cell is cut into the six tetrahedra around its diagonal (Freudenthal 1942, Kuhn 1960), which fit together
from cell to cell. In a tetrahedron the surface is one triangle or one quadrangle, so that it is closed and 2-manifold
for every field, with no ambiguous cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
from jaxtyping import Float, Float32, Int32

from meshopt.initial import tetrahedra_kernels as kernels

CLIP = 0.05  # vertices keep this share of an edge from its ends, so that no face is degenerate


def marching_tetrahedra(
    values: Float[np.ndarray, "X Y Z"], origin: Sequence[float] | Float[np.ndarray, "3"], spacing: float
) -> tuple[Float32[np.ndarray, "N 3"], Int32[np.ndarray, "F 3"]]:
    """Vertices and outward, counter-clockwise faces of the surface around the samples that are positive.

    Sample [i, j, k] stands at origin + spacing * (i, j, k). Where the positive side reaches the grid's border, the
    surface closes within one step beyond it. NaN counts as outside. No positive sample: no faces. Deterministic; the
    mesh is closed and 2-manifold and has no degenerate face.
    """
    inner = np.ascontiguousarray(values, np.float32)
    field = np.pad(inner, 1, mode="edge")
    border = np.ones(field.shape, bool)
    border[1:-1, 1:-1, 1:-1] = False
    field[border] = -np.maximum(np.abs(field[border]), np.float32(1e-6))
    counts = np.zeros(2, np.int64)
    kernels.count(field, counts)
    vertices = np.empty((counts[0], 3), np.float32)
    faces = np.empty((12 * counts[1], 3), np.int32)
    ids = np.empty((2, *field.shape[1:], 8), np.int32)
    found = kernels.march(field, _PATHS, _CASES, np.float32(CLIP), ids, vertices, faces)
    start = np.asarray(origin, np.float64) - spacing
    return (start + spacing * vertices.astype(np.float64)).astype(np.float32), faces[:found].copy()


def _paths() -> np.ndarray:
    """Corners of the six tetrahedra [6, 4], as bits (x 1, y 2, z 4): the monotone paths from corner 0 to 7."""
    steps = [np.cumsum([0, *(1 << axis for axis in order)]) for order in permutations(range(3))]
    return np.array(steps, np.int64)


def _cases(paths: np.ndarray) -> np.ndarray:
    """Triangles for each tetrahedron and set of corners inside [6, 16, 6, 2], as edges (start, direction)."""
    table = np.full((6, 16, 6, 2), -1, np.int64)
    for tet, path in enumerate(paths):
        for case in range(1, 15):
            edges = [edge for triangle in _triangles(path, case) for edge in triangle]
            for i, (a, b) in enumerate(edges):
                low, high = min(path[a], path[b]), max(path[a], path[b])
                table[tet, case, i] = low, high - low
    return table


def _triangles(path: np.ndarray, case: int) -> list[list[tuple[int, int]]]:
    """The triangles of one tetrahedron; an edge is (corner inside, corner outside)."""
    points = np.array([[corner >> axis & 1 for axis in range(3)] for corner in path], float)
    inside = [i for i in range(4) if case >> i & 1]
    outside = [i for i in range(4) if not case >> i & 1]
    ring = [(i, o) for i in inside for o in outside]
    if len(inside) == 2:
        ring = [ring[0], ring[1], ring[3], ring[2]]
    middles = np.array([(points[i] + points[o]) / 2 for i, o in ring])
    outward = points[outside].mean(axis=0) - points[inside].mean(axis=0)
    if np.dot(np.cross(middles[1] - middles[0], middles[2] - middles[0]), outward) < 0:
        ring.reverse()
    return [[ring[0], ring[k], ring[k + 1]] for k in range(1, len(ring) - 1)]


_PATHS = _paths()
_CASES = _cases(_PATHS)
