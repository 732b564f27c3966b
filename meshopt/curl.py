"""Whether normals are those of a surface: their slopes have no curl.

p = -nx / nz and q = -ny / nz of a depth map fulfil dp/dy = dq/dx. Multiplied by nz^2 that is bilinear in the normal and
its derivative, finite at the silhouette, and takes the direction of a perspective camera's rays into account.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float

WINDOW = 4.0  # pixels: sigma of the Gaussian over which curl is averaged
COVERED = 0.6  # share of that window that has to be known
FACING = 0.3  # cosine to the camera below which normals tell too little
CREASE = 0.35  # a larger change of the unit normal between neighbours is an edge, not a slope
PER_CURL = 2.7 * 2 * WINDOW  # radians of bending per averaged curl, measured: docs/consistency.md
FEW = 100  # pixels; fewer say nothing


def curl(
    normal: Float[np.ndarray, "*N 3"],
    right: Float[np.ndarray, "*N 3"],
    up: Float[np.ndarray, "*N 3"],
    towards: Float[np.ndarray, "*N 3"],
) -> Float[np.ndarray, "*N"]:
    """Of unit normals and their derivatives to the right and upwards; camera frame. `towards`: to the eye, z = 1."""
    along = _dot(normal, towards) * (up[..., 0] - right[..., 1])
    return np.asarray(along - normal[..., 0] * _dot(up, towards) + normal[..., 1] * _dot(right, towards))


def _dot(a: Float[np.ndarray, "*N 3"], b: Float[np.ndarray, "*N 3"]) -> Float[np.ndarray, "*N"]:
    """Several times faster than the sum of products over an axis of three."""
    return np.asarray(np.einsum("...k,...k->...", a, b))


def slopes(normals: Float[np.ndarray, "h w 3"]) -> tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w 3"]]:
    """Central differences of an image, per pixel to the right and upwards; 0 at its border."""
    right, up = np.zeros_like(normals), np.zeros_like(normals)
    right[:, 1:-1] = (normals[:, 2:] - normals[:, :-2]) / 2
    up[1:-1] = (normals[:-2] - normals[2:]) / 2  # rows run down
    return right, up


def smooth_pixels(normals: Float[np.ndarray, "h w 3"], solid: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Pixels whose four neighbours are known, too, and no edge lies between."""
    jump = np.zeros(solid.shape)
    for axis in (0, 1):
        step = np.diff(normals, axis=axis)
        step = _dot(step, step)
        before, after = [slice(None)] * 2, [slice(None)] * 2
        before[axis], after[axis] = slice(0, -1), slice(1, None)
        jump[tuple(before)] = np.maximum(jump[tuple(before)], step)
        jump[tuple(after)] = np.maximum(jump[tuple(after)], step)
    core = cv2.erode(solid.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.asarray(core & (jump < CREASE**2))


def averaged_curl(
    normals: Float[np.ndarray, "h w 3"], solid: Bool[np.ndarray, "h w"], towards: Float[np.ndarray, "h w 3"]
) -> Float[np.ndarray, "h w"]:
    """Curl per pixel, averaged over a Gaussian window of WINDOW pixels; NaN where too little of it is known."""
    usable = smooth_pixels(normals, solid) & (_dot(normals, towards) > FACING)
    found = curl(normals, *slopes(normals), towards)
    weight = cv2.GaussianBlur(usable.astype(np.float32), (0, 0), WINDOW)
    total = cv2.GaussianBlur(np.where(usable, found, 0.0).astype(np.float32), (0, 0), WINDOW)
    known = usable & (weight > COVERED)
    return np.where(known, total / np.maximum(weight, 1e-6), np.nan)


def bending(
    normals: Float[np.ndarray, "h w 3"], solid: Bool[np.ndarray, "h w"], towards: Float[np.ndarray, "h w 3"]
) -> float:
    """By how many degrees (root mean square) smooth errors bend the normals away from those of any surface.

    Of errors that are smooth over about ten pixels, half of which have curl; 0 where too little is known. Rows and
    columns should be around 256: the averaging window is in pixels.
    """
    found = averaged_curl(normals, solid, towards)
    known = np.abs(found[~np.isnan(found)])
    return float(np.degrees(PER_CURL * np.median(known))) if len(known) >= FEW else 0.0
