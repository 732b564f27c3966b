"""One target normal per vertex, blended from all views that see it: the idea of ISOMER's ExplicitTarget (Wu et al.
2024, Unique3D) for any number of views, with a robust mean, so that a view that disagrees with the others is outvoted.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from meshopt.optimize.sampling import Samples

ROUNDS = 3  # of reweighting; the estimate hardly moves afterwards


@dataclass(frozen=True)
class Consensus:
    """Unit world normals per vertex, and their confidence in [0, 1]; both 0 where no view sees the vertex."""

    normals: Float[Tensor, "N 3"]
    confidence: Float[Tensor, "N"]


def consensus_normals(samples: Samples, view_weights: Float[Tensor, "V"], scale_degrees: float) -> Consensus:
    """The robust weighted mean direction of the views' normals at each vertex.

    Iteratively reweighted (Geman-McClure): a normal `scale_degrees` away from the mean counts a quarter.
    """
    return robust_mean(normalize(samples.values, dim=-1), samples.weight * view_weights[:, None], scale_degrees)


def robust_mean(directions: Float[Tensor, "V N 3"], weights: Float[Tensor, "V N"], scale_degrees: float) -> Consensus:
    """As `consensus_normals`, of unit directions and the weights of each."""
    scale = 1 - torch.cos(torch.deg2rad(weights.new_tensor(scale_degrees)))
    weight = weights
    for _ in range(ROUNDS):
        mean = normalize((weight[..., None] * directions).sum(0), dim=-1)
        apart = 1 - (directions * mean).sum(-1)
        weight = weights / (1 + apart / scale).square()
    mean = normalize((weight[..., None] * directions).sum(0), dim=-1)
    return Consensus(mean, weight.sum(0).clamp(max=1.0))
