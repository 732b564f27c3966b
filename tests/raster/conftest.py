"""Shared scenes, and fake rasteriser packages."""

import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def scenes(module_at: Callable[[Path, str], ModuleType]) -> ModuleType:
    """scenes.py beside this file."""
    return module_at(Path(__file__).with_name("scenes.py"), "meshopt_raster_scenes")


def load_fake(name: str) -> ModuleType:
    """A fresh copy of a module in fakes/."""
    spec = importlib.util.spec_from_file_location(
        f"meshopt_fake_{name}", Path(__file__).parent / "fakes" / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def install(monkeypatch: pytest.MonkeyPatch, modules: dict[str, dict]) -> None:
    """Puts modules with those contents where the import system looks first."""
    for name, contents in modules.items():
        module = ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def fake_nvdiffrast(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A fake nvdiffrast that is installed, and the backend told that it draws CPU tensors."""
    from meshopt.raster import nvdiffrast

    fake = load_fake("nvdiffrast_torch")
    install(monkeypatch, {"nvdiffrast": {"__version__": fake.VERSION}})
    monkeypatch.setitem(sys.modules, "nvdiffrast.torch", fake)
    monkeypatch.setattr(nvdiffrast.NvdiffrastRasterizer, "devices", ("cpu",))
    forget = (nvdiffrast._version.cache_clear, nvdiffrast._context.cache_clear)
    for clear in forget:
        clear()
    yield fake
    for clear in forget:
        clear()


@pytest.fixture
def fake_pytorch3d(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A fake PyTorch3D that is installed."""
    fake = load_fake("pytorch3d_renderer")
    install(monkeypatch, {"pytorch3d": {}, "pytorch3d.renderer": {}, "pytorch3d.renderer.mesh": {}})
    install(monkeypatch, {"pytorch3d.renderer.mesh.rasterize_meshes": {"rasterize_meshes": fake.rasterize_meshes}})
    install(monkeypatch, {"pytorch3d.structures": {"Meshes": fake.Meshes}})
    return fake


@pytest.fixture
def fake_drtk(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A fake DRTK that is installed, and the backend told that it draws CPU tensors."""
    from meshopt.raster.drtk import DrtkRasterizer

    fake = load_fake("drtk_torch")
    install(monkeypatch, {"drtk": {"rasterize": fake.rasterize}})
    monkeypatch.setattr(DrtkRasterizer, "devices", ("cpu",))
    return fake
