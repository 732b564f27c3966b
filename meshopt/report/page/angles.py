"""The normal error on the surface: what the views' pixels say, at the vertices they show."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshopt import raster
from meshopt.mesh import Mesh
from meshopt.report.preview import Pictures, angle_map
from meshopt.surroundings import shielded
from meshopt.views import ViewSet

FINE = 512  # rows of the raster that says which vertex a pixel belongs to, at least


def vertex_degrees(mesh: Mesh, views: ViewSet, renders: Pictures) -> Float[np.ndarray, "N"]:
    """Degrees between the mesh's normals (its renders') and the views', at every vertex: mean over the pixels around it
    in all views. NaN where no view shows it, or knows its normal."""
    backend = raster.get("cpu")
    vertices, faces = mesh.vertices.detach().cpu().float(), mesh.faces.cpu().int()
    factor = math.ceil(FINE / views.resolution[0])
    size = factor * views.resolution[0], factor * views.resolution[1]
    total, weight = np.zeros(len(vertices)), np.zeros(len(vertices))
    with shielded():
        for i, camera in enumerate(views.cameras):  # one by one, for the memory
            angles = _angles(views, renders, i).repeat(factor, 0).repeat(factor, 1)
            clip = raster.transform(vertices, torch.from_numpy(camera.clip_matrix())[None])
            seen = backend.rasterize(clip, faces, size)
            _spread(angles, seen, faces.numpy(), total, weight)
    return np.where(weight > 0, total / np.maximum(weight, 1e-12), np.nan)


def _angles(views: ViewSet, renders: Pictures, view: int) -> Float[np.ndarray, "H W"]:
    """Of one view; NaN where it or the mesh shows nothing."""
    target, normals, wanted, found = (
        _array(images[view]) for images in (views.normals, renders.normals, views.masks, renders.masks)
    )
    return np.where((wanted > 0.5) & (found > 0.5), angle_map(target, normals), np.nan)


def _spread(
    angles: Float[np.ndarray, "H W"],
    seen: raster.Fragments,
    faces: np.ndarray,
    total: Float[np.ndarray, "N"],
    weight: Float[np.ndarray, "N"],
) -> None:
    """Adds every pixel's angle to the three vertices of the face it shows."""
    face = seen.face[0].numpy()
    inside = (face >= 0) & np.isfinite(angles)
    corners, values = faces[face[inside]], angles[inside]
    first = seen.bary[0].numpy()[inside].astype(np.float64)
    shares = np.concatenate([first, 1 - first.sum(-1, keepdims=True)], -1)
    for corner in range(3):
        total += np.bincount(corners[:, corner], shares[:, corner] * values, len(total))
        weight += np.bincount(corners[:, corner], shares[:, corner], len(total))


def _array(image: Tensor) -> np.ndarray:
    return image.detach().cpu().float().numpy()
