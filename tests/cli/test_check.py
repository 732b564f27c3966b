"""`meshopt check`: what is said and written, and the exit codes."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from meshopt import consistency
from meshopt.cli import run
from meshopt.cli.main import BAD_INPUT, INCONSISTENT, OK
from meshopt.cli.summary import show_findings
from meshopt.consistency import Checked, ConsistencyReport, Finding, ViewVerdict
from meshopt.consistency.findings import worst

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "dragon" / "wonder3d"
COMMAND = ["check", "--views", "rgb", "--normals", "n"]
TURNED = Finding(
    "rotated", "inconsistent", ("back",),
    "the normals of back are turned by 10.2 ± 0.4 degrees about (+0.69, -0.58, -0.43) against what the others tell.",
    "turn them back, which the correction does, or make this view's normals anew.",
    10.239, "degrees", 0.435, 2.5, "check.rotation",
)  # fmt: skip
ZOOMED = Finding("zoomed", "suspect", ("back", "front"), "they are too large.", "scale them.", 1.5, "%")
REMARK = Finding("remark", "note", (), "all is a little blurred.", "none is needed.")


@pytest.fixture
def find(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """`find(finding, ...)`: from now on these are what the checks find; gives the list of the settings they had."""
    had: list[Any] = []

    def set_up(*findings: Finding) -> list[Any]:
        def check(views: Any, settings: Any) -> Checked:
            had.append(settings)
            report = _report(*findings)
            pixels = (len(views), *views.resolution)
            return Checked(report, views, (), np.zeros(pixels), np.zeros(pixels, bool), None)

        monkeypatch.setattr(consistency, "check", check)
        return had

    return set_up


def _report(*findings: Finding) -> ConsistencyReport:
    views = [
        ViewVerdict(name, worst([f.severity for f in findings if name in f.views]), 0.125) for name in ("front", "back")
    ]
    return ConsistencyReport(worst([f.severity for f in findings]), 0.25, tuple(views), findings)


@pytest.mark.parametrize(
    ("findings", "code", "strict"),
    [
        ((), OK, OK),
        ((REMARK,), OK, OK),
        ((ZOOMED,), OK, INCONSISTENT),
        ((REMARK, ZOOMED, TURNED), INCONSISTENT, INCONSISTENT),
    ],
)
def test_exit_codes(find: Callable[..., Any], findings: tuple[Finding, ...], code: int, strict: int) -> None:
    find(*findings)
    assert (OK, BAD_INPUT, INCONSISTENT) == (0, 2, 3)
    assert run(COMMAND) == code
    assert run([*COMMAND, "--strict"]) == strict


def test_findings_are_told(find: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    find(REMARK, ZOOMED, TURNED)
    run(COMMAND)
    out, err = capsys.readouterr()
    assert err == ""
    assert "rgb_front.png" in out
    for finding in (TURNED, ZOOMED, REMARK):
        assert f"\n{finding.severity}  {finding.code}  {', '.join(finding.views) or 'all views'}" in out
        assert f"\n  {finding.message}\n  Remedy: {finding.remedy}\n" in out
    assert "10.2 ± 0.43 degrees (threshold 2.5)" in out
    assert out.index("rotated") < out.index("zoomed") < out.index("remark")
    assert "Verdict: inconsistent. Score 0.25" in out


@pytest.mark.parametrize("width", [40, 80, 120])
def test_text_fits_the_terminal(width: int) -> None:
    long = Finding("wrong_order", "suspect", tuple(f"view_{i:03d}" for i in range(30)), "long " * 60, "new " * 60, 3.0)
    stream = io.StringIO()
    show_findings(Console(file=stream, width=width, force_terminal=True), _report(TURNED, long), (), 1.0)
    plain = Console(file=io.StringIO(), width=width)
    show_findings(plain, _report(TURNED, long), (), 1.0)
    text = plain.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[" in stream.getvalue()
    assert "\x1b[" not in text
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert max(map(len, lines)) > 0.8 * width
    for name in long.views:
        assert name in text
    row = next(line.split() for line in lines if line.split()[:1] == ["back"])
    assert row == ["back", "inconsistent", "0.12"]


def test_brackets_are_no_markup(capsys: pytest.CaptureFixture[str], find: Callable[..., Any]) -> None:
    find(Finding("odd", "note", ("back",), "[red]a.png[/red] [/] is odd.", "[bold]"))
    run(COMMAND)
    out = capsys.readouterr().out
    assert "[red]a.png[/red] [/] is odd." in out
    assert "Remedy: [bold]" in out


def test_files(find: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    find(ZOOMED)
    out, found = tmp_path / "out", tmp_path / "found.json"
    command = [*COMMAND, "-o", str(out), "--json", str(found)]
    assert run(command) == OK
    assert (
        f"Wrote {out / 'report.html'}, {out / 'check.json'}, {out / 'check.png'}, {found} in "
        in capsys.readouterr().out
    )
    assert sorted(file.name for file in out.iterdir()) == ["check.json", "check.png", "report.html"]
    assert found.read_bytes() == (out / "check.json").read_bytes()
    data = json.loads(found.read_text(encoding="utf-8"))
    assert (data["verdict"], data["rig"]) == ("suspect", "turntable:2")
    with Image.open(out / "check.png") as sheet:
        assert sheet.format == "PNG"
    for again in (command[:-2], [*COMMAND, "--json", str(found)]):
        assert run(again) == BAD_INPUT
        assert "--overwrite" in capsys.readouterr().err
    assert run([*command, "--overwrite"]) == OK
    assert run([*command, "--overwrite", "--no-html"]) == OK
    assert sorted(file.name for file in out.iterdir()) == ["check.json", "check.png"]
    inside = [*COMMAND, "-o", str(tmp_path / "new"), "--json", str(tmp_path / "new" / "check.json")]
    assert run(inside) == OK


def test_refused_before_the_work(
    pipeline: Any, find: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    find()
    (tmp_path / "found.json").write_text("the user's own")
    for more, words in (
        (["--json", str(tmp_path / "found.json")], "found.json: is already there"),
        (["--json", str(tmp_path)], "is a folder"),
        (["-o", str(tmp_path / "found.json")], "names a file"),
        (["--normal-frame", "wrold"], "--normal-frame: setting 'views.normal_frame'"),
        (["--set", "check.nothing=3"], "unknown setting 'check.nothing'"),
        (["--faces", "300"], "--faces"),
    ):
        assert run([*COMMAND, *more]) == BAD_INPUT
        out, err = capsys.readouterr()
        assert out == ""
        assert words in err
    assert run(["check", "--json", "-"]) == BAD_INPUT
    assert "--normals" in capsys.readouterr().err
    assert pipeline.loaded == []
    assert (tmp_path / "found.json").read_text() == "the user's own"


def test_json_to_standard_output_is_alone(find: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    find(TURNED)
    assert run([*COMMAND, "--json", "-"]) == INCONSISTENT
    data = json.loads(capsys.readouterr().out)
    assert list(data)[:3] == ["schema", "verdict", "score"]
    assert data["findings"][0]["code"] == "rotated"


def test_quiet_says_nothing(find: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    find(TURNED)
    assert run([*COMMAND, "-q"]) == INCONSISTENT
    assert capsys.readouterr() == ("", "")


def test_flags_and_settings_arrive(pipeline: Any, find: Callable[..., Any]) -> None:
    had = find()
    more = ["--rig", "era3d", "--resolution", "64", "--matting", "alpha", "--set", "check.rotation=7", "--deep"]
    assert run([*COMMAND, *more]) == OK
    (arguments, options), (settings,) = pipeline.loaded[0], had
    assert arguments == ("rgb", "n", "era3d")
    assert (options["options"].resolution, options["options"].matting) == (64, "alpha")
    assert (settings.rotation, settings.deep) == (7, True)


def test_arguments_are_refused_without_heavy_imports(tmp_path: Path) -> None:
    (tmp_path / "check.json").touch()
    code = (
        "import sys, meshopt.cli;"
        f"assert meshopt.cli.run(['check', '--normals', 'n', '-o', {str(tmp_path)!r}]) == 2;"
        "sys.exit(any(m in sys.modules for m in ('torch', 'numba', 'scipy', 'cv2')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--overwrite" in done.stderr


def _copy(folder: Path) -> Path:
    """The sample's pictures, without its cameras file: names alone say which view is which."""
    for kind in ("rgb", "normals"):
        shutil.copytree(SAMPLE / kind, folder / kind)
    return folder


