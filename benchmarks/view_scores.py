"""How well a mesh fits the views it was made from, as the rows of tables have it; and normals that show sharp edges."""

from __future__ import annotations

from typing import Any

import torch

from meshopt import shading
from meshopt.cameras import Camera
from meshopt.evaluate.images import image_scores
from meshopt.mesh import Mesh
from meshopt.snapshots import SnapshotOptions, snapshot
from meshopt.views import ViewSet

OVERSAMPLING = 4


def render(
    mesh: Mesh, camera: Camera, size: tuple[int, int], samples: int = OVERSAMPLING, normals: str = "smooth"
) -> torch.Tensor:
    """Unit world normals, 0 outside, and the coverage [H, W, 4] of a mesh in the scene frame."""
    found = snapshot(mesh, camera, size, SnapshotOptions(samples, normals))
    return torch.cat([found.normals, found.alpha[..., None]], -1)


def creased(mesh: Mesh) -> tuple[Mesh, torch.Tensor]:
    """The mesh with corners of its own for each face, and their normals: smooth but for sharp edges."""
    found = shading.creased(mesh.vertices, mesh.faces)
    own = torch.arange(mesh.faces.numel(), dtype=torch.int32).reshape(-1, 3)
    vertices = mesh.vertices[mesh.faces.long().reshape(-1)]
    return Mesh(vertices, own), found.normals[found.faces.long().reshape(-1)].to(vertices)


def view_scores(mesh: Mesh, views: ViewSet) -> dict[str, Any]:
    """Least silhouette IoU; mean angle of the normals in degrees, mean of the views; share of pixels below 10 degrees.

    `mesh` is in the user's units.
    """
    found = image_scores(mesh, views)
    return {
        "min_iou": min(view.silhouette_iou or 0.0 for view in found.views),
        "view_normal_deg": found.whole.normals and found.whole.normals.mean_deg,
        "under_10deg": found.whole.normals and found.whole.normals.under_10,
    }
