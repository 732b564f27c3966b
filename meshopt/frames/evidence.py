"""What the pictures say about an encoding: three measurements, all linear in the stored vectors.

With M the orthogonal matrix that an encoding proposes from stored vectors s to the camera frame, n = M s:

- facing: a visible surface has n . v > 0, v towards the camera (here: the share of such pixels);
- rim: at the silhouette of a smooth object n is the outward normal e of the plane through eye and outline;
- curl: p = -nx / nz and q = -ny / nz of a surface fulfil dp/dy = dq/dx; multiplied by nz^2 that reads
  (n x dn/dy)_y + (n x dn/dx)_x = 0, and M s x M t = det(M) M (s x t). Perspective adds the ray's direction.

Each is a product of v_i s_j M_ij, so that all 144 encodings cost one small matrix product per view. All
three are absolute, view by view, in the camera's own frame: an encoding that fits every view also makes the
views agree. (Agreement of the normals at points that two views share on the visual hull was measured too,
and left out: four views at right angles share none, and on six of nine other clean sets a wrong encoding
agreed better than the true one, because the hull's points are not the surface's.)
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from meshopt.cameras import Camera
from meshopt.frames.encoding import NO_DIRECTION

SIZE = 128  # pixels of the longer side that the evidence is measured at
CREASE = 0.6  # a larger change of the unit normal between neighbours is a discontinuity, not a slope
FLAT = 1e-3  # a smaller mean change of the normal per pixel is no slope
FEW = 20  # pixels; fewer than these measure nothing
BORDER = 2  # rows and columns at the border of the image that are no silhouette


@dataclass(frozen=True)
class Observation:
    """One view's evidence: products of stored vectors and image directions, one row of 9 per pixel."""

    facing: Float[np.ndarray, "K 9"]  # v (x) s, pixels inside the mask
    rim: Float[np.ndarray, "R 9"]  # e (x) s, pixels on the silhouette
    curl_x: Float[np.ndarray, "C 9"]
    curl_y: Float[np.ndarray, "C 9"]
    covariance: Float[np.ndarray, "3 3"]  # mean of s (x) s


def _outer(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a[:, :, None] * b[:, None, :]).reshape(-1, 9).astype(np.float32)


