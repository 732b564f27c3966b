"""`meshopt batch`: whole reconstructions in processes, what it says, and going on after a stop."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from meshopt.cli import run
from meshopt.settings import Override


@pytest.fixture
def flags(quick: tuple[Override, ...]) -> list[str]:
    """Of a reconstruction in a second."""
    return [word for item in quick for word in ("--set", f"{item.key}={str(item.value).lower()}")]


def table(out: Path) -> dict[str, dict[str, str]]:
    return {row["asset"]: row for row in csv.DictReader((out / "summary.csv").open(encoding="utf-8"))}


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_interrupted_it_goes_on_and_one_failure_is_no_other_s(
    assets: Path, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for name in ("three", "four"):
        shutil.copytree(assets / "one", assets / name)
    command = ["batch", str(assets), "-o", str(out), *flags]
    code = "import sys; from meshopt.cli import main; sys.argv[0] = 'meshopt'; main()"
    arguments = [sys.executable, "-c", code, *command, "--processes", "1"]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + 300
    while not (out / "four/mesh.glb").exists() and time.monotonic() < until and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert said == "5 assets, 1 at once.\n"
    assert "Interrupted: what is done is kept, --resume goes on." in err
    assert "Traceback" not in err
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/mesh.glb") if path.parent.name in table(out)}
    assert len(before) < 4
    assert run(command) == 2
    assert "already holds a batch" in capsys.readouterr().err
    assert run([*command, "--resume", "--processes", "1"]) == 4
    said, err = capsys.readouterr()
    assert "1 failed: void. The table says why; --resume tries them again." in said
    assert err.count("Failed: void: --views") == 1
    assert {path: path.stat().st_mtime_ns for path in before} == before
    rows = table(out)
    assert {name: row["state"] for name, row in rows.items()} == {
        "one": "done", "two": "done", "three": "done", "four": "done", "void": "failed",
    }  # fmt: skip
    assert (rows["one"]["closed"], rows["one"]["views"], rows["void"]["cause"]) == ("true", "4", "input")
    assert sorted(path.name for path in out.iterdir() if path.is_file())[:2] == ["status.jsonl", "summary.csv"]


def test_a_table_as_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    from meshopt.batch.status import Status
    from meshopt.batch.summary import COLUMNS, write_summary

    with Status(tmp_path / "status.jsonl") as status:
        figures = {"faces": 4, "closed": True, "score": 0, "genus": "none", "more": 1}
        status.append({"asset": "b", "state": "done", "attempt": 1, "seconds": 2.5, "figures": figures})
        status.append({"asset": "a", "state": "failed", "error": "x, y"})
        assert write_summary(status, str(tmp_path)).states == {"done": 1, "failed": 1}
    first, second = parquet.read_table(tmp_path / "summary.parquet").to_pylist()
    assert list(first) == list(COLUMNS)
    assert {key: value for key, value in second.items() if value is not None} == {
        "asset": "b", "state": "done", "attempts": 1, "seconds": 2.5, "faces": 4, "closed": True, "score": 0.0,
    }  # fmt: skip
    assert table(tmp_path)["a"]["error"] == first["error"] == "x, y"
    assert table(tmp_path)["b"]["genus"] == ""


def test_a_dry_run_says_what_is_wrong(assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["batch", str(assets), "-o", str(tmp_path / "out"), "--dry-run"]) == 4
    said = capsys.readouterr().out
    assert said.startswith("3 assets.\nProblem: void: --views")
    assert said.endswith("1 asset would fail. Dry run: nothing was written.\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a.csv"], "a.csv: cannot be read"),
        (["."], "holds no folders"),
        (["bad.csv"], "bad.csv, line 2: the name '../x' has a /"),
        (["bad.csv", "--memory", "many"], "expected bytes with a suffix, such as 4G"),
        (["bad.csv", "--memory", "3"], "expected bytes with a suffix"),
        (["bad.csv", "--resume", "--overwrite"], "expected one of them"),
        (["bad.csv", "--retries", "-1"], "--retries"),
        (["bad.csv", "--faces", "3"], "--faces: setting 'output.faces' is 3"),
        (["bad.csv", "--config", "nothing"], "no such file or preset"),
        (["s3:/bucket"], "no such file or folder"),
        (["nothing://bucket/a.csv"], "nothing://bucket/a.csv: cannot be used"),
    ],
)
def test_wrong_input(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.csv").write_text("name,views\n../x,v\n")
    assert run(["batch", *arguments, "-o", "out"]) == 2
    assert sentence in capsys.readouterr().err
    assert not Path("out").exists()
