"""Screen-space derivatives against a float64 twin made by autograd, finite differences and analytic truths."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meshopt import parallel, raster
from meshopt.errors import InputError
from meshopt.raster.derivatives import bary_derivatives, interpolate_derivatives
from meshopt.raster.protocol import Fragments

CPU = raster.get("cpu")


def weights_at(clip, faces, face, x, y):
    """Perspective-correct weights [P,2] of the faces that pixels see, at clip positions x, y [P], in float64."""
    view, row, column = (face >= 0).nonzero(as_tuple=True)
    corners = clip[view[:, None], faces.long()[face[view, row, column].long()]]
    q = corners[..., :2] - torch.stack([x, y], -1)[:, None] * corners[..., 3:]
    p, o = q[:, [1, 2, 0]], q[:, [2, 0, 1]]
    area = p[..., 0] * o[..., 1] - p[..., 1] * o[..., 0]
    return (area / area.sum(1, keepdim=True))[:, :2]


def twin(clip, faces, face):
    """`bary_derivatives` by differentiating the weights at the pixel's position, once more differentiable."""
    (height, width), seen = face.shape[1:], face >= 0
    view, row, column = seen.nonzero(as_tuple=True)
    x = ((2 * column + 1) / width - 1).double().requires_grad_()
    y = ((2 * row + 1) / height - 1).double().requires_grad_()
    weights = weights_at(clip, faces, face, x, y)
    parts = [torch.autograd.grad(weights[:, k].sum(), (x, y), create_graph=True) for k in range(2)]
    change = torch.stack(
        [parts[0][0] * 2 / width, parts[0][1] * 2 / height, parts[1][0] * 2 / width, parts[1][1] * 2 / height], -1
    )
    return torch.zeros(*face.shape, 4, dtype=torch.float64).index_put((view, row, column), change)


def close(fast, slow, scale=1.0, rtol=1e-4):
    slow = slow.float()
    assert torch.allclose(fast, slow, rtol=rtol, atol=rtol * scale), (fast - slow).abs().max()


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(["blob", "sheet", "soup", "near", "huge", "tiny", "grid", "mixed"]), st.integers(0, 10**6))
def test_values_and_gradient_equal_the_twin(scenes, kind, seed):
    scene = scenes.scene(kind, seed, views=2)
    clip = scene.clip.clone().requires_grad_()
    fragments = CPU.rasterize(clip.detach(), scene.faces, scene.size)
    double = scene.clip.double().nan_to_num(0, 0, 0).requires_grad_()
    slow = twin(double, scene.faces, fragments.face)
    fast = bary_derivatives(clip, scene.faces, fragments)
    usable = slow.detach().abs().amax(-1, keepdim=True) < 2.0  # faces seen edge-on have any slope
    zero = torch.zeros(())
    close(torch.where(usable, fast, zero), torch.where(usable, slow, zero.double()))
    gradient = torch.randn(fast.shape, generator=torch.Generator().manual_seed(seed)) * usable
    fast.backward(gradient)
    slow.backward(gradient.double())
    scale = double.grad.abs().amax(-1, keepdim=True).clamp(min=1)
    close(clip.grad / scale.float(), double.grad / scale, rtol=2e-3)


def test_differences_of_neighbouring_pixels():
    """In perspective, central differences of the weights over three pixels within one face."""
    clip = torch.tensor([[[-2.0, -1.8, 0, 1.5], [3.5, -2.2, 0, 2.5], [0.2, 4.0, 0, 3.0]]])
    faces = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    fragments = CPU.rasterize(clip, faces, (96, 128))
    change = bary_derivatives(clip, faces, fragments)[0]
    u, seen = fragments.bary[0], fragments.face[0] >= 0
    inner = seen[1:-1, 1:-1] & seen[1:-1, :-2] & seen[1:-1, 2:] & seen[:-2, 1:-1] & seen[2:, 1:-1]
    assert inner.sum() > 1000
    along_x, along_y = (u[1:-1, 2:] - u[1:-1, :-2]) / 2, (u[2:, 1:-1] - u[:-2, 1:-1]) / 2
    expected = torch.stack([along_x[..., 0], along_y[..., 0], along_x[..., 1], along_y[..., 1]], -1)
    close(change[1:-1, 1:-1][inner], expected[inner].double(), scale=change.abs().max().item(), rtol=1e-3)


