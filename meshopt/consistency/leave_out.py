"""Cross-validation of the shape: what the surface is without one view (leave one out), and of either half of the views.

A view that contributes moves the surface even when all is well. What tells is prediction: how well the surface made of
the other views fits the view that was left out, and whether these others fit it better without that view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from torch.nn.functional import normalize

from meshopt.cameras import ONE_LINE, Camera, along_one_line
from meshopt.config import LeaveOutChecks
from meshopt.consistency.findings import Finding, listed
from meshopt.consistency.scores import displacement
from meshopt.consistency.surface import FAR, rough_surface, seen_from, subset
from meshopt.mesh import Mesh, vertex_normals
from meshopt.views import ViewSet

LEAST, LEAST_HALVED = 3, 4  # views of which one can be left out, and that can be halved


@dataclass(frozen=True)
class Fit:
    """How a view fits a surface: median and mean angle (each pixel FAR degrees at most) between its normals and the
    surface's, and the share of its silhouette that the surface leaves uncovered."""

    median: float
    mean: float
    uncovered: float


@dataclass(frozen=True)
class LeftOut:
    """What leaving one view out does.

    `moved`: displacement of the surface, percent of its diagonal. `fit`: of the view to the surface without it;
    `within`: to the surface of all. `relief`: degrees by which the other views fit the surface better that is made
    without this one, mean over them; negative where worse. Nothing moves where the surface of all is made without the
    view anyway, as its mask cuts off what the others agree on (`meshopt.initial`).
    """

    moved: float
    fit: Fit
    within: Fit
    relief: float


@dataclass(frozen=True)
class Halves:
    """Two halves of the views, `moved`: displacement between their surfaces, percent of the first one's diagonal, None
    where one has none, and `fits`: of each view of `views` to the surface of the half that it is not in."""

    views: tuple[tuple[int, ...], tuple[int, ...]]
    moved: float | None
    fits: tuple[Fit, ...]


def check_left_out(views: ViewSet, grid: int, thresholds: LeaveOutChecks) -> list[Finding]:
    """How much the shape depends on each view, and on which half of them it is made of. `views` at the resolution at
    which they are compared; `grid`: voxels along the scene."""
    names = [camera.name for camera in views.cameras]
    used = [v for v in range(len(views)) if bool((views.masks[v] > 0.5).any())]
    if len(used) < LEAST:
        return [_too_few(len(used))]
    without = {v: rough_surface(subset(views, [k for k in used if k != v]), grid) for v in used}
    whole = rough_surface(subset(views, used), grid)
    if whole is None:
        return [_no_surface([names[v] for v in used if without[v] is not None])]
    findings = left_out_findings(leave_out(views, whole, without), names, thresholds)
    halves = halve([views.cameras[v] for v in used])
    if halves is not None:
        one, other = (tuple(used[k] for k in half) for half in halves)
        findings.append(_halves(compare_halves(views, one, other, grid), names))
    return findings


def leave_out(views: ViewSet, whole: Mesh, without: Mapping[int, Mesh | None]) -> dict[int, LeftOut | None]:
    """What leaving each view out does; `whole`: the surface of all, `without`: that of all but one. None where there is
    none."""
    within = {v: fit_of(views, v, whole) for v in without}
    found: dict[int, LeftOut | None] = dict.fromkeys(without)
    for v, rest in without.items():
        if rest is not None:
            fits = {u: fit_of(views, u, rest) for u in without}
            relief = np.mean([within[u].mean - fits[u].mean for u in without if u != v])
            found[v] = LeftOut(displacement(whole, rest), fits[v], within[v], float(relief))
    return found


def fit_of(views: ViewSet, view: int, surface: Mesh) -> Fit:
    """How a view that has a silhouette fits a surface."""
    outward = vertex_normals(surface.vertices, surface.faces)
    shown, covered = seen_from(views.cameras[view], surface, outward, views.resolution)
    silhouette = views.masks[view] > 0.5
    cosine = (normalize(shown, dim=-1) * views.normals[view]).sum(-1)[silhouette & covered].clamp(-1, 1)
    degrees = np.degrees(np.arccos(cosine.numpy()))
    uncovered = float((silhouette & ~covered).sum() / silhouette.sum())
    if not len(degrees):
        return Fit(FAR, FAR, uncovered)
    return Fit(float(np.median(degrees)), float(np.minimum(degrees, FAR).mean()), uncovered)


