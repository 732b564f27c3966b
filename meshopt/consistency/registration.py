"""Where a view's picture has to be moved to fit a surface made of the other views alone.

Extremes of silhouettes (`extents`) do not tell everything: a view at 45 degrees without one opposite may slide along
its horizon unseen. Its normals tell: they are aligned, as an image, with what the other views show at the same points
(Lucas-Kanade, from blurred to sharp). The view itself has no part in the surface, or it would hide its error there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float

from meshopt import parallel
from meshopt.consistency.extents import Placement
from meshopt.consistency.maps import shown_by_others
from meshopt.consistency.surface import SharedPoints, rough_surface, shared_points, subset
from meshopt.consistency.turn_evidence import Equations, parts, robust
from meshopt.mesh import Mesh
from meshopt.views import ViewSet

GRID = 48  # voxels of the surface
BLURS = (3.0, 2.0, 1.0, 1.0, 1.0)  # pixels, one step of the alignment each
LONGEST = 2.0  # pixels: a step at most
LEAST = 0.07  # length of a normal difference that counts as noise
CLEAR = 0.3  # weight with which the others have to see a point
TRUST = (3.0, 0.7)  # how many times more than its residuals scatter it errs, and what (pixels) it errs at least
LEAST_OTHERS = 2  # views; one alone makes no surface to speak of
ENOUGH = 4  # views that make a surface from all sides
FEW = 200  # pixels; fewer say nothing


@dataclass(frozen=True)
class Alignment:
    """The shift (pixels of the given views, right and down) that mends a view, and its covariance."""

    right: float
    down: float
    covariance: Float[np.ndarray, "2 2"]


def aligned(views: ViewSet, sliding: Sequence[int]) -> list[Alignment | None]:
    """Of each of some views against all that do not slide; where these are few, against all others. None where they
    show too little of what it shows."""
    held = [v for v in range(len(views)) if v not in sliding]
    if len(held) >= ENOUGH:
        return _aligned(views, sliding, held)
    alone = [([v], [k for k in range(len(views)) if k != v]) for v in sliding]
    return [found for some in parallel.run(_aligned, [(views, *which) for which in alone]) for found in some]


def _aligned(views: ViewSet, some: Sequence[int], others: Sequence[int]) -> list[Alignment | None]:
    """Of some views against the surface made of others."""
    rest = subset(views, others)
    surface = rough_surface(rest, GRID) if len(others) >= LEAST_OTHERS else None
    if surface is None:
        return [None for _ in some]
    shared = shared_points(rest, surface)
    return parallel.run(_registered, [(views, v, surface, shared) for v in some])


def slide(placement: Placement, found: Alignment | None, scale: float) -> Placement:
    """The shift in the direction that silhouettes do not tell, as the normals have it.

    `scale`: pixels of the placement per pixel of the alignment.
    """
    along = placement.unseen
    if along is None or found is None:
        return replace(placement, zoom=1.0, right=0.0, down=0.0)
    right, down = scale * along * (along @ np.array([found.right, found.down]))
    covariance = np.zeros((3, 3))
    covariance[1:, 1:] = scale**2 * float(along @ found.covariance @ along) * np.outer(along, along)
    return replace(placement, zoom=1.0, right=float(right), down=float(down), covariance=covariance)


def joined(placement: Placement, slid: Placement) -> Placement:
    """A placement, and a slide after it."""
    along = placement.unseen
    assert along is not None
    across = np.eye(2) - np.outer(along, along)
    covariance = placement.covariance.copy()
    covariance[1:, 1:] = across @ covariance[1:, 1:] @ across + slid.covariance[1:, 1:]
    return replace(
        placement, right=placement.right + slid.right, down=placement.down + slid.down, covariance=covariance
    )


def _registered(views: ViewSet, view: int, surface: Mesh, others: SharedPoints) -> Alignment | None:
    normals, mask = views.normals[view].numpy(), views.masks[view].numpy()
    shown = shown_by_others(surface, others, views.cameras[view], views.resolution).numpy()
    weight = np.where(shown[..., 3] > CLEAR, shown[..., 3], 0.0).astype(np.float32)
    source = np.dstack([normals * mask[..., None], mask]).astype(np.float32)
    target = np.dstack([shown[..., :3] * weight[..., None], weight]).astype(np.float32)
    shift = np.zeros(2)
    place = parts(mask.shape)
    for blur in BLURS:
        equations = _equations(_shifted(source, shift, blur), cv2.GaussianBlur(target, (0, 0), blur), place)
        if len(equations) < FEW:
            return None
        matrix = equations.normal_matrix
        step = np.linalg.solve(matrix + 1e-6 * np.trace(matrix) * np.eye(2), equations.right_side)
        shift = shift - np.clip(step, -LONGEST, LONGEST)
    inverse = np.linalg.inv(matrix + 1e-6 * np.trace(matrix) * np.eye(2))
    times, floor = TRUST
    covariance = times**2 * inverse @ equations.scatter(np.zeros(2)) @ inverse + floor**2 * np.eye(2)
    return Alignment(float(shift[0]), float(shift[1]), covariance)


def _shifted(image: np.ndarray, shift: np.ndarray, blur: float) -> np.ndarray:
    """The image blurred, then moved right and down."""
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    blurred = cv2.GaussianBlur(image, (0, 0), blur)
    return np.asarray(cv2.warpAffine(blurred, matrix, image.shape[1::-1], flags=cv2.INTER_LINEAR))


def _equations(source: np.ndarray, target: np.ndarray, place: np.ndarray) -> Equations:
    """Source moved a little less right and down equals target."""
    a, b = _unit(source[..., :3]), _unit(target[..., :3])
    known = (source[..., 3] > 0.95) & (target[..., 3] > CLEAR)
    known = cv2.erode(known.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    right, down = np.zeros_like(a), np.zeros_like(a)
    right[:, 1:-1], down[1:-1] = (a[:, 2:] - a[:, :-2]) / 2, (a[2:] - a[:-2]) / 2
    residual = (a - b)[known].astype(np.float64)
    jacobian = np.stack([right[known], down[known]], axis=-1).astype(np.float64)
    weight = target[..., 3][known] * robust(np.linalg.norm(residual, axis=-1), LEAST, 2.0)
    return Equations(residual.reshape(-1), jacobian.reshape(-1, 2), weight.repeat(3), place[known].repeat(3))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)
