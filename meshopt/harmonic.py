"""Values filled in along a surface where none are known: each the mean of its neighbours."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix, csr_matrix, diags
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu


def links(faces: Int[np.ndarray, "F 3"], size: int) -> csr_matrix:
    """1 where two of `size` points share an edge; symmetric."""
    i, j = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).T
    half = coo_matrix((np.ones(len(i), np.float32), (i, j)), shape=(size, size)).tocsr()
    whole = (half + half.T).tocsr()
    whole.data[:] = 1.0
    return whole


def unreached(known: Bool[np.ndarray, " P"], adjacency: csr_matrix) -> Bool[np.ndarray, " P"]:
    """Points of connected parts in which nothing is known."""
    _, part = connected_components(adjacency, directed=False)
    return ~np.bincount(part, known, part.max(initial=0) + 1).astype(bool)[part]


def harmonic(
    values: Float[np.ndarray, "P C"], known: Bool[np.ndarray, " P"], adjacency: csr_matrix
) -> Float[np.ndarray, "P C"]:
    """The values in float64, those that are not known by harmonic interpolation. Every part has to have a known one."""
    result, free = values.astype(np.float64), ~known
    if free.any():
        laplacian = (diags(np.asarray(adjacency.sum(1), np.float64).ravel()) - adjacency).tocsr()[free]
        # SuperLU's other orderings, for symmetric matrices, can take minutes
        result[free] = splu(laplacian[:, free].tocsc()).solve(-laplacian[:, known] @ result[known])
    return result
