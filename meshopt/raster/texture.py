"""Texture sampling in plain torch, on any device: nvdiffrast's filters, boundaries and choice of mip levels.

All mip levels stand in one table of texels, so that one gather serves pixels of different levels. Texel (row
j, column i) has its centre at uv = ((i + 0.5) / w, (j + 0.5) / h).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from meshopt.errors import InputError

FILTERS = ("nearest", "linear", "linear-mipmap-nearest", "linear-mipmap-linear")
BOUNDARIES = ("wrap", "clamp", "zero")
LONGEST = 1e9  # texels per pixel: footprints are cut here, so that their fourth powers are finite
LEAST = 1e-36  # least squared difference of a footprint's axes: below, no gradient (a circle has no longest axis)


def texture(
    levels: Sequence[Float[Tensor, "_ _ _ C"]],
    uv: Float[Tensor, "V H W 2"],
    uv_da: Float[Tensor, "V H W 4"] | None = None,
    mip_level_bias: Float[Tensor, "V H W"] | None = None,
    filter_mode: str = "linear",
    boundary_mode: str = "wrap",
) -> Float[Tensor, "V H W C"]:
    """Samples of a texture at `uv`; (0, 0) is the outer corner of its first texel, (1, 1) that of its last.

    `levels` are the texture [V or 1, h, w, C] and its mip levels, as `mip_stack` gives them. Filters with mip
    levels choose them by the pixel's footprint, from `uv_da` = du/dX, du/dY, dv/dX, dv/dY (without it: 0) plus
    `mip_level_bias`; `linear-mipmap-nearest` takes the next finer level, as nvdiffrast does. Gradients go to all
    levels, `uv` (but for `nearest`), and, for `linear-mipmap-linear`, `uv_da` and `mip_level_bias`.

    Boundaries: `wrap` repeats, `clamp` goes on with the outermost texels, `zero` is 0 outside.
    Raises InputError, and NotImplementedError for `cube`.
    """
    _check(levels, len(uv), filter_mode, boundary_mode)
    where = uv.reshape(-1, 2)
    if "mipmap" not in filter_mode:
        levels = levels[:1]
    table = _Table(levels, len(uv), uv)
    if filter_mode == "nearest":
        index, weight = table.nearest(where.detach(), boundary_mode)
    elif filter_mode == "linear":
        index, weight = table.linear(where, torch.zeros((), dtype=torch.int64, device=uv.device), boundary_mode)
    else:
        level = mip_level(uv_da, mip_level_bias, levels).reshape(-1)
        finer = level.detach().long()
        index, weight = table.linear(where, finer, boundary_mode)
        if filter_mode == "linear-mipmap-linear":
            coarse_index, coarse = table.linear(where, (finer + 1).clamp(max=len(levels) - 1), boundary_mode)
            share = (level - finer)[:, None]
            index, weight = torch.cat([index, coarse_index], 1), torch.cat([weight * (1 - share), coarse * share], 1)
    return _Blend.apply(table.texels, index, weight).reshape(*uv.shape[:3], -1)


def mip_stack(tex: Float[Tensor, "V h w C"], max_level: int | None = None) -> list[Tensor]:
    """The texture and its mip levels, each the mean of 2 x 2 texels (2 where a side is 1) of the one before.

    Down to 1 x 1, or `max_level` levels besides the texture. Raises InputError if a side that is to be halved
    is odd and not 1: sizes other than powers of two need a `max_level`.
    """
    levels = [tex]
    while max(levels[-1].shape[1:3]) > 1 and (max_level is None or len(levels) <= max_level):
        views, height, width, channels = levels[-1].shape
        if (height % 2 and height > 1) or (width % 2 and width > 1):
            raise InputError(
                f"mip level {len(levels)} of a texture of {tex.shape[1]} x {tex.shape[2]} (rows x columns) would halve "
                f"{height} x {width}, which is odd; give max_mip_level={len(levels) - 1}, or sides that are powers of 2"
            )
        down, across = min(height, 2), min(width, 2)
        blocks = levels[-1].reshape(views, height // down, down, width // across, across, channels)
        levels.append(blocks.mean((2, 4)))
    return levels


class ConstantMip:
    """The mip levels, without the texture itself, of a texture [V,h,w,C] that does not change; no gradients."""

    def __init__(self, tex: Tensor, max_level: int | None = None) -> None:
        with torch.no_grad():
            self.shape, self.levels = tex.shape, mip_stack(tex, max_level)[1:]

    def stack(self, tex: Tensor) -> list[Tensor]:
        """With the texture; made anew if that wants a gradient, which comes from all levels."""
        if tex.shape != self.shape:
            raise InputError(f"mip was made for a texture {tuple(self.shape)}, but tex is {tuple(tex.shape)}")
        wanted = tex.requires_grad and torch.is_grad_enabled()
        return mip_stack(tex, len(self.levels)) if wanted else [tex, *self.levels]


def mip_level(
    uv_da: Float[Tensor, "V H W 4"] | None, bias: Float[Tensor, "V H W"] | None, levels: Sequence[Tensor]
) -> Float[Tensor, "V H W"]:
    """log2 of the footprint's longer axis in texels, plus the bias, within [0, len(levels) - 1].

    The footprint is the ellipse that the Jacobian d(s, t)/d(X, Y) makes of a circle: the square of its longer
    axis is the larger eigenvalue of J^T J.
    """
    level: Tensor | None = None
    if uv_da is not None:
        height, width = levels[0].shape[1:3]
        size = torch.tensor([width, width, height, height], dtype=uv_da.dtype, device=uv_da.device)
        sx, sy, tx, ty = (uv_da * size).nan_to_num(0.0).clamp(-LONGEST, LONGEST).unbind(-1)
        a, b, c = sx * sx + tx * tx, sy * sy + ty * ty, sx * sy + tx * ty
        spread = ((a - b).square() / 4 + c.square()).clamp(min=LEAST).sqrt()
        level = 0.5 * torch.log2((a + b) / 2 + spread)
    if bias is not None:
        level = bias if level is None else level + bias
    if level is None:
        raise InputError("a mip-mapped filter needs uv_da or mip_level_bias, but neither was given")
    return level.nan_to_num(0.0).clamp(0, len(levels) - 1)


def _check(levels: Sequence[Tensor], views: int, filter_mode: str, boundary_mode: str) -> None:
    if boundary_mode == "cube":
        raise NotImplementedError("boundary_mode 'cube' (cube maps) is not supported by meshopt's texture sampling")
    if filter_mode not in FILTERS:
        raise InputError(f"there is no filter_mode {filter_mode!r}; choose one of {', '.join(FILTERS)}")
    if boundary_mode not in BOUNDARIES:
        raise InputError(f"there is no boundary_mode {boundary_mode!r}; choose one of {', '.join(BOUNDARIES)}")
    count, height, width, _ = levels[0].shape
    if count not in (1, views):
        raise InputError(f"tex is given for {count} views, but uv for {views}; give as many, or one")
    if min(height, width) < 1:
        raise InputError(f"tex has {height} x {width} texels, but at least one was expected")
    for k, level in enumerate(levels):
        expected = (count, max(height >> k, 1), max(width >> k, 1), levels[0].shape[3])
        if level.shape != expected:
            raise InputError(f"mip level {k} has shape {tuple(level.shape)}, but {expected} was expected")


class _Table:
    """The texels of all levels and textures, one a row, and where each pixel finds those around a position."""

    def __init__(self, levels: Sequence[Tensor], views: int, uv: Tensor) -> None:
        shapes = [level.shape[:3] for level in levels]
        flat = [level.reshape(-1, level.shape[3]).to(uv.dtype) for level in levels]
        self.texels = flat[0] if len(flat) == 1 else torch.cat(flat)
        device = uv.device
        self.height = torch.tensor([height for _, height, _ in shapes], device=device)
        self.width = torch.tensor([width for _, _, width in shapes], device=device)
        rows = torch.tensor([len(part) for part in flat], device=device)
        self.first = rows.cumsum(0) - rows
        self.view = torch.zeros((), dtype=torch.int64, device=device)
        if len(levels[0]) > 1:
            self.view = torch.arange(views, device=device).repeat_interleave(uv.shape[1] * uv.shape[2])

    def linear(self, uv: Tensor, level: Tensor, boundary: str) -> tuple[Tensor, Tensor]:
        """Rows and weights [P,4] of the four texels around `uv` [P,2] in a level, a number or one for each pixel."""
        height, width = self.height[level], self.width[level]
        column, across = _pair(uv[:, 0], width, boundary)
        row, down = _pair(uv[:, 1], height, boundary)
        first = self.first[level] + self.view * height * width
        index = (first + row * width)[:, None] + column  # [2, 2, P]
        return index.flatten(0, 1).T.contiguous(), (down[:, None] * across).flatten(0, 1).T

    def nearest(self, uv: Tensor, boundary: str) -> tuple[Tensor, Tensor]:
        """Rows and weights [P,1] of the texel that `uv` is in, of the first level."""
        height, width = self.height[0], self.width[0]
        inside = torch.ones_like(uv[:, 0])
        if boundary == "wrap":
            uv = uv - uv.floor()
        cells = (uv * torch.stack([width, height])).floor()
        if boundary == "zero":
            inside = ((uv >= 0) & (cells < torch.stack([width, height]))).all(1).to(uv.dtype)
        column, row = (_within(c, size) for c, size in zip(cells.unbind(1), (width, height), strict=True))
        return (self.view * height * width + row * width + column)[:, None], inside[:, None]


def _pair(position: Tensor, size: Tensor, boundary: str) -> tuple[Tensor, Tensor]:
    """Indices and weights [2,P] of the texels before and after a position on one axis of `size` texels."""
    if boundary == "wrap":
        position = position - position.detach().floor()
    x = position * size - 0.5
    if boundary == "clamp":
        x = torch.minimum(x.clamp(min=0), size - 1.0)
    before = x.detach().floor()
    share = x - before
    index, weight = torch.stack([before, before + 1]), torch.stack([1 - share, share])
    if boundary == "wrap":
        index = torch.where(index < 0, size - 1, torch.where(index >= size, 0, index))
    elif boundary == "zero":
        weight = weight * ((index >= 0) & (index < size))
    return _within(index, size), weight


def _within(index: Tensor, size: Tensor) -> Tensor:
    """As an integer in [0, size), whatever it was."""
    return torch.minimum(index.nan_to_num(0.0).clamp(min=0), size - 1.0).long()


class _Blend(torch.autograd.Function):
    """Weighted sums [P,C] of rows [P,K] of a table [R,C]. On the CPU the same bytes for any number of threads."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(table, index, weight)
        return torch.bmm(weight[:, None], _rows(table, index))[:, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
        table, index, weight = ctx.saved_tensors
        to_table = to_weight = None
        if ctx.needs_input_grad[0]:
            parts = torch.bmm(weight[:, :, None], grad[:, None]).flatten(0, 1)
            to_table = torch.zeros_like(table).index_add_(0, index.flatten(), parts)
        if ctx.needs_input_grad[2]:
            to_weight = torch.bmm(_rows(table, index), grad[:, :, None])[..., 0]
        return to_table, None, to_weight


def _rows(table: Tensor, index: Tensor) -> Tensor:
    """The rows [P,K,C]."""
    return table.index_select(0, index.flatten()).reshape(*index.shape, -1)
