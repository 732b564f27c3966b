"""Per pixel: how far a view's normal is from what the other views show at the same point."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from meshopt import parallel
from meshopt.cameras import Camera
from meshopt.consistency.surface import CLEAR, SharedPoints, seen_from
from meshopt.mesh import Mesh
from meshopt.optimize.consensus import robust_mean
from meshopt.views import ViewSet

SCALE = 15.0  # degrees from the others' mean at which one of them counts a quarter


def disagreement_maps(views: ViewSet, surface: Mesh, shared: SharedPoints) -> Float[np.ndarray, "V h w"]:
    """Degrees between each pixel's normal and the robust mean of what the other views show there; NaN where no other
    view sees the point, or not well."""

    def map_of(v: int) -> Float[np.ndarray, "h w"]:
        shown = shown_by_others(surface, shared.without(v), views.cameras[v], views.resolution)
        cosine = (shown[..., :3] * views.normals[v]).sum(-1).clamp(-1, 1)
        seen = (shown[..., 3] > CLEAR) & (views.masks[v] > 0.5)
        return np.asarray(torch.where(seen, torch.rad2deg(torch.arccos(cosine)), torch.nan))

    return np.stack(parallel.run(map_of, [(v,) for v in range(len(views))]))


def shown_by_others(
    surface: Mesh, others: SharedPoints, camera: Camera, size: tuple[int, int]
) -> Float[Tensor, "h w 4"]:
    """What others show at the points that a camera sees: a unit normal (world frame), and the largest of their weights,
    0 where they or the camera see nothing."""
    mean = robust_mean(torch.tensor(others.normals), torch.tensor(others.weight), SCALE).normals
    largest = torch.from_numpy(others.weight.max(0, initial=0.0))
    attribute = torch.cat([mean, largest[:, None]], dim=1).to(surface.vertices)
    image, covered = seen_from(camera, surface, attribute, size)
    weight = torch.where(covered, image[..., 3], 0.0)
    return torch.cat([normalize(image[..., :3], dim=-1), weight[..., None]], dim=-1)
