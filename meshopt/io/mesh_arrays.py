"""A mesh as its files hold it: float32 and int32 arrays in the user's units, ready to be written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Int32, UInt8

from meshopt.mesh import Mesh, Texture
from meshopt.tangents import shading_normals, tangents


@dataclass(frozen=True)
class TextureArrays:
    """A texture as files hold it; `tangents` (x, y, z, w) are there where `normals` are."""

    uv: Float32[np.ndarray, "M 2"]
    faces: Int32[np.ndarray, "F 3"]
    tangents: Float32[np.ndarray, "M 4"] | None
    color: UInt8[np.ndarray, "H W 3"]
    normals: UInt8[np.ndarray, "H W 3"] | None
    roughness: float
    metallic: float


@dataclass(frozen=True)
class MeshArrays:
    """A mesh as files hold it: user units, distinct float32 positions, unit normals, sRGB colours."""

    positions: Float32[np.ndarray, "N 3"]
    normals: Float32[np.ndarray, "N 3"]
    faces: Int32[np.ndarray, "F 3"]
    colors: Float[np.ndarray, "N 3"] | None
    texture: TextureArrays | None


@dataclass(frozen=True)
class SplitVertices:
    """One vertex per pair of a mesh's vertex and its place in the texture, for formats with one index for all."""

    vertex: Int[np.ndarray, "K"]  # which of the mesh's vertices
    place: Int[np.ndarray, "K"]  # which row of the texture's uv
    faces: Int32[np.ndarray, "F 3"]


def mesh_arrays(mesh: Mesh, scale: float, offset: tuple[float, float, float]) -> MeshArrays:
    """What files hold of `mesh`; points become `point * scale + offset`."""
    points = mesh.vertices.detach().cpu().double().numpy() * scale + np.asarray(offset, np.float64)
    normals = shading_normals(torch.from_numpy(points), mesh.faces.cpu()).numpy()
    colors = None if mesh.colors is None else mesh.colors.detach().cpu().double().clamp(0, 1).numpy()
    texture = None if mesh.texture is None else _texture_arrays(mesh.texture, points, normals, mesh)
    faces = mesh.faces.cpu().numpy().astype("<i4")
    return MeshArrays(distinct_positions(points), normals.astype("<f4"), faces, colors, texture)


def split_vertices(mesh: MeshArrays, texture: TextureArrays) -> SplitVertices:
    """Vertices in the order of the texture's uv rows; those that no face uses go."""
    pairs = texture.faces.astype(np.int64) * len(mesh.positions) + mesh.faces
    found, faces = np.unique(pairs, return_inverse=True)
    place, vertex = np.divmod(found, len(mesh.positions))
    return SplitVertices(vertex, place, faces.reshape(-1, 3).astype("<i4"))


def distinct_positions(points: Float[np.ndarray, "N 3"]) -> Float32[np.ndarray, "N 3"]:
    """Points as float32, no two of them equal: where rounding makes them meet, one is moved by the last bit.

    A reader that joins vertices by position then finds the connectivity that was written.
    """
    positions = points.astype("<f4") + np.float32(0.0)  # no negative zero
    if not len(positions):
        return positions
    step = np.spacing(np.abs(positions).max())
    for attempt in range(64):
        _, inverse, counts = np.unique(positions, axis=0, return_inverse=True, return_counts=True)
        if len(counts) == len(positions):
            break
        order = np.argsort(inverse.reshape(-1), kind="stable")
        rank = np.empty(len(positions), np.int64)  # 0 for the first vertex in its place, 1 for the next, ...
        rank[order] = np.arange(len(positions)) - np.repeat(np.cumsum(counts) - counts, counts)
        positions[:, attempt % 3] += step * rank.astype(np.float32)
    return positions


def _texture_arrays(
    texture: Texture, points: Float[np.ndarray, "N 3"], normals: Float[np.ndarray, "N 3"], mesh: Mesh
) -> TextureArrays:
    frames = None
    if texture.normals is not None:
        vertices, up = torch.from_numpy(points), torch.from_numpy(normals)
        frames = tangents(vertices, up, mesh.faces.cpu(), texture.uv.cpu(), texture.faces.cpu()).numpy().astype("<f4")
    return TextureArrays(
        uv=texture.uv.detach().cpu().numpy().astype("<f4"),
        faces=texture.faces.cpu().numpy().astype("<i4"),
        tangents=frames,
        color=texture.color.cpu().numpy(),
        normals=None if texture.normals is None else texture.normals.cpu().numpy(),
        roughness=texture.roughness,
        metallic=texture.metallic,
    )
