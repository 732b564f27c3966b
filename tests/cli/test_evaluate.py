"""`meshopt evaluate`: what is said and written, and one sentence for what cannot be."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import trimesh
from PIL import Image

import meshopt
from meshopt.cli import run
from meshopt.cli.main import BAD_INPUT, OK

ROOT = Path(__file__).parents[2]
DRAGON = ROOT / "data" / "dragon"
VIEWS = ["--views", str(DRAGON / "wonder3d" / "rgb"), "--normals", str(DRAGON / "wonder3d" / "normals")]
QUICK = ["--samples", "2000", "--resolution", "128"]


@pytest.fixture(scope="module")
def balls(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """A unit ball, one that is 2 % larger, with colours, and one 100 times as large."""
    folder = tmp_path_factory.mktemp("balls")
    shape = trimesh.creation.icosphere(4)
    faces = torch.tensor(shape.faces, dtype=torch.int32)
    for name, radius in (("truth", 1.0), ("found", 1.02), ("far", 100.0)):
        vertices = radius * torch.tensor(shape.vertices).float()
        colors = torch.full_like(vertices, 0.5) if name == "found" else None
        meshopt.save_mesh(meshopt.Mesh(vertices, faces, colors), folder / f"{name}.ply")
    return tuple(str(folder / f"{name}.ply") for name in ("truth", "found", "far"))  # type: ignore[return-value]


def _row(text: str, name: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.strip().startswith(name))
    return line.strip().removeprefix(name).split()


def test_figures_against_a_truth(balls: tuple[str, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    truth, found, _ = balls
    assert run(["evaluate", found, "--gt", truth, *QUICK]) == OK
    out, err = capsys.readouterr()
    assert "Error" not in err
    means = [float(cell) for cell in _row(out, "Chamfer, point to surface")]
    assert means == pytest.approx([0.02] * 3, rel=0.05)
    assert [float(cell) for cell in _row(out, "on the unit sphere")] == pytest.approx([0.02] * 3, rel=0.05)
    assert _row(out, "precision, recall, F 0.5 %") == ["0.0000"] * 3
    assert _row(out, "precision, recall, F 1 %") == ["1.0000"] * 3
    assert "The truth's diagonal is 3.464, its bounding sphere's radius 1; distances without a unit are in" in out
    assert "The mesh is closed, 2-manifold, consistently oriented: V 2562" in out
    assert re.search(r"^Measured in [\d.]+ s\.$", out, re.MULTILINE)
    assert "visible" not in out  # nothing is hidden
    assert "silhouette" not in out


def test_what_is_hidden_is_said(
    balls: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = trimesh.creation.icosphere(3, radius=0.5)
    trimesh.util.concatenate([trimesh.load(balls[0]), inner]).export(tmp_path / "both.ply")
    assert run(["evaluate", balls[0], "--gt", str(tmp_path / "both.ply"), *QUICK]) == OK
    out = capsys.readouterr().out
    assert len(_row(out, "Chamfer, point to surface")) == 4
    assert re.search(r"seen from outside, 100\.0 % of the mesh, (79|80|81)\.\d % of the truth", out)


def test_sizes_that_differ_absurdly_are_noted_and_aligned(
    balls: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    truth, _, far = balls
    assert run(["evaluate", far, "--gt", truth, *QUICK]) == OK
    assert "Note: The mesh is 100 times as large as the true one: --align bbox or" in capsys.readouterr().out
    assert run(["evaluate", far, "--gt", truth, *QUICK, "--align", "bbox"]) == OK
    out = capsys.readouterr().out
    assert "Aligned by bbox: scaled by 0.01, shifted by (0, 0, 0)." in out
    assert "Note" not in out


@pytest.fixture(scope="module")
def dragon(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The sample's true surface with fewer faces, textured from its views."""
    from meshopt.remesh import to_faces

    truth = meshopt.load_mesh(DRAGON / "mesh.ply")
    vertices, faces, _ = to_faces(truth.vertices, truth.faces, 3000)
    folder = tmp_path_factory.mktemp("dragon")
    meshopt.save_mesh(meshopt.Mesh(vertices, faces), folder / "plain.ply")
    command = ["texture", str(folder / "plain.ply"), *VIEWS, "-q", "-o", str(folder), "--texture-size", "512"]
    assert run([*command, "--set", "texture.unwrap=box"]) == OK
    return str(folder / "mesh.glb")


