"""What keeps the surface fair where the pictures say little."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshopt.mesh import at


def laplacian_energy(
    vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"], weight: Float[Tensor, "N"]
) -> Float[Tensor, ""]:
    """Weighted sum of the squared distances between each vertex and its neighbours' mean, in scene units squared.

    With edges of length h on a smooth surface a vertex adds (mean curvature x h^2 / 4)^2 and what its neighbourhood
    lacks in regularity: area x curvature^2 in sum, whatever the resolution, since there are about 1 / h^2 vertices.
    """
    offset = neighbour_mean(vertices, faces) - vertices
    return (weight * offset.square().sum(-1)).sum()


def neighbour_mean(values: Float[Tensor, "N C"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "N C"]:
    """Mean over each vertex's neighbours on a closed mesh; zero at vertices without faces."""
    start = faces.long().T.reshape(-1)
    end = faces[:, [1, 2, 0]].long().T.reshape(-1)  # on a closed mesh every edge is seen once in each direction
    degree = torch.bincount(start, minlength=len(values)).clamp_min(1)
    total = torch.zeros_like(values).index_add(0, start, at(values, end))
    return total / degree[:, None]
