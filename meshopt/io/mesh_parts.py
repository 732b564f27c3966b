"""What a mesh file holds, read by trimesh from the file and from its own folder alone."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from jaxtyping import Float, Int

from meshopt.colorspace import linear_to_srgb
from meshopt.errors import InputError
from meshopt.io.gltf_checks import check_gltf
from meshopt.io.gltf_files import GltfFile, open_gltf
from meshopt.io.limits import LIMITS, MAX_PARTS, MeshLimits
from meshopt.io.materials import PLAIN, Material
from meshopt.io.mtl import PLAIN_MTL, MtlMaterial, read_materials

READABLE = (".glb", ".gltf", ".obj", ".ply", ".stl", ".off")


@dataclass(frozen=True)
class Part:
    """A mesh of a file, in place. Colours (sRGB) and normals (of any length) are the vertices', where there are.

    So is `uv`, the place on the material's image (v down); it and the `material` are read where that is asked for.
    """

    vertices: Float[np.ndarray, "N 3"]
    faces: Int[np.ndarray, "F 3"]
    colors: Float[np.ndarray, "N 3"] | None
    normals: Float[np.ndarray, "N 3"] | None
    material: Material = PLAIN
    uv: Float[np.ndarray, "N 2"] | None = None


Paint = tuple[Float[np.ndarray, "N 3"] | None, Material, Float[np.ndarray, "N 2"] | None]  # as the fields of a Part


def read_parts(path: Path, materials: bool = False, limits: MeshLimits = LIMITS) -> list[Part]:
    """Every mesh in the file that has faces; with `materials`, what glTF and OBJ say of them, too.

    Images are not read: a Material does that when it is asked to. Raises InputError where the file cannot be read, is
    beyond the limits, or refers to files outside its folder.
    """
    import trimesh

    suffix, folder = path.suffix.lower(), _Folder(path, limits)
    options = {} if suffix in (".stl", ".off") else {"skip_materials": True}
    limits.check_bytes(path, path.stat().st_size)
    try:
        gltf = open_gltf(path, folder.get) if suffix in (".glb", ".gltf") else None
        if gltf is not None:
            check_gltf(path, gltf.tree, limits)
        elif suffix == ".obj":
            _check_obj(path)
        library = _library(path, folder) if materials and suffix == ".obj" else {}
        if library:
            folder, options = _Names(path, list(library), limits), {}
        content = io.BytesIO(path.read_bytes())  # trimesh takes no names that are not UTF-8
        scene = trimesh.load_scene(content, file_type=suffix[1:], process=False, resolver=folder, **options)
        normals = {id_: _given_normals(mesh) for id_, mesh in scene.geometry.items()}
        placed = [(*_placed(scene, node, normals), scene.graph[node][1]) for node in scene.graph.nodes_geometry]
        placed = [item for item in placed if isinstance(item[0], trimesh.Trimesh) and len(item[0].faces)]
        if gltf is not None:
            _check_extensions(gltf.tree, [np.asarray(mesh.vertices) for mesh, _, _ in placed], path)
        paints = _paints(scene, [(mesh.visual, name) for mesh, _, name in placed], gltf, library, materials)
    except InputError:
        raise
    except Exception as error:  # trimesh lets anything through, from KeyError to struct.error
        words = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: cannot be read as a mesh ({type(error).__name__}: {words})") from None
    limits.check_faces(path, sum(len(mesh.faces) for mesh, _, _ in placed))
    return [
        Part(np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int64), colors, up, material, uv)
        for (mesh, up, _), (colors, material, uv) in zip(placed, paints, strict=True)
    ]


def _paints(
    scene: Any,
    placed: list[tuple[Any, str]],
    gltf: GltfFile | None,
    library: Mapping[str, MtlMaterial],
    materials: bool,
) -> list[Paint]:
    """Of meshes in place, given by their visuals and the names of their geometries."""
    if gltf is None:
        return [_obj_paint(visual, library) for visual, _ in placed]
    if not materials:
        return [(colors, PLAIN, None) for colors in _gltf_colors(gltf.tree, [visual for visual, _ in placed])]
    found = _gltf_paints(scene, gltf)
    return [found[name] for _, name in placed]


def _obj_paint(visual: Any, library: Mapping[str, MtlMaterial]) -> Paint:
    """Also of formats that have no materials, where the library is empty."""
    if not library or visual.kind != "texture":
        return _vertex_colors(visual), PLAIN, None
    found = library.get(getattr(visual.material, "name", None) or "", PLAIN_MTL)
    uv = getattr(visual, "uv", None)
    return None, found.material, None if uv is None else found.places(np.asarray(uv, np.float64))


def _library(path: Path, folder: _Folder) -> dict[str, MtlMaterial]:
    """An OBJ's materials; none where vertices have colours and no material an image, for trimesh gives either."""
    found = read_materials(path, folder.get)
    if any(item.material.image is not None for item in found.values()):
        return found
    colored = re.search(rb"^v(?:[ \t]+[-+.\deE]+){6}", path.read_bytes(), re.MULTILINE)
    return {} if colored else found


