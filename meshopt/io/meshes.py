"""Mesh files: GLB, glTF, OBJ and PLY out, whatever trimesh reads in.

The writers are our own, so that the bytes depend on the mesh alone. +Y is up and +Z is the front in all.
"""

from __future__ import annotations

import re
import warnings
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int

from meshopt.errors import InputError, MeshoptWarning
from meshopt.io.files import write_files
from meshopt.io.gltf import encode_glb, encode_gltf
from meshopt.io.limits import LIMITS, MeshLimits
from meshopt.io.mesh_arrays import MeshArrays, mesh_arrays
from meshopt.io.mesh_parts import READABLE, Part, read_parts
from meshopt.io.obj import encode_obj
from meshopt.io.ply import encode_ply
from meshopt.io.texture_sheets import needs_sheet, texture_sheet, vertex_colors
from meshopt.mesh import Mesh, Shading, Texture
from meshopt.shading import corner_shading, creased

FORMATS = ("glb", "gltf", "obj", "ply")
_SUFFIXES = ".glb, .gltf, .obj or .ply"


def save_mesh(
    mesh: Mesh, path: str | Path, scale: float = 1.0, offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> tuple[Path, ...]:
    """Writes `mesh` as .glb, .gltf, .obj or .ply, with what belongs beside it, all or nothing; gives the paths.

    See `encode_files`. Raises InputError for another suffix, OSError where the disk fails.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise InputError(f"{path}: cannot write '{path.suffix}' files, expected {_SUFFIXES}")
    first, *others = encode_files(mesh, kind, path.stem, scale, offset).items()
    files = {path.name: first[1], **dict(others)}
    write_files(path.parent, files)
    return tuple(path.parent / name for name in files)


def encode_files(
    mesh: Mesh, kind: str, stem: str = "mesh", scale: float = 1.0, offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> dict[str, bytes]:
    """Name and bytes of `stem`.`kind`, then of the files it refers to, which `file_names` tells beforehand.

    Points become `point * scale + offset`. A texture goes into glb, gltf and obj, and without one the vertex colours:
    linear in glb and gltf, as they want them, sRGB in obj; ply has vertex colours alone, as sRGB.
    """
    return encode_arrays(mesh_arrays(mesh, scale, offset), kind, stem)


def encode_arrays(arrays: MeshArrays, kind: str, stem: str = "mesh") -> dict[str, bytes]:
    """`encode_files` of a mesh that is to be written in several formats: what they share is made once."""
    if kind == "gltf":
        return encode_gltf(arrays, stem, _beside(stem))
    if kind == "obj":
        return encode_obj(arrays, stem, _beside(stem))
    return {f"{stem}.{kind}": {"glb": encode_glb, "ply": encode_ply}[kind](arrays)}


def encode_mesh(
    mesh: Mesh, kind: str, scale: float = 1.0, offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> bytes:
    """The bytes of the first of `encode_files`."""
    return next(iter(encode_files(mesh, kind, "mesh", scale, offset).values()))


def file_names(kind: str, stem: str = "mesh") -> tuple[str, ...]:
    """All names that `encode_files` can give, whatever the mesh has."""
    beside = _beside(stem)
    images = (f"{beside}_color.png", f"{beside}_normal.png")
    others = {"gltf": (f"{beside}.bin", *images), "obj": (f"{beside}.mtl", *images)}
    return (f"{stem}.{kind}", *others.get(kind, ()))


def load_mesh(path: str | Path, textures: bool = False, limits: MeshLimits = LIMITS) -> Mesh:
    """The triangles of a mesh file, in the file's units, float32, vertices at equal positions made one.

    A scene's parts are put together where its transforms place them. The file's normals are kept; without any,
    edges that bend by more than 50 degrees are creases. Vertex colours are kept, as sRGB, where there is no texture.

    With `textures`, the colours of glTF's and OBJ's materials are read: the images of all of them become one
    (`meshopt.io.texture_sheets`), and what had to be changed for that is a MeshoptWarning. Without, no image is looked
    at. Raises InputError where the file cannot be read, has no faces, is beyond the limits, or refers to files outside
    its folder, and with `textures` where an image is missing or broken.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected a mesh ({', '.join(READABLE)})")
    if path.suffix.lower() not in READABLE:
        raise InputError(f"{path}: cannot read '{path.suffix}' files, expected a mesh ({', '.join(READABLE)})")
    parts = read_parts(path, textures, limits)
    if not parts:
        raise InputError(f"{path}: has no faces, expected a triangle mesh")
    starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    vertices = np.concatenate([part.vertices for part in parts]).astype(np.float32)
    faces = np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=True)])
    if not np.isfinite(vertices).all():
        raise InputError(f"{path}: some vertices are NaN or infinite, expected finite coordinates")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise InputError(f"{path}: faces name vertices that are not there (0 to {len(vertices) - 1} are)")
    index, kept = _welded(vertices, faces)
    if not kept.any():
        raise InputError(f"{path}: all faces are without area, expected a triangle mesh")
    used, renumbered = np.unique(index[kept], return_inverse=True)
    mesh = Mesh(torch.from_numpy(vertices[used]), torch.from_numpy(renumbered.reshape(-1, 3).astype(np.int32)))
    mesh = replace(mesh, shading=_shading(mesh, parts, faces, kept))
    if textures and needs_sheet(parts):
        return replace(mesh, texture=_texture(path, mesh, parts, kept))
    colors = _all_of([vertex_colors(part) for part in parts])
    return mesh if colors is None else replace(mesh, colors=torch.from_numpy(colors[used].astype(np.float32)))


