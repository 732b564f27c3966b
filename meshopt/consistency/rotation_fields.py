"""Rotations that vary smoothly over a picture: rotation vectors as a bicubic B-spline."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

Grid = Float[np.ndarray, "rows columns 3"]  # coefficients, radians; rows from the top


def splines(count: int, nodes: int) -> Float[np.ndarray, "count nodes"]:
    """Uniform cubic B-splines over [0, 1], at the centres of `count` pixels."""
    place = (np.arange(count) + 0.5) / count * (nodes - 3)
    distance = np.abs(place[:, None] + 1 - np.arange(nodes))
    near, far = 2 / 3 - distance**2 + distance**3 / 2, np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far)


def basis(height: int, width: int, rows: int, columns: int) -> Float[np.ndarray, "height width B"]:
    """Of so many coefficients, row by row, each one's share at the pixels' centres."""
    shares = np.einsum("hr,wc->hwrc", splines(height, rows), splines(width, columns))
    return shares.reshape(height, width, rows * columns)


def field(grid: Grid, height: int, width: int) -> Float[np.ndarray, "height width 3"]:
    """The spline at the pixels' centres."""
    rows, columns = splines(height, grid.shape[0]), splines(width, grid.shape[1])
    return np.einsum("hr,wc,rck->hwk", rows, columns, grid, optimize=True)


def rotated(normals: Float[np.ndarray, "*N 3"], vectors: Float[np.ndarray, "*N 3"]) -> Float[np.ndarray, "*N 3"]:
    """Each turned by its rotation vector (Rodrigues)."""
    angle = np.linalg.norm(vectors, axis=-1, keepdims=True)
    axis = vectors / np.maximum(angle, 1e-12)
    along = (axis * normals).sum(-1, keepdims=True)
    return normals * np.cos(angle) + np.cross(axis, normals) * np.sin(angle) + axis * along * (1 - np.cos(angle))