def _gltf_paints(scene: Any, gltf: GltfFile) -> dict[str, Paint]:
    """By the names that trimesh gives to primitives, in whose order it makes its geometries."""
    found = {}
    for (name, mesh), look in zip(scene.geometry.items(), gltf.looks(), strict=True):
        if not hasattr(mesh, "faces"):  # points, lines
            continue
        for rows in (look.uv, look.colors):
            if rows is not None and len(rows) != len(mesh.vertices):
                raise ValueError("a primitive has not as many texture coordinates or colours as vertices")
        colors = None if look.colors is None else np.clip(look.colors, 0, 1) * look.material.factor
        found[name] = (None if colors is None else linear_to_srgb(colors), look.material, look.uv)
    return found


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


def _check_obj(path: Path) -> None:
    """Raises InputError for more materials than can be parts."""
    count = len(set(re.findall(rb"usemtl [^\n]*", path.read_bytes())))
    if count > MAX_PARTS:
        raise InputError(f"{path}: uses {count} materials, expected at most {MAX_PARTS}")


class _Folder:
    """Where trimesh gets the files that a mesh file refers to: from the mesh's folder and those below.

    A link counts as where it leads, which may also be below the folder that the mesh's own link leads to.
    """

    def __init__(self, path: Path, limits: MeshLimits) -> None:
        self.path, self.limits = path, limits
        self.inside = {folder.parent.resolve() for folder in (path, path.resolve())}
        self.kept: dict[Path, bytes] = {}

    def get(self, name: str) -> bytes:
        for candidate in (name, unquote(name)):
            steps = re.split(r"[/\\]", candidate)
            if ".." in steps or not steps[0] or ":" in candidate:
                raise InputError(f"{self.path}: refers to {name[:80]!r}, expected a file in its own folder")
            file = self.path.parent.joinpath(*steps)
            if file.is_file():
                return self._read(name, file.resolve())
        raise InputError(f"{self.path}: refers to {name[:80]!r}, which is not in its folder, expected it there")

    __getitem__ = get

    def _read(self, name: str, file: Path) -> bytes:
        if not any(file.is_relative_to(folder) for folder in self.inside):
            raise InputError(f"{self.path}: refers to {name[:80]!r}, a link that leads out of its folder")
        if file not in self.kept:
            so_far = sum(map(len, self.kept.values()))
            self.limits.check_bytes(self.path, so_far + file.stat().st_size, "the files that it refers to have")
            self.kept[file] = file.read_bytes()
        return self.kept[file]


class _Names(_Folder):
    """In place of an OBJ's materials their names alone, by which trimesh then sorts the faces."""

    def __init__(self, path: Path, names: list[str], limits: MeshLimits) -> None:
        super().__init__(path, limits)
        self.names = names

    def get(self, name: str) -> bytes:
        return "\n".join(f"newmtl {name}" for name in self.names).encode()

    __getitem__ = get


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
