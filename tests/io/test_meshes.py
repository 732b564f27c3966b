"""Mesh files: what is written is what is read, by us and by trimesh."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import trimesh

from meshopt.colorspace import linear_to_srgb
from meshopt.errors import InputError
from meshopt.io.meshes import FORMATS, encode_files, encode_mesh, file_names, load_mesh, save_mesh
from meshopt.mesh import Mesh, face_normals
from meshopt.shading import creased, shading

TEXTURED = ("glb", "gltf", "obj")


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
    dark_step = 0.06 if kind in ("glb", "gltf") else 0.003  # trimesh keeps 8 bits of linear light
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


@pytest.mark.parametrize("kind", TEXTURED)
@pytest.mark.parametrize("name", ["box", "bumpy_box"])
def test_trimesh_finds_the_painted_colours(
    kind: str, name: str, tmp_path: Path, paint: Callable[[np.ndarray], np.ndarray], request: pytest.FixtureRequest
) -> None:
    mesh = request.getfixturevalue(name)
    save_mesh(mesh, tmp_path / f"box.{kind}")
    read = trimesh.load_mesh(tmp_path / f"box.{kind}", process=False)
    centers = read.visual.uv[read.faces].mean(1)  # trimesh's v runs up
    material = read.visual.material
    image = np.asarray(material.baseColorTexture if kind != "obj" else material.image) / 255
    x, y = centers[:, 0] * image.shape[1] - 0.5, (1 - centers[:, 1]) * image.shape[0] - 0.5
    sampled = cv2.remap(image.astype("f4"), x.astype("f4"), y.astype("f4"), cv2.INTER_LINEAR).reshape(-1, 3)
    assert np.abs(sampled - paint(read.triangles_center)).max() < 0.01


@pytest.mark.parametrize("kind", FORMATS)
def test_a_textured_mesh_comes_back_closed(bumpy_box: Mesh, tmp_path: Path, kind: str) -> None:
    save_mesh(bumpy_box, tmp_path / f"box.{kind}", scale=0.3, offset=(1.0, 2.0, 3.0))
    read = load_mesh(tmp_path / f"box.{kind}")
    assert (len(read.vertices), len(read.faces)) == (len(bumpy_box.vertices), len(bumpy_box.faces))
    shape = trimesh.Trimesh(read.vertices.numpy(), read.faces.numpy(), process=False)
    assert shape.is_watertight
    assert shape.is_winding_consistent
    assert shape.volume == pytest.approx(3 * 0.3**3, rel=1e-5)
    assert read.colors is None


@pytest.mark.parametrize("kind", FORMATS)
def test_files_are_those_told_beforehand_and_the_same_every_time(bumpy_box: Mesh, tmp_path: Path, kind: str) -> None:
    files = encode_files(bumpy_box, kind, "a b")
    assert files == encode_files(bumpy_box, kind, "a b")
    assert tuple(files) == (("a b.ply",) if kind == "ply" else file_names(kind, "a b"))
    assert save_mesh(bumpy_box, tmp_path / f"a b.{kind}") == tuple(tmp_path / name for name in files)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == files
    assert encode_mesh(bumpy_box, kind) == next(iter(encode_files(bumpy_box, kind).values()))


@pytest.mark.parametrize("stem", ["mesh", "a b", "100%", "-x", ".hidden", "Löwe", "#1;2", "a\\b"])
@pytest.mark.parametrize("kind", ["gltf", "obj"])
def test_names_beside_a_mesh_need_no_quotes(kind: str, stem: str, bumpy_box: Mesh, tmp_path: Path) -> None:
    save_mesh(bumpy_box, tmp_path / f"{stem}.{kind}")
    for name in file_names(kind, stem)[1:]:
        assert re.fullmatch(r"\w[\w.-]*", name)
        assert (tmp_path / name).is_file()
    assert trimesh.load_mesh(tmp_path / f"{stem}.{kind}").visual.kind == "texture"
    assert len(load_mesh(tmp_path / f"{stem}.{kind}").faces) == len(bumpy_box.faces)


@pytest.mark.parametrize("kind", ["gltf", "obj"])
def test_names_beside_meshes_with_different_names_differ(kind: str) -> None:
    stems = ["a b", "a_b", "a-b", "a/b", ".a b", "_a b"]
    assert len({name for stem in stems for name in file_names(kind, stem)}) == len(stems) * len(file_names(kind))


def test_without_normals_there_is_no_normal_image(box: Mesh) -> None:
    assert list(encode_files(box, "obj")) == ["mesh.obj", "mesh.mtl", "mesh_color.png"]
    assert list(encode_files(box, "gltf")) == ["mesh.gltf", "mesh.bin", "mesh_color.png"]
    assert list(encode_files(replace(box, texture=None), "obj")) == ["mesh.obj"]
    assert list(encode_files(replace(box, texture=None), "gltf")) == ["mesh.gltf", "mesh.bin"]


def test_a_failed_save_leaves_all_files_as_they_were(
    box: Mesh, bumpy_box: Mesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_mesh(box, tmp_path / "box.gltf")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name == "box_color.png" and target.parent == tmp_path and self.parent.name != ".meshopt-old":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="No space left"):
        save_mesh(bumpy_box, tmp_path / "box.gltf", scale=2.0)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


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


def _apart(mesh: Mesh) -> trimesh.Trimesh:
    """With flat faces: the normals of the faces at their corners."""
    shape = trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False)
    shape.unmerge_vertices()
    assert len(shape.vertex_normals) == 3 * len(mesh.faces)
    return shape


def _corner_normals(mesh: Mesh) -> torch.Tensor:
    found = shading(mesh)
    return found.normals[found.faces.long()]


@pytest.mark.parametrize("kind", ["glb", "obj", "ply"])
def test_normals_of_a_file_are_kept(box: Mesh, tmp_path: Path, kind: str) -> None:
    """Flat faces of a box, and of a ball that would be smooth by its angles alone."""
    ball = trimesh.creation.icosphere(subdivisions=1)
    for mesh in (box, Mesh(torch.tensor(ball.vertices).float(), torch.tensor(ball.faces).int())):
        option = {"vertex_normal": True} if kind == "ply" else {"include_normals": True}
        _apart(mesh).export(tmp_path / f"flat.{kind}", **option)
        read = load_mesh(tmp_path / f"flat.{kind}")
        assert len(read.vertices) == len(mesh.vertices)
        flat = face_normals(read.vertices, read.faces).double()[:, None].expand(-1, 3, -1)
        assert torch.allclose(_corner_normals(read), flat, atol=1e-4)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("textured", [False, True])
def test_creases_are_written_where_the_format_can_say_them(
    box: Mesh, tmp_path: Path, kind: str, textured: bool
) -> None:
    own = creased(box.vertices, box.faces)
    sharp = replace(box, shading=own, texture=box.texture if textured else None)
    save_mesh(sharp, tmp_path / f"sharp.{kind}")
    read = load_mesh(tmp_path / f"sharp.{kind}")
    assert (len(read.vertices), len(read.faces)) == (len(box.vertices), len(box.faces))
    expected = own.normals[own.faces.long()]
    if kind == "ply":  # one normal a vertex: the mean of the corners'
        flat = face_normals(box.vertices, box.faces)
        assert (_corner_normals(read).float() * flat[:, None]).sum(-1).min() > 0.3
        return
    assert torch.allclose(read.vertices[read.faces.long()], box.vertices[box.faces.long()], atol=1e-6)
    assert torch.allclose(_corner_normals(read), expected, atol=1e-5)


def test_without_normals_sharp_edges_are_creases(tmp_path: Path) -> None:
    trimesh.creation.cylinder(radius=1.0, height=2.0, sections=24).export(tmp_path / "can.stl")
    read = load_mesh(tmp_path / "can.stl")
    ends = face_normals(read.vertices, read.faces)[:, 2].abs() > 0.5
    normals = _corner_normals(read)
    assert (normals[ends][..., 2].abs() > 0.9999).all()
    assert torch.allclose(
        normals[~ends], (read.vertices * torch.tensor([1.0, 1, 0]))[read.faces[~ends].long()].double(), atol=1e-5
    )


def test_normals_follow_a_scene_that_stretches_and_mirrors(box: Mesh, tmp_path: Path) -> None:
    transform = np.diag([2.0, 1.0, -0.5, 1.0])
    scene = trimesh.Scene()
    scene.add_geometry(_apart(Mesh(*_octahedron())), transform=transform)
    scene.export(tmp_path / "stretched.glb", include_normals=True)
    read = load_mesh(tmp_path / "stretched.glb")
    flat = face_normals(read.vertices, read.faces).double()[:, None].expand(-1, 3, -1)
    assert torch.allclose(_corner_normals(read), flat, atol=1e-5)
    assert (flat[:, 0] * read.vertices[read.faces.long()].mean(1)).sum(-1).min() > 0  # outwards


def _octahedron() -> tuple[torch.Tensor, torch.Tensor]:
    points = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    sides = [(x, y, z) for x in (0, 1) for y in (2, 3) for z in (4, 5)]
    return points, torch.tensor([s if sum(s) % 2 == 0 else s[::-1] for s in sides], dtype=torch.int32)


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
    with pytest.raises(InputError, match=r"cannot write '.stl' files, expected .glb, .gltf, .obj or .ply"):
        save_mesh(ball, tmp_path / "a.stl")
    assert list(tmp_path.iterdir()) == []
