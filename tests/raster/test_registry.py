"""meshopt.raster: choosing a backend, and `transform`."""

import importlib
import subprocess
import sys
import types

import numpy as np
import pytest
import torch

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.raster.protocol import Rasterizer


class Broken:
    """A backend whose requirements are not there."""

    name, licence, devices, rank = "broken", "none", ("cpu",), 99

    def unusable(self):
        return "it needs a unicorn"

    def rasterize(self, clip, faces, resolution): ...

    def interpolate(self, attributes, fragments, faces): ...

    def antialias(self, image, fragments, clip, faces): ...


@pytest.fixture
def broken(monkeypatch):
    module = types.ModuleType("broken_backend")
    module.Broken = Broken
    monkeypatch.setitem(sys.modules, "broken_backend", module)
    monkeypatch.setitem(raster.BACKENDS, "broken", "broken_backend:Broken")
    monkeypatch.setitem(raster.BACKENDS, "missing", "no_such_module_at_all:X")


@pytest.mark.parametrize("name", raster.BACKENDS)
def test_every_backend_keeps_to_the_protocol(name):
    """Whether or not it works here; what does not says why in one sentence."""
    module, _, attribute = raster.BACKENDS[name].partition(":")
    backend = getattr(importlib.import_module(module), attribute)()
    assert isinstance(backend, Rasterizer)
    assert backend.name == name
    assert backend.licence
    assert {"cpu", "cuda"} & set(backend.devices)
    reason = backend.unusable()
    assert reason is None or ("pip install" in reason and not reason.endswith(".") and "\n" not in reason)


def test_ranks_give_the_order_that_auto_keeps():
    """On an accelerator: nvdiffrast, DRTK, PyTorch3D; on a CPU ours before PyTorch3D. The tests' own comes last."""
    found = [(module, name) for module, _, name in (place.partition(":") for place in raster.BACKENDS.values())]
    backends = [getattr(importlib.import_module(module), name) for module, name in found]
    order = [backend.name for backend in sorted(backends, key=lambda backend: -backend.rank)]
    assert order == ["nvdiffrast", "drtk", "cpu", "pytorch3d", "reference"]


def test_auto_takes_the_fastest_that_works(monkeypatch):
    assert raster.get().name == raster.get("auto", "cpu").name == "cpu"
    monkeypatch.setattr(raster, "BACKENDS", {name: raster.BACKENDS[name] for name in ("cpu", "reference")})
    assert raster.get("auto", torch.device("cuda")).name == "reference"
    with pytest.raises(InputError, match="device 'meta'"):
        raster.get("auto", "meta")


def test_unknown_names_and_wrong_devices_are_input_errors():
    with pytest.raises(InputError, match=r"'opengl'.*choose one of auto, cpu, nvdiffrast, drtk, "):
        raster.get("opengl")
    with pytest.raises(InputError, match="works on cpu only, not on cuda"):
        raster.get("cpu", "cuda")


def test_auto_starts_no_backend_for_other_devices(broken, monkeypatch):
    monkeypatch.setattr(Broken, "devices", ("cuda",))
    monkeypatch.setattr(Broken, "unusable", lambda self: pytest.fail("started"))
    assert raster.get().name == "cpu"


def test_a_broken_backend_breaks_nothing_else(broken):
    assert raster.get().name == "cpu"
    found = raster.available()
    assert found["cpu"] is None
    assert found["broken"] == "it needs a unicorn"
    assert "no_such_module_at_all" in found["missing"]
    with pytest.raises(InputError, match="unicorn"):
        raster.get("broken")
    with pytest.raises(InputError, match="its import fails"):
        raster.get("missing")


def test_importing_meshopt_does_not_compile_or_import_numba():
    code = "import sys, meshopt.raster; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_transform_agrees_with_the_cameras_projection():
    points = np.random.default_rng(0).uniform(-1, 1, (20, 3))
    cameras = [Camera.orbit("a", 30, 20), Camera.orbit("b", 200, -10, fov=35, distance=4)]
    matrices = torch.tensor(np.stack([c.clip_matrix() for c in cameras]))
    clip = raster.transform(torch.tensor(points), matrices)
    for k, camera in enumerate(cameras):
        image, _ = camera.project(points)
        assert np.allclose(clip[k, :, 0] / clip[k, :, 3], image[:, 0])
        assert np.allclose(clip[k, :, 1] / clip[k, :, 3], -image[:, 1])
        assert (clip[k, :, 2].abs() <= clip[k, :, 3]).all()


def test_transform_keeps_the_vertices_dtype_and_gradient():
    vertices = torch.rand(5, 3, dtype=torch.float32, requires_grad=True)
    clip = raster.transform(vertices, torch.eye(4, dtype=torch.float64)[None])
    assert clip.dtype == torch.float32
    clip.sum().backward()
    assert torch.equal(vertices.grad, torch.ones(5, 3))
