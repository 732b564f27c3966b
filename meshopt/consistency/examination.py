"""The checks in order: what each finds is mended before the next looks, so that every finding is said once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float

from meshopt import parallel
from meshopt.config import CheckConfig
from meshopt.consistency import reports
from meshopt.consistency.arrangement import hull_misfit, rearranged
from meshopt.consistency.bends import agreeing, find_bends
from meshopt.consistency.content import SurfaceColours, check_content
from meshopt.consistency.corrections import Correction, Discounted, Placed, Rearranged, Turned
from meshopt.consistency.detail import check_detail
from meshopt.consistency.elevations import estimate_elevation
from meshopt.consistency.extents import Placement, estimate_placements
from meshopt.consistency.findings import Finding
from meshopt.consistency.leave_out import check_left_out
from meshopt.consistency.maps import disagreement_maps
from meshopt.consistency.masks import check_masks
from meshopt.consistency.observation import Observation, observe
from meshopt.consistency.orientation import orientations
from meshopt.consistency.patches import find_patches, patch_findings
from meshopt.consistency.registration import aligned, joined, slide
from meshopt.consistency.surface import (
    SharedPoints,
    disagreement,
    reduced,
    reduced_colours,
    rough_surface,
    sampled,
    shared_points,
)
from meshopt.consistency.turns import Turn, estimate_turns
from meshopt.mesh import Mesh, vertex_normals
from meshopt.views import ViewSet

GRID = 64  # voxels along the scene of the surface on which normals are compared
FEWER = 0.5  # share of misplaced views, and of what the hull leaves uncovered, that another elevation may leave
WORSE = 1.02  # times as much disagreement after turning normals: then they are not turned


@dataclass
class Examination:
    """What has been found so far: the views as given and as mended, what mends them, and the findings.

    `turns` and `placements`: what was first measured of every view, however little.
    """

    views: ViewSet
    settings: CheckConfig
    corrections: list[Correction] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    degrees: Float[np.ndarray, "V h w"] = field(default_factory=lambda: np.zeros((0, 0, 0)))  # see `Checked`
    flagged: Bool[np.ndarray, "V h w"] = field(default_factory=lambda: np.zeros((0, 0, 0), bool))  # likewise
    turns: list[Turn] = field(default_factory=list)
    placements: list[Placement] = field(default_factory=list)
    given: ViewSet = field(init=False)

    def __post_init__(self) -> None:
        self.given = self.views

    def mend(self, correction: Correction) -> None:
        """Goes on with mended views."""
        self.change(correction)
        self.corrections.append(correction)

    def change(self, correction: Correction) -> None:
        """Mends the views, without a note of it."""
        self.set(correction.apply(self.views))

    def set(self, views: ViewSet) -> None:
        """Goes on with these views."""
        self.views = views
        for known in ("small", "observations", "surface", "shared", "misfit"):
            self.__dict__.pop(known, None)

    @cached_property
    def small(self) -> ViewSet:
        """The views at the resolution at which they are compared."""
        return reduced(self.views)

    @cached_property
    def observations(self) -> tuple[Observation, ...]:
        """The views each by itself, in its camera's frame."""
        return observe(self.views)

    @property
    def scale(self) -> float:
        """Pixels of the views per pixel of `small`."""
        return self.views.resolution[1] / self.small.resolution[1]

    @cached_property
    def surface(self) -> Mesh | None:
        """A rough surface made of the views as they are now; None where silhouettes share no volume."""
        return self.given_surface if self.views is self.given else rough_surface(self.small, GRID)

    @cached_property
    def shared(self) -> SharedPoints | None:
        """What the views show at the points of that surface."""
        return None if self.surface is None else shared_points(self.small, self.surface)

    @cached_property
    def misfit(self) -> float:
        """Of the silhouettes, see `hull_misfit`."""
        return hull_misfit(self.small)

    @cached_property
    def given_surface(self) -> Mesh | None:
        """The same of the views as they were given."""
        small = self.small if self.views is self.given else reduced(self.given)
        return rough_surface(small, GRID)


def examine(views: ViewSet, settings: CheckConfig) -> Examination:
    """All checks of the views alone."""
    done = Examination(views, settings)
    with torch.no_grad(), parallel.single_torch():
        _orientation(done)
        _arrangement(done)
        _placement(done)
        _bending(done)
        _rotation(done)
        _patches(done)
        done.findings += reports.of_bending(done.observations, settings)
        done.findings += check_masks(done.views, done.observations, settings.masks)
        done.findings += check_content(done.views, done.observations, settings.content, _colours(done))
        done.findings += check_detail(done.views, done.observations, settings.detail)
        if settings.deep:
            done.findings += check_left_out(done.small, GRID, settings.leave_out)
    return done


def _orientation(done: Examination) -> None:
    """Normals of a view that are written otherwise, or belong to another view's camera."""
    found = orientations(done.views)
    wrong = {v: o for v, o in enumerate(found) if o.lead > done.settings.reading}
    moved = {v: o.best.picture_of for v, o in wrong.items() if o.best.picture_of is not None}
    if moved and sorted(moved.values()) == sorted(moved):
        order = tuple(moved.get(v, v) for v in range(len(found)))
        done.findings.append(reports.of_order(done.views, order, found, done.settings))
        done.mend(Rearranged(order, carried=False))
        wrong = {v: o for v, o in wrong.items() if v not in moved}
    for v, o in wrong.items():
        done.findings.append(reports.of_axes(done.views, v, o, done.settings))
        done.mend(Turned(v, o.best.matrix))


