"""The backends for accelerators, on tensors that keep an accelerator's rules: nothing strays to the CPU."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
import trimesh

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.config import OptimizeConfig
from meshopt.mesh import Mesh
from meshopt.optimize import Stage, optimize_stage
from meshopt.pipeline import render_views
from meshopt.raster.drtk import DrtkRasterizer
from meshopt.raster.nvdiffrast import NvdiffrastRasterizer
from meshopt.raster.protocol import Rasterizer
from meshopt.raster.pytorch3d import Pytorch3dRasterizer
from meshopt.views import ViewSet

Moves = Callable[[], None]  # makes the backend, a CPU one so far, one of the device


@pytest.fixture
def nvdiffrast(
    accelerator: ModuleType, fake_nvdiffrast: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> tuple[Rasterizer, Moves]:
    """The adapter over a fake package, whose functions take the device's tensors only when it has moved."""

    def move() -> None:
        for name in ("rasterize", "interpolate", "antialias", "antialias_construct_topology_hash"):
            monkeypatch.setattr(fake_nvdiffrast, name, accelerator.on_device(getattr(fake_nvdiffrast, name)))
        context = fake_nvdiffrast.RasterizeCudaContext
        monkeypatch.setattr(context, "__init__", lambda self, device: setattr(self, "device", torch.device("cpu")))
        monkeypatch.setattr(NvdiffrastRasterizer, "devices", (accelerator.DEVICE.type,))

    return NvdiffrastRasterizer(), move


@pytest.fixture
def drtk(accelerator: ModuleType, fake_drtk: ModuleType, monkeypatch: pytest.MonkeyPatch) -> tuple[Rasterizer, Moves]:
    def move() -> None:
        monkeypatch.setattr(sys.modules["drtk"], "rasterize", accelerator.on_device(fake_drtk.rasterize))
        monkeypatch.setattr(DrtkRasterizer, "devices", (accelerator.DEVICE.type,))

    return DrtkRasterizer(), move


@pytest.fixture
def pytorch3d(
    accelerator: ModuleType, fake_pytorch3d: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> tuple[Rasterizer, Moves]:
    def move() -> None:
        structures, functions = (f"pytorch3d.{name}" for name in ("structures", "renderer.mesh.rasterize_meshes"))
        monkeypatch.setattr(sys.modules[structures], "Meshes", accelerator.on_device(fake_pytorch3d.Meshes))
        rasterize = accelerator.on_device(fake_pytorch3d.rasterize_meshes)
        monkeypatch.setattr(sys.modules[functions], "rasterize_meshes", rasterize)
        monkeypatch.setattr(Pytorch3dRasterizer, "devices", (accelerator.DEVICE.type,))

    return Pytorch3dRasterizer(), move


@pytest.mark.parametrize("name", ["nvdiffrast", "drtk", "pytorch3d"])
def test_steps_of_the_optimiser(name: str, accelerator: ModuleType, request: pytest.FixtureRequest) -> None:
    """The same steps on the CPU and on the device."""
    backend, move = request.getfixturevalue(name)
    shape = trimesh.creation.icosphere(subdivisions=1)
    faces = torch.tensor(shape.faces, dtype=torch.int32)
    target = Mesh(torch.tensor(shape.vertices * (0.6, 0.8, 0.5), dtype=torch.float32), faces)
    cameras = tuple(Camera.orbit(str(a), a) for a in (0, 90))
    empty = torch.zeros(2, 24, 24, 3)
    image = render_views(raster.get("cpu"), target, ViewSet(cameras, empty, empty[..., 0]))
    views = ViewSet(cameras, image.normals, image.masks)
    stage = Stage("fine", 24, 2, (0.45, 0.45), (0.2, 0.2), consensus=True)
    start = Mesh(torch.tensor(shape.vertices * 0.65, dtype=torch.float32), faces)

    def silent(step: int, total: int, info: dict[str, float]) -> None:
        """Nothing."""

    expected = optimize_stage(start, views, OptimizeConfig(), stage, backend, silent)
    move()
    with accelerator.Accelerator():
        there = start.to(accelerator.DEVICE), views.to(accelerator.DEVICE)
        found = optimize_stage(*there, OptimizeConfig(), stage, type(backend)(), silent)
        assert isinstance(found.mesh.vertices, accelerator.Remote)
        vertices = found.mesh.vertices.cpu()
    assert torch.allclose(vertices, expected.mesh.vertices, atol=1e-4)
    for loss, values in expected.curves.items():
        assert found.curves[loss] == pytest.approx(values, rel=1e-3, abs=1e-6)
