"""What the pixels say to the flat faces themselves.

Rendered normals are mixed from those of the vertices, and a vertex normal is a mean over the faces around: faces that
zigzag about that mean cost nothing there. Comparing each face's own normal with its pixels keeps it from doing so.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshopt import parallel
from meshopt.mesh import face_normals
from meshopt.optimize import facet_kernels, surface
from meshopt.raster.arrays import as_array

COHERENCE_POWER = 10.0  # pixels that spread by 10 degrees count 0.86, by 20 degrees 0.54, by 30 degrees 0.24


def sums_over_pixels(
    face: Int[Tensor, "V h w"], images: Float[Tensor, "V C h w"], count: int
) -> Float[Tensor, "V F C+1"]:
    """For each view and each of `count` faces the sum of `images` over the pixels that show it, and their number.

    `face` is -1 where there is none.
    """
    views, channels = images.shape[:2]
    if images.device.type == "cpu":
        visible, planes = as_array(face), as_array(images.float())
        sums = np.zeros((views, count, channels + 1), np.float32)
        parallel.run(lambda v: facet_kernels.add_up(visible[v], planes[v], sums[v]), [(v,) for v in range(views)])
        return torch.from_numpy(sums).to(images)
    return _scattered(face, images, count)


def _scattered(face: Tensor, images: Tensor, count: int) -> Tensor:
    """`sums_over_pixels` on any device, in no certain order."""
    views, channels = images.shape[:2]
    values = torch.cat([images, torch.ones_like(images[:, :1])], 1).flatten(2).transpose(1, 2)
    place = torch.where(face < 0, count, face).long().flatten(1)
    sums = torch.zeros(views, count + 1, channels + 1, dtype=images.dtype, device=images.device)
    return sums.scatter_add_(1, place[..., None].expand_as(values), values)[:, :-1]


def facet_loss(
    vertices: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    normals: Float[Tensor, "F 3"],
    weight: Float[Tensor, " F"],
) -> Float[Tensor, ""]:
    """Sum over pixels of half the squared difference between their normals and those of the faces that they show.

    `normals` and `weight` are sums over each face's pixels: of weight times unit normal, and of weight. A face whose
    pixels differ among themselves lies across a crease, counts less, and is left to find its place.
    """
    if vertices.device.type == "cpu":
        return surface.facet_loss(vertices, faces, normals, weight, COHERENCE_POWER)
    return plain_facet_loss(vertices, faces, normals, weight)


def plain_facet_loss(
    vertices: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    normals: Float[Tensor, "F 3"],
    weight: Float[Tensor, " F"],
) -> Float[Tensor, ""]:
    """`facet_loss` on any device."""
    alike = (normals.norm(dim=-1) / weight.clamp_min(1e-12)) ** COHERENCE_POWER
    return (alike * (weight - (face_normals(vertices, faces) * normals).sum(-1))).sum()
