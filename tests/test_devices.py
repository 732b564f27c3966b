"""Choosing device and rasteriser; and a whole reconstruction on a device that is not the CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
import trimesh

from meshopt import devices, raster
from meshopt.cameras import Camera
from meshopt.config import load_config
from meshopt.errors import InputError
from meshopt.io.meshes import encode_mesh
from meshopt.mesh import Mesh
from meshopt.pipeline import Reconstruction, reconstruct
from meshopt.report.folder import encode_preview
from meshopt.topology import topology
from meshopt.views import ViewSet

QUICK = (
    *("initial.grid=40", "initial.depth=40", "optimize.resolution=48"),
    *("optimize.coarse_steps=4", "optimize.fine_steps=3", "optimize.refine_steps=2"),
    "texture.size=512",
)
BARE = (*QUICK, "texture.kind=vertex")
WAITS = 15  # for the device in one step, four of them in remeshing


@pytest.fixture
def remote(accelerator: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The device is the accelerator of this machine, and it has a rasteriser."""
    monkeypatch.setitem(raster.BACKENDS, "remote", "meshopt_accelerator:RemoteRasterizer")
    monkeypatch.setattr(devices, "accelerator", lambda: accelerator.DEVICE)
    return accelerator


@pytest.fixture(scope="module")
def views(seen: Callable[..., ViewSet]) -> ViewSet:
    shape = trimesh.creation.torus(0.55, 0.25, major_sections=40, minor_sections=20)
    vertices = torch.tensor(np.array(shape.vertices), dtype=torch.float32)
    mesh = Mesh(vertices, torch.tensor(np.array(shape.faces), dtype=torch.int32), 0.5 + 0.4 * vertices)
    cameras = tuple(Camera.orbit(str(a), a, 20) for a in (0, 90, 180, 270))
    return seen(mesh, cameras, 48)


def check_same_shape(one: Reconstruction, two: Reconstruction) -> None:
    for a, b in zip(one.report["views"], two.report["views"], strict=True):
        assert a["silhouette_iou"] == pytest.approx(b["silhouette_iou"], abs=0.005)
        assert a["normal_error_deg"] == pytest.approx(b["normal_error_deg"], abs=0.3)
    assert one.report["topology"]["genus"] == two.report["topology"]["genus"] == 1
    assert one.report["topology"]["volume"] == pytest.approx(two.report["topology"]["volume"], rel=0.005)


@pytest.mark.parametrize(
    "more", [(), ("optimize.rgb_weight=0.3", "optimize.grazing_power=1", "output.faces=1500", "texture.kind=vertex")]
)
def test_reconstruction_on_a_device(remote: ModuleType, views: ViewSet, more: tuple[str, ...]) -> None:
    """Every tensor is where it belongs at every step, and the result is that of the CPU."""
    with remote.Accelerator(float64=False) as device:
        found = reconstruct(views, load_config(None, [*QUICK, *more]))
        images = (*vars(found.renders).values(), found.views.normals, found.views.masks, found.views.rgb)
        for tensor in (found.mesh.vertices, found.mesh.faces, found.mesh.colors, found.world_mesh.vertices, *images):
            assert isinstance(tensor, remote.Remote)
        shape = topology(found.mesh.vertices, found.mesh.faces)
        assert (shape.closed, shape.manifold, shape.oriented) == (True, True, True)
        assert len(encode_mesh(found.mesh, "glb")) > 1000
        assert len(encode_preview(found)) > 1000
        assert device.waits["item"] > 0
    assert (found.report["device"], found.report["backend"]["name"]) == ("meta", "remote")
    check_same_shape(found, reconstruct(views, load_config(None, [*QUICK, *more, "device=cpu", "backend=cpu"])))


def test_steps_seldom_wait_for_the_device(remote: ModuleType, views: ViewSet) -> None:
    def waits(steps: int) -> int:
        with remote.Accelerator() as device:
            reconstruct(views, load_config(None, [*BARE, f"optimize.coarse_steps={steps}"]))
            return sum(device.waits.values())

    assert waits(6) - waits(2) <= 4 * WAITS


