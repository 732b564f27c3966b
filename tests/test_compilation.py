"""Where compiled kernels are kept, and knowing beforehand whether they will be compiled."""

from __future__ import annotations

import ast
import gc
import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from types import ModuleType

import pytest

from meshopt import compilation
from meshopt.compilation import compiled_share, share_cache

ROOT = Path(__file__).parents[1]
SOURCE = """
from math import sqrt
from numba import njit

@njit(cache=True)
def double(x):
    return 2 * x

@njit(cache=True)
def triple(x):
    return 3 * x
"""
NAME = "meshopt.some_kernels"


@pytest.fixture
def kernels(tmp_path: Path) -> ModuleType:
    """A module of two kernels."""
    spec = importlib.util.spec_from_file_location(NAME, tmp_path / "some_kernels.py")
    assert spec is not None
    assert spec.loader is not None
    (tmp_path / "some_kernels.py").write_text(SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_share_grows_as_kernels_are_compiled(kernels: ModuleType) -> None:
    assert compiled_share({NAME: kernels}) == 0.0
    assert kernels.double(2) == 4
    assert compiled_share({NAME: kernels}) == 0.5
    assert kernels.triple(2) == 6
    assert compiled_share({NAME: kernels}) == 1.0


def test_newer_source_counts_as_not_compiled(kernels: ModuleType) -> None:
    kernels.double(2)
    kernels.triple(2)
    assert kernels.__file__ is not None
    os.utime(kernels.__file__, (2**31, 2**31))
    assert compiled_share({NAME: kernels}) == 0.0


def test_processes_put_kernels_into_the_cache_one_at_a_time(
    kernels: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    from numba.core.caching import IndexDataCacheFile

    monkeypatch.setattr(IndexDataCacheFile, "save", IndexDataCacheFile.save)  # what it was comes back
    share_cache.__wrapped__()
    assert kernels.double(2) == 4
    folder = Path(kernels.double.stats.cache_path)
    (lock,) = folder.glob("*double*.lock")
    other = Thread(target=lambda: kernels.double(2.5))
    with lock.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        other.start()
        other.join(3.0)
        assert other.is_alive()
        assert len(list(folder.glob("*double*.nbc"))) == 1
    other.join(60.0)
    assert len(list(folder.glob("*double*.nbc"))) == 2


def test_modules_without_kernels_do_not_count(kernels: ModuleType) -> None:
    assert compiled_share({}) == 1.0
    assert compiled_share({"meshopt.other": kernels, "other.some_kernels": kernels}) == 1.0
    assert 0.0 <= compiled_share() <= 1.0


PLACES = ("meshopt/__init__.py", "meshopt/compilation.py", "meshopt/intersections_kernels.py")
PROBE = """
import os, logging
logging.basicConfig(level=logging.INFO, format="%(message)s")
{early}
import meshopt
from meshopt import compilation, intersections_kernels
print(intersections_kernels.find_pairs.stats.cache_path)
"""


@pytest.fixture
def sealed(tmp_path: Path) -> dict[str, str]:
    """Environment in which neither the package nor the user's cache folder can be written, by root neither."""
    for name in PLACES:
        target = tmp_path / "site" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    (tmp_path / "site" / "meshopt" / "__pycache__").write_text("a file, where a folder would be made")
    (tmp_path / "home").write_text("likewise")
    (tmp_path / "temporary").mkdir()
    home = str(tmp_path / "home")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("NUMBA", "XDG"))}
    places = {"HOME": home, "USERPROFILE": home, "LOCALAPPDATA": home, "TMPDIR": str(tmp_path / "temporary")}
    return {**kept, **places, "PYTHONPATH": str(tmp_path / "site"), "PYTHONDONTWRITEBYTECODE": "1"}


def probe(environment: dict[str, str], early: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROBE.format(early=early)]
    return subprocess.run(command, env=environment, cwd=environment["PYTHONPATH"], capture_output=True, text=True)