def test_swapped_files_are_named(tmp_path: Path) -> None:
    """By a command of its own, as a shell would start it."""
    folder = _copy(tmp_path / "sample")
    for kind in ("rgb/rgb", "normals/normals"):
        left, back = (folder / f"{kind}_000_{name}.png" for name in ("left", "back"))
        left.rename(folder / "kept")
        back.rename(left)
        (folder / "kept").rename(back)
    code = "import sys; from meshopt.cli import main; sys.argv[0] = 'meshopt'; main()"
    options = ["--views", str(folder / "rgb"), "--normals", str(folder / "normals"), "--rig", "wonder3d"]
    command = [sys.executable, "-c", code, "check", *options, "--json", "-", "-o", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == INCONSISTENT, done.stderr
    data = json.loads(done.stdout)
    assert data["verdict"] == "inconsistent"
    swapped = [finding for finding in data["findings"] if finding["code"] == "swapped"]
    assert [sorted(finding["views"]) for finding in swapped] == [["back", "left"]]
    verdicts = {view["name"]: view["verdict"] for view in data["views"]}
    assert (verdicts["back"], verdicts["left"]) == ("inconsistent", "inconsistent")
    assert json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8")) == data


def test_sample_is_ok_and_its_sheet_has_a_column_per_view(tmp_path: Path) -> None:
    options = ["--views", str(SAMPLE / "rgb"), "--normals", str(SAMPLE / "normals"), "--resolution", "128"]
    assert run(["check", *options, "-q", "-o", str(tmp_path / "out")]) == OK
    data = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    assert data["verdict"] != "inconsistent"
    with Image.open(tmp_path / "out" / "check.png") as sheet:
        pixels = np.asarray(sheet)
    tile = np.array([243, 244, 246])
    row = (pixels[64 + 26 + 3] == tile).all(-1)  # just below the first tiles' upper edge
    assert (np.diff(row.astype(int)) == 1).sum() == 6
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 1000
