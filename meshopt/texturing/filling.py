"""Colours where no view sees the surface."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from meshopt.harmonic import harmonic, unreached


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
    lost = unreached(known, adjacency)
    if lost.any():
        _, closest = cKDTree(points[known]).query(points[lost])
        values = values.copy()
        values[lost] = values[np.flatnonzero(known)[closest]]
    return harmonic(values, known | lost, adjacency)
