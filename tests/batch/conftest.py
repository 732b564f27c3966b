"""Small assets, and engines for tests: in this process, and in processes that do not reconstruct but misbehave."""

from __future__ import annotations

import importlib
import shutil
import sys
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from meshopt.batch import Machine, Options
from meshopt.config import load_config
from meshopt.settings import Override
from meshopt.worker_process import Outcome, attempt

SAMPLE = Path(__file__).parents[2] / "data" / "dragon" / "unique3d"
QUICK = (
    "views.resolution=32", "views.rig=unique3d", "initial.grid=24", "initial.depth=16", "check.enabled=false",
    "optimize.coarse_steps=3", "optimize.fine_steps=2", "optimize.refine_steps=1",
    "texture.kind=vertex", "output.html=false",
)  # fmt: skip


def as_flags(settings: Iterable[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


@dataclass(frozen=True)
class Inline:
    """Calls the function here, one asset after the other."""

    processes: int = 1

    def work(
        self, function: Callable[[Any], Any], tasks: Iterable[Any], processes: int
    ) -> Generator[Outcome[Any], None, None]:
        for index, task in enumerate(tasks):
            yield replace(attempt(partial(function, task)), index=index)


@pytest.fixture
def inline() -> Inline:
    """No process is started."""
    return Inline()


@dataclass(frozen=True)
class Faulty(Machine):
    """Processes that do with an asset what its name says (batch_tasks.py)."""

    folder: Path = Path()
    function: Any = None

    def work(
        self, function: Callable[[Any], Any], tasks: Iterable[Any], processes: int
    ) -> Generator[Outcome[Any], None, None]:
        yield from super().work(partial(self.function, self.folder), tasks, processes)


@pytest.fixture(scope="session")
def faulty() -> Iterator[Callable[..., Faulty]]:
    """Makes `Faulty` engines; its function is where processes find it too."""
    sys.path.append(str(Path(__file__).parent))
    module: ModuleType = importlib.import_module("batch_tasks")
    yield partial(Faulty, function=module.misbehave)
    sys.path.remove(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One asset's folder: views/ and normals/."""
    folder = tmp_path_factory.mktemp("sample") / "dragon"
    shutil.copytree(SAMPLE / "rgb", folder / "views")
    shutil.copytree(SAMPLE / "normals", folder / "normals")
    return folder


@pytest.fixture
def assets(sample: Path, tmp_path: Path) -> Path:
    """A folder of three assets, the last of which has no images."""
    for name in ("one", "two"):
        shutil.copytree(sample, tmp_path / "assets" / name)
    (tmp_path / "assets" / "void").mkdir()
    return tmp_path / "assets"


@pytest.fixture
def named(tmp_path: Path) -> Callable[..., Options]:
    """Options of a batch with assets of these names, in empty folders."""

    def make(*names: str, **how: Any) -> Options:
        for name in names:
            (tmp_path / "named" / name).mkdir(parents=True, exist_ok=True)
        return Options(str(tmp_path / "named"), str(tmp_path / "out"), **how)

    return make


@pytest.fixture
def far() -> tuple[Any, str]:
    """A storage, and a folder in it. Its open files are of the class that those of s3fs and gcsfs are of."""
    fsspec = pytest.importorskip("fsspec")
    from fsspec.implementations.memory import MemoryFileSystem
    from fsspec.spec import AbstractBufferedFile

    class FarFile(AbstractBufferedFile):
        def _fetch_range(self, start: int, end: int) -> bytes:
            return self.fs.cat_file(self.path)[start:end]

    class FarStorage(MemoryFileSystem):
        protocol = ("far",)

        def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
            return FarFile(self, path, mode) if mode == "rb" else super()._open(path, mode, **options)

    fsspec.register_implementation("far", FarStorage, clobber=True)
    return fsspec.filesystem("far"), f"far://{uuid.uuid4()}"


@pytest.fixture(scope="session")
def quick() -> tuple[Override, ...]:
    """Settings for a reconstruction in a second."""
    load_config(overrides=QUICK)
    return tuple(map(Override.parse, QUICK))