def halve(cameras: Sequence[Camera]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Every other view on the way round the object, so that either half sees it from all sides; of four, which would
    be opposite views without depth, neighbours. None of fewer."""
    if len(cameras) < LEAST_HALVED:
        return None
    back = np.stack([camera.rotation[2] for camera in cameras])  # to the camera, world
    azimuth = np.round(np.degrees(np.arctan2(back[:, 0], back[:, 2]))) % 360
    polar = np.abs(back[:, 1]) > ONE_LINE  # from above or below: no azimuth
    order = np.lexsort((back[:, 1], azimuth, polar)).tolist()
    halves = tuple(order[0::2]), tuple(order[1::2])
    if any(along_one_line([cameras[k] for k in half]) for half in halves):
        middle = len(order) // 2
        halves = tuple(order[:middle]), tuple(order[middle:])
    return halves


def compare_halves(views: ViewSet, one: tuple[int, ...], other: tuple[int, ...], grid: int) -> Halves:
    """The surfaces of two halves of the views, and how well each predicts the other's views."""
    surfaces = [rough_surface(subset(views, half), grid) for half in (one, other)]
    if surfaces[0] is None or surfaces[1] is None:
        return Halves((one, other), None, ())
    fits = [fit_of(views, v, surface) for half, surface in ((other, surfaces[0]), (one, surfaces[1])) for v in half]
    return Halves((one, other), displacement(*surfaces), tuple(fits))


def left_out_findings(
    found: Mapping[int, LeftOut | None], names: Sequence[str], thresholds: LeaveOutChecks
) -> list[Finding]:
    """A note for each view, and more where the others fit much better without it; None: without it there is no
    surface."""
    return [
        _needed(names[v]) if one is None else _left_out(one, names[v], thresholds.relief) for v, one in found.items()
    ]


def _left_out(one: LeftOut, name: str, limit: float) -> Finding:
    told = (
        f"without {name} the shape moves by {one.moved:.1f} % of its diagonal; the others predict its normals to"
        f" {one.fit.median:.0f} degrees ({one.within.median:.0f} with it) and its silhouette but for"
        f" {100 * one.fit.uncovered:.0f} %"
    )
    details = {"moved_percent": one.moved, "fit": asdict(one.fit), "within": asdict(one.within)}
    measured = (one.relief, "degrees", None, limit, "check.leave_out.relief", details)
    remedy = f"look at {name}, and make it anew or leave it out if it shows something else than the others."
    if one.relief > limit:
        told += f". The other views fit the shape {one.relief:.1f} degrees better without it: it contradicts them"
    elif one.moved == 0:
        told = (
            f"the shape of all views is made without {name}, as its mask, or that of the view from the opposite side,"
            f" cuts off what the others agree on; they predict its normals to {one.fit.median:.0f} degrees and its"
            f" silhouette but for {100 * one.fit.uncovered:.0f} %"
        )
    else:
        return Finding("left_out", "note", (name,), f"{told}.", "none is needed.", *measured)
    return Finding("left_out", "suspect", (name,), f"{told}.", remedy, *measured)


def _needed(name: str) -> Finding:
    return Finding(
        "left_out", "note", (name,), f"without {name} no shape can be made of the views.",
        "none is needed, as long as this view is right.",
    )  # fmt: skip


def _no_surface(mending: Sequence[str]) -> Finding:
    """Where all views together have no surface; `mending`: those without which there is one."""
    if len(mending) == 1:
        return Finding(
            "left_out", "suspect", tuple(mending),
            f"of all views together no shape can be made, without {mending[0]} it can.",
            f"look at {mending[0]}, and make it anew or leave it out.",
        )  # fmt: skip
    which = f"without {' or without '.join(mending)} it can" if mending else "nor when any one is left out"
    return Finding(
        "left_out", "note", tuple(mending), f"of all views together no rough shape can be made, {which}.",
        "check the cameras (--rig) and the masks, unless the object is thin everywhere.",
    )  # fmt: skip


def _halves(found: Halves, names: Sequence[str]) -> Finding:
    one, other = (listed([names[v] for v in half]) for half in found.views)
    if found.moved is None:
        return Finding(
            "halves", "note", (), f"of {one} alone, or of {other} alone, no shape can be made.", "none is needed.",
        )  # fmt: skip
    degrees = float(np.median([fit.median for fit in found.fits]))
    return Finding(
        "halves", "note", (),
        f"the shape made of {one} alone and that made of {other} alone are {found.moved:.1f} % of the diagonal apart;"
        f" each predicts the other's normals to {degrees:.0f} degrees.",
        "none is needed.", found.moved, "% of the diagonal", None, None, "",
        {"halves": [[names[v] for v in half] for half in found.views], "degrees": degrees},
    )  # fmt: skip


def _too_few(count: int) -> Finding:
    return Finding(
        "left_out", "note", (),
        f"leaving one view out tells nothing here: {LEAST} views that show the object are needed, found {count}.",
        "none is needed.",
    )  # fmt: skip