def test_textured_mesh_against_views_and_truth(dragon: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, record = tmp_path / "out", tmp_path / "found.json"
    command = ["evaluate", dragon, "--gt", str(DRAGON / "mesh.ply"), *VIEWS, *QUICK]
    assert run([*command, "-o", str(out), "--json", str(record)]) == OK
    said = capsys.readouterr().out
    assert "rgb_000_front.png" in said
    silhouettes, normals = (line.split() for line in re.findall(r"^ all (.*)$", said, re.MULTILINE))
    assert float(silhouettes[0]) > 0.97
    assert [silhouettes[i] for i in (2, 4, 6)] == ["px", "px", "dB"]
    assert float(normals[0].rstrip("°")) < 10
    assert f"Wrote {out / 'evaluation.json'}, {out / 'evaluation.png'}, {record} in " in said
    assert record.read_bytes() == (out / "evaluation.json").read_bytes()
    data = json.loads(record.read_text(encoding="utf-8"))
    assert (data["schema"], Path(data["rig"]).name, data["mesh"]) == (1, "cameras.json", dragon)
    assert data["settings"]["samples"] == 2000
    assert len(data["images"]["views"]) == 6
    assert data["images"]["all"]["color_psnr_db"] > 20
    assert 0.8 < data["images"]["all"]["color_ssim"] < 1
    assert data["images"]["all"]["normal_mean_deg"] < 10
    with Image.open(out / "evaluation.png") as sheet:
        assert sheet.format == "PNG"
    assert run([*command, "-o", str(out)]) == BAD_INPUT
    assert "--overwrite" in capsys.readouterr().err


def test_json_to_standard_output_is_alone(balls: tuple[str, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", balls[1], "--gt", balls[0], *QUICK]
    assert run([*command, "--json", "-", "--set", "evaluate.thresholds=[2]"]) == OK
    data = json.loads(capsys.readouterr().out)
    assert [score["percent"] for score in data["geometry"]["all"]["fscores"]] == [2]
    assert data["images"] is None
    assert run([*command, "-q"]) == OK
    assert capsys.readouterr() == ("", "")


def test_wrong_input_is_one_sentence(
    balls: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth, found, _ = balls
    (tmp_path / "empty.ply").write_text(
        "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\n"
        "element face 0\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n"
    )
    (tmp_path / "flat.off").write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n2 0 0\n3 0 1 2\n")
    empty, flat, gt = str(tmp_path / "empty.ply"), str(tmp_path / "flat.off"), ["--gt", truth]
    for arguments, words in (
        ([found], "Missing option '--gt', the true mesh, or '--views'"),
        ([empty, *gt], "empty.ply: has no faces, expected a triangle mesh"),
        ([found, "--gt", empty], "empty.ply: has no faces, expected a triangle mesh"),
        ([flat, *gt], "all 1 faces of the mesh are without area, expected a surface"),
        ([found, "--gt", flat], "all 1 faces of the true mesh are without area"),
        (["nowhere.glb", *gt], "nowhere.glb: no such file"),
        ([found, *VIEWS, *QUICK, "--align", "icp"], "--align icp lays the mesh on the true one: give that with --gt"),
        ([found, *gt, "--align", "up"], "--align: setting 'evaluate.align'"),
        ([found, *gt, "--samples", "3"], "--samples: setting 'evaluate.samples'"),
        ([found, *gt, "--lpips"], "--lpips compares pictures: expected --views"),
        ([found, "--views", str(tmp_path / "none")], "does not exist"),
        ([found, *gt, "--json", str(tmp_path)], "is a folder"),
        ([found, *gt, "-o", truth], "--output"),
    ):
        assert run(["evaluate", *arguments]) == BAD_INPUT
        err = capsys.readouterr().err
        assert words in err
        assert "bug" not in err


def test_arguments_are_refused_without_heavy_imports(tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").touch()
    code = (
        "import sys, meshopt.cli;"
        f"assert meshopt.cli.run(['evaluate', 'm.ply', '--gt', 't.ply', '-o', {str(tmp_path)!r}]) == 2;"
        "sys.exit(any(m in sys.modules for m in ('torch', 'numba', 'scipy', 'cv2')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--overwrite" in done.stderr
