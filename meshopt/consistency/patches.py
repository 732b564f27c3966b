"""Local patches of normals that do not fit: where, and by how many degrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from meshopt import parallel
from meshopt.config import CheckConfig
from meshopt.consistency.bent_borders import evidence, fitted_to_jumps, jumps
from meshopt.consistency.bent_regions import (
    Region,
    curl_responses,
    discs,
    matrix,
    overlap,
    refined,
    turned_part,
)
from meshopt.consistency.corrections import box
from meshopt.consistency.findings import Finding
from meshopt.consistency.normal_fields import NormalField, normal_field
from meshopt.consistency.observation import Observation

TELLING = 0.05  # curl that a disc's rotation takes away, below which a view is not looked into
RESTLESS = 0.011  # usual curl above which a view is bent all over, not in a part: 0.009 at most with a patch alone
PARTS, FEW = 3, 4  # candidates that other views show, and those that are looked into more than once
START = np.radians(15.0)  # least angle to begin with
APART = 0.3  # overlap of a view's patches, at most
LEVELS = 8.0, 15.0  # degrees of disagreement that candidates are cut out at
SHARES = 0.02, 0.5  # of the object, of such a candidate
SAME = 0.7  # overlap of candidates that are one
FITTING = 5.0, 13.0  # degrees of disagreement up to which a pixel fits, and from which on it does not
LIKELY = -5.0  # significance after one look, below which there are no more
MORE = 2  # looks at those

# What significance is made of: log-odds of a logistic regression on patches of 15 and 25 degrees and 10 % of the object
# in half of the benchmark's objects.
SIGNIFICANT = 2.5  # from which on a region is a patch
CONSTANT = -5.0
BY_JUMPS = -8.3  # log of the jumps across the border that the rotation leaves
BY_MATCHING = 5.8  # share of the border whose jumps a rotation explains
BY_BORDER = -3.2  # log of the curl that is left along the border
BY_INTERIOR = -4.2  # and inside
BY_GAIN = 1.7  # log of the curl that the candidate takes away
BY_SIZE = 6.7  # log of the share of the object, below the usual
BY_LEVEL = -1.2  # log of the view's usual curl
BY_AGREED = -10.5  # share where other views show the same
USUAL_SHARE = 0.06

LEAST_SPREAD = 0.08  # of an angle
SEVERE = 15.0  # percent of the object from which on a patch makes a set inconsistent


@dataclass(frozen=True, eq=False)
class Patch:
    """A region of the view number `view` that one rotation would make fit.

    `mask` at the observation's resolution; `degrees` by which its normals are off, mean, with one standard deviation;
    `share` of the object's pixels; `significance`: log-odds that it is one; `rotation`: the vector (radians, camera's
    frame) that mends it.
    """

    view: int
    mask: Bool[np.ndarray, "h w"]
    degrees: float
    uncertainty: float
    share: float
    significance: float
    rotation: Float[np.ndarray, "3"]


def find_patches(
    observations: Sequence[Observation], disagreement: Float[np.ndarray, "V h w"] | None = None
) -> list[Patch]:
    """The patches of all views, the most significant of each view first.

    A region counts where turning it by one rotation takes away the curl along its border and inside, and the jumps
    across its border. `disagreement`: degrees from what other views show, NaN where they show nothing; ignored where
    its resolution is not the observations'.
    """
    known: list[np.ndarray | None] = [None] * len(observations)
    if disagreement is not None:
        shapes = zip(disagreement, observations, strict=True)
        known = [degrees if degrees.shape == view.mask.shape else None for degrees, view in shapes]
    found = parallel.run(patches_of, list(zip(observations, known, strict=True)))
    return [patch for patches in found for patch in patches]


def patches_of(observation: Observation, degrees: Float[np.ndarray, "h w"] | None) -> list[Patch]:
    """The patches of one view."""
    cut = normal_field(observation)
    if cut is None:
        return []
    field, place = cut
    apart = _reduced(degrees, field, place)
    rated = sorted(_rated(field, apart), key=lambda pair: -pair[0])
    kept: list[tuple[float, Region]] = []
    for value, region in rated:
        if value > SIGNIFICANT and all(overlap(region.inside, other.inside) < APART for _, other in kept):
            kept.append((value, region))
    return [_patch(observation, field, place, region, value) for value, region in kept]


def patch_findings(patches: Sequence[Patch], names: Sequence[str], settings: CheckConfig) -> list[Finding]:
    """What is said about them."""
    return [_finding(patch, names[patch.view], settings.patch) for patch in patches]


def _finding(patch: Patch, name: str, threshold: float) -> Finding:
    place = box(patch.mask)
    percent = 100 * patch.share
    return Finding(
        "bent_patch", "inconsistent" if percent >= SEVERE else "suspect", (name,),
        f"a part of {name} ({percent:.0f} % of the object, {_where(place)}) has normals that are turned by"
        f" {patch.degrees:.0f} ± {patch.uncertainty:.0f} degrees against what surrounds them.",
        "make this view's normals anew, or leave that part out, which the correction does.",
        patch.degrees, "degrees", patch.uncertainty, threshold, "check.patch",
        {"share_percent": percent, "box": place, "log_odds": patch.significance},
    )  # fmt: skip


def _where(place: Sequence[float]) -> str:
    across, down = (place[0] + place[2]) / 2, (place[1] + place[3]) / 2
    vertical = "upper" if down < 0.4 else "lower" if down > 0.6 else "middle"
    side = "left" if across < 0.4 else "right" if across > 0.6 else "centre"
    return f"{vertical} {side} of the image"


def _rated(field: NormalField, apart: np.ndarray) -> list[tuple[float, Region]]:
    """Regions with their significance: all candidates get a look, the best few a second one."""
    responses = curl_responses(field)
    if responses.level > RESTLESS:
        return []
    found = discs(field, responses)
    if not found or found[0][0] < TELLING:
        return []
    found += sorted((turned_part(p, responses) for p in _parts(apart, field)), key=lambda q: -q[0])[:PARTS]
    doubt = -np.nan_to_num(np.clip((apart - sum(FITTING) / 2) / ((FITTING[1] - FITTING[0]) / 2), -1, 1))
    looked = []
    for gain, candidate in found:
        size = float(np.linalg.norm(candidate.rotation))
        start = Region(candidate.share, candidate.rotation * max(1.0, START / max(size, 1e-6)))
        region = refined(field, start, 1, doubt)
        if region is not None:
            looked.append((significance(field, region, gain, apart, responses.level), region, gain))
    looked.sort(key=lambda one: -one[0])
    rated = [(value, region) for value, region, _ in looked]
    for value, region, gain in looked[:FEW]:
        again: Region | None = region
        for _ in range(MORE if value > LIKELY else 0):
            again = None if again is None else refined(field, again, 1, doubt)
            if again is not None:
                rated.append((significance(field, again, gain, apart, responses.level), again))
    return rated


def significance(
    field: NormalField, region: Region, gain: float, apart: Float[np.ndarray, "h w"], level: float
) -> float:
    """Log-odds that a region is a patch rather than part of the object.

    `gain`: curl that the candidate took away; `apart`: disagreement; `level`: the view's usual curl.
    """
    inside = region.inside
    seen = evidence(field, region)
    turned = field.normals @ matrix(region.rotation).T
    expected = np.degrees(np.arccos(np.clip((field.normals * turned).sum(axis=-1), -1, 1)))[inside]
    agreed = apart[inside] < 0.35 * np.maximum(expected, 3.0)
    share = inside.sum() / field.inside.sum()
    return float(
        CONSTANT
        + BY_JUMPS * np.clip(seen.jumps, -1.2, 0.1)
        + BY_MATCHING * seen.matching
        + BY_BORDER * np.clip(seen.border, -1.5, 0.3)
        + BY_INTERIOR * np.clip(seen.interior, -1.5, 0.5)
        + BY_GAIN * min(0.0, np.log(gain + 0.01))
        + BY_SIZE * min(0.0, np.log(share / USUAL_SHARE))
        + BY_LEVEL * np.log(level + 0.001)
        + BY_AGREED * agreed.mean()
    )


def _reduced(degrees: np.ndarray | None, field: NormalField, place: tuple[slice, slice]) -> np.ndarray:
    """Disagreement at the field's resolution; NaN where it is not known."""
    if degrees is None:
        return np.full(field.inside.shape, np.nan)
    cut = degrees[place]
    seen = np.isfinite(cut)
    size = field.inside.shape[::-1]
    cover, total = (
        cv2.resize(np.ascontiguousarray(layer, np.float64), size, interpolation=cv2.INTER_AREA)
        for layer in (seen, np.where(seen, cut, 0.0))
    )
    return np.where((cover > 0.3) & field.inside, total / np.maximum(cover, 1e-6), np.nan)


