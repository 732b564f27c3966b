"""Sizes and places of the views: what is measured of them, mended, looked at again, and said."""

from __future__ import annotations

from dataclasses import replace

from meshopt.consistency import reports
from meshopt.consistency.arrangement import hull_misfit
from meshopt.consistency.corrections import Placed
from meshopt.consistency.elevations import estimate_elevation
from meshopt.consistency.extents import Placement, estimate_placements
from meshopt.consistency.registration import aligned, joined, slide
from meshopt.consistency.state import Examination
from meshopt.views import ViewSet

FEWER = 0.5  # share of misplaced views, and of what the hull leaves uncovered, that another elevation may leave


def place(done: Examination) -> None:
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
        done.slides[v] = placements[v], slides[v]
        placements[v] = joined(placements[v], slides[v])
    done.placed = placements


def slides_again(done: Examination) -> bool:
    """Takes back what normals told of places before they were turned back, where they tell it no more.

    Whether there was such.
    """
    given = done.views
    for v, (_, slid) in done.slides.items():
        done.change(_placed(done.views, v, replace(slid, right=-slid.right, down=-slid.down)))
    shifts = aligned(done.small, list(done.slides))
    kept = {
        v: slid
        for (v, (_, slid)), shift in zip(done.slides.items(), shifts, strict=True)
        if shift is None or reports.of_placement(done.views, v, slide(slid, shift, done.scale), done.settings)
    }
    if len(kept) == len(done.slides):
        done.set(given)
        return False
    for v, (placement, slid) in done.slides.items():
        if v in kept:
            done.change(_placed(done.views, v, slid))
        else:
            done.placed[v] = placement
    return True


def say_placed(done: Examination, findings: int, corrections: int) -> None:
    """Puts what was found of sizes and places, and what mends it, before that of turned normals."""
    for v, placement in reversed(list(enumerate(done.placed))):
        found = reports.of_placement(done.views, v, placement, done.settings)
        if found:
            done.findings[findings:findings] = found
            done.corrections.insert(corrections, _placed(done.views, v, placement))


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
