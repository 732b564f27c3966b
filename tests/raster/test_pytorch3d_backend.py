"""The PyTorch3D backend through a fake that keeps PyTorch3D's frame."""

import sys

import pytest
import torch

from meshopt import raster
from meshopt.errors import InputError
from meshopt.raster.pytorch3d import Pytorch3dRasterizer

QUAD = torch.tensor([[0, 1, 2], [0, 2, 3]])


@pytest.fixture
def backend(fake_pytorch3d):
    return raster.get("pytorch3d")


def flat(points, depth=0.0, w=1.0):
    points = torch.as_tensor(points, dtype=torch.float32)
    return torch.cat([points * w, torch.full((len(points), 1), depth * w), torch.full((len(points), 1), w)], 1)[None]


def test_without_it_the_reason_says_how_to_install_it_and_what_its_licence_allows():
    reason = Pytorch3dRasterizer().unusable()
    if reason is None:
        pytest.skip("pytorch3d works here")
    assert "pip install" in reason
    assert "git+https://github.com/facebookresearch/pytorch3d.git" in reason
    assert "BSD-3-Clause, allows any use" in reason
    with pytest.raises(InputError, match=r"rasteriser 'pytorch3d' cannot be used: .*not installed"):
        raster.get("pytorch3d")


def test_one_built_for_another_torch_is_unusable(fake_pytorch3d, monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch3d.renderer.mesh.rasterize_meshes", None)
    assert "pytorch3d fails to start (ModuleNotFoundError" in raster.available()["pytorch3d"]


def test_one_built_without_cuda_says_so_on_cuda_tensors(backend, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("Not compiled with GPU support.")

    monkeypatch.setattr(sys.modules["pytorch3d.renderer.mesh.rasterize_meshes"], "rasterize_meshes", fail)
    with pytest.raises(InputError, match="built without CUDA, use device cpu"):
        backend.rasterize(flat([[0, 0], [1, 0], [0, 1.0]]), torch.tensor([[0, 1, 2]]), (8, 8))


def test_auto_prefers_our_own_on_a_cpu(backend):
    assert raster.available()["pytorch3d"] is None
    assert raster.get().name == "cpu"
    assert backend.rank > raster.get("reference").rank


@pytest.mark.parametrize("size", [(6, 6), (6, 10), (10, 4)])
def test_the_frame_is_turned_and_stretched_to_ours(backend, size):
    """A face over the first row's first two pixels alone, and one over the last pixel."""
    height, width = size
    corner = [[-1, -1], [-1 + 4 / width, -1], [-1 + 4 / width, -1 + 2 / height], [-1, -1 + 2 / height]]
    last = [[1 - 2 / width, 1 - 2 / height], [1, 1 - 2 / height], [1, 1], [1 - 2 / width, 1]]
    clip = flat(corner + last, w=2.5)
    fragments = backend.rasterize(clip, torch.cat([QUAD, QUAD + 4]), size)
    expected = torch.zeros(size, dtype=torch.bool)
    expected[0, :2] = expected[-1, -1] = True
    assert torch.equal(fragments.face[0] >= 0, expected)
    assert set(fragments.face[0, 0, :2].tolist()) <= {0, 1}
    assert fragments.face[0, -1, -1] >= 2


@pytest.mark.parametrize("w", [1.0, 3.0])
def test_what_is_nearer_in_clip_space_is_seen(backend, w):
    square = [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]
    clip = torch.cat([flat(square, 0.6, w), flat(square, -0.7, 1.0), flat(square, 1.2, w)], 1)
    fragments = backend.rasterize(clip, torch.cat([QUAD, QUAD + 4, QUAD + 8]), (8, 8))
    seen = fragments.face[fragments.face >= 0]
    assert len(seen) == 64
    assert set(seen.tolist()) == {2, 3}
    assert torch.allclose(fragments.depth, torch.tensor(-0.7))


def test_pixel_centres_on_edges_and_corners_are_covered(backend):
    """PyTorch3D leaves them to no face; a grid with its corners on pixel centres has no holes, and nor has its rim."""
    n = 8
    at = (2 * torch.arange(n).float() + 1) / n - 1
    y, x = torch.meshgrid(at, at, indexing="ij")
    first = torch.arange(n * n).reshape(n, n)[:-1, :-1].flatten()
    faces = torch.cat(
        [torch.stack([first, first + 1, first + n], 1), torch.stack([first + 1, first + n + 1, first + n], 1)]
    )
    fragments = backend.rasterize(flat(torch.stack([x, y], -1).reshape(-1, 2)), faces, (n, n))
    assert (fragments.face >= 0).all()


def test_views_with_unlike_numbers_of_faces_keep_their_numbers(backend):
    """Face numbers count through all views in PyTorch3D; here some faces are cut off or cut up in one view."""
    square = [[-0.85, -0.85], [0.85, -0.85], [0.85, 0.85], [-0.85, 0.85]]
    behind = flat(square) * torch.tensor([1, 1, 1, -1.0])
    crossing = flat(square) + torch.tensor([[0, 0, -2, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, -2, 0.0]])
    clip = torch.cat(
        [torch.cat([a, b], 1) for a, b in ((behind, crossing), (crossing, flat(square)), (flat(square), behind))]
    )
    fragments = backend.rasterize(clip, torch.cat([QUAD, QUAD + 4]), (10, 10))
    expected = raster.get("reference").rasterize(clip, torch.cat([QUAD, QUAD + 4]), (10, 10))
    diagonal = torch.eye(10, dtype=torch.bool)  # between the squares' two faces
    assert torch.equal(fragments.face[:, ~diagonal], expected.face[:, ~diagonal])
    assert torch.equal(fragments.face >= 0, expected.face >= 0)


@pytest.mark.parametrize(("views", "count"), [(0, 5), (1, 0), (3, 0), (2, 5)])
def test_empty_meshes_and_no_views(backend, views, count):
    clip, faces = torch.zeros(views, count, 4, requires_grad=True), torch.zeros(0, 3, dtype=torch.int32)
    fragments = backend.rasterize(clip, faces, (5, 7))
    image = backend.interpolate(torch.zeros(1, count, 3, requires_grad=True), fragments, faces)
    blended = backend.antialias(image, fragments, clip, faces)
    assert blended.shape == (views, 5, 7, 3)
    assert (fragments.face == -1).all()
    assert not blended.any()
    blended.sum().backward()
    assert clip.grad.shape == clip.shape


def test_what_cannot_be_drawn_is_an_input_error(backend):
    clip = flat([[0, 0], [1, 0], [0, 1.0]])
    faces = torch.tensor([[0, 1, 2]])
    with pytest.raises(InputError, match="index vertices 0 to 3, but there are 3"):
        backend.rasterize(clip, torch.tensor([[0, 1, 3]]), (8, 8))
    with pytest.raises(InputError, match="for 3 views, but 1"):
        backend.interpolate(torch.zeros(3, 3, 1), backend.rasterize(clip, faces, (8, 8)), faces)
    with pytest.raises(InputError, match="these are on meta"):
        backend.rasterize(clip.to("meta"), faces.to("meta"), (8, 8))
