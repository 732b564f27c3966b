"""Solids as distance functions, and their surfaces as meshes.

A distance function takes points [N, 3] and gives [N], negative inside: exact or a little off far away. Lengths are in
scene units; a `turn` [3, 3] has the solid's own axes as its columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from meshopt.initial.tetrahedra import marching_tetrahedra
from meshopt.mesh import Mesh

GRID = 128  # samples per axis of a distance field
ROUND = 0.02  # radius of the edges of boxes and cylinders: two or three samples of a field

Distance = Callable[[np.ndarray], np.ndarray]
Vector = Sequence[float] | np.ndarray


def turned(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    """The turn about x, then y, then z, by angles in radians."""
    return Rotation.from_euler("xyz", [x, y, z]).as_matrix()


def local(points: np.ndarray, centre: Vector, turn: np.ndarray | None) -> np.ndarray:
    """Points [N, 3] in the frame of a solid."""
    moved = points - np.asarray(centre, points.dtype)
    return moved if turn is None else moved @ turn.astype(points.dtype)


def length(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("nk,nk->n", vectors, vectors))


def ellipsoid(centre: Vector, radii: Vector, turn: np.ndarray | None = None) -> Distance:
    def distance(points: np.ndarray) -> np.ndarray:
        place = local(points, centre, turn) / np.asarray(radii, points.dtype)
        far, slope = length(place), length(place / np.asarray(radii, points.dtype))
        return far * (far - 1) / np.maximum(slope, 1e-6)

    return distance


def capsule(start: Vector, end: Vector, radius: float, last: float | None = None) -> Distance:
    """From `radius` at its start to `last` at its end, by default the same."""
    begin, along = np.asarray(start, float), np.subtract(end, start)
    growth = 0.0 if last is None else last - radius

    def distance(points: np.ndarray) -> np.ndarray:
        ahead, axis = points - begin.astype(points.dtype), along.astype(points.dtype)
        share = np.clip(ahead @ axis / (axis @ axis), 0, 1)
        away = ahead - share[:, None] * axis
        return length(away) - (radius + share * growth)

    return distance


def box(centre: Vector, half: Vector, turn: np.ndarray | None = None, rounding: float = ROUND) -> Distance:
    def distance(points: np.ndarray) -> np.ndarray:
        over = np.abs(local(points, centre, turn)) - (np.asarray(half, points.dtype) - points.dtype.type(rounding))
        outside = length(np.maximum(over, 0))
        return outside + np.minimum(np.maximum(np.maximum(over[:, 0], over[:, 1]), over[:, 2]), 0) - rounding

    return distance


def cylinder(
    centre: Vector, radius: float, half: float, turn: np.ndarray | None = None, rounding: float = ROUND
) -> Distance:
    """About its own y axis."""

    def distance(points: np.ndarray) -> np.ndarray:
        place = local(points, centre, turn)
        wide = np.sqrt(place[:, 0] ** 2 + place[:, 2] ** 2) - (radius - rounding)
        high = np.abs(place[:, 1]) - (half - rounding)
        outside = np.sqrt(np.maximum(wide, 0) ** 2 + np.maximum(high, 0) ** 2)
        return outside + np.minimum(np.maximum(wide, high), 0) - rounding

    return distance


def ring(centre: Vector, radius: float, thickness: float, turn: np.ndarray | None = None) -> Distance:
    """A torus about its own y axis; `thickness` is the tube's radius."""

    def distance(points: np.ndarray) -> np.ndarray:
        place = local(points, centre, turn)
        wide = np.sqrt(place[:, 0] ** 2 + place[:, 2] ** 2) - radius
        return np.sqrt(wide**2 + place[:, 1] ** 2) - thickness

    return distance


def blended(one: np.ndarray, other: np.ndarray, width: float) -> np.ndarray:
    """The lesser of two distances [N], rounded over a band of `width` (Quilez's quadratic smooth minimum)."""
    if width <= 0:
        return np.minimum(one, other)
    near = np.maximum(width - np.abs(one - other), 0)
    return np.minimum(one, other) - near**2 / (4 * width)


def without(solid: Distance, *taken: Distance, width: float = ROUND) -> Distance:
    """A solid with others taken out of it, the edges rounded."""

    def distance(points: np.ndarray) -> np.ndarray:
        left = solid(points)
        for other in taken:
            left = -blended(-left, other(points), width)
        return left

    return distance


def surface_of(field: Distance, grid: int = GRID) -> Mesh:
    """Where a smooth field [N] of points [N, 3] in the cube [-1, 1] changes its sign; positive inside."""
    axis = np.linspace(-1, 1, grid)
    values = np.stack([field(np.stack(np.meshgrid([x], axis, axis, indexing="ij"), -1).reshape(-1, 3)) for x in axis])
    vertices, faces = marching_tetrahedra(values.reshape(grid, grid, grid), (-1, -1, -1), float(axis[1] - axis[0]))
    points, step, reach = vertices.astype(np.float64), 1e-4, 1.0 / (grid - 1)
    for _ in range(3):  # Newton's steps onto the surface, of half the spacing at most
        slope = [(field(points + step * e) - field(points - step * e)) / (2 * step) for e in np.eye(3)]
        gradient = np.stack(slope, 1)
        move = -field(points)[:, None] * gradient / np.maximum((gradient**2).sum(1, keepdims=True), 1e-6)
        points += move * np.minimum(1, reach / np.maximum(np.linalg.norm(move, axis=1, keepdims=True), 1e-12))
    return Mesh(torch.from_numpy(points).float(), torch.from_numpy(faces))
