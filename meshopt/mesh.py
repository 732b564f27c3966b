"""The triangle mesh, and pure functions of its geometry.

Everything here takes tensors of any device and dtype and gives new ones; nothing is changed in place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor


@dataclass(frozen=True)
class Texture:
    """Images on a mesh's surface, as glTF's metallic-roughness material has them.

    Corner k of the mesh's face f lies at `uv[faces[f, k]]`: u to the right, v down, (0, 0) the outer corner of the
    image's first texel, (1, 1) that of its last. Rows of `uv` are not shared between charts, nor between vertices of
    the mesh. `color` is sRGB. `normals`, where there are, are unit vectors in the tangent frame (`meshopt.tangents`),
    (x, y, z) = 2 * value / 255 - 1, y against v (OpenGL's, as in glTF).
    """

    uv: Float[Tensor, "M 2"]
    faces: Int[Tensor, "F 3"]
    color: UInt8[Tensor, "H W 3"]
    normals: UInt8[Tensor, "H W 3"] | None = None
    roughness: float = 0.9
    metallic: float = 0.0

    def to(self, device: torch.device | str) -> Texture:
        """The same texture on another device."""
        normals = None if self.normals is None else self.normals.to(device)
        return replace(
            self, uv=self.uv.to(device), faces=self.faces.to(device), color=self.color.to(device), normals=normals
        )


@dataclass(frozen=True)
class Shading:
    """The normals that a mesh is lit with: corner k of face f has the unit normal `normals[faces[f, k]]`.

    Where the corners at a vertex have several, there is a crease. Rows are not shared between vertices of the mesh.
    """

    normals: Float[Tensor, "K 3"]
    faces: Int[Tensor, "F 3"]

    def to(self, device: torch.device | str) -> Shading:
        """The same normals on another device."""
        return Shading(self.normals.to(device), self.faces.to(device))


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh in the world frame (right-handed, +Y up, front +Z).

    `vertices` are in scene units, `faces` index them counter-clockwise seen from outside (int32, as rasterisers
    take them), `colors` are sRGB in [0, 1] per vertex where known, and so is the `texture`. Without a `shading` of
    its own it is smooth (`meshopt.shading`).
    """

    vertices: Float[Tensor, "N 3"]
    faces: Int[Tensor, "F 3"]
    colors: Float[Tensor, "N 3"] | None = None
    texture: Texture | None = None
    shading: Shading | None = None

    def to(self, device: torch.device | str) -> Mesh:
        """The same mesh on another device."""
        colors = None if self.colors is None else self.colors.to(device)
        texture = None if self.texture is None else self.texture.to(device)
        shading = None if self.shading is None else self.shading.to(device)
        return Mesh(self.vertices.to(device), self.faces.to(device), colors, texture, shading)

    def with_vertices(self, vertices: Float[Tensor, "N 3"]) -> Mesh:
        """The same connectivity with moved vertices; normals of its own, which may no longer be right, are left out."""
        return replace(self, vertices=vertices, shading=None)


def at(values: Float[Tensor, "N C"], index: Int[Tensor, "M"]) -> Float[Tensor, "M C"]:
    """`values[index]` whose gradient is summed in the same order every time, unlike that of advanced indexing."""
    return values.index_select(0, index)


def face_cross(vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "F 3"]:
    """Per-face normals of length twice the area, outward for counter-clockwise faces."""
    a, b, c = (at(vertices, faces[:, k]) for k in range(3))
    return torch.linalg.cross(b - a, c - a)


def face_normals(vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "F 3"]:
    """Unit normals per face; zero where a face has no area."""
    return torch.nn.functional.normalize(face_cross(vertices, faces), dim=-1, eps=1e-20)


def vertex_normals(vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "N 3"]:
    """Area-weighted unit normals per vertex, differentiable; zero at vertices without faces."""
    cross = face_cross(vertices, faces)
    index = faces.long()
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(0, index[:, corner], cross)
    return torch.nn.functional.normalize(total, dim=-1, eps=1e-20)


def distinct_corners(
    *tables: Int[np.ndarray, "F 3"],
) -> tuple[tuple[Int[np.ndarray, " K"], ...], Int[np.ndarray, "F 3"]]:
    """One index for corners that have several: each combination once, in order, and the faces as rows of them.

    `tables` say which row of some attribute (vertices, uv, normals, ...) a face's corners have.
    """
    rows = tables[0].reshape(-1).astype(np.int64)
    for table in tables[1:]:
        _, rows = np.unique(rows, return_inverse=True)
        rows = rows.reshape(-1) * (int(table.max(initial=0)) + 1) + table.reshape(-1)
    _, first, faces = np.unique(rows, return_index=True, return_inverse=True)
    return tuple(table.reshape(-1)[first] for table in tables), faces.reshape(-1, 3).astype(np.int32)
