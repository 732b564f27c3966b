"""Meshes with fewer faces, for pages that would be too large."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int

from meshopt.errors import InputError
from meshopt.remesh import decimate

Arrays = tuple[Float[np.ndarray, "M 3"], Int[np.ndarray, "G 3"], Float[np.ndarray, "M K"]]


def reduced(
    vertices: Float[np.ndarray, "N 3"], faces: Int[np.ndarray, "F 3"], values: Float[np.ndarray, "N K"], most: int
) -> Arrays:
    """About `most` faces at most, with values per vertex: by edge collapse where the mesh is a closed manifold, else by
    merging the vertices in each cell of a grid."""
    try:
        tensors = [torch.from_numpy(array.astype(np.float32)) for array in (vertices, values)]
        points, kept, carried = decimate(tensors[0], torch.from_numpy(faces.astype(np.int32)), most, tensors[1])
        assert carried is not None
        return points.numpy().astype(np.float64), kept.numpy(), carried.numpy().astype(np.float64)
    except InputError:
        return _clustered(vertices, faces, values, most)


def _clustered(vertices: np.ndarray, faces: np.ndarray, values: np.ndarray, most: int) -> Arrays:
    """A cell as large as two of the faces wanted, or larger until they are few enough."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    cell = float(np.sqrt(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / most)) or 1.0
    while True:
        cells = np.floor((vertices - vertices.min(0)) / cell).astype(np.int64)
        _, merged = np.unique(cells, axis=0, return_inverse=True)
        merged = merged.reshape(-1)
        small = merged[faces]
        small = small[(small != np.roll(small, 1, axis=1)).all(1)]
        if len(small) <= most:
            return _means(merged, vertices), small, _means(merged, values)
        cell *= 1.25


def _means(group: Int[np.ndarray, "N"], values: Float[np.ndarray, "N K"]) -> Float[np.ndarray, "M K"]:
    """Of the values in each group."""
    counts = np.bincount(group)
    return np.stack([np.bincount(group, column) / counts for column in values.T], -1).reshape(len(counts), -1)
