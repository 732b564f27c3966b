"""What keeps the surface fair where the pictures say little."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from meshopt.mesh import at, face_cross
from meshopt.optimize import surface


def laplacian_energy(
    vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"], weight: Float[Tensor, "N"]
) -> Float[Tensor, ""]:
    """Weighted sum of the squared distances between each vertex and its neighbours' mean, in scene units squared.

    With edges of length h on a smooth surface a vertex adds (mean curvature x h^2 / 4)^2 and what its neighbourhood
    lacks in regularity: area x curvature^2 in sum, whatever the resolution, since there are about 1 / h^2 vertices.
    """
    if vertices.device.type == "cpu":
        return surface.laplacian_energy(vertices, faces, weight)
    return plain_laplacian_energy(vertices, faces, weight)


def plain_laplacian_energy(
    vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"], weight: Float[Tensor, "N"]
) -> Float[Tensor, ""]:
    """`laplacian_energy` on any device."""
    offset = neighbour_mean(vertices, faces) - vertices
    return (weight * offset.square().sum(-1)).sum()


def neighbour_mean(values: Float[Tensor, "N C"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "N C"]:
    """Mean over each vertex's neighbours on a closed mesh; zero at vertices without faces."""
    start = faces.long().T.reshape(-1)
    end = faces.roll(-1, 1).long().T.reshape(-1)  # on a closed mesh every edge is seen once in each direction
    degree = torch.bincount(start, minlength=len(values)).clamp_min(1)
    total = torch.zeros_like(values).index_add(0, start, at(values, end))
    return total / degree[:, None]


def inside_out(
    pixels: Float[Tensor, "V F"], vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"], eyes: Float[Tensor, "V 4"]
) -> Float[Tensor, ""]:
    """Sum over the pixels that show a face from behind of its height towards the viewer.

    On a closed surface an inside that shows means that one layer has passed through another, as the two sides of a
    thin sheet do easily. Less of this energy moves the wrong layer away from the viewer, back behind the other.
    `pixels` of each view show each face; `eyes` are the viewers, homogeneous (see `Camera.eye`).
    """
    fixed = vertices.detach()
    cross = face_cross(fixed, faces)
    plane = (cross * at(fixed, faces[:, 0])).sum(-1)
    away = eyes[:, :3] @ cross.T < eyes[:, 3:] * plane  # of each face from each viewer
    view, face = torch.nonzero(away & (pixels > 0), as_tuple=True)
    corners = faces.index_select(0, face)
    centre = at(vertices, corners.reshape(-1)).reshape(-1, 3, 3).mean(dim=1)
    toward = normalize(eyes[view, :3] - eyes[view, 3:] * centre.detach(), dim=-1)
    return (pixels[view, face] * (centre * toward).sum(-1)).sum()
