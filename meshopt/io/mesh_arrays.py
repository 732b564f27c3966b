"""A mesh as its files hold it: float32 and int32 arrays in the user's units, ready to be written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Int32, UInt8

from meshopt.io.png import encode_png
from meshopt.mesh import Mesh, Texture, distinct_corners
from meshopt.shading import shading


@dataclass(frozen=True, eq=False)
class TextureArrays:
    """A texture as files hold it."""

    uv: Float32[np.ndarray, "M 2"]
    faces: Int32[np.ndarray, "F 3"]
    color: UInt8[np.ndarray, "H W 3"]
    normals: UInt8[np.ndarray, "H W 3"] | None
    roughness: float
    metallic: float

    @cached_property
    def pngs(self) -> dict[str, bytes]:
        """Image files by what they hold: color, and normal where there is a map."""
        images = {"color": self.color, "normal": self.normals}
        return {part: encode_png(image) for part, image in images.items() if image is not None}


@dataclass(frozen=True, eq=False)
class MeshArrays:
    """A mesh as files hold it: user units, distinct float32 positions, unit normals, sRGB colours.

    Corner k of face f has the position `faces[f, k]` and the normal `normal_faces[f, k]`.
    """

    positions: Float32[np.ndarray, "N 3"]
    faces: Int32[np.ndarray, "F 3"]
    normals: Float32[np.ndarray, "K 3"]
    normal_faces: Int32[np.ndarray, "F 3"]
    colors: Float[np.ndarray, "N 3"] | None
    texture: TextureArrays | None


@dataclass(frozen=True)
class SplitVertices:
    """A vertex for every position with its normal and its place in the texture, for formats with one index for all."""

    vertex: Int[np.ndarray, "S"]  # which of the mesh's positions
    normal: Int[np.ndarray, "S"]  # which of its normals
    place: Int[np.ndarray, "S"]  # which row of the texture's uv; all 0 where there is none
    faces: Int32[np.ndarray, "F 3"]


def mesh_arrays(mesh: Mesh, scale: float, offset: tuple[float, float, float]) -> MeshArrays:
    """What files hold of `mesh`; points become `point * scale + offset`."""
    points = mesh.vertices.detach().cpu().double().numpy() * scale + np.asarray(offset, np.float64)
    shaded = shading(replace(mesh, vertices=torch.from_numpy(points), faces=mesh.faces.cpu()))
    return MeshArrays(
        positions=distinct_positions(points),
        faces=mesh.faces.cpu().numpy().astype("<i4"),
        normals=shaded.normals.cpu().numpy().astype("<f4"),
        normal_faces=shaded.faces.cpu().numpy().astype("<i4"),
        colors=None if mesh.colors is None else mesh.colors.detach().cpu().double().clamp(0, 1).numpy(),
        texture=None if mesh.texture is None else _texture_arrays(mesh.texture),
    )


def split_vertices(mesh: MeshArrays) -> SplitVertices:
    """Vertices in the order of the texture's uv rows, or of the positions; those that no face uses go."""
    places = np.zeros_like(mesh.faces) if mesh.texture is None else mesh.texture.faces
    (place, vertex, normal), faces = distinct_corners(places, mesh.faces, mesh.normal_faces)
    return SplitVertices(vertex, normal, place, faces.astype("<i4"))


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


def _texture_arrays(texture: Texture) -> TextureArrays:
    return TextureArrays(
        uv=texture.uv.detach().cpu().numpy().astype("<f4"),
        faces=texture.faces.cpu().numpy().astype("<i4"),
        color=texture.color.cpu().numpy(),
        normals=None if texture.normals is None else texture.normals.cpu().numpy(),
        roughness=texture.roughness,
        metallic=texture.metallic,
    )