def _parts(apart: np.ndarray, field: NormalField) -> list[np.ndarray]:
    """Connected regions that other views contradict."""
    seen = np.isfinite(apart)
    cover = cv2.GaussianBlur(seen.astype(np.float64), (0, 0), 1.0)
    smooth = cv2.GaussianBlur(np.where(seen, np.minimum(apart, 60), 0.0), (0, 0), 1.0) / np.maximum(cover, 0.1)
    total = field.inside.sum()
    kept: list[np.ndarray] = []
    for level in LEVELS:
        above = ((smooth > level) & (cover > 0.3) & field.inside).astype(np.uint8)
        for layer in (above, cv2.morphologyEx(above, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))):
            count, labels, stats, _ = cv2.connectedComponentsWithStats(layer, connectivity=4)
            shares = stats[:, cv2.CC_STAT_AREA] / total
            parts = [labels == k for k in range(1, count) if SHARES[0] < shares[k] < SHARES[1]]
            kept += [part for part in parts if all(overlap(part, other) < SAME for other in kept)]
    return kept


def _patch(
    observation: Observation, field: NormalField, place: tuple[slice, slice], region: Region, value: float
) -> Patch:
    """At the observation's resolution."""
    rows, columns = place
    size = columns.stop - columns.start, rows.stop - rows.start
    share = np.zeros(observation.mask.shape)
    share[place] = cv2.resize(region.share, size, interpolation=cv2.INTER_LINEAR)
    mask = (share > 0.5) & observation.known
    rotation, degrees, uncertainty = _angle(field, region)
    total = max(int((observation.mask > 0.5).sum()), 1)
    return Patch(observation.number, mask, degrees, uncertainty, float(mask.sum() / total), value, rotation)


def _angle(field: NormalField, region: Region) -> tuple[np.ndarray, float, float]:
    """The rotation that the jumps tell, the degrees by which the region's normals are off, mean, and their standard
    deviation, from how far what the curl tells is from it."""
    normals = field.normals[region.inside]
    turns = fitted_to_jumps(*jumps(field, region.inside), region.rotation), matrix(region.rotation)
    cosines = [(normals * (normals @ turn.T)).sum(axis=-1) for turn in turns]
    by_jumps, by_curl = (float(np.degrees(np.arccos(np.clip(c, -1, 1))).mean()) for c in cosines)
    uncertainty = np.hypot(LEAST_SPREAD * by_jumps, 0.5 * (by_jumps - by_curl))
    return cv2.Rodrigues(turns[0])[0][:, 0], by_jumps, float(uncertainty)
