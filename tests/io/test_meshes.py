"""Mesh files: what is written is what is read, by us and by trimesh."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from meshopt.errors import InputError
from meshopt.io.meshes import (
    FORMATS,
    distinct_positions,
    encode_mesh,
    linear_to_srgb,
    load_mesh,
    save_mesh,
    srgb_to_linear,
)
from meshopt.mesh import Mesh


@pytest.fixture
def ball() -> Mesh:
    """A small sphere, +X red, +Y green, +Z blue."""
    shape = trimesh.creation.icosphere(subdivisions=2)
    vertices = torch.tensor(shape.vertices, dtype=torch.float32)
    return Mesh(vertices, torch.tensor(shape.faces, dtype=torch.int32), (vertices + 1) / 2)


def _glb(data: bytes) -> tuple[dict[str, Any], bytes]:
    magic, version, total = struct.unpack_from("<4sII", data)
    assert (magic, version, total) == (b"glTF", 2, len(data))
    length, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    assert length % 4 == 0
    binary, kind = struct.unpack_from("<I4s", data, 20 + length)
    assert kind == b"BIN\0"
    assert 28 + length + binary == len(data)
    return json.loads(data[20 : 20 + length]), data[28 + length :]


def _attribute(data: bytes, name: str) -> np.ndarray:
    tree, binary = _glb(data)
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"][name]]
    view = tree["bufferViews"][accessor["bufferView"]]
    return np.frombuffer(binary, "<f4", accessor["count"] * 3, view["byteOffset"]).reshape(-1, 3)


@pytest.mark.parametrize("kind", FORMATS)
def test_round_trip_is_exact(ball: Mesh, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"ball.{kind}"
    save_mesh(ball, path)
    read = load_mesh(path)
    assert torch.equal(read.vertices, ball.vertices)
    assert torch.equal(read.faces, ball.faces)
    assert read.colors is not None
    assert ball.colors is not None
    dark_step = 0.06 if kind == "glb" else 0.003  # trimesh keeps 8 bits of linear light
    assert (read.colors - ball.colors).abs().max() < dark_step


@pytest.mark.parametrize("kind", FORMATS)
def test_trimesh_reads_a_closed_mesh_with_outward_normals(ball: Mesh, tmp_path: Path, kind: str) -> None:
    save_mesh(ball, tmp_path / f"ball.{kind}", scale=2.0, offset=(1.0, 2.0, 3.0))
    read = trimesh.load_mesh(tmp_path / f"ball.{kind}")
    assert read.is_watertight
    assert read.is_winding_consistent
    assert read.volume == pytest.approx(8 * trimesh.creation.icosphere(subdivisions=2).volume, rel=1e-5)
    assert np.allclose(read.bounds.mean(0), [1, 2, 3], atol=1e-5)
    outward = (np.asarray(read.vertex_normals) * (read.vertices - [1, 2, 3])).sum(1)
    assert (outward > 1.9).all()


@pytest.mark.parametrize("kind", FORMATS)
def test_bytes_are_the_same_every_time(ball: Mesh, kind: str) -> None:
    assert encode_mesh(ball, kind, 0.5) == encode_mesh(ball, kind, 0.5)


@pytest.mark.parametrize("kind", FORMATS)
def test_colours_are_optional(ball: Mesh, tmp_path: Path, kind: str) -> None:
    save_mesh(Mesh(ball.vertices, ball.faces), tmp_path / f"ball.{kind}")
    read = load_mesh(tmp_path / f"ball.{kind}")
    assert len(read.vertices) == len(ball.vertices)


def test_glb_colours_are_linear_and_fine(ball: Mesh) -> None:
    assert ball.colors is not None
    dark = Mesh(ball.vertices, ball.faces, ball.colors * 0.02)
    stored = _attribute(encode_mesh(dark, "glb"), "COLOR_0")
    assert np.allclose(linear_to_srgb(stored), dark.colors, atol=1e-6)
    assert len(np.unique(stored)) > 20  # 8 bits would leave one or two


def test_glb_says_what_it_holds(ball: Mesh) -> None:
    tree, binary = _glb(encode_mesh(ball, "glb"))
    positions = tree["accessors"][0]
    assert positions["min"] == ball.vertices.min(0).values.tolist()
    assert positions["max"] == ball.vertices.max(0).values.tolist()
    assert tree["buffers"] == [{"byteLength": len(binary)}]
    assert all(view["byteOffset"] % 4 == 0 for view in tree["bufferViews"])
    assert tree["asset"]["version"] == "2.0"


def test_normals_are_unit_even_where_faces_have_no_area() -> None:
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [9, 9, 9]])
    mesh = Mesh(vertices, torch.tensor([[0, 1, 2]], dtype=torch.int32))
    normals = _attribute(encode_mesh(mesh, "glb"), "NORMAL")
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)


def test_meeting_vertices_are_kept_apart(ball: Mesh, tmp_path: Path) -> None:
    """Far from the origin float32 has few steps left: welding by position must not join vertices."""
    tiny = Mesh(ball.vertices * 1e-6, ball.faces)
    save_mesh(tiny, tmp_path / "tiny.glb", offset=(5.0, 0.0, 0.0))
    read = load_mesh(tmp_path / "tiny.glb")
    assert len(read.vertices) == len(ball.vertices)
    assert torch.equal(read.faces, ball.faces)
    assert (read.vertices - torch.tensor([5.0, 0, 0])).abs().max() < 1e-4


def test_distinct_positions_touches_only_what_meets() -> None:
    points = np.array([[1.0, 2, 3], [1, 2, 3], [1, 2, 3], [-0.0, 0, 0], [0.0, 0, 0], [0.5, 0.5, 0.5]])
    moved = distinct_positions(points)
    assert len(np.unique(moved, axis=0)) == len(points)
    assert np.abs(moved - points).max() < 1e-5
    assert (moved[[0, 3, 5]] == points[[0, 3, 5]]).all()
    apart = np.random.default_rng(0).normal(size=(100, 3))
    assert (distinct_positions(apart) == apart.astype(np.float32)).all()
    assert distinct_positions(np.zeros((0, 3))).shape == (0, 3)
    assert len(np.unique(distinct_positions(np.zeros((500, 3))), axis=0)) == 500


def test_transfer_functions_are_inverse() -> None:
    values = np.linspace(0, 1, 1001)
    assert np.allclose(linear_to_srgb(srgb_to_linear(values)), values, atol=1e-7)
    assert srgb_to_linear(np.array(0.5)) == pytest.approx(0.2140, abs=1e-4)


def test_scene_parts_are_placed_and_joined(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    for place in ([0, 0, 0], [3, 0, 0]):
        scene.add_geometry(trimesh.creation.box(), transform=trimesh.transformations.translation_matrix(place))
    (tmp_path / "two.glb").write_bytes(scene.export(file_type="glb"))
    read = load_mesh(tmp_path / "two.glb")
    assert (len(read.vertices), len(read.faces)) == (16, 24)
    assert read.vertices[:, 0].max() == pytest.approx(3.5)


def test_split_vertices_are_welded(tmp_path: Path) -> None:
    """An STL repeats its vertices for every face."""
    trimesh.creation.icosphere(subdivisions=1).export(tmp_path / "ball.stl")
    read = load_mesh(tmp_path / "ball.stl")
    assert (len(read.vertices), len(read.faces)) == (42, 80)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.glb", None, "no such file"),
        ("a.fbx", b"x", "cannot read '.fbx' files"),
        ("a.glb", b"", "cannot be read as a mesh"),
        ("a.glb", b"glTF\2\0\0\0\xff\0\0\0", "cannot be read as a mesh"),
        ("a.ply", b"ply\nformat ascii 1.0\nend_header\n", "no faces|cannot be read"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\n", "no faces"),
        ("a.obj", b"v 0 0 0\nv 0 0 0\nv 0 1 0\nf 1 2 3\n", "without area"),
        ("a.obj", b"v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "NaN"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 7\n", "not there|cannot be read"),
    ],
)
def test_bad_meshes_are_one_clear_sentence(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        load_mesh(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_suffix_is_refused(ball: Mesh, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write '.stl' files, expected .glb, .obj or .ply"):
        save_mesh(ball, tmp_path / "a.stl")
    assert list(tmp_path.iterdir()) == []
