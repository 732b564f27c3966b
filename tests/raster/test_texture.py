"""Texture sampling against a slow float64 twin, analytic truths, finite differences and other thread counts."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meshopt.errors import InputError
from meshopt.raster.texture import BOUNDARIES, FILTERS, ConstantMip, mip_level, mip_stack, texture


def texel(level, row, column, boundary):
    """One texel [C] of a level [h,w,C], wherever it is asked for."""
    height, width, _ = level.shape
    if boundary == "zero" and not (0 <= row < height and 0 <= column < width):
        return torch.zeros_like(level[0, 0])
    if boundary == "wrap":
        return level[row % height, column % width]
    return level[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]


def bilinear(level, u, v, boundary):
    """By the definition, one sample; differentiable."""
    x, y = u * level.shape[1] - 0.5, v * level.shape[0] - 0.5
    column, row = math.floor(x.item()), math.floor(y.item())
    across, down = x - column, y - row
    top = (1 - across) * texel(level, row, column, boundary) + across * texel(level, row, column + 1, boundary)
    low = (1 - across) * texel(level, row + 1, column, boundary) + across * texel(level, row + 1, column + 1, boundary)
    return (1 - down) * top + down * low


def twin(levels, uv, uv_da, bias, filter_mode, boundary):
    """`texture`, one sample after the other; footprints by the singular values of the Jacobian."""
    out = []
    for v, row, column in torch.ones(uv.shape[:3]).nonzero().tolist():
        maps = [level[v % len(level)] for level in levels]
        height, width, _ = maps[0].shape
        s, t = uv[v, row, column]
        if filter_mode == "nearest":
            out.append(texel(maps[0], math.floor(t.item() * height), math.floor(s.item() * width), boundary))
            continue
        level = torch.zeros((), dtype=torch.float64)
        if "mipmap" in filter_mode:
            jacobian = uv_da[v, row, column].reshape(2, 2) * torch.tensor([[width], [height]])
            level = torch.log2(torch.linalg.matrix_norm(jacobian, 2)) + bias[v, row, column]
            level = level.clamp(0, len(maps) - 1)
        finer = math.floor(level.item())
        sample = bilinear(maps[finer], s, t, boundary)
        if filter_mode == "linear-mipmap-linear":
            coarse = bilinear(maps[min(finer + 1, len(maps) - 1)], s, t, boundary)
            sample = sample + (level - finer) * (coarse - sample)
        out.append(sample)
    return torch.stack(out).reshape(*uv.shape[:3], -1)


def case(seed, views=1, size=(8, 16), dtype=torch.float32):
    """Texture, uv also outside [0, 1], derivatives of 1/4 to 8 texels per pixel, bias."""
    generator = torch.Generator().manual_seed(seed)
    tex = torch.randn(views, *size, 3, generator=generator)
    uv = torch.rand(2, 3, 4, 2, generator=generator) * 2.4 - 0.7
    scale = 2.0 ** (torch.rand(2, 3, 4, 1, generator=generator) * 5 - 2) / max(size)
    uv_da = torch.randn(2, 3, 4, 4, generator=generator) * scale
    bias = torch.randn(2, 3, 4, generator=generator) * 0.5
    return [t.to(dtype).requires_grad_() for t in (tex, uv, uv_da, bias)]


def sample(tex, uv, uv_da, bias, filter_mode, boundary="wrap", max_level=None):
    levels = mip_stack(tex, max_level) if "mipmap" in filter_mode else [tex]
    return texture(levels, uv, uv_da, bias, filter_mode, boundary)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("filter_mode", FILTERS)
@settings(max_examples=3, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 2]), st.sampled_from([(8, 16), (4, 1), (1, 1)]))
def test_values_and_gradients_equal_the_twin(filter_mode, boundary, seed, views, size):
    fast_in, slow_in = case(seed, views, size), case(seed, views, size)
    slow_in = [t.detach().double().requires_grad_() for t in slow_in]
    fast = sample(*fast_in, filter_mode, boundary)
    slow = twin(mip_stack(slow_in[0]), *slow_in[1:], filter_mode, boundary)
    assert torch.allclose(fast, slow.float(), atol=1e-4)
    gradient = torch.randn(fast.shape, generator=torch.Generator().manual_seed(seed))
    fast.backward(gradient)
    slow.backward(gradient.double())
    for a, b in zip(fast_in, slow_in, strict=True):
        a_grad, b_grad = (torch.zeros(a.shape) if t.grad is None else t.grad.float() for t in (a, b))
        assert torch.allclose(a_grad, b_grad, rtol=1e-3, atol=2e-4 * (1 + b_grad.abs().max().item()))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_gradients_equal_finite_differences(boundary):
    inputs = case(11, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda *t: sample(*t, "linear-mipmap-linear", boundary), inputs)
    assert torch.autograd.gradcheck(lambda tex, uv: texture([tex], uv, boundary_mode=boundary), inputs[:2])


def test_mip_levels_get_their_own_gradients():
    levels = [t.detach().double().requires_grad_() for t in mip_stack(case(5)[0])]
    _, uv, uv_da, _ = (t.detach() for t in case(5, dtype=torch.float64))
    run = lambda *stack: texture(stack, uv, uv_da, filter_mode="linear-mipmap-linear")  # noqa: E731
    assert torch.autograd.gradcheck(run, levels)


# ---- analytic truths


def centres(height, width):
    """uv of all texel centres [1,h,w,2]."""
    v, u = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
    return torch.stack([u, v], -1)[None]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("filter_mode", ["nearest", "linear"])
def test_texel_centres_give_the_texels(filter_mode, boundary):
    tex = torch.randn(1, 5, 7, 2)
    assert torch.allclose(texture([tex], centres(5, 7), None, None, filter_mode, boundary), tex, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_nearest_is_indexing(seed):
    generator = torch.Generator().manual_seed(seed)
    tex, uv = torch.randn(1, 6, 9, 1, generator=generator), torch.rand(1, 20, 20, 2, generator=generator)
    column, row = (uv[0] * torch.tensor([9, 6])).floor().long().unbind(-1)
    for boundary in BOUNDARIES:
        assert torch.equal(texture([tex], uv, None, None, "nearest", boundary)[0], tex[0, row, column])


def test_linear_reproduces_a_ramp():
    tex = torch.tensor([[3.0, -2.0]]) * (centres(12, 20)) + 1.0
    uv = torch.rand(2, 30, 30, 2) * 0.9 + 0.05  # between the outermost centres
    expected = torch.tensor([3.0, -2.0]) * uv + 1.0
    assert torch.allclose(texture([tex], uv), expected, atol=1e-5)


def test_boundaries():
    """Two texels, a and b, sampled at a's and b's outer corner, half a texel outside, and one further."""
    a, b = 1.0, 3.0
    tex = torch.tensor([[[[a], [b]]]])
    u = torch.tensor([0.0, -0.25, -0.5, -0.75, 1.0, 1.25, 1.5])
    uv = torch.stack([u, torch.full_like(u, 0.5)], -1)[None, None]

    def values(boundary, filter_mode="linear"):
        return texture([tex], uv, None, None, filter_mode, boundary).flatten().tolist()

    assert values("clamp") == [a, a, a, a, b, b, b]
    assert values("wrap") == [2, b, 2, a, 2, a, 2]
    assert values("zero") == [a / 2, 0, 0, 0, b / 2, 0, 0]
    assert values("clamp", "nearest") == [a, a, a, a, b, b, b]
    assert values("wrap", "nearest") == [a, b, b, a, a, a, b]
    assert values("zero", "nearest") == [a, 0, 0, 0, 0, 0, 0]


def test_clamped_coordinates_get_no_gradient():
    uv = torch.tensor([[[[-0.2, 0.4], [0.4, 1.3]]]], requires_grad=True)
    texture([torch.randn(1, 4, 4, 1)], uv, boundary_mode="clamp").sum().backward()
    assert (uv.grad[0, 0] != 0).tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize(
    ("texels", "level"), [(0.5, 0.0), (1.0, 0.0), (2.0, 1.0), (3.0, math.log2(3)), (8.0, 3.0), (99.0, 4.0)]
)
def test_the_footprint_chooses_the_level(texels, level):
    """`texels` per pixel along one axis of a turned footprint, fewer along the other."""
    width, height = 16, 8
    levels = mip_stack(torch.zeros(1, height, width, 1))
    for turn, other in ((0.0, 1.0), (0.3, 0.5), (1.2, 1.0), (2.0, 0.0)):
        c, s = math.cos(turn), math.sin(turn)
        jacobian = torch.tensor([[c, -s * other], [s, c * other]]) * texels / torch.tensor([[width], [height]])
        found = mip_level(jacobian.reshape(1, 1, 1, 4), None, levels).item()
        assert found == pytest.approx(level, abs=1e-6)


def test_levels_are_blended_or_the_finer_one_is_taken():
    """Each level has its own value: 0, 1, 2, 3."""
    levels = [torch.full((1, 8 >> k, 8 >> k, 1), float(k)) for k in range(4)]
    uv, bias = torch.rand(1, 1, 5, 2), torch.tensor([[[-1.0, 0.25, 1.75, 3.0, 7.0]]])
    linear = texture(levels, uv, None, bias, "linear-mipmap-linear")
    assert torch.allclose(linear.flatten(), torch.tensor([0, 0.25, 1.75, 3, 3]))
    nearest = texture(levels, uv, None, bias, "linear-mipmap-nearest")
    assert torch.allclose(nearest.flatten(), torch.tensor([0.0, 0, 1, 3, 3]))
    two = torch.tensor([2.0, 0, 0, 2.0]).expand(1, 1, 5, 4) / 8
    biased = texture(levels, uv, two, bias, "linear-mipmap-linear")
    assert torch.allclose(biased.flatten(), torch.tensor([0, 1.25, 2.75, 3, 3]), atol=1e-6)


def test_mip_levels_are_means():
    tex = torch.randn(2, 4, 8, 3)
    levels = mip_stack(tex)
    assert [tuple(level.shape[1:3]) for level in levels] == [(4, 8), (2, 4), (1, 2), (1, 1)]
    assert torch.allclose(levels[1][:, 0, 1], tex[:, :2, 2:4].mean((1, 2)), atol=1e-6)
    assert torch.allclose(levels[3][:, 0, 0], tex.mean((1, 2)), atol=1e-6)
    assert len(mip_stack(tex, 0)) == 1
    assert len(mip_stack(tex, 2)) == 3


def test_odd_sides_need_a_limit():
    assert len(mip_stack(torch.zeros(1, 6, 12, 1), 1)) == 2
    with pytest.raises(InputError, match=r"mip level 2 of a texture of 6 x 12 .* halve 3 x 6, .* max_mip_level=1"):
        mip_stack(torch.zeros(1, 6, 12, 1))


# ---- odd input


def test_footprints_of_any_size_give_finite_gradients():
    """No footprint, a circle, overflowing, infinite and undefined ones."""
    rows = [[0.0] * 4, [0.25, 0, 0, 0.25], [1e20] * 4, [math.inf, 1, 1, 1], [math.nan, 1, 1, 1], [1e-25] * 4]
    uv_da = torch.tensor(rows)[None, None].requires_grad_()
    tex, uv = torch.randn(1, 8, 8, 2, requires_grad=True), torch.rand(1, 1, len(rows), 2, requires_grad=True)
    out = sample(tex, uv, uv_da, None, "linear-mipmap-linear")
    out.sum().backward()
    assert all(t.isfinite().all() for t in (out, tex.grad, uv.grad, uv_da.grad))
    assert torch.allclose(out[0, 0, 2], tex[0].mean((0, 1)), atol=1e-5)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("filter_mode", FILTERS)
def test_coordinates_that_are_no_numbers_do_no_harm(filter_mode, boundary):
    """Whatever comes out there, other samples are as they were."""
    uv = torch.rand(1, 1, 5, 2)
    bad = uv.clone()
    bad[0, 0, 1:4] = torch.tensor([[math.nan, 0.5], [math.inf, 0.5], [0.5, -1e30]])
    tex, bias = torch.randn(1, 4, 4, 1), torch.full((1, 1, 5), 0.5)
    good, out = (sample(tex, where, None, bias, filter_mode, boundary) for where in (uv, bad))
    assert torch.equal(out[0, 0, ::4], good[0, 0, ::4])


def test_a_constant_stack_gives_the_same_values_and_gradients():
    tex, uv, uv_da, bias = case(3)
    stack = ConstantMip(tex)
    expected = sample(tex, uv, uv_da, bias, "linear-mipmap-linear")
    (wanted,) = torch.autograd.grad(expected.sum(), tex)
    for _ in range(2):  # the stack outlives a backward pass
        out = texture(stack.stack(tex), uv, uv_da, bias, "linear-mipmap-linear")
        assert torch.equal(out, expected)
        assert torch.equal(torch.autograd.grad(out.sum(), tex)[0], wanted)
    assert stack.stack(tex.detach())[1] is stack.levels[0]
    with pytest.raises(InputError, match=r"mip was made for a texture \(1, 8, 16, 3\), but tex is \(1, 4, 4, 3\)"):
        stack.stack(torch.zeros(1, 4, 4, 3))


def test_errors_name_the_thing():
    tex, uv = torch.zeros(1, 4, 4, 1), torch.zeros(2, 3, 3, 2)
    with pytest.raises(NotImplementedError, match="'cube'"):
        texture([tex], uv, boundary_mode="cube")
    with pytest.raises(InputError, match="no boundary_mode 'mirror'; choose one of wrap, clamp, zero"):
        texture([tex], uv, boundary_mode="mirror")
    with pytest.raises(InputError, match="no filter_mode 'cubic'"):
        texture([tex], uv, filter_mode="cubic")
    with pytest.raises(InputError, match="tex is given for 3 views, but uv for 2"):
        texture([tex.expand(3, -1, -1, -1)], uv)
    with pytest.raises(InputError, match="neither was given"):
        texture(mip_stack(tex), uv, filter_mode="linear-mipmap-linear")
    with pytest.raises(InputError, match=r"mip level 1 has shape \(1, 4, 4, 1\), but \(1, 2, 2, 1\) was expected"):
        texture([tex, tex], uv, None, torch.zeros(2, 3, 3), "linear-mipmap-linear")


# ---- the same bytes


@pytest.mark.parametrize("filter_mode", FILTERS)
def test_bytes_do_not_depend_on_torch_threads(filter_mode):
    """Many samples of few texels, so that sums are long and large enough for several threads."""
    results, before = [], torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            generator = torch.Generator().manual_seed(1)
            tex = torch.rand(1, 16, 16, 3, generator=generator).requires_grad_()
            uv = torch.rand(2, 200, 200, 2, generator=generator).requires_grad_()
            uv_da = (torch.randn(2, 200, 200, 4, generator=generator) * 0.2).requires_grad_()
            out = sample(tex, uv, uv_da, None, filter_mode)
            out.square().sum().backward()
            results.append([out.detach(), tex.grad, *(t.grad for t in (uv, uv_da) if t.grad is not None)])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))
