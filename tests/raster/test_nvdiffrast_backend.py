"""The nvdiffrast backend through a fake that keeps nvdiffrast's signatures and checks, on CPU tensors."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.raster import nvdiffrast

QUAD = torch.tensor([[0, 1, 2], [0, 2, 3]])


def sphere(subdivisions=1, radius=0.8):
    mesh = trimesh.creation.icosphere(subdivisions)
    m = np.stack([Camera.orbit("a", 10, 5).clip_matrix(), Camera.orbit("b", 70, 20, fov=40, distance=4).clip_matrix()])
    vertices = torch.tensor(mesh.vertices * radius, dtype=torch.float32)
    faces = torch.tensor(np.array(mesh.faces), dtype=torch.int32)
    return raster.transform(vertices, torch.tensor(m)), faces


def drawn(backend, clip, faces, size):
    clip = clip.detach().clone().requires_grad_()
    attributes = torch.linspace(-1, 1, 3 * clip.shape[1]).reshape(1, -1, 3)
    fragments = backend.rasterize(clip, faces, size)
    image = backend.antialias(backend.interpolate(attributes, fragments, faces), fragments, clip, faces)
    weight = torch.linspace(0, 1, image.numel()).reshape(image.shape).sin()
    (gradient,) = torch.autograd.grad((image * weight).sum(), clip)
    return fragments, image.detach(), gradient


@pytest.fixture
def backend(fake_nvdiffrast):
    return raster.get("nvdiffrast")


# ---- whether it can be used


def test_without_it_the_reason_says_how_to_install_it_and_what_its_licence_allows():
    reason = nvdiffrast.NvdiffrastRasterizer().unusable()
    if reason is None:
        pytest.skip("nvdiffrast works here")
    assert "pip install git+https://github.com/NVlabs/nvdiffrast --no-build-isolation" in reason
    assert "research and evaluation only" in reason
    with pytest.raises(InputError, match=r"rasteriser 'nvdiffrast' cannot be used: .*pip install"):
        raster.get("nvdiffrast")
    assert raster.available()["nvdiffrast"] == reason


def test_nothing_of_it_is_imported_before_it_is_asked_for():
    code = "import sys, meshopt.raster.nvdiffrast, meshopt.raster; sys.exit('nvdiffrast' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_package_that_does_not_start_is_unusable_and_nothing_else_breaks(fake_nvdiffrast, monkeypatch):
    def fail(device=None):
        raise RuntimeError("Ninja is required to load C++ extensions\nand a long log")

    monkeypatch.setattr(fake_nvdiffrast, "RasterizeCudaContext", fail)
    reason = raster.available()["nvdiffrast"]
    assert reason.startswith("nvdiffrast fails to start (RuntimeError: Ninja is required to load C++ extensions); `pip")
    assert raster.get().name == "cpu"
    monkeypatch.setitem(sys.modules, "nvdiffrast.torch", None)
    assert "ModuleNotFoundError" in raster.available()["nvdiffrast"]


@pytest.mark.parametrize(
    ("stated", "usable"), [("0.2.8", False), ("0.3.0", True), ("0.3.5", True), ("0.4.0", True), ("0.4.1+cu13", True)]
)
def test_versions(fake_nvdiffrast, monkeypatch, stated, usable):
    monkeypatch.setattr(sys.modules["nvdiffrast"], "__version__", stated)
    reason = raster.available()["nvdiffrast"]
    assert (reason is None) == usable
    assert usable or "0.2.8 is too old" in reason


def test_auto_takes_it_where_it_works_and_leaves_it_alone_elsewhere(fake_nvdiffrast, monkeypatch):
    assert raster.get().name == "nvdiffrast"
    monkeypatch.setattr(nvdiffrast.NvdiffrastRasterizer, "devices", ("xpu",))
    fake_nvdiffrast.calls["context"] = 0
    nvdiffrast._context.cache_clear()
    assert raster.get().name == "cpu"
    assert fake_nvdiffrast.calls["context"] == 0
    assert nvdiffrast.NvdiffrastRasterizer.licence.startswith("NVIDIA")


def test_one_context_for_each_device(fake_nvdiffrast):
    clip, faces = sphere()
    for _ in range(3):
        raster.get("nvdiffrast").rasterize(clip, faces, (16, 16))
    assert fake_nvdiffrast.calls["context"] == 1


# ---- what is kept


def test_the_topology_is_found_out_once_for_each_face_tensor(backend, fake_nvdiffrast):
    clip, faces = sphere()
    for _ in range(3):
        drawn(backend, clip, faces, (16, 16))
    assert fake_nvdiffrast.calls["hash"] == 1
    expected = drawn(backend, clip, faces[:-20].clone(), (16, 16))
    assert fake_nvdiffrast.calls["hash"] == 2
    faces[-20:] = 0  # changed in place
    assert torch.equal(drawn(backend, clip, faces, (16, 16))[1], expected[1])
    assert fake_nvdiffrast.calls["hash"] == 3
    with torch.inference_mode():  # such tensors do not say whether they were changed
        other = faces.clone()
        backend.rasterize(clip, other, (16, 16))
        backend.rasterize(clip, other, (16, 16))
    assert fake_nvdiffrast.calls["hash"] == 5


def test_its_own_image_is_handed_back_without_a_copy(backend, fake_nvdiffrast, monkeypatch):
    seen = []
    for name in ("interpolate", "antialias"):
        true = getattr(fake_nvdiffrast, name)
        monkeypatch.setattr(
            fake_nvdiffrast, name, lambda *a, true=true, **k: (seen.append(a[1].data_ptr()), true(*a, **k))[1]
        )
    clip, faces = sphere()
    fragments = drawn(backend, clip, faces, (16, 16))[0]
    assert seen == [fragments.bary.data_ptr()] * 2
    assert fragments.depth.data_ptr() == fragments.bary.data_ptr() + 8


def test_fragments_that_were_changed_or_come_from_elsewhere_count(backend):
    clip, faces = sphere()
    clip.requires_grad_()
    fragments = backend.rasterize(clip, faces, (20, 24))
    foreign = raster.Fragments(fragments.face, fragments.bary, fragments.depth)
    values = torch.rand(1, clip.shape[1], 2)
    results = []
    for given in (fragments, foreign, replace(fragments)):
        image = backend.interpolate(values, given, faces)
        (gradient,) = torch.autograd.grad(image.square().sum(), clip, retain_graph=True)
        results.append((image, gradient, backend.antialias(image, given, clip, faces)))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert torch.allclose(a, b, atol=1e-6)
    emptied = replace(fragments, face=torch.full_like(fragments.face, -1))
    assert not backend.interpolate(values, emptied, faces).any()
    same = raster.get("cpu").rasterize(clip, faces, (20, 24))
    shared = same.face == fragments.face
    assert shared.float().mean() > 0.95
    mixed = backend.interpolate(values, same, faces)
    assert torch.allclose(mixed[shared], results[0][0][shared], atol=1e-5)


# ---- old versions


@pytest.mark.parametrize("size", [(16, 24), (33, 45), (7, 50), (48, 16), (1, 1)])
@pytest.mark.parametrize("window", [16, 2048])
def test_versions_that_draw_only_small_images_of_whole_tiles_draw_the_same(
    backend, fake_nvdiffrast, monkeypatch, size, window
):
    """0.3.0 and 0.3.1 want multiples of 8 up to 2048, 0.3.2 the latter."""
    clip, faces = sphere()
    expected = drawn(backend, clip, faces, size)
    monkeypatch.setattr(sys.modules["nvdiffrast"], "__version__", "0.3.1")
    monkeypatch.setattr(fake_nvdiffrast, "VERSION", "0.3.1")
    monkeypatch.setattr(nvdiffrast, "WINDOW", window)
    nvdiffrast._version.cache_clear()
    fragments, image, gradient = drawn(backend, clip, faces, size)
    same = fragments.face == expected[0].face
    assert same.float().mean() > 0.99  # roundings may move a vertex to the next sixteenth of a pixel
    if same.all():
        assert torch.allclose(image, expected[1], atol=1e-4)
        assert torch.allclose(gradient, expected[2], atol=1e-3 * float(expected[2].abs().max()))


def test_windows_cover_the_image_once():
    for height, width in [(8, 8), (2048, 2049), (5000, 4096), (3, 2056)]:
        count = np.zeros((height, width), int)
        for (h, w), (top, left) in nvdiffrast._windows((height, width)):
            assert h % 8 == w % 8 == 0
            assert max(h, w) <= 2048
            count[top : top + h, left : left + w] += 1
        assert (count == 1).all()


# ---- odd input


@pytest.mark.parametrize(("views", "count"), [(0, 5), (1, 0), (3, 0), (2, 5)])
def test_empty_meshes_and_no_views(backend, views, count):
    """nvdiffrast itself refuses empty tensors."""
    clip, faces = torch.zeros(views, count, 4, requires_grad=True), torch.zeros(0, 3, dtype=torch.int32)
    fragments = backend.rasterize(clip, faces, (5, 7))
    image = backend.interpolate(torch.zeros(1, count, 3, requires_grad=True), fragments, faces)
    blended = backend.antialias(image, fragments, clip, faces)
    assert blended.shape == (views, 5, 7, 3)
    assert (fragments.face == -1).all()
    assert not blended.any()
    blended.sum().backward()
    assert clip.grad.shape == clip.shape


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_faces_with_a_vertex_that_is_not_finite_are_left_out(backend, bad):
    clip, faces = sphere(2)
    keep = (faces != 7).all(1)
    expected = backend.rasterize(clip, faces[keep], (30, 30))
    clip[:, 7, 1] = bad
    fragments, image, gradient = drawn(backend, clip, faces, (30, 30))
    numbers = torch.cat([torch.tensor([-1]), keep.nonzero()[:, 0]]).int()
    assert torch.equal(fragments.face, numbers[(expected.face + 1).long()])
    assert torch.isfinite(image).all()
    assert torch.isfinite(gradient).all()


def test_other_dtypes_and_layouts_are_taken(backend):
    """nvdiffrast itself takes contiguous float32 and int32 alone."""
    clip, faces = sphere()
    expected = drawn(backend, clip, faces, (16, 20))
    strided = torch.stack([clip, clip], -1)[..., 0].double()
    fragments = backend.rasterize(strided, faces.long(), (16, 20))
    assert torch.equal(fragments.face, expected[0].face)
    assert fragments.face.dtype == torch.int32
    image = backend.interpolate(torch.rand(1, 3, clip.shape[1]).double().mT, fragments, faces.long())
    assert image.dtype == torch.float64
    assert backend.antialias(image, fragments, strided, faces.long()).dtype == torch.float64


def test_what_cannot_be_drawn_is_an_input_error(backend, monkeypatch):
    clip, faces = sphere()
    with pytest.raises(InputError, match="index vertices 0 to 42, but there are 42"):
        backend.rasterize(clip, torch.tensor([[0, 1, 42]]), (8, 8))
    with pytest.raises(InputError, match="for 3 views, but 2"):
        backend.interpolate(torch.zeros(3, 42, 1), backend.rasterize(clip, faces, (8, 8)), faces)
    with pytest.raises(InputError, match="tensors on cpu, but these are on meta"):
        backend.rasterize(clip.to("meta"), faces.to("meta"), (8, 8))
    monkeypatch.setattr(nvdiffrast, "MOST_FACES", 70)
    with pytest.raises(InputError, match="at most 70 faces, but the mesh has 80"):
        backend.rasterize(clip, faces.clone(), (8, 8))


@pytest.mark.parametrize("axis", [0, 1])
def test_the_edge_of_a_quad_is_blended_exactly(backend, axis):
    x = torch.tensor(-0.43, requires_grad=True)
    shift = torch.stack([x * (1 - axis), x * axis, x * 0, x * 0])
    points = torch.tensor([[0, -3], [3, -3], [3, 3], [0, 3.0]]) if axis == 0 else torch.tensor(
        [[-3, 0], [3, 0], [3, 3], [-3, 3.0]]
    )  # fmt: skip
    clip = torch.cat([points, torch.tensor([0, 1.0]).expand(4, 2)], 1)[None] + shift
    fragments = backend.rasterize(clip, QUAD, (10, 8))
    image = backend.interpolate(torch.ones(1, 4, 1), fragments, QUAD)
    mean = backend.antialias(image, fragments, clip, QUAD).mean()
    mean.backward()
    assert float(mean.detach()) == pytest.approx((1 + 0.43) / 2, abs=1e-6)
    assert float(x.grad) == pytest.approx(-0.5, abs=1e-6)
