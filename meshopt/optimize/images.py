"""Rendering a mesh's normals and coverage, and comparing them with the views."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshopt import raster
from meshopt.optimize.comparison import Factors, NormalLoss, compare_on_cpu
from meshopt.raster.cpu import CpuRasterizer
from meshopt.raster.protocol import Fragments, Rasterizer
from meshopt.views import ViewSet


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
    of_normals, of_coverage, soft = factors
    difference = image - target
    root = (difference[..., :3].square().sum(-1) + soft * soft).sqrt()
    normal = of_normals * soft * (weight * (root - soft)).sum()
    return normal, of_coverage * (weight * difference[..., 3].square()).sum()
