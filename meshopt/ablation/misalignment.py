"""How far the normals and silhouettes of views are from the true ones, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from meshopt.cameras import Camera
from meshopt.views import ViewSet


@dataclass(frozen=True)
class Misalignment:
    """Mean angles between normals in degrees, over the pixels that both cover by half or more; None where none are."""

    mean_deg: float | None
    """Over the pixels of all views."""
    views: dict[str, float | None]
    """Of each view."""
    silhouette_iou: float
    """Of the silhouettes, over the pixels of all views."""

    @property
    def worst(self) -> str:
        """The view with the largest mean."""
        return max(self.views, key=lambda name: self.views[name] or 0.0)

    def as_plain(self, prefix: str) -> dict[str, Any]:
        """For a run's row; names of the figures begin with `prefix`."""
        return {
            f"{prefix}_deg": self.mean_deg,
            f"{prefix}_worst_deg": self.views[self.worst],
            f"{prefix}_worst_view": self.worst,
            f"{prefix}_silhouette_iou": self.silhouette_iou,
        }


def misalignment(views: ViewSet, reference: ViewSet) -> Misalignment:
    """Of `views` against `reference`, of the same resolution, pixel by pixel of the reference."""
    reference = reference.to("cpu", torch.float32)
    views = _as_seen(views.to("cpu", torch.float32), reference)
    found, true = (v.normals.detach().double() for v in (views, reference))
    inside, wanted = (v.masks >= 0.5 for v in (views, reference))
    known = inside & wanted & found.any(-1) & true.any(-1)
    cosines = (torch.nn.functional.normalize(found, dim=-1) * torch.nn.functional.normalize(true, dim=-1)).sum(-1)
    degrees = torch.rad2deg(torch.arccos(cosines.clamp(-1, 1))).numpy()
    means = {
        camera.name: _mean(angles[chosen])
        for camera, angles, chosen in zip(reference.cameras, degrees, known.numpy(), strict=True)
    }
    union = int((inside | wanted).sum())
    return Misalignment(_mean(degrees[known.numpy()]), means, int((inside & wanted).sum()) / union if union else 1.0)


def _as_seen(views: ViewSet, reference: ViewSet) -> ViewSet:
    """The views in the images of the reference's cameras, which may show another part of the scene, larger or smaller.

    Exact where both look the same way; of perspective cameras, for what lies as far away as the scene's origin.
    """
    normals, masks = views.normals.clone(), views.masks.clone()
    scale, shift = views.scale / reference.scale, np.subtract(reference.offset, views.offset) / views.scale
    for i, (camera, own) in enumerate(zip(reference.cameras, views.cameras, strict=True)):
        rows, columns, known = _places(camera, own.transformed(scale, shift), views.resolution)
        normals[i] = normals[i][rows, columns] * known[..., None]
        masks[i] = masks[i][rows, columns] * known
    return replace(views, normals=normals, masks=masks)


def _places(
    camera: Camera, other: Camera, resolution: tuple[int, int]
) -> tuple[Int[Tensor, "H W"], Int[Tensor, "H W"], Bool[Tensor, "H W"]]:
    """Row and column in the other camera's image of what a camera's pixels show, and whether it is in that image."""
    origins, directions = camera.rays(*resolution)
    back = camera.rotation[2]
    depth = -(origins @ back) / (directions @ back)
    uv, _ = other.project((origins + depth[..., None] * directions).reshape(-1, 3))
    size = np.array(resolution)
    place = np.floor((1 + uv[:, ::-1] * (-1, 1)) / 2 * size + 1e-6).astype(np.int64)
    known = ((place >= 0) & (place < size)).all(1).reshape(resolution)
    row, column = (torch.from_numpy(part.reshape(resolution).copy()) for part in np.clip(place, 0, size - 1).T)
    return row, column, torch.from_numpy(known)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None
