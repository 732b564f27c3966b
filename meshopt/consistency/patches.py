"""Local patches of normals that do not fit: where, and by how many degrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from meshopt.consistency.bent_regions import (
    SAME,
    Region,
    candidates,
    matrix,
    mended,
    overlap,
    refined,
    rotations,
    starts,
)
from meshopt.consistency.integrability import GROSS, NormalField, normal_field
from meshopt.consistency.observation import Observation

SIGNIFICANT = 0.0  # significance from which on a region is a patch
LIKELY = -9.0  # significance of a raw candidate below which it is not looked into
PROMISING = -6.0  # the same after one pass
FEW = 4  # candidates of a view that are looked into
APART = 0.3  # overlap of a view's patches, at most
JUMP = 0.15  # of the unit normal across a border, that can be seen

# What significance is made of: log-odds of a logistic regression on the odd half of the objects.
CONSTANT = -4.8
BY_CLOSING = 8.6  # share of the border whose jump the rotation takes away
BY_BORDER = -3.1  # log of the curl that is left along the border
BY_INTERIOR = -3.2  # log of the curl that is left inside
BY_ANGLE = -2.8  # by how far the log of the angle is off the usual
BY_SIZE = 2.8  # log of the share of the object below the usual
USUAL_ANGLE, ANGLE_BAND = 24.0, 0.35  # degrees, and a band of its log
USUAL_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Patch:
    """A region of the view number `view` that one rotation would make fit, at the observation's resolution.

    `degrees`: by how much each pixel's normal is off, 0 outside; `mean_degrees` inside, with one standard deviation of
    it. `share` of the object's pixels. `significance`: log-odds that it is a patch. `rotation`: the vector (radians,
    camera's frame) that mends it.
    """

    view: int
    mask: Bool[np.ndarray, "h w"]
    degrees: Float[np.ndarray, "h w"]
    mean_degrees: float
    uncertainty: float
    share: float
    significance: float
    rotation: Float[np.ndarray, "3"]


def find_patches(observations: Sequence[Observation]) -> list[Patch]:
    """The patches of all views, the most significant of each view first.

    A region counts where turning it by one rotation takes away the curl along its border and inside, and the jumps
    across its border. Each view is judged by itself.
    """
    return [patch for view in observations for patch in patches_of(view)]


def patches_of(observation: Observation) -> list[Patch]:
    """The patches of one view."""
    found = normal_field(observation)
    if found is None:
        return []
    field, place = found
    kept = [(significance(field, region), region) for region in promising(field)]
    kept.sort(key=lambda pair: -pair[0])
    patches: list[Patch] = []
    regions: list[Region] = []
    for value, region in kept:
        if value >= SIGNIFICANT and all(overlap(region.inside, other.inside) < APART for other in regions):
            regions.append(region)
            patches.append(_patch(observation, field, place, region, value))
    return patches


def promising(field: NormalField) -> list[Region]:
    """Regions worth a verdict: of likely candidates a rough look is had, of the best few a thorough one."""
    likely = []
    for candidate in candidates(field, rotations(field)):
        rated = [(significance(field, start), start) for start in starts(field, candidate)]
        value, start = max(rated, key=lambda pair: pair[0])
        if value > LIKELY:
            likely.append(start)
    rough = [region for candidate in likely if (region := refined(field, candidate, passes=1)) is not None]
    order = sorted(((significance(field, region), k) for k, region in enumerate(rough)), reverse=True)
    best = [rough[k] for value, k in order[:FEW] if value > PROMISING]
    distinct = [r for k, r in enumerate(best) if all(overlap(r.inside, o.inside) < SAME for o in best[:k])]
    thorough = (refined(field, region, passes=2) for region in distinct)
    return [region for region in thorough if region is not None]


def significance(field: NormalField, region: Region) -> float:
    """Log-odds that a region is a patch rather than part of the object."""
    inside = region.inside
    before, after = (field.residuals(n).curl for n in (field.normals, mended(field.normals, region)))
    wide = np.ones((5, 5), np.uint8)
    grown = cv2.dilate(inside.astype(np.uint8), wide) > 0
    core = cv2.erode(inside.astype(np.uint8), wide, borderValue=1) > 0
    border = (grown & ~core).ravel()[field.plaquettes].any(axis=0)
    within = core.ravel()[field.plaquettes].all(axis=0)
    left = [(_cost(after[k]) + 0.1) / (_cost(before[k]) + 0.1) for k in (border, within)]
    angle = np.degrees(np.linalg.norm(region.rotation))
    off = max(0.0, abs(np.log(max(angle, 2.0) / USUAL_ANGLE)) - ANGLE_BAND)
    share = inside.sum() / field.inside.sum()
    return float(
        CONSTANT
        + BY_CLOSING * _closed(field, region)
        + BY_BORDER * np.log(np.clip(left[0], 0.2, 2))
        + BY_INTERIOR * np.log(np.clip(left[1], 0.1, 2))
        + BY_ANGLE * off
        + BY_SIZE * min(0.0, float(np.log(np.clip(share, 0.01, 0.5) / USUAL_SHARE)))
    )


def _cost(curl: np.ndarray) -> float:
    """The robust norm whose weights `integrability.robust` has."""
    return float((GROSS * np.arctan(np.abs(curl) / GROSS)).sum())


def _closed(field: NormalField, region: Region) -> float:
    """The share of the border inside the object across which a visible jump becomes clearly smaller."""
    normals, inside = field.normals, region.inside
    turned = normals @ matrix(region.rotation).T
    good = count = 0
    for axis in (0, 1):
        beyond, two = (np.roll(inside, -k, axis) for k in (1, 2))
        first = np.roll(inside, 1, axis)
        known = np.logical_and.reduce([np.roll(field.inside, k, axis) for k in (1, 0, -1, -2)])
        cut = (inside != beyond) & (first == inside) & (two == beyond) & known
        a, b = np.roll(normals, 1, axis)[cut], np.roll(normals, -2, axis)[cut]
        turned_a, turned_b = np.roll(turned, 1, axis)[cut], np.roll(turned, -2, axis)[cut]
        before = np.linalg.norm(a - b, axis=-1)
        after = np.linalg.norm(np.where(inside[cut][:, None], turned_a - b, a - turned_b), axis=-1)
        good += int(((after < 0.7 * before) & (before > JUMP)).sum())
        count += len(before)
    return good / max(count, 1)


def _patch(
    observation: Observation, field: NormalField, place: tuple[slice, slice], region: Region, value: float
) -> Patch:
    """At the observation's resolution."""
    shape = observation.mask.shape
    rows, columns = place
    size = columns.stop - columns.start, rows.stop - rows.start
    share = np.zeros(shape)
    share[place] = cv2.resize(region.share, size, interpolation=cv2.INTER_LINEAR)
    mask = (share > 0.5) & observation.known
    normals = observation.normals
    cosine = (normals * (normals @ matrix(region.rotation).T)).sum(axis=-1)
    degrees = np.where(mask, np.degrees(np.arccos(np.clip(cosine, -1, 1))), 0.0)
    mean = float(degrees[mask].mean()) if mask.any() else 0.0
    return Patch(
        observation.number,
        mask,
        degrees,
        mean,
        uncertainty(field, region),
        float(mask.sum() / max(int((observation.mask > 0.5).sum()), 1)),
        value,
        region.rotation,
    )


def uncertainty(field: NormalField, region: Region) -> float:
    """Standard deviation of a region's angle in degrees, of what curl and rim components are left about it.

    Neighbouring residuals err together: nine count as one.
    """
    share = region.share.ravel()
    now = field.residuals(mended(field.normals, region))
    flat = (field.normals @ matrix(region.rotation).T).reshape(-1, 3)
    at, rim = field.plaquettes, field.outline
    rows = np.concatenate(
        [
            (share[at][..., None] * np.cross(flat[at], now.slope)).sum(axis=0),
            share[rim][:, None] * np.cross(flat[rim], now.tangent),
        ]
    )
    weight = now.weights(field)
    normal = (rows * weight[:, None]).T @ rows + 1e-6 * np.eye(3)
    scores = rows * (weight * now.all)[:, None]
    spread = np.linalg.inv(normal)
    covariance = 9 * spread @ (scores.T @ scores) @ spread
    direction = region.rotation / max(float(np.linalg.norm(region.rotation)), 1e-9)
    return float(np.degrees(np.sqrt(max(direction @ covariance @ direction, 0.0))))
