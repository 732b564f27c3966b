"""A textured mesh whose every texel is known: a box coloured by where its surface lies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from meshopt.mesh import Mesh, Texture

HALF = np.array([1.0, 0.75, 0.5])  # the box from -HALF to HALF
CELL, MARGIN = 64, 8  # texels of a side's square in the image, and of its border
# where each side looks, and what is up on it seen from outside, in the image's squares row by row; below is mirrored
SIDES = (
    ((0, 0, 1), (0, 1, 0)),
    ((1, 0, 0), (0, 1, 0)),
    ((0, 0, -1), (1, 0, 0)),
    ((-1, 0, 0), (0, -1, 0)),
    ((0, 1, 0), (0, 0, -1)),
    ((0, -1, 0), (0, 0, 1)),
)
MIRRORED = 5


def color_at(points: np.ndarray) -> np.ndarray:
    """The box's colour at points on it, [0, 1]."""
    return np.clip(0.5 + 0.4 * points / HALF, 0, 1)


def side_axes(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions of a side's square in the image: to the right, up, and out of it."""
    out, up = (np.array(axis, float) for axis in SIDES[side])
    right = np.cross(up, out)
    return (-right if side == MIRRORED else right), up, out


def texel_points(side: int) -> np.ndarray:
    """Where the texels of a side's square lie in its plane, those of the border beyond the side's edges."""
    right, up, out = side_axes(side)
    along = (np.arange(CELL) + 0.5 - MARGIN) / (CELL - 2 * MARGIN) * 2 - 1
    return (out + along[None, :, None] * right - along[:, None, None] * up) * HALF


def square(side: int) -> tuple[slice, slice]:
    """A side's rows and columns in the image."""
    row, column = divmod(side, 3)
    return slice(row * CELL, (row + 1) * CELL), slice(column * CELL, (column + 1) * CELL)


def painted_box(bumps: bool = False, steps: int = 4) -> Mesh:
    """The box, `steps` squares along each edge; with `bumps`, a normal map with a dome in the middle of each side."""
    grid = np.linspace(-1, 1, steps + 1)
    inner = np.arange(steps * (steps + 1)).reshape(steps, steps + 1)[:, :-1].reshape(-1)
    points, uv, faces = [], [], []
    for side in range(6):
        right, up, out = side_axes(side)
        rows, columns = square(side)
        points.append((out + grid[None, :, None] * right - grid[:, None, None] * up).reshape(-1, 3) * HALF)
        texels = MARGIN + (grid + 1) / 2 * (CELL - 2 * MARGIN)
        u, v = (columns.start + texels) / (3 * CELL), (rows.start + texels) / (2 * CELL)
        uv.append(np.stack(np.broadcast_arrays(u[None, :], v[:, None]), -1).reshape(-1, 2))
        first = inner + side * (steps + 1) ** 2
        corners = np.stack([first, first + steps + 1, first + steps + 2, first + 1], 1)
        corners = corners[:, ::-1] if side == MIRRORED else corners
        faces.append(np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]]))
    uv_faces = np.concatenate(faces)
    vertices, shared = np.unique(np.round(np.concatenate(points), 6) + 0.0, axis=0, return_inverse=True)
    texture = Texture(
        torch.from_numpy(np.concatenate(uv)).float(),
        torch.from_numpy(uv_faces).int(),
        torch.from_numpy(_colors()),
        torch.from_numpy(_domes()) if bumps else None,
        roughness=0.8,
    )
    return Mesh(torch.from_numpy(vertices).float(), torch.from_numpy(shared.reshape(-1)[uv_faces]).int(), None, texture)


def _colors() -> np.ndarray:
    image = np.zeros((2 * CELL, 3 * CELL, 3), np.uint8)
    for side in range(6):
        image[square(side)] = np.round(color_at(texel_points(side)) * 255)
    return image


def _domes() -> np.ndarray:
    """In every square half a ball of half the square's width: y of its normals points up in the image."""
    place = (np.arange(CELL) + 0.5) / CELL * 4 - 2
    x, y = np.broadcast_arrays(place[None, :], -place[:, None])
    height = np.sqrt(np.maximum(1 - x**2 - y**2, 0.0))
    normals = np.where((height > 0)[..., None], np.stack([x, y, height], -1), [0.0, 0.0, 1.0])
    return np.tile(np.round((normals + 1) / 2 * 255).astype(np.uint8), (2, 3, 1))


@pytest.fixture
def paint() -> Callable[[np.ndarray], np.ndarray]:
    """The box's colour at points on it."""
    return color_at


@pytest.fixture
def box() -> Mesh:
    """The painted box without a normal map."""
    return painted_box()


@pytest.fixture
def bumpy_box() -> Mesh:
    """The painted box with a normal map."""
    return painted_box(bumps=True)
