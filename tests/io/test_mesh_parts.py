"""Mesh files from anywhere: what they refer to is read from their own folder or not at all."""

from __future__ import annotations

import base64
import json
import re
import socket
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from meshopt.errors import InputError
from meshopt.io.meshes import load_mesh, save_mesh
from meshopt.mesh import Mesh


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **more: object) -> None:
        raise AssertionError("reading a mesh must not reach for the network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def _saved(mesh: Mesh, path: Path) -> dict[str, Any]:
    """Writes a .gltf and gives its JSON."""
    save_mesh(mesh, path)
    tree: dict[str, Any] = json.loads(path.read_text())
    return tree


@pytest.mark.parametrize(
    "uri",
    [
        "../box.bin",
        "..%2fbox.bin",
        "%2e%2e/box.bin",
        "sub/../../box.bin",
        "..\\box.bin",
        "/etc/passwd",
        "//host/box.bin",
        "C:\\box.bin",
        "file:///etc/passwd",
        "http://localhost/box.bin",
        "https://localhost/box.bin",
    ],
)
def test_a_gltf_cannot_reach_out_of_its_folder(box: Mesh, tmp_path: Path, uri: str) -> None:
    folder = tmp_path / "inner"
    (folder / "sub").mkdir(parents=True)
    tree = _saved(box, folder / "box.gltf")
    (folder / "box.bin").rename(tmp_path / "box.bin")
    tree["buffers"][0]["uri"] = uri
    (folder / "box.gltf").write_text(json.dumps(tree))
    with pytest.raises(InputError, match="expected a file in its own folder") as caught:
        load_mesh(folder / "box.gltf")
    assert str(folder / "box.gltf") in str(caught.value)


def test_a_glb_cannot_either(box: Mesh, tmp_path: Path) -> None:
    tree = _saved(box, tmp_path / "box.gltf")
    tree["buffers"][0]["uri"] = "../box.bin"
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", 0, b"BIN\0")
    (tmp_path / "box.glb").write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
    with pytest.raises(InputError, match="expected a file in its own folder"):
        load_mesh(tmp_path / "box.glb")


def test_a_missing_buffer_is_named(box: Mesh, tmp_path: Path) -> None:
    save_mesh(box, tmp_path / "box.gltf")
    (tmp_path / "box.bin").unlink()
    with pytest.raises(InputError, match=re.escape("box.gltf: refers to 'box.bin', which is not in its folder")):
        load_mesh(tmp_path / "box.gltf")


@pytest.mark.parametrize("uri", ["parts/a%20b.bin", "parts/a b.bin", "data"])
def test_buffers_below_the_folder_and_inside_the_file_are_read(box: Mesh, tmp_path: Path, uri: str) -> None:
    tree = _saved(box, tmp_path / "box.gltf")
    (tmp_path / "parts").mkdir()
    data = (tmp_path / "box.bin").rename(tmp_path / "parts" / "a b.bin").read_bytes()
    if uri == "data":
        uri = "data:application/octet-stream;base64," + base64.b64encode(data).decode()
    tree["buffers"][0]["uri"] = uri
    (tmp_path / "box.gltf").write_text(json.dumps(tree))
    assert len(load_mesh(tmp_path / "box.gltf").vertices) == len(box.vertices)


@pytest.mark.parametrize("image", ["../secret.png", "http://localhost/x.png", "gone.png", "broken.png"])
def test_images_are_not_even_looked_at(box: Mesh, tmp_path: Path, image: str) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    tree = _saved(box, tmp_path / "box.gltf")
    tree["images"][0]["uri"] = image
    (tmp_path / "box.gltf").write_text(json.dumps(tree))
    save_mesh(box, tmp_path / "box.obj")
    (tmp_path / "box.mtl").write_text(f"newmtl surface\nmap_Kd {image}\n")
    ply = b"ply\nformat ascii 1.0\ncomment TextureFile " + image.encode() + b"\nelement vertex 3\nproperty float x\n"
    ply += b"property float y\nproperty float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
    (tmp_path / "box.ply").write_bytes(ply + b"0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n")
    assert len(load_mesh(tmp_path / "box.gltf").faces) == len(box.faces)
    assert len(load_mesh(tmp_path / "box.obj").faces) == len(box.faces)
    assert len(load_mesh(tmp_path / "box.ply").faces) == 1


@pytest.mark.parametrize("library", ["/etc/passwd", "../secret.mtl", "http://localhost/x.mtl", "gone.mtl"])
def test_an_obj_needs_no_material_file(tmp_path: Path, library: str) -> None:
    (tmp_path / "a.obj").write_text(f"mtllib {library}\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nusemtl m\nf 1/1 2/1 3/1\n")
    assert len(load_mesh(tmp_path / "a.obj").faces) == 1


@pytest.mark.parametrize("kind", ["glb", "gltf", "obj", "ply"])
def test_textured_meshes_by_others_are_read(tmp_path: Path, kind: str) -> None:
    shape = trimesh.creation.icosphere(subdivisions=2)
    rows = shape.faces.reshape(-1)  # every corner on its own
    shape = trimesh.Trimesh(shape.vertices[rows], np.arange(len(rows)).reshape(-1, 3), process=False)
    image = Image.fromarray(np.full((4, 4, 3), 99, np.uint8))
    shape.visual = trimesh.visual.TextureVisuals(np.random.default_rng(0).random((len(rows), 2)), image=image)
    shape.export(tmp_path / f"ball.{kind}")
    read = load_mesh(tmp_path / f"ball.{kind}")
    assert (len(read.vertices), len(read.faces)) == (162, 320)
    assert read.colors is None
    assert trimesh.Trimesh(read.vertices.numpy(), read.faces.numpy(), process=False).is_watertight


def test_colours_beside_a_material_are_kept_but_a_textures_tint_is_none(box: Mesh, tmp_path: Path) -> None:
    colored = Mesh(box.vertices, box.faces, torch.full_like(box.vertices, 0.5))
    tree = _saved(colored, tmp_path / "box.gltf")
    tree["materials"] = [{"pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 1]}}]
    tree["meshes"][0]["primitives"][0]["material"] = 0
    (tmp_path / "box.gltf").write_text(json.dumps(tree))
    colors = load_mesh(tmp_path / "box.gltf").colors
    assert colors is not None
    assert colors.mean() == pytest.approx(0.5, abs=0.01)
    tree["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"] = {"index": 0}
    (tmp_path / "box.gltf").write_text(json.dumps(tree))
    assert load_mesh(tmp_path / "box.gltf").colors is None


def test_compressed_gltf_is_named(box: Mesh, tmp_path: Path) -> None:
    tree = _saved(Mesh(box.vertices, box.faces), tmp_path / "box.gltf")
    tree["extensionsUsed"] = tree["extensionsRequired"] = ["EXT_meshopt_compression"]
    for accessor in tree["accessors"][:2]:
        del accessor["bufferView"]
    (tmp_path / "box.gltf").write_text(json.dumps(tree))
    with pytest.raises(InputError, match="is compressed with EXT_meshopt_compression, expected glTF without"):
        load_mesh(tmp_path / "box.gltf")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"{}", b'{"buffers": [{}]}', b"glTF", b"\xff\xfe"])
def test_broken_gltf_is_one_clear_sentence(box: Mesh, tmp_path: Path, content: bytes) -> None:
    save_mesh(box, tmp_path / "model.gltf")  # not to be read in place of the other
    for suffix in ("gltf", "glb"):
        (tmp_path / f"a.{suffix}").write_bytes(content)
        with pytest.raises(InputError, match=r"cannot be read as a mesh|no faces") as caught:
            load_mesh(tmp_path / f"a.{suffix}")
        assert "\n" not in str(caught.value)