def test_premise_numba_refuses_where_nothing_can_be_written(sealed: dict[str, str]) -> None:
    code = "import runpy; runpy.run_path('meshopt/intersections_kernels.py')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=sealed, cwd=sealed["PYTHONPATH"], capture_output=True, text=True)
    assert "no locator available" in done.stderr


@pytest.mark.parametrize("early", ["", "import numba"])
def test_kernels_are_kept_in_a_temporary_folder(sealed: dict[str, str], early: str) -> None:
    done = probe(sealed, early)
    assert done.returncode == 0, done.stderr
    (folder,) = Path(sealed["TMPDIR"]).iterdir()
    assert done.stdout.startswith(str(folder))
    assert done.stderr.count("\n") == 1
    assert str(folder) in done.stderr
    assert folder.stat().st_mode & 0o077 == 0
    assert probe(sealed, early).stdout == done.stdout  # found again


def test_a_folder_that_others_can_write_is_not_used(sealed: dict[str, str]) -> None:
    """What lies there would be run."""
    done = probe(sealed)
    (folder,) = Path(sealed["TMPDIR"]).iterdir()
    folder.chmod(0o777)
    again = probe(sealed)
    assert again.returncode == 0, again.stderr
    assert not again.stdout.startswith(f"{folder}{os.sep}")
    assert done.stdout.startswith(f"{folder}{os.sep}")


def test_nothing_changes_where_one_place_can_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usable, file = tmp_path / "usable", tmp_path / "file"
    file.write_text("")
    monkeypatch.setattr(compilation, "user_cache", lambda: file / "numba")
    monkeypatch.setattr(compilation, "_beside_sources", lambda package: [usable])
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    assert compilation.place_cache() is None
    monkeypatch.setattr(compilation, "_beside_sources", lambda package: [usable, file / "__pycache__"])
    monkeypatch.setattr(compilation, "user_cache", lambda: usable)
    assert compilation.place_cache() is None
    monkeypatch.setattr(compilation, "user_cache", lambda: file / "numba")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(usable))
    assert compilation.place_cache() is None
    assert not usable.exists()


def test_no_place_at_all_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setattr(compilation, "user_cache", lambda: file / "numba")
    monkeypatch.setattr(compilation, "_beside_sources", lambda package: [file])
    monkeypatch.setattr(compilation, "_temporary_places", lambda: [file])
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    assert compilation.place_cache() is None
    assert "set NUMBA_CACHE_DIR" in caplog.text
    assert "NUMBA_CACHE_DIR" not in os.environ


def test_numba_agrees_about_the_users_folder() -> None:
    from numba.misc.appdirs import AppDirs

    assert compilation.user_cache() == Path(AppDirs(appname="numba", appauthor=False).user_cache_dir)


def test_only_kernels_call_inner_kernels() -> None:
    """A call from Python of a kernel without its wrapper for Python ends the process."""
    package = ROOT / "meshopt"
    inner = set()
    for file in package.rglob("*kernels.py"):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        options = (
            (key, getattr(kernel, "targetoptions", {})) for key, kernel in vars(importlib.import_module(name)).items()
        )
        inner |= {(file.stem, key) for key, given in options if given.get("no_cpython_wrapper")}
    assert ("guard_kernels", "planes") in inner
    folders = ("meshopt", "cli", "tests", "benchmarks")
    for file in (file for folder in folders for file in (ROOT / folder).rglob("*.py")):
        if not (file.name.endswith("kernels.py") and package in file.parents):
            assert not _mentioned(ast.parse(file.read_text())) & inner, file


def _mentioned(tree: ast.Module) -> set[tuple[str, str]]:
    """What a file takes from modules: (module's last name, name)."""
    aliases, found = {}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {(node.module.split(".")[-1], alias.name) for alias in node.names}
            aliases |= {alias.asname or alias.name: alias.name for alias in node.names}
    attributes = (
        node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    )
    return found | {(aliases.get(node.value.id, node.value.id), node.attr) for node in attributes}


def test_patient_collection_ends() -> None:
    before = gc.get_threshold()
    with compilation.patient_collection():
        assert gc.get_threshold() > before
    assert gc.get_threshold() == before
