"""`meshopt texture`: any mesh, views with or without normals, and one sentence for what cannot be."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

import meshopt
from meshopt.cli import run
from meshopt.io.meshes import load_mesh

DRAGON = Path(__file__).parents[2] / "data" / "dragon"
QUICK = ["--resolution", "128", "--texture-size", "512"]


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's true surface, with fewer faces."""
    truth = load_mesh(DRAGON / "mesh.ply")
    from meshopt.remesh import to_faces

    vertices, faces, _ = to_faces(truth.vertices, truth.faces, 3000)
    file = tmp_path_factory.mktemp("mesh") / "dragon.ply"
    meshopt.save_mesh(meshopt.Mesh(vertices, faces), file)
    return file


def command(mesh: Path, out: Path, *more: str) -> list[str]:
    return ["texture", str(mesh), "--views", str(DRAGON / "wonder3d" / "rgb"), *QUICK, "-o", str(out), *more]


def test_colours_alone_make_a_textured_mesh_of_the_same_shape(
    mesh: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command(mesh, tmp_path, "--rig", "wonder3d", "--format", "glb,gltf")) == 0
    said = capsys.readouterr().out
    assert "normals: none were given." in said
    assert re.search(r"Texture 512 x 512: \d+ charts \(xatlas\), 0 overlapping faces", said)
    found, given = load_mesh(tmp_path / "mesh.glb"), load_mesh(mesh)
    assert len(found.faces) == len(given.faces)
    assert torch.allclose(found.vertices.aminmax(dim=0).max, given.vertices.aminmax(dim=0).max, atol=1e-6)
    report = json.loads((tmp_path / "report.json").read_text())
    assert min(view["colour_psnr_db"] for view in report["views"]) > 20
    assert report["texture"]["overlaps"] == 0
    assert set(report["files"]) == {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    beside = trimesh.load(tmp_path / "mesh.gltf", force="mesh").visual.material.baseColorTexture
    with Image.open(tmp_path / "texture" / "color.png") as picture:
        assert np.array_equal(np.asarray(picture), np.asarray(beside))


def test_normal_map_on_fewer_faces(mesh: Path, tmp_path: Path) -> None:
    normals = ["--normals", str(DRAGON / "wonder3d" / "normals"), "--bake-normals", "--faces", "600", "-q"]
    assert run(command(mesh, tmp_path, *normals)) == 0
    material = trimesh.load(tmp_path / "mesh.glb", force="mesh").visual.material
    assert material.normalTexture is not None
    assert len(load_mesh(tmp_path / "mesh.glb").faces) == pytest.approx(600, rel=0.05)
    surface = np.asarray(Image.open(tmp_path / "texture" / "source.png")) > 0
    bumps = np.asarray(Image.open(tmp_path / "texture" / "normal.png"))[surface].astype(float) / 127.5 - 1
    lengths = np.linalg.norm(bumps, axis=1)
    assert np.abs(lengths - 1).max() < 0.02
    assert (bumps[:, 2] > 0).mean() > 0.97
    assert bumps.std(axis=0)[:2].min() > 0.05


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--texture-size", "100"], "'texture.size' is 100, expected .* greater than or equal to 512"),
        (["--bake", "fry"], "'texture.bake' is \"fry\", expected 'blend' or 'optimize'"),
        (["--bake-normals"], r"no normal maps among its images"),
        (["--set", "texture.view_weights={nobody: 2}"], "texture.view_weights names nobody: expected some of front"),
        (["--rig", "zero123plus"], r"the views do not show this mesh as it stands: .* \(--rig\)"),
    ],
)
def test_one_sentence_and_nothing_written(
    mesh: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    assert run(command(mesh, tmp_path / "out", "-q", *more)) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(f"Error: .*{words}.*\n", said), said
    assert not (tmp_path / "out").exists()


def test_views_of_something_else(mesh: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = load_mesh(mesh)
    for name, vertices, words in (
        ("turned", moved.vertices[:, [0, 2, 1]] * torch.tensor([1.0, -1.0, 1.0]), "the views do not show this mesh"),
        ("far", moved.vertices + 50, "no view sees the mesh"),
    ):
        file = tmp_path / f"{name}.ply"
        meshopt.save_mesh(moved.with_vertices(0.6 * vertices if name == "turned" else vertices), file)
        assert run(command(file, tmp_path / "out", "-q")) == 2
        assert words in capsys.readouterr().err


def test_no_mesh_no_views(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command(tmp_path / "none.glb", tmp_path / "out", "-q")) == 2
    assert "none.glb: no such file" in capsys.readouterr().err
    (tmp_path / "points.obj").write_text("v 0 0 0\nv 1 0 0\n")
    assert run(command(tmp_path / "points.obj", tmp_path / "out", "-q")) == 2
    assert "has no faces" in capsys.readouterr().err
    assert run(["texture", str(tmp_path / "points.obj"), "-o", str(tmp_path / "out")]) == 2
    assert "Missing option '--views'" in capsys.readouterr().err


def test_the_mesh_itself_is_not_lost(mesh: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder's results are replaced, and it may be one of them."""
    out = tmp_path / "out"
    out.mkdir()
    for name in ("mesh.obj", "mesh.ply"):
        meshopt.save_mesh(load_mesh(mesh), out / name)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    for more in (["--overwrite"], ["--overwrite", "--format", "glb,ply"], ["--overwrite", "--faces", "500"]):
        assert run(command(out / "mesh.obj", out, "-q", *more)) == 2
        assert re.search(r"mesh.obj: is in --output .*; expected another folder", capsys.readouterr().err)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert run(command(out / "mesh.obj", out, "-q", "--overwrite", "--format", "obj")) == 0
    assert len(load_mesh(out / "mesh.obj").faces) == len(load_mesh(mesh).faces)


def test_open_mesh_keeps_its_faces_or_says_why(mesh: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = load_mesh(mesh)
    meshopt.save_mesh(meshopt.Mesh(whole.vertices, whole.faces[5:]), tmp_path / "open.obj")
    assert run(command(tmp_path / "open.obj", tmp_path / "out", "-q")) == 0
    assert run(command(tmp_path / "open.obj", tmp_path / "less", "-q", "--faces", "500")) == 2
    assert re.search(r"Error: --faces 500: cannot remesh: the mesh must be closed", capsys.readouterr().err)
