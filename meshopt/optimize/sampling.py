"""What the views say at each vertex: colours and normals where it is seen, and how surely."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import grid_sample, normalize

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.raster.protocol import Fragments, Rasterizer
from meshopt.views import ViewSet

DEPTH_TOLERANCE = 1.5  # pixels: how far behind the surface that a pixel shows a vertex still counts as seen


@dataclass(frozen=True)
class Samples:
    """`values` of the views at every vertex, and `weight` in [0, 1]: 0 where the view does not see the vertex."""

    values: Float[Tensor, "V N C"]
    weight: Float[Tensor, "V N"]


def sample_views(
    backend: Rasterizer,
    views: ViewSet,
    images: Float[Tensor, "V H W C"],
    vertices: Float[Tensor, "N 3"],
    normals: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    power: float,
) -> Samples:
    """The views' `images` at each vertex, weighted by coverage and by the cosine to the camera to the `power`.

    A vertex is seen where the depth test passes and where its normal faces the camera. Bilinear, weighted by the mask,
    so that no background bleeds in.
    """
    matrices = torch.stack([torch.from_numpy(c.clip_matrix()) for c in views.cameras]).to(vertices)
    clip = raster.transform(vertices, matrices)
    fragments = backend.rasterize(clip, faces, views.resolution)
    ndc = clip[..., :3] / clip[..., 3:]
    grid = ndc[:, :, None, :2]  # rows go with clip y, which points down, as grid_sample wants it
    weighted = torch.cat([images * views.masks[..., None], views.masks[..., None]], dim=-1)
    found = grid_sample(weighted.movedim(-1, 1), grid, align_corners=False)[..., 0].movedim(1, -1)
    coverage = found[..., -1]
    values = found[..., :-1] / coverage[..., None].clamp_min(1e-6)
    cosine = torch.stack([_cosine(camera, vertices, normals) for camera in views.cameras])
    backs = torch.stack([torch.from_numpy(c.rotation[2].copy()) for c in views.cameras]).to(vertices)
    tolerance = _tolerance(clip, matrices, backs, views.resolution[0], cosine)
    seen = _in_front(fragments, ndc, tolerance) & (cosine > 0)
    return Samples(values, seen * coverage * cosine.clamp_min(0.0) ** power)


def _cosine(camera: Camera, vertices: Float[Tensor, "N 3"], normals: Float[Tensor, "N 3"]) -> Float[Tensor, "N"]:
    """Between each vertex normal and the direction to the camera."""
    eye = torch.from_numpy(camera.eye).to(vertices)
    return (normals * normalize(eye[:3] - eye[3] * vertices, dim=-1)).sum(-1)


def _tolerance(
    clip: Float[Tensor, "V N 4"],
    matrices: Float[Tensor, "V 4 4"],
    backs: Float[Tensor, "V 3"],
    rows: int,
    cosine: Float[Tensor, "V N"],
) -> Float[Tensor, "V N"]:
    """DEPTH_TOLERANCE pixels along the view axis, more on slopes, as a difference of z/w."""
    z, w = clip[..., 2], clip[..., 3]
    dz, dw = (-(matrices[:, k, :3] * backs).sum(-1, keepdim=True) for k in (2, 3))  # per unit away from the camera
    per_unit = (dz * w - z * dw) / w.square()
    pixel = 2 * w / (matrices[:, 1, :3].norm(dim=-1, keepdim=True) * rows)
    slope = (1 - cosine.square()).clamp_min(0.0).sqrt() / cosine.clamp_min(0.1)
    return DEPTH_TOLERANCE * pixel * per_unit.abs() * (1 + slope)


def _in_front(
    fragments: Fragments, ndc: Float[Tensor, "V N 3"], tolerance: Float[Tensor, "V N"]
) -> Bool[Tensor, "V N"]:
    """Where the depth buffer shows nothing in front of the vertex."""
    rows, columns = fragments.face.shape[1:]
    x = ((ndc[..., 0] + 1) / 2 * columns).long().clamp(0, columns - 1)
    y = ((ndc[..., 1] + 1) / 2 * rows).long().clamp(0, rows - 1)
    depth = torch.where(fragments.face < 0, torch.ones_like(fragments.depth), fragments.depth)
    front = depth.flatten(1).gather(1, y * columns + x)
    return (ndc.abs() <= 1).all(-1) & (ndc[..., 2] <= front + tolerance)
