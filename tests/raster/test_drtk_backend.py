"""The DRTK backend through a fake that keeps DRTK's frame."""

import sys

import pytest
import torch

from meshopt import raster
from meshopt.errors import InputError
from meshopt.raster.drtk import DrtkRasterizer


@pytest.fixture
def backend(fake_drtk):
    return raster.get("drtk")


def test_without_it_the_reason_says_how_to_install_it_and_that_the_index_has_another_package():
    reason = DrtkRasterizer().unusable()
    if reason is None:
        pytest.skip("drtk works here")
    assert "pip install git+https://github.com/facebookresearch/DRTK.git" in reason
    assert "the package called drtk on PyPI is another one" in reason
    assert "MIT, allows any use" in reason
    with pytest.raises(InputError, match=r"rasteriser 'drtk' cannot be used: .*pip install"):
        raster.get("drtk")


def test_another_package_of_that_name_is_not_taken_for_it(fake_drtk, monkeypatch):
    monkeypatch.delattr(sys.modules["drtk"], "rasterize")
    assert "another package" in raster.available()["drtk"]


def test_one_that_does_not_import_is_unusable(fake_drtk, monkeypatch):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "drtk":
                raise OSError("undefined symbol")

    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "drtk")
    assert "undefined symbol" in raster.available()["drtk"]


def test_it_ranks_below_nvdiffrast_and_above_the_rest(fake_drtk, fake_nvdiffrast, fake_pytorch3d, monkeypatch):
    order = ["nvdiffrast", "drtk", "cpu", "pytorch3d"]
    for k, name in enumerate(order):
        monkeypatch.setattr(raster, "BACKENDS", {left: raster.BACKENDS[left] for left in order[k:]})
        assert raster.get().name == name


@pytest.mark.parametrize("size", [(6, 6), (6, 10), (10, 4)])
@pytest.mark.parametrize("z", [-1.0, 0.3, 1.0])
def test_the_frame_is_that_of_pixel_centres(backend, size, z):
    """A face over one pixel, at any depth that is in view."""
    height, width = size
    centre = torch.tensor([(2 * 3 + 1) / width - 1, (2 * 2 + 1) / height - 1])
    around = torch.tensor([[-1.2, -1.2], [1.2, -1.2], [0, 1.4]]) / torch.tensor([width, height])
    clip = torch.cat([centre + around, torch.tensor([z, 1.0]).expand(3, 2)], 1)[None] * 2
    fragments = backend.rasterize(clip, torch.tensor([[0, 1, 2]]), size)
    assert fragments.face[0].nonzero().numel() == 2 * (height * width - 1)  # -1 but for one
    assert fragments.face[0, 2, 3] == 0
    assert float(fragments.depth[0, 2, 3]) == pytest.approx(z, abs=1e-6)


@pytest.mark.parametrize(("views", "count"), [(0, 5), (1, 0), (2, 5)])
def test_empty_meshes_and_no_views(backend, views, count):
    clip, faces = torch.zeros(views, count, 4, requires_grad=True), torch.zeros(0, 3, dtype=torch.int32)
    fragments = backend.rasterize(clip, faces, (5, 7))
    blended = backend.antialias(torch.zeros(views, 5, 7, 2), fragments, clip, faces)
    assert (fragments.face == -1).all()
    assert not blended.any()


def test_a_view_with_nothing_in_it_beside_one_with_something(backend):
    face = torch.tensor([[-0.8, -0.8, 0, 1], [0.8, -0.8, 0, 1], [0, 0.8, 0, 1.0]])
    clip = torch.stack([face * torch.tensor([1, 1, 1, -1.0]), face])
    fragments = backend.rasterize(clip, torch.tensor([[0, 1, 2]]), (8, 8))
    assert (fragments.face[0] == -1).all()
    assert (fragments.face[1] == 0).any()
