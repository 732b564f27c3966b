"""`meshopt reconstruct`: what is written, what is said, and the exit codes."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from meshopt.cli import run
from meshopt.cli.reconstruct import FLAGS
from meshopt.config import Config, load_config, setting_keys
from meshopt.errors import InputError


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    return ["reconstruct", "--views", "rgb", "--normals", "n", "-o", str(tmp_path / "out")]


def _files(folder: Path) -> list[str]:
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*"))


def _raise(error: BaseException) -> Any:
    def fail() -> None:
        raise error

    return fail


def test_result_is_written_and_told(
    pipeline: Any, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command) == 0
    assert _files(tmp_path / "out") == ["config.yaml", "mesh.glb", "preview.png", "report.html", "report.json"]
    out, err = capsys.readouterr()
    for word in ("rgb_front.png", "n_back.png", "turntable:2", "0.9912", "3.2", "V 4, F 4, closed", "Apache"):
        assert word in out
    assert "mesh.glb, report.html, report.json, preview.png, config.yaml" in out
    assert out.count("turntable:2: two views are there") == 1
    assert "optimize" in err
    assert "Warning: one view was mended" in err
    assert json.loads((tmp_path / "out" / "report.json").read_text())["backend"]["name"] == "cpu"


def test_plot_is_written_beside_the_result(
    pipeline: Any, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    assert run([*command, "--plot"]) == 0
    assert "curves.png" in capsys.readouterr().out
    with Image.open(tmp_path / "out" / "curves.png") as picture:
        assert picture.width > 600
        assert picture.height > 300
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(report["curves"]["optimize"]["normal"]) == 4


def test_plot_without_matplotlib_is_refused_before_the_work(
    pipeline: Any, command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run([*command, "--plot"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("Error: --plot needs the package matplotlib: pip install ")
    assert err.count("\n") == 1
    assert pipeline.loaded == []


def test_quiet_says_warnings_only(pipeline: Any, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "Warning: one view was mended\n"


def test_every_flag_is_a_setting() -> None:
    assert set(FLAGS.values()) <= set(setting_keys())


def test_flags_settings_and_file_in_order(pipeline: Any, command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 1\nviews: {rig: era3d, matting: alpha}\noutput: {faces: 1000}\n")
    more = ["--config", str(file), "--faces", "2000", "--seed", "5", "--format", "ply,obj", "--format", "glb"]
    assert run([*command, *more, "--set", "seed=6", "--resolution", "64", "--normal-frame", "camera"]) == 0
    config = pipeline.configs[0]
    assert (config.seed, config.output.faces, config.views.rig) == (6, 2000, "era3d")
    assert config.output.formats == ("ply", "obj", "glb")
    arguments, options = pipeline.loaded[0]
    assert arguments == ("rgb", "n", "era3d")
    given = options["options"]
    assert (given.matting, given.resolution, given.normal_frame) == ("alpha", 64, "camera")
    assert load_config(tmp_path / "out" / "config.yaml") == config
    assert {"mesh.glb", "mesh.obj", "mesh.ply"} <= set(_files(tmp_path / "out"))


@pytest.mark.parametrize(
    ("verdict", "code", "strict"), [("ok", 0, 0), ("suspect", 0, 0), ("inconsistent", 0, 3), (None, 0, 0)]
)
def test_strict_gives_its_own_exit_code_and_keeps_the_result(
    pipeline: Any, command: list[str], tmp_path: Path, verdict: str | None, code: int, strict: int
) -> None:
    pipeline.report = {} if verdict is None else {"verdict": verdict}
    assert run(command) == code
    assert run([*command, "--strict", "--overwrite"]) == strict
    assert [config.check.strict for config in pipeline.configs] == [False, True]
    assert _files(tmp_path / "out") == ["config.yaml", "mesh.glb", "preview.png", "report.html", "report.json"]
    assert json.loads((tmp_path / "out" / "report.json").read_text()).get("verdict") == verdict


@pytest.mark.parametrize(("flags", "correct"), [([], True), (["--no-correct"], False), (["--correct"], True)])
def test_correction_is_a_flag(pipeline: Any, command: list[str], flags: list[str], correct: bool) -> None:
    assert run([*command, *flags]) == 0
    assert pipeline.configs[0].check.correct is correct


def test_saved_settings_run_again(pipeline: Any, command: list[str], tmp_path: Path) -> None:
    assert run([*command, "--seed", "9"]) == 0
    saved = str(tmp_path / "out" / "config.yaml")
    assert run([*command[:-1], str(tmp_path / "again"), "--config", saved]) == 0
    assert pipeline.configs[0] == pipeline.configs[1] != Config()


def test_defaults_are_the_library_s(pipeline: Any, command: list[str]) -> None:
    assert run(command) == 0
    assert pipeline.configs == [Config()]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--normal-frame", "wrold"], "--normal-frame: setting 'views.normal_frame' is \"wrold\""),
        (["--set", "optimise.steps=3"], "unknown setting 'optimise.steps'"),
        (["--config", "wonder"], "did you mean 'wonder3d'?"),
        (["--faces", "3"], "--faces: setting 'output.faces' is 3"),
        (["--format", "stl"], "--format: setting 'output.formats.0' is \"stl\""),
        (["--faces", "many"], "--faces"),
        (["--face", "300"], "--face"),
    ],
)
def test_bad_arguments_are_refused_before_the_work(
    pipeline: Any, command: list[str], capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    assert run([*command, *more]) == 2
    out, err = capsys.readouterr()
    assert words in err
    assert "Traceback" not in out + err
    assert pipeline.loaded == []


def test_missing_arguments_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reconstruct", "--views", "a"]) == 2
    assert "--output" in capsys.readouterr().err
    assert run(["reconstruct", "-o", "a"]) == 2
    assert "--normals" in capsys.readouterr().err


def test_normals_alone_are_enough(pipeline: Any, tmp_path: Path) -> None:
    assert run(["reconstruct", "--normals", "n", "-o", str(tmp_path / "out")]) == 0
    assert pipeline.loaded[0][0][:2] == (None, "n")


def test_existing_result_is_refused_before_the_work(
    pipeline: Any, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command) == 0
    before = (tmp_path / "out" / "mesh.glb").stat()
    assert run(command) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert len(pipeline.loaded) == 1
    assert (tmp_path / "out" / "mesh.glb").stat() == before
    assert run([*command, "--overwrite", "--format", "ply"]) == 0
    assert _files(tmp_path / "out") == ["config.yaml", "mesh.ply", "preview.png", "report.html", "report.json"]


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("a.png: is empty, expected an image"), 2, "Error: a.png: is empty, expected an image\n"),
        (KeyboardInterrupt(), 130, "Interrupted: nothing was written.\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), 2, "Error: /x/y: No space left on device"),
        (MemoryError(), 2, "--resolution"),
        (RuntimeError("the\nlist is odd"), 1, "RuntimeError: the list is odd. This is a bug in meshopt"),
    ],
)
def test_failures_are_one_sentence_and_write_nothing(
    pipeline: Any,
    command: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    words: str,
) -> None:
    pipeline.fail = _raise(error)
    assert run(command) == code
    err = capsys.readouterr().err
    assert words in err
    assert "Traceback" not in err
    assert _files(tmp_path) == []


def test_verbose_shows_where_a_bug_is(pipeline: Any, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.fail = _raise(RuntimeError("odd"))
    assert run([*command, "-v"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "RuntimeError: odd" in err


def test_full_disk_keeps_the_old_result(
    pipeline: Any,
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(command) == 0
    before = {f.name: f.read_bytes() for f in (tmp_path / "out").iterdir()}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("meshopt.io.files.os.fsync", full)
    assert run([*command, "--overwrite", "--seed", "4"]) == 2
    assert f"Error: {tmp_path / 'out'}: No space left on device" in capsys.readouterr().err
    assert {f.name: f.read_bytes() for f in (tmp_path / "out").iterdir()} == before


def test_termination_unwinds(tmp_path: Path) -> None:
    """SIGTERM while a result is being written leaves nothing behind."""
    code = (
        "import sys, signal, time; from pathlib import Path; from meshopt.cli.main import _terminate;"
        "from meshopt.io.files import staged_folder; signal.signal(signal.SIGTERM, _terminate);"
        f"manager = staged_folder(Path({str(tmp_path / 'out')!r}), ('a',));"
        "\nwith manager as s: (s / 'a').write_text('x'); print('ready', flush=True); time.sleep(30)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        began = time.monotonic()
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 128 + signal.SIGTERM
        assert time.monotonic() - began < 20
    assert _files(tmp_path) == []