def test_screen_position_changes_by_one_pixel_per_pixel():
    """Positions in pixels as attributes, over any number of views, without perspective."""
    height, width = 20, 30
    clip = torch.tensor([[-0.9, -0.8, 0, 1], [0.9, -0.7, 0, 1], [0.1, 0.9, 0, 1]]).expand(2, -1, -1)
    faces = torch.tensor([[2, 0, 1]], dtype=torch.int32)
    fragments = CPU.rasterize(clip, faces, (height, width))
    pixels = (clip[:1, :, :2] + 1) / 2 * torch.tensor([width, height])
    out = interpolate_derivatives(pixels, bary_derivatives(clip, faces, fragments), fragments, faces)
    seen = fragments.face >= 0
    close(out[seen], torch.tensor([1.0, 0, 0, 1]).expand(int(seen.sum()), -1).double())
    assert not out[~seen].any()


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(["blob", "soup", "mixed"]), st.integers(0, 10**6), st.sampled_from([1, 2]))
def test_interpolated_derivatives_equal_the_twin(scenes, kind, seed, attribute_views):
    scene = scenes.scene(kind, seed, views=2)
    fragments = CPU.rasterize(scene.clip, scene.faces, scene.size)
    values = scene.attributes(3, attribute_views).requires_grad_()
    change = torch.randn(*fragments.face.shape, 4, generator=torch.Generator().manual_seed(seed)).requires_grad_()
    fast = interpolate_derivatives(values, change, fragments, scene.faces)
    values64, change64 = (t.detach().double().requires_grad_() for t in (values, change))
    seen = fragments.face >= 0
    view = torch.arange(2)[:, None, None].expand(fragments.face.shape) % attribute_views
    corners = values64[view[..., None], scene.faces.long()[fragments.face.clamp(min=0).long()]]  # [V,H,W,3,C]
    edges = corners[..., :2, :] - corners[..., 2:, :]
    slow = torch.einsum("vhwkc,vhwkd->vhwcd", edges, change64.unflatten(-1, (2, 2))).flatten(-2) * seen[..., None]
    close(fast, slow)
    gradient = torch.randn(fast.shape, generator=torch.Generator().manual_seed(seed + 1))
    fast.backward(gradient)
    slow.backward(gradient.double())
    close(change.grad, change64.grad)
    close(values.grad, values64.grad, scale=10.0)


def test_bytes_do_not_depend_on_threads(scenes):
    scene = scenes.scene("blob", 3, views=2, size=(70, 50))
    results = []
    for count in (1, 2, 3):
        with parallel.limit(count):
            clip, values = scene.clip.clone().requires_grad_(), scene.attributes(5).requires_grad_()
            fragments = CPU.rasterize(clip, scene.faces, scene.size)
            change = bary_derivatives(clip, scene.faces, fragments)
            out = interpolate_derivatives(values, change, fragments, scene.faces)
            out.sin().sum().backward()
            results.append((change.detach(), out.detach(), clip.grad, values.grad))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))
    assert results[0][2].abs().sum() > 0


def test_nothing_to_see():
    faces, clip = torch.zeros(0, 3, dtype=torch.int32), torch.zeros(2, 0, 4, requires_grad=True)
    fragments = CPU.rasterize(clip, faces, (4, 5))
    change = bary_derivatives(clip, faces, fragments)
    out = interpolate_derivatives(torch.zeros(1, 0, 3), change, fragments, faces)
    assert out.shape == (2, 4, 5, 6)
    assert not change.any()
    change.sum().backward()
    assert clip.grad.shape == clip.shape


@pytest.mark.parametrize("face", [7, 1])
def test_fragments_of_other_faces_are_refused(face):
    clip, faces = torch.rand(1, 3, 4), torch.tensor([[0, 1, 2]], dtype=torch.int32)
    other = Fragments(torch.full((1, 2, 2), face, dtype=torch.int32), torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2))
    with pytest.raises(InputError, match=f"fragments see face {face}, but there are 1 faces"):
        bary_derivatives(clip, faces, other)
    with pytest.raises(InputError, match="faces index vertices 0 to 2, but there are 2"):
        bary_derivatives(clip[:, :2], faces, Fragments(other.face * 0, other.bary, other.depth))
    with pytest.raises(InputError, match="of 1 views, but 2 were expected"):
        bary_derivatives(clip.expand(2, -1, -1), faces, other)


def test_kernels_are_not_loaded_unless_used():
    code = "import sys, meshopt.raster.cpu; sys.exit('meshopt.raster.derivative_kernels' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
