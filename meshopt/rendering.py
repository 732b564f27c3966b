"""What a result looks like in the views' cameras, and how well it fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, normalize

from meshopt import raster
from meshopt.mesh import Mesh, Texture, vertex_normals
from meshopt.optimize.images import render_colors, render_normals
from meshopt.raster.protocol import Rasterizer
from meshopt.views import ViewSet

FINER = 2  # places along each side of a pixel at which a texture is looked up
WHOLE = 0.999  # coverage of a pixel that shows nothing of the background


@dataclass(frozen=True)
class Renders:
    """The result seen by the views' cameras: unit world normals (0 outside), coverage, sRGB where there are colours."""

    normals: Float[Tensor, "V H W 3"]
    masks: Float[Tensor, "V H W"]
    rgb: Float[Tensor, "V H W 3"] | None


def render_views(backend: Rasterizer, mesh: Mesh, views: ViewSet) -> Renders:
    """The mesh in the views' cameras, at their resolution."""
    matrices = torch.stack([torch.from_numpy(c.clip_matrix()) for c in views.cameras]).to(mesh.vertices)
    normals = vertex_normals(mesh.vertices, mesh.faces)
    image, _ = render_normals(backend, mesh.vertices, normals, mesh.faces, matrices, views.resolution)
    rgb = None
    if mesh.texture is not None:
        rgb = render_texture(backend, mesh, mesh.texture, matrices, views.resolution)
    elif mesh.colors is not None and views.rgb is not None:
        premultiplied = render_colors(backend, mesh.vertices, mesh.colors, mesh.faces, views)
        rgb = (premultiplied / image[..., 3:].clamp_min(1e-3)).clamp(0.0, 1.0)
    return Renders(normalize(image[..., :3], dim=-1), image[..., 3], rgb)


def render_texture(
    backend: Rasterizer, mesh: Mesh, texture: Texture, matrices: Float[Tensor, "V 4 4"], size: tuple[int, int]
) -> Float[Tensor, "V H W 3"]:
    """The texture's colours, mean of some places in every pixel that the mesh covers; 0 outside."""
    vertex = torch.zeros(len(texture.uv), dtype=torch.long, device=mesh.vertices.device)
    vertex[texture.faces.long().reshape(-1)] = mesh.faces.long().reshape(-1)
    places = mesh.vertices[vertex]
    image = texture.color.to(mesh.vertices).movedim(-1, 0)[None] / 255
    pictures = []
    for matrix in matrices:  # one by one, for the memory
        fragments = backend.rasterize(
            raster.transform(places, matrix[None]), texture.faces, (FINER * size[0], FINER * size[1])
        )
        uv = backend.interpolate(texture.uv[None], fragments, texture.faces)
        covered = (fragments.face >= 0)[:, None].to(image)
        found = grid_sample(image, 2 * uv - 1, align_corners=False, padding_mode="border") * covered
        pictures.append(avg_pool2d(found, FINER) / avg_pool2d(covered, FINER).clamp_min(1e-6))
    return torch.cat(pictures).movedim(1, -1)


def fit(renders: Renders, views: ViewSet) -> list[dict[str, Any]]:
    """Per view: silhouette IoU at half coverage, where both cover the mean angle of the normals (degrees), and where
    both cover all of a pixel the colours' peak signal-to-noise ratio (dB, of sRGB)."""
    rows: list[dict[str, Any]] = []
    images = [t.cpu() for t in (renders.masks, views.masks, renders.normals, views.normals)]
    for camera, mask, given_mask, normals, given_normals in zip(views.cameras, *images, strict=True):
        found, given = mask > 0.5, given_mask > 0.5
        union, both = (found | given).sum(), (found & given)
        cosine = (normals * given_normals).sum(-1)[both & (given_normals.abs().sum(-1) > 0)]
        angles = torch.rad2deg(torch.arccos(cosine.clamp(-1.0, 1.0)))
        rows.append(
            {
                "name": camera.name,
                "silhouette_iou": float(both.sum() / union) if union else None,
                "normal_error_deg": float(angles.double().mean()) if len(angles) else None,
            }
        )
    if renders.rgb is not None and views.rgb is not None:
        whole = (images[0] > WHOLE) & (images[1] > WHOLE)
        for row, found, given, inside in zip(rows, renders.rgb.cpu(), views.rgb.cpu(), whole, strict=True):
            error = (found - given)[inside].double().square().mean() if inside.any() else None
            row["colour_psnr_db"] = None if error is None else float(-10 * torch.log10(error.clamp_min(1e-10)))
    return rows
