"""What the wheel has: every file of the packages, and nothing else. benchmarks/release.py builds and installs it."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = {"meshopt": "meshopt", "cli": "meshopt/cli", "configs": "meshopt/configs", "data": "meshopt/data"}


def _packed(tmp_path: Path) -> set[str]:
    """The files that setuptools would put into it."""
    from setuptools import Distribution

    distribution = Distribution({"script_name": "setup.py"})
    distribution.parse_config_files(["pyproject.toml"])
    build = distribution.get_command_obj("build_py")
    build.build_lib = str(tmp_path)
    build.ensure_finalized()
    return {Path(file).relative_to(tmp_path).as_posix() for file in build.get_outputs(include_bytecode=False)}


def test_wheel_has_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("setuptools", minversion="77")
    monkeypatch.chdir(ROOT)
    packed = _packed(tmp_path)
    wanted = {
        f"{place}/{file.relative_to(ROOT / top).as_posix()}"
        for top, place in PLACES.items()
        for file in (ROOT / top).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert packed == wanted
    assert {"meshopt/py.typed", "meshopt/configs/default.yaml", "meshopt/report/page/theme.css"} <= packed
    assert not list(tmp_path.iterdir())  # nothing was built
