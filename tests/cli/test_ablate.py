"""`meshopt ablate`: whole runs in processes, going on after a stop, and one sentence for what cannot be."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from meshopt.cli import run

DRAGON = Path(__file__).parents[2] / "data" / "dragon"
MESH = str(DRAGON / "mesh.ply")
QUICK = [
    *("--resolution", "64", "--set", "initial.grid=48", "--set", "initial.depth=48", "--samples", "2000"),
    *("--set", "optimize.coarse_steps=5", "--set", "optimize.fine_steps=3", "--set", "optimize.refine_steps=2"),
]


def command(out: Path, *more: str) -> list[str]:
    return ["ablate", MESH, "--rig", "wonder3d", "-o", str(out), *QUICK, *more]


def table(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((out / "ablation.csv").open()))


def kept(out: Path) -> list[str]:
    """The runs' folders; not those, hidden, that a run is still being written to."""
    return sorted(path.parent.name for path in out.glob("runs/[!.]*/run.json"))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ablation of true and turned normals, with and without corrections."""
    folder = tmp_path_factory.mktemp("ablate") / "out"
    assert run(command(folder, "--corrupt", "rotate_all=25", "--toggle", "corrections")) == 0
    return folder


def test_turned_normals_cost_and_are_turned_back(out: Path) -> None:
    rows = {(row["input"], row["check.correct"]): row for row in table(out)}
    assert len(rows) == len(kept(out)) == 4
    chamfer = {key: float(row["visible_chamfer_pct"]) for key, row in rows.items()}
    assert chamfer["rotate_all 25", "false"] > 1.3 * chamfer["reference", "false"]
    assert chamfer["rotate_all 25", "true"] < chamfer["rotate_all 25", "false"]
    assert float(rows["rotate_all 25", "true"]["mended_deg"]) < float(rows["rotate_all 25", "true"]["input_deg"])
    assert {row["closed"] for row in rows.values()} == {"true"}


def test_files_of_every_run_and_of_all(out: Path) -> None:
    assert {path.name for path in out.iterdir()} == {
        "ablation.csv", "ablation.html", "ablation.json", "charts", "comparison", "objects", "runs",
    }  # fmt: skip
    assert all((out / row["folder"] / "mesh.glb").stat().st_size > 1000 for row in table(out))
    record = json.loads((out / "ablation.json").read_text())
    assert record["varied"] == ["check.correct"]
    assert record["failed"] == 0
    assert {group["input"] for group in record["groups"]} == {"reference", "rotate_all 25"}


def test_the_same_again_does_nothing_and_more_only_what_is_new(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ("ablation.csv", "ablation.json", "ablation.html")
    before = {name: (out / name).read_bytes() for name in files}
    times = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/run.json")}
    assert run(command(out, "--corrupt", "rotate_all=25", "--toggle", "corrections")) == 0
    said = capsys.readouterr().out
    assert "4 runs" in said
    assert "4 were done before; none is left" in said
    assert {name: (out / name).read_bytes() for name in files} == before
    assert run(command(out, "--corrupt", "rotate_all=25", "--no-html", "--toggle", "corrections")) != 0  # no such flag
    assert {path: path.stat().st_mtime_ns for path in out.glob("runs/*/run.json")} == times


def test_a_dry_run_says_what_would_be_done_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--corrupt", "rotate=5,10", "--seeds", "3", "--vary", "optimize.normal_weight=1,2", "--jobs", "2"]
    assert run(command(tmp_path / "out", *more, "--dry-run")) == 0
    assert "1 object, 7 inputs, 2 settings: 14 runs, 2 at once" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Missing option '--normals'"),
        ([MESH], "expected --rig"),
        ([MESH, "--rig", "wonder3d"], "there is nothing to compare"),
        ([MESH, "--rig", "wonder3d", "--corrupt", "rotat=5"], "did you mean rotate"),
        ([MESH, "--rig", "wonder3d", "--vary", "optimize.lambda=1"], "unknown setting"),
        ([MESH, "--rig", "wonder3d", "--toggle", "textures"], "expected corrections or robust"),
        ([MESH, "--rig", "wonder3d", "--corrupt", "rotate", "--fit", "round"], "--fit 'round' is unknown"),
        ([MESH, "--normals", "x"], "exclude each other"),
        (["--normals", str(DRAGON / "wonder3d/normals")], "there is nothing to compare"),
        (["--normals", str(DRAGON / "wonder3d/normals"), "--gt-mesh", "absent.obj"], "absent.obj"),
    ],
)
def test_wrong_input(arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ablate", *arguments, "-o", str(tmp_path / "out")]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out/runs").exists()


def test_the_output_must_be_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x")
    assert run(command(tmp_path / "file", "--corrupt", "rotate")) == 2
    assert "is a file, expected a folder" in capsys.readouterr().err
    (tmp_path / "ablation.csv").write_text("mine")
    assert run(command(tmp_path, "--corrupt", "rotate")) == 2
    assert "already holds a result (ablation.csv)" in capsys.readouterr().err
    assert not (tmp_path / "objects").exists()


def test_generated_against_rendered_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The sample's own views are of the mesh: both inputs are alike, and so are the results."""
    views = ["--views", str(DRAGON / "wonder3d/rgb"), "--normals", str(DRAGON / "wonder3d/normals"), "--gt-mesh", MESH]
    assert run(["ablate", *views, "-o", str(tmp_path / "out"), *QUICK]) == 0
    assert "Generated normals give" in capsys.readouterr().out
    reference, generated = table(tmp_path / "out")
    assert float(generated["input_deg"]) < 3
    assert float(generated["input_silhouette_iou"]) > 0.97
    assert float(generated["visible_chamfer_pct"]) == pytest.approx(float(reference["visible_chamfer_pct"]), rel=0.3)
    assert (tmp_path / "out/comparison/wonder3d.png").is_file()


def test_all_runs_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mesh that is not there is noticed by the runs alone."""
    more = ["--corrupt", "rotate", "--set", "initial.method=absent.obj"]
    assert run(command(tmp_path / "out", *more)) == 2
    assert "Failed: dragon" in " ".join(capsys.readouterr().out.split()).replace("mesh,", "dragon,")
    assert all("absent.obj" in row["error"] for row in table(tmp_path / "out"))


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_interrupted_it_keeps_what_is_done_and_goes_on(tmp_path: Path) -> None:
    out, code = tmp_path / "out", "import sys; from meshopt.cli import main; sys.argv[0] = 'meshopt'; main()"
    arguments = [sys.executable, "-c", code, *command(out, "--corrupt", "rotate_all=25", "--seeds", "2", "--jobs", "1")]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + 300
    while not kept(out) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "finished runs are kept" in err
    assert "Traceback" not in err
    first = kept(out)
    assert 1 <= len(first) < 3
    assert not (out / "ablation.csv").exists()
    assert run(command(out, "--corrupt", "rotate_all=25", "--seeds", "2")) == 0
    assert len(kept(out)) == len(table(out)) == 3
    assert set(first) <= set(kept(out))
