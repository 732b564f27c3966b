"""Colours where no view sees the surface."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.sparse import csr_matrix, diags
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree


def fill(
    values: Float[np.ndarray, "P C"],
    known: Bool[np.ndarray, " P"],
    adjacency: csr_matrix,
    points: Float[np.ndarray, "P 3"],
) -> Float[np.ndarray, "P C"]:
    """Harmonic interpolation along the surface where a value is not known.

    A part of which nothing is known takes, first, the values of the known points nearest in space. Raises ValueError
    where nothing is known at all.
    """
    if known.all():
        return values
    if not known.any():
        raise ValueError("no value is known")
    result, fixed = values.astype(np.float64), known.copy()
    _, part = connected_components(adjacency, directed=False)
    lost = ~np.bincount(part, known, part.max() + 1).astype(bool)[part]
    if lost.any():
        _, closest = cKDTree(points[known]).query(points[lost])
        result[lost], fixed[lost] = result[np.flatnonzero(known)[closest]], True
    free = ~fixed
    if free.any():
        laplacian = (diags(np.asarray(adjacency.sum(1)).ravel()) - adjacency).tocsr()[free]
        right = -laplacian[:, fixed] @ result[fixed]
        result[free] = np.asarray(spsolve(laplacian[:, free].tocsc(), right)).reshape(-1, values.shape[1])
    return result
