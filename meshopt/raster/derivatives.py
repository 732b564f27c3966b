"""Screen-space derivatives on CPUs: how weights and attributes change from pixel to pixel (nvdiffrast's `rast_db`).

X counts columns to the right, Y counts rows downwards (row 0 first). Any thread count, the same bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from meshopt import parallel
from meshopt.errors import InputError
from meshopt.raster import derivative_kernels as kernels
from meshopt.raster.arrays import PARTIALS, as_array, bands, sum_bands
from meshopt.raster.checks import check_faces, index_bounds
from meshopt.raster.protocol import Fragments


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
    check_faces(index_bounds(faces), count)
    highest = int(face.max()) if face.numel() else -1
    if highest >= len(faces):
        raise InputError(f"the fragments see face {highest}, but there are {len(faces)} faces (from 0)")


class _Differentiate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, clip: Tensor, faces: Tensor, face: Tensor) -> Tensor:
        c, f, visible = (as_array(t) for t in (clip, faces, face))
        out = np.zeros((*visible.shape, 4), np.float32)

        def fill(v: int, top: int, bottom: int) -> None:
            kernels.differentiate(c[v], f, top, bottom, visible[v], out[v])

        parallel.run(fill, bands(len(visible), visible.shape[1], parallel.threads()))
        ctx.save_for_backward(clip, faces, face)
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor, None, None]:
        clip, faces, face = (as_array(t) for t in ctx.saved_tensors)
        grad = as_array(grad_out)

        def add(v: int, top: int, bottom: int, total: np.ndarray) -> None:
            kernels.differentiate_backward(clip[v], faces, top, bottom, face[v], grad[v], total)

        views, height = face.shape[:2]
        total = sum_bands(bands(views, height, PARTIALS), views, clip.shape[1:], add)
        return torch.from_numpy(total), None, None


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, attributes: Tensor, change: Tensor, face: Tensor, faces: Tensor) -> Tensor:
        a, d, visible, f = (as_array(t) for t in (attributes, change, face, faces))
        out = np.zeros((*visible.shape, 2 * a.shape[2]), np.float32)

        def fill(v: int, top: int, bottom: int) -> None:
            kernels.interpolate(a[v % len(a)], f, top, bottom, visible[v], d[v], out[v])

        parallel.run(fill, bands(len(visible), visible.shape[1], parallel.threads()))
        ctx.save_for_backward(attributes, change, face, faces)
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        attributes, change, face, faces = (as_array(t) for t in ctx.saved_tensors)
        grad, wanted = as_array(grad_out), ctx.needs_input_grad
        views, height = face.shape[:2]
        grad_change = np.zeros(change.shape if wanted[1] else (views, 0, 0, 4), np.float32)

        def add(v: int, top: int, bottom: int, total: np.ndarray) -> None:
            values = attributes[v % len(attributes)]
            kernels.interpolate_backward(values, faces, top, bottom, face[v], change[v], grad[v], total, grad_change[v])

        shape = attributes.shape[1:] if wanted[0] else (0, attributes.shape[2])
        total = sum_bands(bands(views, height, PARTIALS), len(attributes), shape, add)
        return (
            torch.from_numpy(total) if wanted[0] else None,
            torch.from_numpy(grad_change) if wanted[1] else None,
            None,
            None,
        )
