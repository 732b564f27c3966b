"""`meshopt reconstruct` on the samples, whole: files in, files out."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from meshopt.cli import run
from meshopt.config import load_config

ROOT = Path(__file__).parents[2]
QUICK = [
    *("--resolution", "96", "--set", "initial.grid=48", "--set", "initial.depth=48"),
    *("--set", "optimize.coarse_steps=5", "--set", "optimize.fine_steps=3", "--set", "optimize.refine_steps=2"),
    *("--texture-size", "512"),
]
TEXTURE = [f"texture/{name}.png" for name in ("color", "confidence", "source")]
SHELL = "import sys; from meshopt.cli import main; sys.argv[0] = 'meshopt'; main()"
FILES = ["config.yaml", "mesh.glb", "preview.png", "report.html", "report.json", *TEXTURE]


def sample(name: str) -> list[str]:
    folder = ROOT / "data" / name
    return ["reconstruct", "--views", str(folder / "rgb"), "--normals", str(folder / "normals")]


def names(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def digests(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names(folder)}


def loaded(file: Path) -> trimesh.Trimesh:
    """Vertices that were split where charts end put together again."""
    mesh = trimesh.load(file, force="mesh", process=False)
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    return mesh


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the installed command, as a shell would start it."""
    folder = tmp_path_factory.mktemp("first") / "out"
    command = [sys.executable, "-c", SHELL, *sample("dragon/wonder3d"), *QUICK, "-o", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    for words in ("normals_000_front_left.png", "closed, 2-manifold", "silhouette IoU", f"to {folder} in "):
        assert words in done.stdout
    for stage in ("initial", "coarse", "fine", "refine", "color", "texture"):
        assert f"{stage} ..." in done.stderr
    assert "Traceback" not in done.stderr
    return folder


def test_files_are_there_and_load(result: Path) -> None:
    assert names(result) == FILES
    mesh = loaded(result / "mesh.glb")
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0
    picture = np.asarray(trimesh.load(result / "mesh.glb", force="mesh").visual.material.baseColorTexture)
    assert picture.shape == (512, 512, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 500
    with Image.open(result / "texture" / "color.png") as beside:
        assert np.array_equal(np.asarray(beside), picture)
    with Image.open(result / "texture" / "source.png") as source:
        assert source.mode == "P"
        assert set(np.unique(np.asarray(source))) <= set(range(2 + 6))
    with Image.open(result / "preview.png") as preview:
        assert min(preview.size) > 500
        assert len(preview.getcolors(1 << 24) or []) > 1000


def test_report_is_as_documented(result: Path) -> None:
    report = json.loads((result / "report.json").read_text(encoding="utf-8"))
    documented = (ROOT / "docs" / "report.md").read_text(encoding="utf-8").split("Each entry of `views`")[0]
    assert set(report) == set(re.findall(r"^\| `(\w+)` \|", documented, re.MULTILINE))
    assert sorted(report["files"]) == FILES
    assert [view["name"] for view in report["views"]] == [source["name"] for source in report["sources"]]
    assert all(view["silhouette_iou"] > 0.8 for view in report["views"])
    shape = report["topology"]
    assert (shape["boundary_edges"], shape["nonmanifold_edges"], shape["nonmanifold_vertices"]) == (0, 0, 0)


def test_same_bytes_from_the_saved_settings_after_a_kill(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run from config.yaml is killed as soon as there is a checkpoint, and resumed."""
    out = tmp_path / "out"
    command = [*sample("dragon/wonder3d"), "--config", str(result / "config.yaml"), "-o", str(out), "--resume"]
    with subprocess.Popen([sys.executable, "-c", SHELL, *command], stdout=subprocess.DEVNULL) as child:
        until = time.monotonic() + 120
        while not (out / "checkpoint.safetensors").exists() and time.monotonic() < until:
            time.sleep(0.01)
        child.kill()
    assert names(out) == ["checkpoint.safetensors"]
    assert run([*command, "--seed", "1"]) == 2
    assert f"{out / 'checkpoint.safetensors'}: is of a run of other views" in capsys.readouterr().err
    assert run(command) == 0
    assert re.search(
        r"^Going on from the checkpoint: (after|coarse|fine|refine).*\.$", capsys.readouterr().out, re.MULTILINE
    )
    assert names(out) == FILES
    for name in ("mesh.glb", "preview.png", "config.yaml", *TEXTURE):
        assert (out / name).read_bytes() == (result / name).read_bytes(), name
    before = digests(out)
    assert run(command) == 0
    assert f"{out} holds the result of this run: nothing is left to do." in capsys.readouterr().out
    assert digests(out) == before
    assert run([*command, "--seed", "1"]) == 2
    assert "already holds a result" in capsys.readouterr().err


def test_the_old_result_stays(result: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = digests(result)
    assert run([*sample("dragon/unique3d"), *QUICK, "-o", str(result)]) == 2
    assert re.fullmatch(r"Error: --output .*already holds a result .*--overwrite\n", capsys.readouterr().err)
    assert digests(result) == before


def test_quiet_is_silent_and_overwrite_replaces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also: sheets, three formats, a face budget, the user's units."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "mesh.glb").write_bytes(b"an older one")
    (out / "notes.txt").write_text("the user's own")
    options = ["--rig", "zero123plus", "--format", "glb,obj,ply", "--faces", "1500", "--overwrite", "--quiet"]
    assert run([*sample("robot/zero123plus"), *QUICK, *options, "-o", str(out)]) == 0
    assert capsys.readouterr() == ("", "")
    assert names(out) == sorted([*FILES, "mesh.obj", "mesh.mtl", "mesh_color.png", "mesh.ply", "notes.txt"])
    meshes = [loaded(out / f"mesh.{kind}") for kind in ("glb", "obj", "ply")]
    for mesh in meshes:
        assert mesh.is_watertight
        assert len(mesh.faces) == pytest.approx(1500, rel=0.05)
        assert np.allclose(mesh.bounds, meshes[0].bounds, atol=1e-6)
    assert load_config(out / "config.yaml").output.faces == 1500


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--rig", "zero123plus"], "found 4 .* but rig zero123plus has 6 views"),
        (["--init", "none.glb"], r"none\.glb: no such file"),
        (["--device", "quantum"], "--device quantum: not usable here"),
        (["--backend", "opengl"], "there is no rasteriser 'opengl'; choose one of auto, cpu"),
        (["--matting", "rembg", "--matting-model", "none.onnx"], r"--matting-model none\.onnx does not exist"),
    ],
)
def test_one_sentence_and_nothing_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    assert run([*sample("dragon/unique3d"), *QUICK, *more, "-o", str(tmp_path / "out")]) == 2
    progress = ("initial ...", "Compiling kernels")
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(progress)]
    assert len(said) == 1
    assert re.match(f"Error: .*{words}", said[0])
    assert list(tmp_path.iterdir()) == []
