"""The checks in order: what each finds is mended before the next looks, so that every finding is said once."""

from __future__ import annotations

import numpy as np

from meshopt.config import CheckConfig
from meshopt.consistency import reports
from meshopt.consistency.arrangement import rearranged
from meshopt.consistency.bends import agreeing, find_bends
from meshopt.consistency.content import SurfaceColours, check_content
from meshopt.consistency.corrections import Discounted, Rearranged, Turned
from meshopt.consistency.detail import check_detail
from meshopt.consistency.leave_out import check_left_out
from meshopt.consistency.maps import disagreement_maps
from meshopt.consistency.masks import check_masks
from meshopt.consistency.orientation import orientations
from meshopt.consistency.patches import find_patches, patch_findings
from meshopt.consistency.places import place, say_placed, slides_again
from meshopt.consistency.state import GRID, Examination
from meshopt.consistency.surface import (
    disagreement,
    reduced_colours,
    sampled,
)
from meshopt.consistency.turns import Turn, estimate_turns
from meshopt.mesh import vertex_normals
from meshopt.surroundings import shielded
from meshopt.views import ViewSet

WORSE = 1.02  # times as much disagreement after turning normals: then they are not turned


def examine(views: ViewSet, settings: CheckConfig) -> Examination:
    """All checks of the views alone."""
    done = Examination(views, settings)
    with shielded():
        _orientation(done)
        _arrangement(done)
        place(done)
        findings, corrections = len(done.findings), len(done.corrections)
        _bending(done)
        _rotation(done)
        turned = any(isinstance(c, Turned) for c in done.corrections[corrections:])
        if turned and done.slides and slides_again(done):
            _turns(done)  # the views disagree otherwise now
        say_placed(done, findings, corrections)
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
