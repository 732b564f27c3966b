"""What a mesh file holds, read by trimesh from the file and from its own folder alone."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from jaxtyping import Float, Int

from meshopt.colorspace import linear_to_srgb
from meshopt.errors import InputError

READABLE = (".glb", ".gltf", ".obj", ".ply", ".stl", ".off")
Part = tuple[Float[np.ndarray, "N 3"], Int[np.ndarray, "F 3"], Float[np.ndarray, "N 3"] | None]


def read_parts(path: Path) -> list[Part]:
    """Vertices, faces and sRGB colours of every mesh in the file, in place."""
    import trimesh

    suffix = path.suffix.lower()
    options = {} if suffix in (".stl", ".off") else {"skip_materials": True}
    try:
        tree = _gltf_tree(path) if suffix in (".glb", ".gltf") else None
        scene = trimesh.load_scene(path, process=False, resolver=_Folder(path), **options)
        geometry = [g for g in scene.dump() if isinstance(g, trimesh.Trimesh) and len(g.faces)]
        shapes = [(np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int64)) for mesh in geometry]
        if tree is None:
            colors = [_vertex_colors(mesh.visual) for mesh in geometry]
        else:
            _check_extensions(tree, shapes, path)
            colors = _gltf_colors(tree, [mesh.visual for mesh in geometry])
    except InputError:
        raise
    except Exception as error:  # trimesh lets anything through, from KeyError to struct.error
        words = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: cannot be read as a mesh ({type(error).__name__}: {words})") from None
    return [(*shape, color) for shape, color in zip(shapes, colors, strict=True)]


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


def _check_extensions(tree: dict[str, Any], shapes: list[Any], path: Path) -> None:
    """trimesh gives zeros for arrays whose compression it does not know."""
    needed = [name for name in tree.get("extensionsRequired", ()) if "compression" in name]
    if needed and any(not vertices.any() for vertices, _ in shapes):
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
