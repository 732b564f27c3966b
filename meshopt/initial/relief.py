"""What takes the hull's place where all views look along one line: no silhouette bounds the object's depth.

The silhouette is inflated: half the thickness t solves laplace(t^2) = -4 with t = 0 at the rim, which gives a disc a
half sphere and a strip a half cylinder.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int32
from scipy import ndimage

from meshopt.initial import depth_kernels as kernels
from meshopt.initial.depth import DepthMap
from meshopt.initial.grid import Field
from meshopt.initial.projection import PixelCamera

STEPS = 1000  # conjugate gradient steps, at most
REST = 1e-7  # weight that makes the solve definite


def inflation(camera: PixelCamera, mask: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Half the thickness of the inflated silhouette, scene units; 0 outside."""
    index, neighbour, rim = _links(mask)
    hold = rim + REST
    squared = np.zeros(len(hold))
    ones = np.ones(neighbour.shape)
    kernels.relax(squared, 4.0 / hold, hold, neighbour, ones, 0 * ones, STEPS)
    half = np.zeros(mask.shape)
    half[index >= 0] = camera.pitch * np.sqrt(np.maximum(squared, 0))
    return half


def between_planes(field: Field, camera: PixelCamera, nearest: float, farthest: float) -> Field:
    """The field cut off at two depths, as distances from the scene's origin along the view axis."""
    _, _, depth = _projected(field, camera)
    middle = -float(camera.camera.world_to_camera[2, 3])
    slab = np.minimum(depth - (middle + nearest), (middle + farthest) - depth)
    return field.with_values(np.minimum(field.values, slab))


def closed_behind(field: Field, front: DepthMap, half: Float[np.ndarray, "h w"]) -> Field:
    """The field cut off behind an inflated back, which hangs on the front's rim."""
    known = np.isfinite(front.depth)
    _, neighbour, rim = _links(known)
    anchor = front.depth[known]
    level = np.full(len(anchor), anchor.mean())
    ones = np.ones(neighbour.shape)
    kernels.relax(level, anchor, rim + REST, neighbour, ones, 0 * ones, STEPS)
    back = np.zeros(known.shape)
    back[known] = np.maximum(level, anchor) + half[known]
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    back = back[tuple(nearest)]
    column, row, depth = _projected(field, front.view.camera)
    limit = ndimage.map_coordinates(back, [row.ravel(), column.ravel()], order=1, mode="nearest")
    return field.with_values(np.minimum(field.values, limit.reshape(depth.shape) - depth))


def _projected(field: Field, camera: PixelCamera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Column, row and depth of all samples [X,Y,Z]."""
    index = np.moveaxis(np.indices(field.values.shape), 0, -1)
    return camera.project(field.origin + field.spacing * index)


def _links(mask: Bool[np.ndarray, "h w"]) -> tuple[Int32[np.ndarray, "h w"], Int32[np.ndarray, "2 P"], np.ndarray]:
    """Pixel numbers, each one's right and lower neighbour (-1: none), and how many of its four are missing."""
    index = np.full(mask.shape, -1, np.int32)
    index[mask] = np.arange(mask.sum())
    around = np.pad(index, 1, constant_values=-1)
    sides = (around[1:-1, 2:], around[2:, 1:-1], around[1:-1, :-2], around[:-2, 1:-1])
    neighbour = np.stack([side[mask] for side in sides[:2]])
    rim = np.sum([(side < 0)[mask] for side in sides], axis=0).astype(float)
    return index, neighbour, rim
