"""meshopt.raster: choosing a backend, and `transform`."""

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


def test_every_backend_keeps_to_the_protocol():
    for name in raster.BACKENDS:
        backend = raster.get(name)
        assert isinstance(backend, Rasterizer)
        assert backend.name == name
        assert "cpu" in backend.devices


def test_auto_takes_the_fastest_that_works():
    assert raster.get().name == raster.get("auto", "cpu").name == "cpu"
    assert raster.get("auto", torch.device("cuda")).name == "reference"
    with pytest.raises(InputError, match="device 'meta'"):
        raster.get("auto", "meta")


def test_unknown_names_and_wrong_devices_are_input_errors():
    with pytest.raises(InputError, match=r"'opengl'.*choose one of auto, cpu, reference"):
        raster.get("opengl")
    with pytest.raises(InputError, match="works on cpu only, not on cuda"):
        raster.get("cpu", "cuda")


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
