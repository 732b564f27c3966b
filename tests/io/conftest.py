"""A textured mesh whose every texel is known: a box coloured by where its surface lies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

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


Look = dict[str, Any]


@pytest.fixture
def save_quads() -> Callable[..., None]:
    """Writes a .gltf of squares beside each other, square i from (i, 0, 0) to (i + 1, 1, 0), facing +Z.

    Each is a dict: `uv` and `colors` of its four corners (lower left, counter-clockwise), `material` as in glTF.
    `images` become PNG files beside it, with a texture each unless `more` has other textures.
    """

    def save(path: Path, quads: list[Look], images: tuple[np.ndarray, ...] = (), **more: Any) -> None:
        buffer, accessors, views = bytearray(), [], []

        def add(array: np.ndarray, kind: str, **extra: Any) -> int:
            component = {"f": 5126, "H": 5123, "B": 5121}[array.dtype.char]
            views.append({"buffer": 0, "byteOffset": len(buffer), "byteLength": array.nbytes})
            accessors.append(
                {"bufferView": len(views) - 1, "componentType": component, "count": len(array), "type": kind, **extra}
            )
            buffer.extend(array.tobytes() + bytes(-array.nbytes % 4))
            return len(accessors) - 1

        primitives = []
        for i, quad in enumerate(quads):
            corners = np.array([[i, 0, 0], [i + 1, 0, 0], [i + 1, 1, 0], [i, 1, 0]], "<f4")
            attributes = {"POSITION": add(corners, "VEC3", min=corners.min(0).tolist(), max=corners.max(0).tolist())}
            for key in (key for key in quad if key.startswith("uv")):
                stored = np.asarray(quad[key])
                stored = stored if stored.dtype.kind == "u" else stored.astype("<f4")
                attributes[f"TEXCOORD_{key[2:] or 0}"] = add(stored, "VEC2", normalized=stored.dtype.kind == "u")
            if "colors" in quad:
                attributes["COLOR_0"] = add(np.asarray(quad["colors"], "<f4"), "VEC3")
            index = add(np.array([0, 1, 2, 0, 2, 3], "<u2"), "SCALAR")
            primitives.append({"attributes": attributes, "indices": index, "material": i})
        names = [f"{path.stem}{i}.png" for i in range(len(images))]
        for name, image in zip(names, images, strict=True):
            Image.fromarray(image).save(path.parent / name)
        (path.parent / f"{path.stem}.bin").write_bytes(buffer)
        tree = {
            "asset": {"version": "2.0"},
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": primitives}],
            "materials": [quad.get("material", {}) for quad in quads],
            "images": [{"uri": name} for name in names],
            "textures": [{"source": i} for i in range(len(images))],
            "buffers": [{"uri": f"{path.stem}.bin", "byteLength": len(buffer)}],
            "bufferViews": views,
            "accessors": accessors,
        } | more
        path.write_text(json.dumps(tree))

    return save


@pytest.fixture
def colors_on() -> Callable[[Mesh, int, np.ndarray], np.ndarray]:
    """A mesh's colours (sRGB, [0, 1]) at points of one of its faces [n,3] barycentric, by texture or vertices."""

    def find(mesh: Mesh, face: int, bary: np.ndarray) -> np.ndarray:
        if mesh.texture is None:
            assert mesh.colors is not None
            return bary @ mesh.colors.numpy()[mesh.faces[face].numpy()]
        image = mesh.texture.color.numpy() / 255
        uv = bary @ mesh.texture.uv.double().numpy()[mesh.texture.faces[face].numpy()]
        return bilinear(image, uv, ("clamp", "clamp"))

    return find


@pytest.fixture
def look_up() -> Callable[[np.ndarray, np.ndarray, tuple[str, str]], np.ndarray]:
    """`bilinear`."""
    return bilinear


def bilinear(image: np.ndarray, uv: np.ndarray, wrap: tuple[str, str]) -> np.ndarray:
    """An image at uv [n,2], v down, going on beyond its edges across and down as `wrap` says."""
    size = np.array(image.shape[1::-1])
    place = uv * size - 0.5
    first = np.floor(place).astype(int)
    share = place - first

    def texels(index: np.ndarray, length: int, kind: str) -> np.ndarray:
        if kind == "clamp":
            return index.clip(0, length - 1)
        turn = index % (2 * length)
        return index % length if kind == "repeat" else np.where(turn < length, turn, 2 * length - 1 - turn)

    total = np.zeros((len(uv), image.shape[2]))
    for right in (0, 1):
        for down in (0, 1):
            column = texels(first[:, 0] + right, size[0], wrap[0])
            row = texels(first[:, 1] + down, size[1], wrap[1])
            weight = np.abs(1 - right - share[:, 0]) * np.abs(1 - down - share[:, 1])
            total += weight[:, None] * image[row, column]
    return total