def _arrangement(done: Examination) -> None:
    found = rearranged(done.small, done.surface, done.misfit, done.settings.uncovered)
    if found is not None:
        done.findings.append(reports.of_arrangement(done.views, found, done.settings))
        done.mend(found.correction)


def _placement(done: Examination) -> None:
    """Sizes and places: first what silhouettes tell, then, along what they do not, the normals."""
    placements = _elevated(done, estimate_placements(done.views))
    done.placements = list(placements)
    for v, placement in enumerate(placements):
        if not reports.of_placement(done.views, v, placement, done.settings):
            placements[v] = replace(placement, zoom=1.0, right=0.0, down=0.0)
        else:
            done.change(_placed(done.views, v, placement))
    sliding = [v for v, placement in enumerate(placements) if placement.unseen is not None]
    while sliding:
        shifts = aligned(done.small, sliding)
        slides = {v: slide(placements[v], shift, done.scale) for v, shift in zip(sliding, shifts, strict=True)}
        v = max(slides, key=lambda v: slides[v].pixels)
        if not reports.of_placement(done.views, v, slides[v], done.settings):
            break
        sliding.remove(v)
        done.change(_placed(done.views, v, slides[v]))
        placements[v] = joined(placements[v], slides[v])
    for v, placement in enumerate(placements):
        found = reports.of_placement(done.views, v, placement, done.settings)
        if found:
            done.findings += found
            done.corrections.append(_placed(done.views, v, placement))


def _elevated(done: Examination, placements: list[Placement]) -> list[Placement]:
    """Sizes and places; where they or the silhouettes do not fit, those after mending the elevation, if that does."""
    wrong = _misplaced(done, done.views, placements)
    if not wrong and done.misfit < done.settings.uncovered:
        return placements
    found = estimate_elevation(done.small)
    if found is None or abs(found.degrees) < done.settings.elevation:
        return placements
    mended = found.correction.apply(done.views)
    after = estimate_placements(mended)
    misfit = hull_misfit(found.correction.apply(done.small))
    if _misplaced(done, mended, after) > FEWER * wrong or misfit > max(FEWER * done.misfit, done.settings.uncovered):
        return placements
    done.findings.append(reports.of_elevation(found, done.settings))
    done.mend(found.correction)
    return after


def _misplaced(done: Examination, views: ViewSet, placements: list[Placement]) -> int:
    """In how many views."""
    return sum(bool(reports.of_placement(views, v, place, done.settings)) for v, place in enumerate(placements))


def _placed(views: ViewSet, view: int, placement: Placement) -> Placed:
    height, width = views.resolution
    return Placed(view, placement.zoom, 2 * placement.right / width, -2 * placement.down / height)


def _bending(done: Examination) -> None:
    """Smooth fields by which single views are bent; before rotations, as a bent view makes others look turned."""
    bends = find_bends(done.views, done.observations, done.settings.field)
    for bend in agreeing(done.views, bends):
        done.findings.append(reports.of_bend(done.views, bend, done.settings))
        done.mend(bend.correction)


def _rotation(done: Examination) -> None:
    """Twice where something was found: the surface is better then. What makes the views agree worse is said, but not
    done."""
    mended: dict[int, np.ndarray] = {}
    before, given, degrees = np.inf, done.views, done.degrees
    for _ in range(2):
        turns, apart = _turns(done)
        degrees = degrees if mended else done.degrees
        done.turns = done.turns or turns
        if mended and apart > WORSE * before:
            done.set(given)
            done.degrees = degrees
            for v, turn in enumerate(done.turns):
                done.findings += reports.of_turn(given, v, turn.matrix, turn.uncertainty, done.settings, mends=False)
            return
        before = min(before, apart)
        for v, turn in enumerate(turns):
            if turn.degrees >= done.settings.rotation or v in mended:
                mended[v] = turn.matrix @ mended.get(v, np.eye(3))
                done.change(Turned(v, turn.matrix))
        if not mended:
            break
    for v, matrix in sorted(mended.items()):
        done.findings += reports.of_turn(done.views, v, matrix, turns[v].uncertainty, done.settings)
        done.corrections.append(Turned(v, matrix))


def _turns(done: Examination) -> tuple[list[Turn], float]:
    """How far every view's normals are turned, on a surface made of the views as they are now, and how much they
    disagree on it (degrees)."""
    apart = 0.0
    done.degrees = np.full(done.small.masks.shape, np.nan)
    if done.surface is not None and done.shared is not None:
        done.degrees = disagreement_maps(done.small, done.surface, done.shared)
        apart = disagreement(done.shared).mean
    return estimate_turns(done.observations, done.shared), apart


def _patches(done: Examination) -> None:
    """Parts of a view whose normals are turned: they count no more."""
    names = [camera.name for camera in done.views.cameras]
    found = [patch for patch in find_patches(done.observations, done.degrees) if patch.degrees > done.settings.patch]
    done.findings += patch_findings(found, names, done.settings)
    done.flagged = np.zeros(done.small.masks.shape, bool)
    for patch in found:
        done.flagged[patch.view] |= patch.mask
        done.mend(Discounted(patch.view, patch.mask))


def _colours(done: Examination) -> SurfaceColours | None:
    """What the views show at the points of the rough surface, where there are colours."""
    if done.views.rgb is None or done.surface is None:
        return None
    rgb = reduced_colours(done.views, done.small.resolution)
    outward = vertex_normals(done.surface.vertices, done.surface.faces)
    found = sampled(done.small, rgb, done.surface, outward)
    return SurfaceColours(found.values.numpy(), found.weight.numpy())
