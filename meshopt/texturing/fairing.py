"""A smooth stand-in for a rough mesh, to be cut into charts in its place."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int32
from scipy.sparse import diags
from scipy.sparse.csgraph import connected_components

from meshopt.texturing.charts import graph

PASSES = 20
SHRINK, GROW = 0.5, -0.53  # Taubin 1995
REACH = 0.03  # of a part's size: what is smaller may be faired away


def faired(points: Float64[np.ndarray, "N 3"], faces: Int32[np.ndarray, "F 3"]) -> Float64[np.ndarray, "N 3"]:
    """The vertices after passes of Taubin's filter (SIGGRAPH 1995) with the uniform Laplacian, borders held.

    A pass reaches an edge length, so many as there are the root of their squares' sum: each connected part has as many
    (20 at most) as keep within 3 % of its diagonal, so that coarse meshes and small parts stay as they are.
    """
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    edges, uses = np.unique(np.sort(ends, axis=1), axis=0, return_counts=True)
    size = len(points)
    joined = graph(edges, size)
    mean = diags(1 / np.maximum(np.asarray(joined.sum(axis=1)).ravel(), 1)) @ joined
    count, part = connected_components(joined, directed=False)
    held = np.zeros(size, bool)
    held[edges[uses != 2].ravel()] = True
    room = (REACH * _diagonals(points, count, part)) ** 2
    owner = part[edges[:, 0]]
    shares = np.maximum(np.bincount(owner, minlength=count), 1)
    for _ in range(PASSES):
        squares = ((points[edges[:, 0]] - points[edges[:, 1]]) ** 2).sum(axis=1)
        room -= np.bincount(owner, squares, minlength=count) / shares
        moving = ((room >= 0)[part] & ~held)[:, None]
        if not moving.any():
            break
        for step in (SHRINK, GROW):
            points = points + np.where(moving, step * (mean @ points - points), 0)
    return points


def _diagonals(points: np.ndarray, count: int, part: np.ndarray) -> np.ndarray:
    """The diagonal of the box of every part of the mesh."""
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, part, points)
    np.maximum.at(high, part, points)
    return np.linalg.norm(high - low, axis=1)
