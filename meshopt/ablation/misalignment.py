"""How far the normals and silhouettes of views are from the true ones, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

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
    """Of `views` against `reference`: the same cameras and resolution, world normals."""
    found, true = (v.normals.detach().cpu().double() for v in (views, reference))
    inside, wanted = (v.masks.detach().cpu() >= 0.5 for v in (views, reference))
    known = inside & wanted & found.any(-1) & true.any(-1)
    cosines = (torch.nn.functional.normalize(found, dim=-1) * torch.nn.functional.normalize(true, dim=-1)).sum(-1)
    degrees = torch.rad2deg(torch.arccos(cosines.clamp(-1, 1))).numpy()
    means = {
        camera.name: _mean(angles[chosen])
        for camera, angles, chosen in zip(reference.cameras, degrees, known.numpy(), strict=True)
    }
    union = int((inside | wanted).sum())
    return Misalignment(_mean(degrees[known.numpy()]), means, int((inside & wanted).sum()) / union if union else 1.0)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None
