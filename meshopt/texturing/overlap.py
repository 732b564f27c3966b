"""Proof that faces in a plane do not overlap."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int32, Int64

from meshopt.texturing import overlap_kernels as kernels

MOST = 1 << 21  # pairs that are listed, some twice; the search ends there


def overlapping_pairs(
    corners: Float64[np.ndarray, "F 3 2"], group: Int64[np.ndarray, " F"], slack: float
) -> Int32[np.ndarray, "P 2"]:
    """Faces of the same group whose interiors share more than what is `slack` deep, smaller index first, sorted.

    By the separating axis theorem (Gottschalk et al. 1996), exact but for double precision: depth is measured across
    every edge of both. Faces without area overlap nothing. `slack` is a length in the corners' units. Of more than two
    million pairs only some are given.
    """
    side = np.ceil(np.sqrt(np.bincount(group))).astype(np.int64)
    start = np.concatenate([[0], np.cumsum(side**2)])
    low, high = np.full((len(side), 2), np.inf), np.full((len(side), 2), -np.inf)
    np.minimum.at(low, group, corners.min(axis=1))
    np.maximum.at(high, group, corners.max(axis=1))
    scale = side / np.maximum((high - low).max(axis=1), 1e-300)
    cells = (corners - low[group][:, None]) * scale[group][:, None, None]
    ends = np.zeros(start[-1], np.int64)
    kernels.list_faces(cells, group, side, start, ends, np.empty(0, np.int32))
    first = np.concatenate([[0], np.cumsum(ends)])
    listed = np.empty(first[-1], np.int32)
    kernels.list_faces(cells, group, side, start, first[:-1].copy(), listed)
    pairs = np.empty((MOST, 2), np.int32)
    count = kernels.find_overlaps(cells, first, listed, slack * scale[group], pairs)
    return np.unique(np.sort(pairs[:count], axis=1), axis=0)
