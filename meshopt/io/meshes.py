"""Mesh files: GLB, OBJ and PLY out, whatever trimesh reads in.

The writers are our own, so that the bytes depend on the mesh alone. +Y is up and +Z is the front in all.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Int32

from meshopt import __version__
from meshopt.errors import InputError
from meshopt.io.files import write_file
from meshopt.mesh import Mesh, vertex_normals

FORMATS = ("glb", "obj", "ply")
_READABLE = (".glb", ".gltf", ".obj", ".ply", ".stl", ".off")
_ARRAY_BUFFER, _ELEMENT_BUFFER = 34962, 34963
_COMPONENTS = {"<f4": 5126, "<u4": 5125}  # glTF's numbers for numpy's types


@dataclass(frozen=True)
class _Arrays:
    """A mesh as files hold it: user units, distinct float32 positions, unit normals, sRGB colours."""

    positions: Float32[np.ndarray, "N 3"]
    normals: Float32[np.ndarray, "N 3"]
    faces: Int32[np.ndarray, "F 3"]
    colors: Float[np.ndarray, "N 3"] | None


def save_mesh(
    mesh: Mesh, path: str | Path, scale: float = 1.0, offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> None:
    """Writes `mesh` as .glb, .obj or .ply, whole or not at all; points become `point * scale + offset`.

    Vertex colours are linear in GLB, as glTF wants them, and sRGB in OBJ and PLY. Raises InputError for
    another suffix, OSError where the disk fails.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise InputError(f"{path}: cannot write '{path.suffix}' files, expected .glb, .obj or .ply")
    write_file(path, encode_mesh(mesh, kind, scale, offset))


def encode_mesh(
    mesh: Mesh, kind: str, scale: float = 1.0, offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> bytes:
    """The bytes of a glb, obj or ply file; see `save_mesh`."""
    points = mesh.vertices.detach().cpu().double().numpy() * scale + np.asarray(offset, np.float64)
    # from float64, because thin triangles lose their normals to float32
    normals = vertex_normals(torch.from_numpy(points), mesh.faces.cpu()).numpy()
    normals[~(np.abs(normals).sum(1) > 0.5)] = (0.0, 1.0, 0.0)
    colors = None if mesh.colors is None else mesh.colors.detach().cpu().double().clamp(0, 1).numpy()
    arrays = _Arrays(distinct_positions(points), normals.astype("<f4"), mesh.faces.cpu().numpy().astype("<i4"), colors)
    return {"glb": _glb, "obj": _obj, "ply": _ply}[kind](arrays)


def load_mesh(path: str | Path) -> Mesh:
    """The triangles of a mesh file, in the file's units, float32, vertices at equal positions made one.

    A scene's parts are put together where its transforms place them. Vertex colours are kept, as sRGB. Raises
    InputError where the file cannot be read or has no faces.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected a mesh ({', '.join(_READABLE)})")
    if path.suffix.lower() not in _READABLE:
        raise InputError(f"{path}: cannot read '{path.suffix}' files, expected a mesh ({', '.join(_READABLE)})")
    parts = _read_parts(path)
    if not parts:
        raise InputError(f"{path}: has no faces, expected a triangle mesh")
    starts = np.cumsum([0, *(len(part[0]) for part in parts[:-1])])
    vertices = np.concatenate([part[0] for part in parts]).astype(np.float32)
    faces = np.concatenate([part[1] + start for part, start in zip(parts, starts, strict=True)])
    colors = None
    if all(part[2] is not None for part in parts):
        colors = np.concatenate([part[2] for part in parts])
    if not np.isfinite(vertices).all():
        raise InputError(f"{path}: some vertices are NaN or infinite, expected finite coordinates")
    return _welded(vertices, faces, colors, path)


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


def srgb_to_linear(colors: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """IEC 61966-2-1, values in [0, 1]."""
    return np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(colors: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """IEC 61966-2-1, values in [0, 1]."""
    return np.where(colors <= 0.0031308, colors * 12.92, 1.055 * np.maximum(colors, 0) ** (1 / 2.4) - 0.055)


class _GlbBuffer:
    """The binary chunk of a GLB, and the parts of its JSON that say where things lie in it."""

    def __init__(self) -> None:
        self.data = b""
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, object]] = []

    def add(self, array: np.ndarray, kind: str, target: int, **more: object) -> int:
        """Appends an array and gives its accessor's index."""
        blob = array.tobytes()
        place = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(blob), "target": target}
        accessor = {
            "bufferView": len(self.views),
            "componentType": _COMPONENTS[array.dtype.str],
            "count": len(array),
            "type": kind,
        }
        self.data += blob
        self.views.append(place)
        self.accessors.append({**accessor, **more})
        return len(self.accessors) - 1


