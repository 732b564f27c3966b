"""The vertex step: Adam with one second moment per vertex, in units of the edge length."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

BETA = 0.8  # of both moments: topology changes every step, so memory is short
FLOOR = 0.1  # of the mean gradient; vertices with much less than that (seen by no view) move less, not at full speed


@dataclass(frozen=True)
class Moments:
    """The optimiser's state per vertex, packed so that the remesher carries it along as attributes [N, 5]."""

    packed: Float[Tensor, "N 5"]  # first moment (3), second moment, number of steps taken

    @staticmethod
    def zeros(vertices: Float[Tensor, "N 3"]) -> Moments:
        """No memory yet."""
        return Moments(vertices.new_zeros(len(vertices), 5))


def vertex_step(gradient: Float[Tensor, "N 3"], moments: Moments) -> tuple[Float[Tensor, "N 3"], Moments]:
    """The direction to go, of length at most about 1 per vertex (to be scaled by step size x edge length).

    As Adam (Kingma & Ba 2015), but isotropic: the second moment is that of the gradient's length, so that the step
    does not depend on the world's axes (Palfinger 2022).
    """
    old = moments.packed
    first = BETA * old[:, :3] + (1 - BETA) * gradient
    second = BETA * old[:, 3].clamp_min(0.0) + (1 - BETA) * gradient.square().sum(-1)
    count = old[:, 4] + 1
    correction = 1 - BETA**count
    scale = (second / correction).sqrt()
    scale = scale + FLOOR * scale.mean() + torch.finfo(scale.dtype).tiny ** 0.5
    packed = torch.cat([first, second[:, None], count[:, None]], dim=1)
    return -first / (correction * scale)[:, None], Moments(packed)
