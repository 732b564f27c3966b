"""Whether what a glTF file describes is of a size that can be read, found out from its JSON alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from meshopt.errors import InputError
from meshopt.io.limits import MAX_PARTS, MeshLimits

_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}  # of a component
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}


def check_gltf(path: Path, tree: dict[str, Any], limits: MeshLimits) -> None:
    """Raises InputError where it names more bytes, faces or parts than the limits allow, or its nodes are no trees.

    Of a file that is broken otherwise it raises whatever comes of it.
    """
    nodes = tree.get("nodes", [])
    _check_trees(path, nodes)
    views = sum(_whole(view["byteLength"]) for view in tree.get("bufferViews", ()))
    arrays = sum(_array_bytes(accessor) for accessor in tree.get("accessors", ()))
    limits.check_bytes(path, max(views, arrays), "its arrays have")
    used = [node["mesh"] for node in nodes if "mesh" in node]
    meshes = [mesh["primitives"] for mesh in tree.get("meshes", ())]
    parts = max(sum(len(meshes[mesh]) for mesh in used), sum(map(len, meshes)))
    if parts > MAX_PARTS:
        raise InputError(f"{path}: has {parts} parts, expected at most {MAX_PARTS}: join meshes of one material.")
    faces = [sum(_faces(primitive, tree["accessors"]) for primitive in mesh) for mesh in meshes]
    limits.check_faces(path, max(sum(faces), sum(faces[mesh] for mesh in used)))


def _check_trees(path: Path, nodes: Sequence[dict[str, Any]]) -> None:
    """Raises InputError where a node is below two others or below itself: as glTF has it, that cannot be."""
    parent: dict[int, int] = {}
    for i, node in enumerate(nodes):
        for child in node.get("children", ()):
            if not isinstance(child, int) or not 0 <= child < len(nodes) or child in parent:
                raise InputError(f"{path}: its nodes are no trees (node {i} has the child {str(child)[:20]})")
            parent[child] = i
    rooted: set[int] = set()
    for start in range(len(nodes)):
        way, at = [], start
        while at in parent and at not in rooted:
            way.append(at)
            if len(way) > len(nodes):
                raise InputError(f"{path}: its nodes are no trees (node {start} is below itself)")
            at = parent[at]
        rooted.update(way)


def _whole(number: Any) -> int:
    if not isinstance(number, int) or number < 0:
        raise ValueError(f"a length or count is {str(number)[:20]}")
    return number


def _array_bytes(accessor: dict[str, Any]) -> int:
    return _whole(accessor["count"]) * _BYTES[accessor["componentType"]] * _WIDTHS[accessor["type"]]


def _faces(primitive: dict[str, Any], accessors: Sequence[dict[str, Any]]) -> int:
    """Of a primitive at most."""
    index = primitive["indices"] if "indices" in primitive else primitive["attributes"]["POSITION"]
    return _whole(accessors[index]["count"]) // (3 if primitive.get("mode", 4) == 4 else 1)
