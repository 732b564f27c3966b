"""Screen-space derivatives on CPUs: how weights and attributes change from pixel to pixel (nvdiffrast's `rast_db`).

X counts columns to the right, Y counts rows downwards (row 0 first). Any thread count, the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from meshopt import parallel
from meshopt.errors import InputError
from meshopt.raster import derivative_kernels as kernels
from meshopt.raster.protocol import Fragments

PARTIALS = 8  # parts of a view, each with its own sums, that make a gradient: fixed, as the bytes depend on it

Band = tuple[int, int, int]  # view, first row, one past the last row


def bary_derivatives(
    clip: Float[Tensor, "V N 4"], faces: Int[Tensor, "F 3"], fragments: Fragments
) -> Float[Tensor, "V H W 4"]:
    """du/dX, du/dY, dv/dX, dv/dY per pixel at pixel centres, perspective-correct; 0 where no face is.

    `u, v` are the weights of `fragments.bary`. The gradient goes to x, y, w of `clip`, through u and v, too.
    """
    _check(clip.shape[1], faces, fragments.face, len(clip))
    return _Differentiate.apply(clip.float(), faces.int(), fragments.face.int())


def interpolate_derivatives(
    attributes: Float[Tensor, "#V N C"],
    bary_db: Float[Tensor, "V H W 4"],
    fragments: Fragments,
    faces: Int[Tensor, "F 3"],
) -> Float[Tensor, "V H W C*2"]:
    """dA/dX, dA/dY per pixel of every attribute in turn; 0 where no face is. Gradients to attributes and `bary_db`."""
    _check(attributes.shape[1], faces, fragments.face, len(bary_db))
    out = _Interpolate.apply(attributes.float(), bary_db.float(), fragments.face.int(), faces.int())
    return out.to(attributes.dtype)


def _check(count: int, faces: Tensor, face: Tensor, views: int) -> None:
    """The kernels read memory by these indices."""
    if len(face) != views:
        raise InputError(f"the fragments are of {len(face)} views, but {views} were expected")
    low, high = (int(bound) for bound in torch.aminmax(faces)) if faces.numel() else (0, -1)
    if low < 0 or high >= count:
        raise InputError(f"faces index vertices {low} to {high}, but there are {count} vertices (from 0)")
    highest = int(face.max()) if face.numel() else -1
    if highest >= len(faces):
        raise InputError(f"the fragments see face {highest}, but there are {len(faces)} faces (from 0)")


def _array(tensor: Tensor) -> np.ndarray:
    """A contiguous view of the tensor's memory, without a copy where that is possible."""
    return tensor.detach().contiguous().numpy()


def _bands(views: int, height: int, parts: int) -> list[Band]:
    """The rows of every view in at most `parts` bands, view after view."""
    cuts = [height * k // parts for k in range(parts + 1)]
    return [(view, cuts[k], cuts[k + 1]) for view in range(views) for k in range(parts)]


def _fill(views: int, height: int, fill: Callable[[int, int, int], None]) -> None:
    """Runs for all rows."""
    parallel.run(fill, _bands(views, height, parallel.threads()))


def _add(
    views: int, height: int, shape: tuple[int, ...], add: Callable[[int, int, int, np.ndarray], None]
) -> np.ndarray:
    """Sums over the rows of each view [V, *shape]: bands add into their own arrays, which are added up in order."""
    partial = np.zeros((views * PARTIALS, *shape), np.float32)
    bands = _bands(views, height, PARTIALS)
    parallel.run(add, [(*band, partial[k]) for k, band in enumerate(bands)])
    return partial.reshape(views, PARTIALS, *shape).sum(1)


class _Differentiate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, clip: Tensor, faces: Tensor, face: Tensor) -> Tensor:
        c, f, visible = (_array(t) for t in (clip, faces, face))
        out = np.zeros((*visible.shape, 4), np.float32)

        def fill(v: int, top: int, bottom: int) -> None:
            kernels.differentiate(c[v], f, top, bottom, visible[v], out[v])

        _fill(len(visible), visible.shape[1], fill)
        ctx.save_for_backward(clip, faces, face)
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor, None, None]:
        clip, faces, face = (_array(t) for t in ctx.saved_tensors)
        grad = _array(grad_out)

        def add(v: int, top: int, bottom: int, total: np.ndarray) -> None:
            kernels.differentiate_backward(clip[v], faces, top, bottom, face[v], grad[v], total)

        return torch.from_numpy(_add(len(face), face.shape[1], clip.shape[1:], add)), None, None


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, attributes: Tensor, change: Tensor, face: Tensor, faces: Tensor) -> Tensor:
        a, d, visible, f = (_array(t) for t in (attributes, change, face, faces))
        out = np.zeros((*visible.shape, 2 * a.shape[2]), np.float32)

        def fill(v: int, top: int, bottom: int) -> None:
            kernels.interpolate(a[v % len(a)], f, top, bottom, visible[v], d[v], out[v])

        _fill(len(visible), visible.shape[1], fill)
        ctx.save_for_backward(attributes, change, face, faces)
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        attributes, change, face, faces = (_array(t) for t in ctx.saved_tensors)
        grad, wanted = _array(grad_out), ctx.needs_input_grad
        views, height = face.shape[:2]
        grad_change = np.zeros(change.shape if wanted[1] else (views, 0, 0, 4), np.float32)

        def add(v: int, top: int, bottom: int, total: np.ndarray) -> None:
            values = attributes[v % len(attributes)]
            kernels.interpolate_backward(values, faces, top, bottom, face[v], change[v], grad[v], total, grad_change[v])

        total = _add(views, height, attributes.shape[1:] if wanted[0] else (0, attributes.shape[2]), add)
        if len(attributes) == 1:
            total = total.sum(0, keepdims=True)
        return (
            torch.from_numpy(total) if wanted[0] else None,
            torch.from_numpy(grad_change) if wanted[1] else None,
            None,
            None,
        )