def _reduce(vectors: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors [h, w, 3] and coverage [h, w] at a working resolution; zero where there are no vectors."""
    height, width = mask.shape
    scale = min(1.0, SIZE / max(height, width))
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    length = np.linalg.norm(vectors, axis=-1)
    solid = (mask > 0.5) & (length >= NO_DIRECTION)
    unit = np.where(solid[..., None], vectors / np.maximum(length, NO_DIRECTION)[..., None], 0.0)
    mean = cv2.resize(unit.astype(np.float32), shape, interpolation=cv2.INTER_AREA)
    parts = cv2.resize(np.dstack([solid, mask > 0.5]).astype(np.float32), shape, interpolation=cv2.INTER_AREA)
    norm = np.linalg.norm(mean, axis=-1)
    keep = (norm > 0.5 * parts[..., 0]) & (parts[..., 0] > 0.5)
    return np.where(keep[..., None], mean / np.maximum(norm, 1e-6)[..., None], 0.0), parts[..., 1]


def outline(
    coverage: Float[np.ndarray, "h w"], towards: Float[np.ndarray, "h w 3"], pitch: tuple[float, float] = (1.0, 1.0)
) -> tuple[Bool[np.ndarray, "h w"], Float[np.ndarray, "h w 3"]]:
    """Pixels along the outline, and the outward normals (camera frame) of the planes through it and the eye.

    `towards`: to the eye, z = 1. `pitch`: a pixel's width and height, in any unit.
    """
    padded = cv2.copyMakeBorder(coverage, 4, 4, 4, 4, cv2.BORDER_REPLICATE)
    smooth = cv2.GaussianBlur(padded, (0, 0), 1.2)
    gy, gx = np.gradient(smooth)
    gx, gy = gx[4:-4, 4:-4] / pitch[0], -gy[4:-4, 4:-4] / pitch[1]  # rows run down, y up
    steep = np.hypot(gx * pitch[0], gy * pitch[1])
    tangent = np.stack([-gy, gx, np.zeros_like(gx)], axis=-1)
    e = np.cross(tangent, towards)
    e *= np.where((e[..., 0] * gx + e[..., 1] * gy) > 0, -1.0, 1.0)[..., None]
    e /= np.maximum(np.linalg.norm(e, axis=-1, keepdims=True), 1e-12)
    rim = (steep > 0.15) & (coverage > 0.5)
    inside = np.zeros_like(rim)
    inside[BORDER:-BORDER, BORDER:-BORDER] = True
    return rim & inside, e


def observe(vectors: Float[np.ndarray, "H W 3"], mask: Float[np.ndarray, "H W"], camera: Camera) -> Observation:
    """The evidence of one view: stored vectors of any length, coverage in [0, 1]."""
    s, coverage = _reduce(vectors, mask)
    known = np.any(s != 0, axis=-1)
    towards = camera.towards_eye(*known.shape)
    v = towards / np.linalg.norm(towards, axis=-1, keepdims=True)
    height, width = known.shape
    pitch = (camera.half_extent[0] / width, camera.half_extent[1] / height)
    rim, e = outline(coverage, towards, pitch)
    rim &= known
    inside = known & (coverage > 0.99)
    flat = s[inside]
    covariance = flat.T @ flat / max(len(flat), 1)
    curl_x, curl_y = _curl(s, inside, towards, pitch)
    return Observation(_outer(v[inside], flat), _outer(e[rim], s[rim]), curl_x, curl_y, covariance)


def _curl(
    s: np.ndarray, inside: np.ndarray, towards: np.ndarray, pitch: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose products with M, summed, are the curl of the slopes times nz^2 and det(M)."""
    core = inside[1:-1, 1:-1] & inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    dx = s[1:-1, 2:] - s[1:-1, :-2]
    dy = s[:-2, 1:-1] - s[2:, 1:-1]  # rows run down, y up
    jump = np.maximum(np.linalg.norm(dx, axis=-1), np.linalg.norm(dy, axis=-1))
    core &= jump < CREASE
    n, v = s[1:-1, 1:-1][core], towards[1:-1, 1:-1][core]
    zero = np.zeros(len(v))
    scale = max(pitch)
    ax = np.stack([v[:, 2], zero, -v[:, 0]], axis=-1) * scale / pitch[0]
    ay = np.stack([zero, v[:, 2], -v[:, 1]], axis=-1) * scale / pitch[1]
    return _outer(ax, np.cross(n, dx[core])), _outer(ay, np.cross(n, dy[core]))


def measure(observation: Observation, turns: Float[np.ndarray, "C 3 3"]) -> Float[np.ndarray, "3 C"]:
    """Facing, rim and curl of one view, each in [0, 1] and 1 the best, for matrices from stored to camera.

    NaN where the view shows nothing of the kind.
    """
    m = turns.reshape(-1, 9).T.astype(np.float32)
    parts = np.full((3, m.shape[1]), np.nan)
    if len(observation.facing) > 0:
        parts[0] = (observation.facing @ m > 0).mean(axis=0)
    if len(observation.rim) >= FEW:
        parts[1] = (1.0 + (observation.rim @ m).mean(axis=0)) / 2.0
    if len(observation.curl_x) >= FEW:
        x, y = observation.curl_x @ m, observation.curl_y @ m
        size = (np.abs(x) + np.abs(y)).sum(axis=0)
        if size.max() > FLAT * len(x):
            parts[2] = 1.0 - np.abs(x + y).sum(axis=0) / np.maximum(size, 1e-9)
    return parts
