"""Rendering a mesh's normals and coverage, and comparing them with the views.

On CPU tensors the per-pixel arithmetic is fused in numba kernels; elsewhere it is the same formulas in torch.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from meshopt import parallel, raster
from meshopt.optimize import image_kernels
from meshopt.optimize.comparison import Factors, NormalLoss, compare_on_cpu
from meshopt.raster.cpu import CpuRasterizer
from meshopt.raster.protocol import Fragments, Rasterizer
from meshopt.views import ViewSet

BANDS = 8  # per image set; fixed, so that sums do not depend on the number of threads


def normal_loss(
    backend: Rasterizer,
    vertices: Float[Tensor, "N 3"],
    normals: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    matrices: Float[Tensor, "V 4 4"],
    target: Float[Tensor, "V h w 4"],
    weight: Float[Tensor, "V h w"],
    factors: Factors,
) -> NormalLoss:
    """`image_loss` of what `render_normals` renders, differentiable to vertices and normals: in one pass on the CPU.

    `normals` are the vertices', in the world, of any length. Fastest where `target` is stored channel by channel.
    """
    if isinstance(backend, CpuRasterizer) and vertices.device.type == "cpu":
        return compare_on_cpu(vertices, normals, faces, matrices, target, weight, factors)
    image, fragments = render_normals(backend, vertices, normals, faces, matrices, (target.shape[1], target.shape[2]))
    return NormalLoss(*image_loss(image, target, weight, factors), fragments.face)


def render_normals(
    backend: Rasterizer,
    vertices: Float[Tensor, "N 3"],
    normals: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    matrices: Float[Tensor, "V 4 4"],
    size: tuple[int, int],
) -> tuple[Float[Tensor, "V h w 4"], Fragments]:
    """Unit world normals times coverage, and the coverage, antialiased at silhouettes; and what each pixel sees."""
    clip = raster.transform(vertices, matrices)
    fragments = backend.rasterize(clip, faces, size)
    image = shade(backend.interpolate(normals[None], fragments, faces), fragments.face)
    return backend.antialias(image, fragments, clip, faces), fragments


def render_colors(
    backend: Rasterizer,
    vertices: Float[Tensor, "N 3"],
    colors: Float[Tensor, "N C"],
    faces: Int[Tensor, "F 3"],
    views: ViewSet,
) -> Float[Tensor, "V H W C"]:
    """Vertex colours in every view at its full resolution, on black, antialiased at silhouettes."""
    matrices = torch.stack([torch.from_numpy(c.clip_matrix()) for c in views.cameras]).to(vertices)
    clip = raster.transform(vertices, matrices)
    fragments = backend.rasterize(clip, faces, views.resolution)
    return backend.antialias(backend.interpolate(colors[None], fragments, faces), fragments, clip, faces)


def shade(normals: Float[Tensor, "V h w 3"], face: Int[Tensor, "V h w"]) -> Float[Tensor, "V h w 4"]:
    """Normals of any length to unit normals and a coverage of 1, both 0 where `face` is -1."""
    if normals.device.type == "cpu":
        return _Shade.apply(normals, face)
    covered = (face >= 0)[..., None].to(normals)
    unit = normals * normals.square().sum(-1, keepdim=True).clamp_min(1e-12).rsqrt()
    return torch.cat([unit * covered, covered], dim=-1)


def image_loss(
    image: Float[Tensor, "V h w 4"],
    target: Float[Tensor, "V h w 4"],
    weight: Float[Tensor, "V h w"],
    factors: Factors,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Sums over the pixels of the normal loss and of the silhouette loss.

    `factors`: normal weight, silhouette weight, and the length of a normal difference above which it counts linearly.
    """
    if image.device.type == "cpu":
        return _Compare.apply(image, target, weight, factors)
    of_normals, of_coverage, soft = factors
    difference = image - target
    root = (difference[..., :3].square().sum(-1) + soft * soft).sqrt()
    normal = of_normals * soft * (weight * (root - soft)).sum()
    return normal, of_coverage * (weight * difference[..., 3].square()).sum()


def _rows(tensor: Tensor) -> Any:
    """All images below each other, as a numpy view: the per-pixel kernels need no more structure."""
    return tensor.detach().contiguous().flatten(0, 1).numpy()


def _bands(rows: int) -> list[slice]:
    cuts = [rows * k // BANDS for k in range(BANDS + 1)]
    return [slice(a, b) for a, b in pairwise(cuts)]


class _Shade(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, normals: Tensor, face: Tensor) -> Tensor:
        image = normals.new_empty(*face.shape, 4)
        n, f, out = _rows(normals), _rows(face), _rows(image)
        parallel.run(lambda b: image_kernels.shade(n[b], f[b], out[b]), [(b,) for b in _bands(len(f))])
        ctx.save_for_backward(normals, face)
        return image

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_image: Tensor) -> tuple[Tensor, None]:
        normals, face = ctx.saved_tensors
        grad = torch.empty_like(normals, memory_format=torch.contiguous_format)
        n, f, g, out = _rows(normals), _rows(face), _rows(grad_image), _rows(grad)
        kernel = image_kernels.shade_backward
        parallel.run(lambda b: kernel(n[b], f[b], g[b], out[b]), [(b,) for b in _bands(len(f))])
        return grad, None


class _Compare(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, image: Tensor, target: Tensor, weight: Tensor, factors: tuple[float, float, float]
    ) -> tuple[Tensor, Tensor]:
        grad = torch.empty_like(image, memory_format=torch.contiguous_format)
        i, t, w, g = _rows(image), _rows(target), _rows(weight), _rows(grad)
        as_float32 = tuple(torch.tensor(factors, dtype=torch.float32).numpy())
        kernel = image_kernels.compare
        sums = parallel.run(lambda b: kernel(i[b], t[b], w[b], as_float32, g[b]), [(b,) for b in _bands(len(w))])
        ctx.save_for_backward(grad)
        normal, coverage = (float(sum(s[k] for s in sums)) for k in (0, 1))
        return image.new_tensor(normal), image.new_tensor(coverage)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_normal: Tensor, grad_coverage: Tensor) -> tuple[Tensor, None, None, None]:
        (grad,) = ctx.saved_tensors
        if grad_normal == grad_coverage:
            return (grad if grad_normal == 1 else grad * grad_normal), None, None, None
        scale = torch.stack([grad_normal, grad_normal, grad_normal, grad_coverage])
        return grad * scale, None, None, None
