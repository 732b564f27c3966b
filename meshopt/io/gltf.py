"""glTF 2.0 files out: one .glb, or .gltf with its buffer and images beside it."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import torch

from meshopt import __version__
from meshopt.colorspace import srgb_to_linear
from meshopt.io.mesh_arrays import MeshArrays, SplitVertices, TextureArrays, split_vertices
from meshopt.tangents import tangents

_ARRAY_BUFFER, _ELEMENT_BUFFER = 34962, 34963
_COMPONENTS = {"<f4": 5126, "<u4": 5125}  # glTF's numbers for numpy's types
_LINEAR, _LINEAR_MIPMAP_LINEAR, _CLAMP_TO_EDGE = 9729, 9987, 33071


def encode_glb(mesh: MeshArrays) -> bytes:
    """glTF 2.0, binary, images inside."""
    buffer = _Buffer()
    tree = _tree(mesh, buffer)
    images = mesh.texture.pngs if mesh.texture else {}
    if images:
        tree["images"] = [
            {"name": part, "mimeType": "image/png", "bufferView": buffer.add(blob)} for part, blob in images.items()
        ]
    tree |= {"buffers": [{"byteLength": len(buffer.data)}], "bufferViews": buffer.views, "accessors": buffer.accessors}
    text = _json(tree)
    chunks = [(b"JSON", text + b" " * (-len(text) % 4)), (b"BIN\0", bytes(buffer.data))]  # both in whole words
    body = b"".join(struct.pack("<I4s", len(data), name) + data for name, data in chunks)
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def encode_gltf(mesh: MeshArrays, name: str, beside: str) -> dict[str, bytes]:
    """glTF 2.0 as text; `name`.gltf first, then its buffer and images, whose names begin with `beside`."""
    buffer = _Buffer()
    tree = _tree(mesh, buffer)
    images = {f"{beside}_{part}.png": blob for part, blob in mesh.texture.pngs.items()} if mesh.texture else {}
    if images:
        tree["images"] = [{"uri": image} for image in images]
    tree["buffers"] = [{"uri": f"{beside}.bin", "byteLength": len(buffer.data)}]
    tree |= {"bufferViews": buffer.views, "accessors": buffer.accessors}
    return {f"{name}.gltf": _json(tree), f"{beside}.bin": bytes(buffer.data), **images}


class _Buffer:
    """A glTF buffer, and the parts of the JSON that say where things lie in it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, object]] = []

    def add(self, blob: bytes, **more: int) -> int:
        """Appends bytes in whole words and gives their view's index."""
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(blob), **more})
        self.data += blob + bytes(-len(blob) % 4)
        return len(self.views) - 1

    def add_array(self, array: np.ndarray, kind: str, target: int, **more: object) -> int:
        """Appends an array and gives its accessor's index."""
        accessor = {
            "bufferView": self.add(array.tobytes(), target=target),
            "componentType": _COMPONENTS[array.dtype.str],
            "count": len(array),
            "type": kind,
        }
        self.accessors.append({**accessor, **more})
        return len(self.accessors) - 1


def _tree(mesh: MeshArrays, buffer: _Buffer) -> dict[str, Any]:
    """The JSON but for images and buffers; fills `buffer` with the arrays."""
    split = split_vertices(mesh)
    attributes = _shape(mesh.positions[split.vertex], mesh.normals[split.normal], buffer)
    if mesh.texture is not None:
        attributes |= _places(mesh, mesh.texture, split, buffer)  # no vertex colours: they would multiply the texture's
    elif mesh.colors is not None:
        # float32, for 8 bits of linear light show bands in the dark
        linear = srgb_to_linear(mesh.colors[split.vertex]).astype("<f4")
        attributes["COLOR_0"] = buffer.add_array(linear, "VEC3", _ARRAY_BUFFER)
    primitive = {"attributes": attributes, "indices": _indices(split.faces, buffer)}
    tree = {
        "asset": {"version": "2.0", "generator": f"meshopt {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "mesh"}],
        "meshes": [{"primitives": [primitive]}],
    }
    if mesh.texture is None:  # no material: beside one, trimesh and what builds on it lose vertex colours
        return tree
    primitive["material"] = 0
    return {**tree, **_material(mesh.texture)}


def _places(mesh: MeshArrays, texture: TextureArrays, split: SplitVertices, buffer: _Buffer) -> dict[str, int]:
    """Where vertices lie on the texture; with a normal map the tangents that it is told in, too."""
    uv, places = texture.uv[split.place], {}
    if texture.normals is not None:
        tables = (mesh.positions, mesh.normals, mesh.faces, uv, split.faces, mesh.normal_faces)
        along = tangents(*(torch.from_numpy(table) for table in tables)).numpy().astype("<f4")
        places["TANGENT"] = buffer.add_array(along, "VEC4", _ARRAY_BUFFER)
    places["TEXCOORD_0"] = buffer.add_array(uv, "VEC2", _ARRAY_BUFFER)
    return places


def _shape(positions: np.ndarray, normals: np.ndarray, buffer: _Buffer) -> dict[str, int]:
    bounds = {"min": positions.min(0).tolist(), "max": positions.max(0).tolist()}
    return {
        "POSITION": buffer.add_array(positions, "VEC3", _ARRAY_BUFFER, **bounds),
        "NORMAL": buffer.add_array(normals, "VEC3", _ARRAY_BUFFER),
    }


def _indices(faces: np.ndarray, buffer: _Buffer) -> int:
    return buffer.add_array(faces.astype("<u4").reshape(-1), "SCALAR", _ELEMENT_BUFFER)


def _material(texture: TextureArrays) -> dict[str, Any]:
    """Image 0 is the colour, 1 the normal map, in the order of `TextureArrays.pngs`."""
    surface: dict[str, Any] = {
        "name": "surface",
        "pbrMetallicRoughness": {
            "baseColorTexture": {"index": 0},
            "metallicFactor": float(texture.metallic),
            "roughnessFactor": float(texture.roughness),
        },
    }
    if texture.normals is not None:
        surface["normalTexture"] = {"index": 1}
    sampler = {"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAP_LINEAR, "wrapS": _CLAMP_TO_EDGE}
    return {
        "materials": [surface],
        "textures": [{"sampler": 0, "source": image} for image in range(1 if texture.normals is None else 2)],
        "samplers": [{**sampler, "wrapT": _CLAMP_TO_EDGE}],
    }


def _json(tree: dict[str, Any]) -> bytes:
    return json.dumps(tree, separators=(",", ":")).encode()
