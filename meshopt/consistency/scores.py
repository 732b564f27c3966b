"""How much damage the views' contradictions are expected to do to a reconstruction that mends nothing.

What can be mended tells by itself: the rough surface of the views as they are is compared with that of the views as
mended, and the result is expected to be displaced by a share of it. What cannot be mended, or is too little to be, is
counted by its kind. The shares are rounded from reconstructions of 60 damaged sets of benchmarks/consistency_damage.py,
all of its objects; those of patches, repeats and holes rest on three sets or fewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from meshopt.consistency.corrections import Correction, Discounted, Mirrored, Placed, Rearranged, Tilted, Turned, Unbent
from meshopt.initial.hull import uncovered_shares
from meshopt.mesh import Mesh
from meshopt.surroundings import shielded

if TYPE_CHECKING:
    from meshopt.consistency.examination import Examination

# Percent of the object's diagonal by which the result is displaced, ...
PER_MOVED = 0.42  # per percent by which mending moves the rough surface, ...
PER_PLACED = 0.28  # ... where only sizes and places are mended
NO_SURFACE = 10.0  # ... percent at most, and where the views as they are have none
PER_TURN = 0.035  # per degree of turns that are not mended, mean over the views
PER_SHIFT = 0.2  # per percent of the image (or two of size) that is not mended, likewise
PER_FIELD = 0.04  # per degree of smooth bending that is mended, mean over the views
PER_BEND = 0.024  # per degree of bending that is left, root mean square over the views
PER_UNCOVERED = 0.6  # per share of the silhouettes, mean, that the hull of all leaves uncovered after mending
PER_PATCH = 0.06  # per degree of a bent patch and share of the object, mean over the views
PER_FINDING = {"janus": 0.5, "normals_blurred": 0.08, "mask_hole": 1.0}  # per unit of its value, mean over the views

SURE = 3.0, 1.0  # standard deviations of turns and of placements that are chance
USUAL, MOST = 2.0, 4.0  # bending that is normal: times that of the median view, which counts up to so many degrees
GROSS = 90.0  # degrees that a view's turn counts for that is mirrored, elsewhere or has other axes, in sharing out
PER_PERCENT = 3.0  # ... degrees that a percent of shift or size counts for


@dataclass(frozen=True)
class Scores:
    """Expected displacement of the surface, percent of the object's diagonal: of the set, and each view's share."""

    total: float
    views: Float[np.ndarray, "V"]


def score(done: Examination) -> Scores:
    """What an examination comes to; 0 where nothing contradicts."""
    with shielded():
        views = _mended(done) + _too_little(done) + _bent(done) + _uncovered(done) + _found(done)
    return Scores(float(views.sum()), views)


def _mended(done: Examination) -> Float[np.ndarray, "V"]:
    """What corrections move, shared out by how large they are."""
    sizes = sum((size_of(c, len(done.views)) for c in done.corrections), np.zeros(len(done.views)))
    if not sizes.any():
        return sizes
    kinds = {type(correction) for correction in done.corrections} - {Discounted, Unbent}
    share = PER_PLACED if kinds == {Placed} else PER_MOVED
    return share * displacement(done.given_surface, done.surface) * sizes / sizes.sum()


def size_of(correction: Correction, count: int) -> Float[np.ndarray, "V"]:
    """What a correction does to each of so many views, in degrees or what counts as much."""
    sizes = np.zeros(count)
    if isinstance(correction, Turned):
        proper = np.linalg.det(correction.matrix) > 0
        sizes[correction.view] = correction.degrees if proper else GROSS
    elif isinstance(correction, Placed):
        moved = np.hypot(correction.right, correction.up) / 2  # shares of half the image
        sizes[correction.view] = 100 * PER_PERCENT * (moved + abs(correction.zoom - 1) / 2)
    elif isinstance(correction, Mirrored):
        sizes[correction.view] = GROSS
    elif isinstance(correction, Tilted):
        sizes[:] = abs(correction.degrees)
    elif isinstance(correction, Rearranged):
        sizes[[k for k, picture in enumerate(correction.order) if picture != k]] = GROSS
    return sizes


def displacement(one: Mesh | None, other: Mesh | None) -> float:
    """Mean distance between the vertices of two surfaces and back, half each, percent of the larger one's diagonal;
    NO_SURFACE at most."""
    if one is None or other is None:
        return NO_SURFACE
    a, b = one.vertices.numpy(), other.vertices.numpy()
    there, back = cKDTree(b).query(a)[0].mean(), cKDTree(a).query(b)[0].mean()
    diagonal = max(np.linalg.norm(np.ptp(points, axis=0)) for points in (a, b))
    return min(NO_SURFACE, float(50 * (there + back) / diagonal))


def _too_little(done: Examination) -> Float[np.ndarray, "V"]:
    """Turns and placements that are more than chance but were not mended."""
    count, width = len(done.views), done.views.resolution[1]
    parts = np.zeros(count)
    if any(isinstance(c, (Mirrored, Rearranged)) for c in done.corrections):
        return parts  # what is left of these
    turned = {c.view for c in done.corrections if isinstance(c, Turned)}
    placed = {c.view for c in done.corrections if isinstance(c, Placed)}
    for v, turn in enumerate(done.turns):
        if v not in turned:
            parts[v] += PER_TURN * max(0.0, turn.degrees - SURE[0] * turn.uncertainty)
    for v, place in enumerate(done.placements):
        if v not in placed:
            spread = np.sqrt(place.covariance[0, 0])  # pixels at half the image's side
            zoom = max(0.0, abs(1 / place.zoom - 1) * width / 2 - SURE[1] * spread)
            shift = max(0.0, place.pixels - SURE[1] * place.uncertainty)
            parts[v] += PER_SHIFT * 100 * (shift + zoom) / width
    return parts / count


def _bent(done: Examination) -> Float[np.ndarray, "V"]:
    """Normals of no surface, in one view or all."""
    degrees = np.array([view.bending for view in done.observations])
    square = np.maximum(0.0, degrees - USUAL * min(float(np.median(degrees)), MOST)) ** 2
    return PER_BEND * np.sqrt(square.mean()) * square / max(square.sum(), 1e-12)


def _uncovered(done: Examination) -> Float[np.ndarray, "V"]:
    shares = uncovered_shares(done.small.cameras, done.small.masks.numpy())
    return PER_UNCOVERED * shares / len(shares)


def _found(done: Examination) -> Float[np.ndarray, "V"]:
    """Findings that count by their values."""
    names = [camera.name for camera in done.views.cameras]
    parts = np.zeros(len(names))
    for finding in done.findings:
        if finding.severity == "note" and finding.code != "mask_hole":
            continue
        value = PER_FINDING.get(finding.code, 0.0) * abs(finding.value or 0.0)
        if finding.code == "bent_patch":
            value = PER_PATCH * abs(finding.value or 0.0) * finding.details["share_percent"] / 100
        elif finding.code == "bent" and finding.threshold_from == "check.field":
            value = PER_FIELD * abs(finding.value or 0.0)
        parts[[names.index(name) for name in finding.views]] += value
    return parts / len(names)
