"""Textured glTF: what the specification asks for, in the .glb and in the .gltf with its neighbours."""

from __future__ import annotations

import io
import json
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from meshopt.io.meshes import encode_files, encode_mesh
from meshopt.mesh import Mesh
from meshopt.shading import shading_normals
from meshopt.tangents import tangents

LENGTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


def _open(mesh: Mesh, kind: str) -> tuple[dict[str, Any], bytes, list[bytes]]:
    """A textured file's JSON, buffer and images."""
    files = encode_files(mesh, kind)
    if kind == "gltf":
        tree = json.loads(files["mesh.gltf"])
        assert tree["buffers"] == [{"uri": "mesh.bin", "byteLength": len(files["mesh.bin"])}]
        return tree, files["mesh.bin"], [files[image["uri"]] for image in tree["images"]]
    data = files["mesh.glb"]
    (length,) = struct.unpack_from("<I", data, 12)
    tree, binary = json.loads(data[20 : 20 + length]), data[28 + length :]
    assert {image["mimeType"] for image in tree["images"]} == {"image/png"}
    return tree, binary, [_view(tree, binary, image["bufferView"]) for image in tree["images"]]


def _view(tree: dict[str, Any], binary: bytes, index: int) -> bytes:
    place = tree["bufferViews"][index]
    assert place["byteOffset"] % 4 == 0
    return binary[place["byteOffset"] : place["byteOffset"] + place["byteLength"]]


def _arrays(mesh: Mesh, kind: str) -> dict[str, np.ndarray]:
    """The primitive's attributes and indices."""
    tree, binary, _ = _open(mesh, kind)
    primitive = tree["meshes"][0]["primitives"][0]
    found = {}
    for name, index in [*primitive["attributes"].items(), ("indices", primitive["indices"])]:
        accessor = tree["accessors"][index]
        numbers = np.frombuffer(_view(tree, binary, accessor["bufferView"]), "<u4" if name == "indices" else "<f4")
        found[name] = numbers.reshape(accessor["count"], LENGTHS[accessor["type"]])
    return found


@pytest.mark.parametrize("kind", ["glb", "gltf"])
def test_material_and_images(bumpy_box: Mesh, kind: str) -> None:
    tree, _, images = _open(bumpy_box, kind)
    (material,) = tree["materials"]
    assert material["pbrMetallicRoughness"] == {
        "baseColorTexture": {"index": 0},
        "metallicFactor": 0.0,
        "roughnessFactor": 0.8,
    }
    assert material["normalTexture"] == {"index": 1}
    assert [texture["source"] for texture in tree["textures"]] == [0, 1]
    assert tree["samplers"] == [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}]
    assert bumpy_box.texture is not None
    for image, pixels in zip(images, [bumpy_box.texture.color, bumpy_box.texture.normals], strict=True):
        assert (np.asarray(Image.open(io.BytesIO(image))) == np.asarray(pixels)).all()


def test_both_kinds_hold_the_same(bumpy_box: Mesh) -> None:
    one, other = _arrays(bumpy_box, "glb"), _arrays(bumpy_box, "gltf")
    assert list(one) == list(other) == ["POSITION", "NORMAL", "TANGENT", "TEXCOORD_0", "indices"]
    assert all((one[name] == other[name]).all() for name in one)
    assert _open(bumpy_box, "glb")[2] == _open(bumpy_box, "gltf")[2]


def test_vertices_are_split_at_charts_alone_and_stay_in_place(bumpy_box: Mesh) -> None:
    arrays = _arrays(bumpy_box, "glb")
    assert len(arrays["POSITION"]) == 6 * 25  # six sides, each a chart of 5 x 5 vertices
    assert len(np.unique(arrays["POSITION"], axis=0)) == len(bumpy_box.vertices)
    faces = arrays["indices"].reshape(-1, 3)
    assert (arrays["POSITION"][faces] == bumpy_box.vertices[bumpy_box.faces.long()].numpy()).all()
    assert bumpy_box.texture is not None
    assert (arrays["TEXCOORD_0"][faces] == bumpy_box.texture.uv[bumpy_box.texture.faces.long()].numpy()).all()


def test_frames_are_those_of_meshopt_tangents(bumpy_box: Mesh) -> None:
    """What bakes a normal map takes its frames there."""
    arrays, texture = _arrays(bumpy_box, "glb"), bumpy_box.texture
    assert texture is not None
    normals = shading_normals(bumpy_box.vertices, bumpy_box.faces)
    frames = tangents(bumpy_box.vertices, normals, bumpy_box.faces, texture.uv, texture.faces)
    faces = arrays["indices"].reshape(-1, 3)
    assert (arrays["NORMAL"][faces] == normals.float()[bumpy_box.faces.long()].numpy()).all()
    assert np.allclose(arrays["TANGENT"][faces], frames[texture.faces.long()].numpy(), atol=1e-6)
    assert np.unique(arrays["TANGENT"][:, 3]).tolist() == [-1, 1]  # one side of the box is mirrored
    assert np.abs((arrays["TANGENT"][:, :3] * arrays["NORMAL"]).sum(1)).max() < 1e-6
    assert np.allclose(np.linalg.norm(arrays["TANGENT"][:, :3], axis=1), 1, atol=1e-6)


def test_tangents_come_with_a_normal_map_alone_and_colours_without_texture(box: Mesh) -> None:
    colored = replace(box, colors=torch.ones_like(box.vertices))
    assert list(_arrays(colored, "glb")) == ["POSITION", "NORMAL", "TEXCOORD_0", "indices"]
    tree = json.loads(encode_mesh(replace(colored, texture=None), "gltf"))
    assert list(tree["meshes"][0]["primitives"][0]["attributes"]) == ["POSITION", "NORMAL", "COLOR_0"]
    assert not {"materials", "textures", "images", "samplers"} & set(tree)
