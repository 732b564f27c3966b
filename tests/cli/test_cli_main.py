"""The `meshopt` command itself."""

from __future__ import annotations

import re
import subprocess
import sys

import numba
import numpy
import pytest
import torch

import meshopt
from meshopt.cli import run
from meshopt.config import load_config
from meshopt.raster import BACKENDS


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert first == f"meshopt {meshopt.__version__}"
    said = dict(line.rsplit(" ", 1) for line in others if "(" not in line and "not installed" not in line)
    assert (said["numba"], said["numpy"]) == (numba.__version__, numpy.__version__)
    (torch_line,) = (line for line in others if line.startswith("torch "))
    cuda, hip = torch.version.cuda, torch.version.hip
    build = f"CUDA {cuda}" if cuda else f"ROCm {hip}" if hip else "CPU"
    assert torch_line == f"torch {torch.__version__} ({build} build)"


def test_version_names_every_rasteriser(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    named = re.findall(r"^rasteriser (\w+) ", capsys.readouterr().out, re.MULTILINE)
    assert set(named) == set(BACKENDS) - {"reference"}  # for tests


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["reconstruct", "--help"], ["config", "--help"]])
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0
    assert "Usage: meshopt" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["reconstrcut"], ["config", "--nothing"]])
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "Usage: meshopt" in "".join(capsys.readouterr())


def test_config_prints_what_load_config_reads(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "--config", "era3d", "--set", "seed=8"]) == 0
    file = tmp_path / "all.yaml"
    file.write_text(capsys.readouterr().out)
    assert load_config(file) == load_config("era3d", ["seed=8"])


def test_entry_point_exits_with_the_code() -> None:
    code = "import sys; from meshopt.cli import main; sys.argv = ['meshopt', 'config', '--set', 'x=1']; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: --set x=1: unknown setting 'x'")