def _texture(path: Path, mesh: Mesh, parts: list[Part], kept: Bool[np.ndarray, " F"]) -> Texture:
    """The parts' materials in one image; a MeshoptWarning for whatever that could not keep."""
    cuts = np.cumsum([len(part.faces) for part in parts])[:-1]
    sheet = texture_sheet(parts, np.split(kept, cuts), mesh.faces.numpy())
    for note in sheet.notes:
        warnings.warn(f"{path}: {note}", MeshoptWarning, stacklevel=3)
    return sheet.texture


def _shading(mesh: Mesh, parts: list[Part], faces: Int[np.ndarray, "F 3"], kept: Bool[np.ndarray, " F"]) -> Shading:
    """The file's normals; creases at sharp edges where it has none."""
    given = np.concatenate([np.full_like(p.vertices, np.nan) if p.normals is None else p.normals for p in parts])
    corners = given[faces[kept]]
    silent = ~np.isfinite(corners).all(-1)
    if silent.any():
        found = creased(mesh.vertices, mesh.faces)
        corners[silent] = found.normals.numpy()[found.faces.numpy()][silent]
    return corner_shading(mesh.vertices, mesh.faces, torch.from_numpy(corners))


def _all_of(arrays: list[Float[np.ndarray, "_ 3"] | None]) -> Float[np.ndarray, "N 3"] | None:
    """The arrays one after the other; nothing where one is missing."""
    present = [array for array in arrays if array is not None]
    return np.concatenate(present) if len(present) == len(arrays) else None


def _beside(stem: str) -> str:
    """How the names of files beside a mesh begin: whatever means something to MTL or on some system is replaced, and
    a number added, so that meshes with different names share none.
    """
    plain = re.sub(r"[^\w.-]|^[.-]", "_", stem)
    return plain if plain == stem else f"{plain}_{zlib.crc32(stem.encode(errors='surrogatepass')):08x}"


def _welded(
    vertices: Float32[np.ndarray, "N 3"], faces: Int[np.ndarray, "F 3"]
) -> tuple[Int[np.ndarray, "F 3"], Bool[np.ndarray, " F"]]:
    """Faces that name the first of all vertices at a position, and which of them have three different ones."""
    _, first, inverse = np.unique(vertices + np.float32(0), axis=0, return_index=True, return_inverse=True)
    index = first[inverse.reshape(-1)][faces]
    a, b, c = index.T
    return index, (a != b) & (b != c) & (c != a)
