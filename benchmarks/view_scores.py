"""How well a mesh fits the views it was made from: silhouettes and normals, rendered with 4 x 4 samples per pixel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate, normalize

from meshopt import raster, shading
from meshopt.cameras import Camera
from meshopt.mesh import Mesh, vertex_normals
from meshopt.views import ViewSet

OVERSAMPLING = 4
CORE = 0.999  # coverage of the pixels whose normals are compared
GOOD = 10.0  # degrees


def render(
    mesh: Mesh,
    camera: Camera,
    size: tuple[int, int],
    oversampling: int = OVERSAMPLING,
    normals: torch.Tensor | None = None,
) -> torch.Tensor:
    """Unit world normals and the coverage [H, W, 4] of a mesh in the scene frame.

    `normals` [N, 3]: the vertices', by default the area-weighted means of their faces'.
    """
    if normals is None:
        normals = vertex_normals(mesh.vertices, mesh.faces)
    fine = (oversampling * size[0], oversampling * size[1])
    clip = raster.transform(mesh.vertices, torch.from_numpy(camera.clip_matrix())[None].to(mesh.vertices))
    backend = raster.get("cpu")
    fragments = backend.rasterize(clip, mesh.faces, fine)
    found = backend.interpolate(normals[None], fragments, mesh.faces)
    covered = (fragments.face >= 0)[..., None].float()
    found = normalize(found, dim=-1, eps=1e-12) * covered
    image = torch.cat([found, covered], -1).movedim(-1, 1)
    image = interpolate(image, size=size, mode="area").movedim(1, -1)[0]
    return torch.cat([normalize(image[..., :3], dim=-1, eps=1e-12), image[..., 3:]], -1)


def creased(mesh: Mesh) -> tuple[Mesh, torch.Tensor]:
    """The mesh with corners of its own for each face, and their normals: smooth but for sharp edges."""
    found = shading.creased(mesh.vertices, mesh.faces)
    own = torch.arange(mesh.faces.numel(), dtype=torch.int32).reshape(-1, 3)
    vertices = mesh.vertices[mesh.faces.long().reshape(-1)]
    return Mesh(vertices, own), found.normals[found.faces.long().reshape(-1)].to(vertices)


def in_scene(mesh: Mesh, views: ViewSet) -> Mesh:
    """A mesh in the user's units, as the views' cameras see it."""
    offset = torch.tensor(views.offset).to(mesh.vertices)
    return replace(mesh, vertices=(mesh.vertices - offset) / views.scale)


def view_scores(mesh: Mesh, views: ViewSet) -> dict[str, Any]:
    """Least silhouette IoU; mean angle of the normals in degrees, mean of the views; share of pixels below GOOD.

    Normals count where both cover a pixel wholly. `mesh` is in the user's units.
    """
    mesh = in_scene(mesh, views)
    overlaps, means, below, count = [], [], 0, 0
    for camera, normals, mask in zip(views.cameras, views.normals, views.masks, strict=True):
        image = render(mesh, camera, views.resolution)
        found, given = image[..., 3] >= 0.5, mask > 0.5
        overlaps.append(float((found & given).sum() / max(1, int((found | given).sum()))))
        core = (image[..., 3] > CORE) & (mask > CORE)
        cosine = (image[..., :3] * normals).sum(-1)[core]
        angles = torch.rad2deg(torch.arccos(cosine.double().clamp(-1, 1)))
        if len(angles):
            means.append(float(angles.mean()))
            below, count = below + int((angles < GOOD).sum()), count + len(angles)
    return {
        "min_iou": min(overlaps),
        "view_normal_deg": float(np.mean(means)) if means else None,
        "under_10deg": below / count if count else None,
    }