def test_views_of_any_device_and_precision(remote: ModuleType, views: ViewSet) -> None:
    """As generators give them: half precision, on their device."""
    exact = reconstruct(views, load_config(None, [*BARE, "device=cpu"]))
    for dtype in (torch.float16, torch.float64):
        found = reconstruct(views.to("cpu", dtype), load_config(None, [*BARE, "device=cpu"]))
        assert found.mesh.vertices.dtype == found.renders.normals.dtype == torch.float32
        assert found.mesh.colors is not None
        assert found.mesh.colors.dtype == torch.float32
        if dtype == torch.float64:
            assert torch.equal(found.mesh.vertices, exact.mesh.vertices)
    with remote.Accelerator():
        there = views.to(remote.DEVICE, torch.bfloat16)
        assert reconstruct(there, load_config(None, BARE)).report["device"] == "meta"
        back = reconstruct(there, load_config(None, [*BARE, "device=cpu", "backend=cpu"]))
        assert back.mesh.vertices.device.type == "cpu"


def test_the_devices_rules(accelerator: ModuleType) -> None:
    with accelerator.Accelerator(float64=False) as device:
        a = torch.ones(3, device=accelerator.DEVICE)
        assert torch.equal((a * torch.tensor(2.0)).cpu(), torch.full((3,), 2.0))
        for wrong in (
            lambda: a + torch.ones(3),
            lambda: a.double(),
            lambda: torch.ones(3)[a.long()],
        ):
            with pytest.raises(accelerator.Broken):
                wrong()
        with pytest.raises((RuntimeError, TypeError)):
            a.numpy()
        b = torch.tensor([1.0, 2.0, 3.0], device=accelerator.DEVICE)
        assert b[[0, 2]].tolist() == [1.0, 3.0]
        assert device.waits["index from the CPU"] == 1
        x = a.clone().requires_grad_(True)
        (x * x).sum().backward()
        assert isinstance(x.grad, accelerator.Remote)
        assert x.grad.tolist() == [2.0, 2.0, 2.0]
        with pytest.raises(accelerator.Broken):
            accelerator.RemoteRasterizer().rasterize(torch.ones(1, 3, 4), a.int()[None], (4, 4))


def test_auto_device(remote: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    there, cpu = remote.DEVICE, torch.device("cpu")
    assert [str(devices.choose("auto", "auto")[0]), devices.choose("auto", "auto")[1].name] == ["meta", "remote"]
    assert devices.choose("auto", "cpu")[0] == cpu  # that backend works there alone
    assert devices.choose("auto", "remote")[0] == there
    monkeypatch.setattr(devices, "accelerator", lambda: None)
    assert devices.choose("auto", "auto")[0] == cpu
    assert devices.choose("auto", "auto", there)[0] == there  # the views are on one
    assert devices.choose("auto", "cpu", there)[0] == cpu
    with pytest.raises(InputError, match="'remote' cannot be used"):
        devices.choose("auto", "remote")


def test_auto_is_the_cpu_where_only_the_reference_works_on_the_accelerator(
    accelerator: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a Mac, or where nvdiffrast is not installed."""
    from meshopt.raster.reference import ReferenceRasterizer

    monkeypatch.setattr(devices, "accelerator", lambda: accelerator.DEVICE)
    monkeypatch.setattr(ReferenceRasterizer, "devices", ("cpu", "meta"))
    device, backend = devices.choose("auto", "auto")
    assert (device.type, backend.name) == ("cpu", raster.get().name)
    with pytest.raises(InputError, match=r"--device meta: .*reference.*meshopt doctor") as caught:
        devices.choose("meta", "auto")
    assert "\n" not in str(caught.value)
    assert devices.choose("meta", "reference")[1].name == "reference"


def test_a_build_for_devices_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's usual Linux wheel on a machine without a GPU: it names its accelerator all the same."""
    fake = SimpleNamespace(current_accelerator=lambda: torch.device("xpu"), is_available=lambda: False)
    monkeypatch.setattr(torch, "accelerator", fake, raising=False)
    assert devices.accelerator() is None
    assert devices.choose("auto", "auto")[0].type == "cpu"
    monkeypatch.delattr(torch, "accelerator")  # before torch 2.6
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.accelerator() is None


@pytest.mark.parametrize("name", ["cuda", "cuda:7", "mps", "quantum", "meta", "cpu:x"])
def test_devices_that_cannot_be_used(name: str, views: ViewSet) -> None:
    if name != "cuda:7" and name.split(":")[0] in {d.device.split(":")[0] for d in devices.present()} - {"cpu"}:
        pytest.skip("it can be used here")
    with pytest.raises(InputError) as caught:
        reconstruct(replace(views), load_config(None, [*QUICK, f"device={name}"]))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
