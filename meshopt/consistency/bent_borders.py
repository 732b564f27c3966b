"""What speaks for a region of a view's normals being turned: the jumps along its border, and the curl."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from meshopt.consistency.bent_regions import Region, matrix, mended
from meshopt.consistency.normal_fields import GROSS, NormalField

DEEP = 0.4  # share of the way to the border by which normals beside it are extrapolated
FEWEST = 8  # jumps that say something
TIGHT = 0.15  # of a unit normal: what fits
STIFF = 0.02  # weight of the rotation that was expected, per jump
LARGE = 0.5  # jumps that count as this


@dataclass(frozen=True)
class Evidence:
    """Of a region: `jumps`, log of how much of the normals' jumps across its border the rotation leaves; `matching`,
    the share of the border where the rotation that fits the jumps best explains them; `border` and `interior`, log of
    how much of the curl the rotation leaves there."""

    jumps: float
    matching: float
    border: float
    interior: float


def evidence(field: NormalField, region: Region) -> Evidence:
    """Of one region."""
    border, interior = _curl_left(field, region)
    inner, outer = jumps(field, region.inside)
    if len(inner) < FEWEST:
        return Evidence(0.0, 0.0, border, interior)
    expected = inner @ matrix(region.rotation).T
    found = inner @ fitted_to_jumps(inner, outer, region.rotation).T
    left, before = (np.minimum(np.linalg.norm(outer - n, axis=-1), LARGE).mean() for n in (expected, inner))
    near = np.linalg.norm(outer - found, axis=-1) < 0.5 * np.linalg.norm(found - inner, axis=-1)
    return Evidence(float(np.log((left + 0.02) / (before + 0.02))), float(near.mean()), border, interior)


def jumps(field: NormalField, inside: Bool[np.ndarray, "h w"]) -> tuple[np.ndarray, np.ndarray]:
    """Normals on either side of a region's border, extrapolated towards it: inside [K 3], and outside.

    The pixels at the border itself are left out: there the normals change over.
    """
    inner, outer = [], []
    normals = field.normals
    for axis in (0, 1):
        ahead = {k: np.roll(inside, -k, axis) for k in (-3, -1, 1, 2, 4)}
        known = np.logical_and.reduce([np.roll(field.inside, -k, axis) for k in range(-3, 5)])
        at = known & (ahead[-3] == inside) & (ahead[-1] == inside)
        at &= (ahead[1] != inside) & (ahead[2] != inside) & (ahead[4] != inside)
        near, far = (np.roll(normals, -k, axis)[at] for k in (-1, -3))
        here = near + DEEP * (near - far)
        near, far = (np.roll(normals, -k, axis)[at] for k in (2, 4))
        there = near + DEEP * (near - far)
        first = inside[at][:, None]
        inner.append(np.where(first, here, there))
        outer.append(np.where(first, there, here))
    return np.concatenate(inner), np.concatenate(outer)


def fitted_to_jumps(
    inner: Float[np.ndarray, "K 3"], outer: Float[np.ndarray, "K 3"], rotation: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3 3"]:
    """The rotation that takes the inner normals to the outer ones, robustly, from one that is about right (Wahba's
    problem, by singular values)."""
    start = turn = matrix(rotation)
    for _ in range(6):
        apart = np.linalg.norm(inner @ turn.T - outer, axis=-1)
        weight = 1 / (1 + (apart / TIGHT) ** 2) ** 2
        u, _, vt = np.linalg.svd((outer * weight[:, None]).T @ inner + STIFF * len(inner) * start)
        turn = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    return turn


def _curl_left(field: NormalField, region: Region) -> tuple[float, float]:
    """Log of the curl that the rotation leaves along the border, and inside."""
    inside = region.inside.astype(np.uint8)
    before, after = (field.residuals(n).curl for n in (field.normals, mended(field.normals, region)))
    wide = np.ones((5, 5), np.uint8)
    core = cv2.erode(inside, wide, borderValue=1) > 0
    border = (cv2.dilate(inside, wide) > 0) & ~core
    at = field.plaquettes
    parts = border.ravel()[at].any(axis=0), core.ravel()[at].all(axis=0)
    left = [np.log((_cost(after[k]) + 0.1) / (_cost(before[k]) + 0.1)) for k in parts]
    return float(left[0]), float(left[1])


def _cost(curl: np.ndarray) -> float:
    """The robust norm whose weights `normal_fields.robust` has."""
    return float((GROSS * np.arctan(np.abs(curl) / GROSS)).sum())
