"""What a mesh file holds, read by trimesh from the file and from its own folder alone."""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from jaxtyping import Float, Int

from meshopt.colorspace import linear_to_srgb
from meshopt.errors import InputError

READABLE = (".glb", ".gltf", ".obj", ".ply", ".stl", ".off")


@dataclass(frozen=True)
class Part:
    """A mesh of a file, in place. Colours (sRGB) and normals (of any length) are the vertices', where there are."""

    vertices: Float[np.ndarray, "N 3"]
    faces: Int[np.ndarray, "F 3"]
    colors: Float[np.ndarray, "N 3"] | None
    normals: Float[np.ndarray, "N 3"] | None


def read_parts(path: Path) -> list[Part]:
    """Every mesh in the file that has faces."""
    import trimesh

    suffix = path.suffix.lower()
    options = {} if suffix in (".stl", ".off") else {"skip_materials": True}
    try:
        tree = _gltf_tree(path) if suffix in (".glb", ".gltf") else None
        scene = trimesh.load_scene(path, process=False, resolver=_Folder(path), **options)
        normals = {id_: _given_normals(mesh) for id_, mesh in scene.geometry.items()}
        placed = [_placed(scene, node, normals) for node in scene.graph.nodes_geometry]
        placed = [(mesh, up) for mesh, up in placed if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces)]
        if tree is None:
            colors = [_vertex_colors(mesh.visual) for mesh, _ in placed]
        else:
            _check_extensions(tree, [np.asarray(mesh.vertices) for mesh, _ in placed], path)
            colors = _gltf_colors(tree, [mesh.visual for mesh, _ in placed])
    except InputError:
        raise
    except Exception as error:  # trimesh lets anything through, from KeyError to struct.error
        words = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: cannot be read as a mesh ({type(error).__name__}: {words})") from None
    return [
        Part(np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int64), color, up)
        for (mesh, up), color in zip(placed, colors, strict=True)
    ]


def _given_normals(mesh: Any) -> Float[np.ndarray, "N 3"] | None:
    """The vertices' normals where the file has them: trimesh keeps those where others, computed on demand, would be."""
    cache = getattr(getattr(mesh, "_cache", None), "cache", {})
    return np.asarray(cache["vertex_normals"], np.float64) if "vertex_normals" in cache else None


def _placed(
    scene: Any, node: str, normals: dict[str, Float[np.ndarray, "N 3"] | None]
) -> tuple[Any, Float[np.ndarray, "N 3"] | None]:
    """A node's mesh where the scene's transforms place it, and its normals there."""
    transform, name = scene.graph[node]
    mesh, up = scene.geometry[name].copy(), normals[name]
    mesh.apply_transform(transform)
    if up is None:
        return mesh, None
    linear = np.asarray(transform, np.float64)[:3, :3]
    cofactors = np.cross(linear[[1, 2, 0]], linear[[2, 0, 1]])  # the inverse's transpose but for the determinant's size
    return mesh, up @ cofactors.T * np.sign(np.linalg.det(linear))


class _Folder:
    """Where trimesh gets the files that a mesh file refers to: from the mesh's folder and those below."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, name: str) -> bytes:
        for candidate in (name, unquote(name)):
            steps = re.split(r"[/\\]", candidate)
            if ".." in steps or not steps[0] or ":" in candidate:
                raise InputError(f"{self.path}: refers to {name[:80]!r}, expected a file in its own folder")
            file = self.path.parent.joinpath(*steps)
            if file.is_file():
                return file.read_bytes()
        raise InputError(f"{self.path}: refers to {name[:80]!r}, which is not in its folder, expected it there")

    __getitem__ = get


def _gltf_tree(path: Path) -> dict[str, Any]:
    """A glTF file's JSON."""
    with path.open("rb") as file:
        head = file.read(20)
        text = file.read(struct.unpack_from("<I", head, 12)[0]) if head[:4] == b"glTF" else head + file.read()
    tree = json.loads(text)
    if not isinstance(tree, dict):
        raise TypeError("its JSON is no object")
    return tree


def _check_extensions(tree: dict[str, Any], shapes: list[np.ndarray], path: Path) -> None:
    """trimesh gives zeros for arrays whose compression it does not know."""
    needed = [name for name in tree.get("extensionsRequired", ()) if "compression" in name]
    if needed and any(not vertices.any() for vertices in shapes):
        raise InputError(f"{path}: is compressed with {', '.join(needed)}, expected glTF without compression")


def _gltf_colors(tree: dict[str, Any], visuals: list[Any]) -> list[Float[np.ndarray, "N 3"] | None]:
    """glTF's colours are linear, and beside a texture they are no more than its tint."""
    if any("baseColorTexture" in material.get("pbrMetallicRoughness", {}) for material in tree.get("materials", ())):
        return [None] * len(visuals)
    found = [_vertex_colors(visual) for visual in visuals]
    return [None if colors is None else linear_to_srgb(colors) for colors in found]


def _vertex_colors(visual: Any) -> Float[np.ndarray, "N 3"] | None:
    """As the file has them, in [0, 1]."""
    if visual.kind != "vertex":
        return None
    return np.asarray(visual.vertex_colors)[:, :3].astype(np.float64) / 255
