"""Per pixel: how far a view's normal is from what the other views show at the same point."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.consistency.surface import CLEAR, SharedPoints
from meshopt.mesh import Mesh
from meshopt.views import ViewSet

ROUNDS = 2  # of reweighting
SCALE = 15.0  # degrees from the others' mean at which one of them counts a quarter


def disagreement_maps(views: ViewSet, surface: Mesh, shared: SharedPoints) -> Float[np.ndarray, "V h w"]:
    """Degrees between each pixel's normal and the robust mean of what the other views show there; NaN where no other
    view sees the point, or not well."""
    maps = []
    for v, camera in enumerate(views.cameras):
        others = [k for k in range(len(views)) if k != v]
        rest = SharedPoints(shared.points, shared.outward, shared.normals[others], shared.weight[others])
        shown = shown_by_others(surface, rest, camera, views.resolution)
        cosine = (shown[..., :3] * views.normals[v]).sum(-1).clamp(-1, 1)
        seen = (shown[..., 3] > CLEAR) & (views.masks[v] > 0.5)
        maps.append(torch.where(seen, torch.rad2deg(torch.arccos(cosine)), torch.nan).numpy())
    return np.stack(maps)


def shown_by_others(
    surface: Mesh, others: SharedPoints, camera: Camera, size: tuple[int, int]
) -> Float[Tensor, "h w 4"]:
    """What others show at the points that a camera sees: a unit normal (world frame), and the largest of their weights,
    0 where they or the camera see nothing."""
    backend = raster.get("cpu", "cpu")
    clip = raster.transform(surface.vertices, torch.from_numpy(camera.clip_matrix())[None].to(surface.vertices))
    fragments = backend.rasterize(clip, surface.faces, size)
    attribute = torch.from_numpy(_consensus(others)).to(surface.vertices)
    image = backend.interpolate(attribute[None], fragments, surface.faces)[0]
    weight = torch.where(fragments.face[0] >= 0, image[..., 3], 0.0)
    return torch.cat([normalize(image[..., :3], dim=-1), weight[..., None]], dim=-1)


def _consensus(shared: SharedPoints) -> Float[np.ndarray, "N 4"]:
    """At every point the robust mean direction of the views' normals, and the largest of their weights."""
    normals, base = shared.normals, shared.weight
    scale = 1 - np.cos(np.radians(SCALE))
    weight = base
    for _ in range(ROUNDS):
        mean = _unit((weight[..., None] * normals).sum(0))
        apart = 1 - (normals * mean).sum(-1)
        weight = base / (1 + apart / scale) ** 2
    mean = _unit((weight[..., None] * normals).sum(0))
    return np.concatenate([mean, base.max(0, initial=0.0)[:, None]], axis=1).astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
