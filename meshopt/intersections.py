"""Where a surface crosses itself."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from meshopt import intersections_kernels as kernels


def self_intersections(vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"]) -> Bool[Tensor, " F"]:
    """Which faces cross another face: an edge of one passes through the other, its border included.

    Pairs that share an edge do not count (see `topology.flipped` for folds), nor do coplanar overlaps and
    mere contact (within 1e-9 of the extent). Faces that share one vertex count if they meet elsewhere too.
    """
    array = faces.detach().cpu().numpy().astype(np.int32)
    points = vertices.detach().cpu().numpy().astype(np.float64)
    marked = np.zeros(len(array), bool)
    if len(array):
        order, low, high = _box_tree(points[array])
        margin = 1e-9 * float((high[1] - low[1]).max())
        kernels.mark_crossing(points, array, order, low, high, margin, marked)
    return torch.from_numpy(marked).to(faces.device)


def _box_tree(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bounding boxes of a complete binary tree over triangles [F, 3, 3] in Morton order: order [F], low,
    high [2L, 3].

    Node i has children 2i and 2i + 1; leaves L + k hold triangle order[k], and empty boxes beyond.
    """
    low, high = corners.min(axis=1), corners.max(axis=1)
    centre = low + high
    extent = max(float(np.ptp(centre, axis=0).max()), 1e-30)
    cell = ((centre - centre.min(axis=0)) * (1023 / extent)).astype(np.int64)
    for shift, mask in ((16, 0x030000FF), (8, 0x0300F00F), (4, 0x030C30C3), (2, 0x09249249)):
        cell = (cell | (cell << shift)) & mask  # two zero bits between the bits
    order = np.argsort(cell[:, 0] << 2 | cell[:, 1] << 1 | cell[:, 2], kind="stable").astype(np.int32)
    leaves = 1 << max(len(order) - 1, 0).bit_length()
    lows, highs = np.full((2 * leaves, 3), np.inf), np.full((2 * leaves, 3), -np.inf)
    lows[leaves : leaves + len(order)], highs[leaves : leaves + len(order)] = low[order], high[order]
    level = leaves // 2
    while level:
        child = slice(2 * level, 4 * level)
        lows[level : 2 * level] = lows[child].reshape(-1, 2, 3).min(axis=1)
        highs[level : 2 * level] = highs[child].reshape(-1, 2, 3).max(axis=1)
        level //= 2
    return order, lows, highs
