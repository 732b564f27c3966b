"""Run-time checking of shapes and types in all of meshopt, and what several tests share."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from jaxtyping import install_import_hook

if TYPE_CHECKING:
    from meshopt.cameras import Camera
    from meshopt.mesh import Mesh
    from meshopt.views import ViewSet

ROOT = Path(__file__).parents[1]
# for pytest-xdist's processes, which numpy is still to read it in: with a thread more than there are cores, numpy's
# small products take twenty times as long
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def checked_modules() -> list[str]:
    """Every module of meshopt/ but packages and numba's kernels, which the hook would break."""
    files = [f for f in (ROOT / "meshopt").rglob("*.py") if not f.stem.endswith(("kernels", "__init__"))]
    return sorted(".".join(f.relative_to(ROOT).with_suffix("").parts) for f in files)


# before anything imports meshopt
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"  # an int is a float, too
_hook = install_import_hook(checked_modules(), CHECKER)


def pytest_addoption(parser: pytest.Parser) -> None:
    """--exhaustive."""
    parser.addoption("--exhaustive", action="store_true", help="also run the tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that take minutes have to be asked for."""
    if not config.getoption("--exhaustive"):
        left = pytest.mark.skip(reason="takes minutes: run with --exhaustive")
        for item in items:
            if item.get_closest_marker("exhaustive"):
                item.add_marker(left)


def pytest_configure(config: pytest.Config) -> None:
    """One process at a time puts kernels into numba's cache.

    Otherwise two that save one kernel for different types at once may give both the same file.
    """
    if not hasattr(config, "workerinput"):  # not one of pytest-xdist's
        return
    from filelock import FileLock
    from numba.core.caching import IndexDataCacheFile

    lock = FileLock(config.cache.mkdir("meshopt") / "kernels.lock")
    save = IndexDataCacheFile.save

    def locked(self: IndexDataCacheFile, key: Any, data: Any) -> None:
        with lock:
            save(self, key, data)

    IndexDataCacheFile.save = locked


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread() -> None:
    """For small tensors, threads that wait for each other cost more than they give."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def seen() -> Callable[..., ViewSet]:
    """A function of a mesh, cameras and pixels per side: the views that the cameras have of it, in its colours."""
    import torch

    from meshopt import raster
    from meshopt.rendering import render_views
    from meshopt.views import ViewSet

    def see(mesh: Mesh, cameras: tuple[Camera, ...], size: int = 64) -> ViewSet:
        empty = torch.zeros(len(cameras), size, size)
        blank = ViewSet(cameras, torch.zeros(*empty.shape, 3), empty, rgb=torch.zeros(*empty.shape, 3))
        image = render_views(raster.get("cpu", torch.device("cpu")), mesh, blank)
        assert image.rgb is not None
        inside = image.masks[..., None] > 0
        return ViewSet(cameras, image.normals * inside, image.masks, rgb=image.rgb * inside)

    return see


@pytest.fixture(scope="session")
def module_at() -> Callable[[Path, str], ModuleType]:
    """The module of a file, under a name of its own: test folders are no packages, so tests cannot import it."""

    def load(file: Path, name: str) -> ModuleType:
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, file)
            assert spec is not None
            assert spec.loader is not None
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
        return sys.modules[name]

    return load


@pytest.fixture(scope="session")
def accelerator(module_at: Callable[[Path, str], ModuleType]) -> ModuleType:
    """accelerator.py beside this file; `BACKENDS` finds its rasteriser under that name."""
    return module_at(Path(__file__).with_name("accelerator.py"), "meshopt_accelerator")