def _glb(mesh: _Arrays) -> bytes:
    """glTF 2.0, binary. Colours are float32, for 8 bits of linear light show bands in the dark.

    There is no material on purpose: beside one, trimesh and what builds on it lose vertex colours.
    """
    buffer = _GlbBuffer()
    bounds = {"min": mesh.positions.min(0).tolist(), "max": mesh.positions.max(0).tolist()}
    attributes = {"POSITION": buffer.add(mesh.positions, "VEC3", _ARRAY_BUFFER, **bounds)}
    attributes["NORMAL"] = buffer.add(mesh.normals, "VEC3", _ARRAY_BUFFER)
    if mesh.colors is not None:
        linear = srgb_to_linear(mesh.colors).astype("<f4")
        attributes["COLOR_0"] = buffer.add(linear, "VEC3", _ARRAY_BUFFER)
    indices = buffer.add(mesh.faces.astype("<u4").reshape(-1), "SCALAR", _ELEMENT_BUFFER)
    tree = {
        "asset": {"version": "2.0", "generator": f"meshopt {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "mesh"}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": indices}]}],
        "buffers": [{"byteLength": len(buffer.data)}],
        "bufferViews": buffer.views,
        "accessors": buffer.accessors,
    }
    text = json.dumps(tree, separators=(",", ":")).encode()
    chunks = [(b"JSON", text + b" " * (-len(text) % 4)), (b"BIN\0", buffer.data)]  # both in whole words
    body = b"".join(struct.pack("<I4s", len(data), name) + data for name, data in chunks)
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def _ply(mesh: _Arrays) -> bytes:
    """Binary little-endian PLY, colours as 8-bit sRGB."""
    fields = [(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz")]
    if mesh.colors is not None:
        fields += [(name, "u1") for name in ("red", "green", "blue")]
    vertices = np.empty(len(mesh.positions), fields)
    for axis, name in enumerate("xyz"):
        vertices[name], vertices[f"n{name}"] = mesh.positions[:, axis], mesh.normals[:, axis]
    if mesh.colors is not None:
        for channel, name in enumerate(("red", "green", "blue")):
            vertices[name] = np.round(mesh.colors[:, channel] * 255)
    faces = np.empty(len(mesh.faces), [("count", "u1"), ("index", "<i4", 3)])
    faces["count"], faces["index"] = 3, mesh.faces
    lines = ["ply", "format binary_little_endian 1.0", f"comment meshopt {__version__}"]
    lines.append(f"element vertex {len(vertices)}")
    lines += [f"property {'uchar' if kind == 'u1' else 'float'} {name}" for name, kind in fields]
    lines += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", ""]
    return "\n".join(lines).encode() + vertices.tobytes() + faces.tobytes()


def _obj(mesh: _Arrays) -> bytes:
    """Wavefront OBJ, sRGB colours behind the coordinates (x y z r g b)."""
    points = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in mesh.positions.tolist()]  # 9 digits keep a float32
    if mesh.colors is not None:
        shades = [f" {r:.5g} {g:.5g} {b:.5g}" for r, g, b in mesh.colors.tolist()]
        points = [point + shade for point, shade in zip(points, shades, strict=True)]
    normals = [f"vn {x:.6g} {y:.6g} {z:.6g}" for x, y, z in mesh.normals.tolist()]
    faces = [f"f {a}//{a} {b}//{b} {c}//{c}" for a, b, c in (mesh.faces + 1).tolist()]
    return "\n".join([f"# meshopt {__version__}", *points, *normals, *faces, ""]).encode()


Part = tuple[Float[np.ndarray, "N 3"], Int[np.ndarray, "F 3"], Float[np.ndarray, "N 3"] | None]


def _read_parts(path: Path) -> list[Part]:
    """Vertices, faces and sRGB colours of every mesh in the file, in place."""
    import trimesh

    try:
        scene = trimesh.load_scene(path, process=False)
        geometry = [g for g in scene.dump() if isinstance(g, trimesh.Trimesh) and len(g.faces)]
    except Exception as error:  # trimesh lets anything through, from KeyError to struct.error
        raise InputError(f"{path}: cannot be read as a mesh ({type(error).__name__}: {error})") from None
    linear = path.suffix.lower() in (".glb", ".gltf")
    return [
        (np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int64), _vertex_colors(mesh.visual, linear))
        for mesh in geometry
    ]


def _vertex_colors(visual: Any, linear: bool) -> Float[np.ndarray, "N 3"] | None:
    """sRGB in [0, 1], where there are colours and no texture."""
    if visual.kind != "vertex":
        return None
    colors = np.asarray(visual.vertex_colors)[:, :3].astype(np.float64) / 255
    return linear_to_srgb(colors) if linear else colors


def _welded(
    vertices: Float32[np.ndarray, "N 3"],
    faces: Int[np.ndarray, "F 3"],
    colors: Float[np.ndarray, "N 3"] | None,
    path: Path,
) -> Mesh:
    """One vertex per position, in the order of first use; faces that lose a side go."""
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise InputError(f"{path}: faces name vertices that are not there (0 to {len(vertices) - 1} are)")
    _, first, inverse = np.unique(vertices + np.float32(0), axis=0, return_index=True, return_inverse=True)
    faces = first[inverse.reshape(-1)][faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    if not len(faces):
        raise InputError(f"{path}: all faces are without area, expected a triangle mesh")
    used, renumbered = np.unique(faces, return_inverse=True)
    return Mesh(
        torch.from_numpy(vertices[used]),
        torch.from_numpy(renumbered.reshape(-1, 3).astype(np.int32)),
        None if colors is None else torch.from_numpy(colors[used].astype(np.float32)),
    )
