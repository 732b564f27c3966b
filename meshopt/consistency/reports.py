"""From measurements to findings: the sentences, and what is too much."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from meshopt.config import CheckConfig
from meshopt.consistency.arrangement import Arrangement
from meshopt.consistency.bends import Bend
from meshopt.consistency.corrections import Mirrored, Rearranged
from meshopt.consistency.elevations import Elevation
from meshopt.consistency.extents import Placement
from meshopt.consistency.findings import Finding, listed, severity
from meshopt.consistency.observation import Observation
from meshopt.consistency.orientation import Orientation
from meshopt.consistency.turns import vector_of
from meshopt.views import ViewSet

SURE = 2.5  # standard deviations that a measurement has to be above nothing
BENDING_ERROR = 0.25  # of a bending, as a share of it: measured, docs/consistency.md


def of_order(views: ViewSet, order: Sequence[int], found: Sequence[Orientation], settings: CheckConfig) -> Finding:
    """Pictures whose normals fit another camera."""
    lead = min(found[v].lead for v, k in enumerate(order) if k != v)
    evidence = f"normals fit better by {lead:.2f} of 1"
    return _moved(views, order, evidence, lead, "score", settings.reading, "check.reading")


def of_axes(views: ViewSet, view: int, found: Orientation, settings: CheckConfig) -> Finding:
    """Normals that are written otherwise than the other views'."""
    name, best = views.cameras[view].name, found.best
    if best.picture_of is not None:
        other = views.cameras[best.picture_of].name
        what = f"the normals of {name} are those of a camera where {other} stands"
        code, details = "wrong_camera", {"picture_of": other}
    else:
        what = f"the normals of {name} have other axes than the rest: {best.axes} in the {best.frame} frame"
        code, details = "flipped", {"frame": best.frame, "axes": best.axes}
    return Finding(
        code, "inconsistent", (name,), f"{what} fits better (by {found.lead:.2f} of 1).",
        "write this view's normals as the others', or let the correction do it.",
        found.lead, "score", None, settings.reading, "check.reading", details,
    )  # fmt: skip


def of_arrangement(views: ViewSet, found: Arrangement, settings: CheckConfig) -> Finding:
    """A mirrored view, or pictures in the wrong places."""
    before, after = found.degrees
    evidence = (
        f"silhouettes left uncovered {100 * found.uncovered[0]:.0f} % to {100 * found.uncovered[1]:.0f} %,"
        f" normals apart {before:.0f} to {after:.0f} degrees"
    )
    threshold = settings.uncovered, "check.uncovered"
    if isinstance(found.correction, Mirrored):
        name = views.cameras[found.correction.view].name
        return Finding(
            "mirrored", "inconsistent", (name,), f"{name} is mirrored: flipped left to right it fits ({evidence}).",
            "flip the picture, or let the correction do it.", found.uncovered[0], "share", None, *threshold,
            {"uncovered": found.uncovered, "degrees": found.degrees},
        )  # fmt: skip
    assert isinstance(found.correction, Rearranged)
    return _moved(views, found.correction.order, evidence, found.uncovered[0], "share", *threshold)


def _moved(
    views: ViewSet, order: Sequence[int], evidence: str, value: float, unit: str, threshold: float, source: str
) -> Finding:
    """Pictures that stand in each other's place."""
    names = [camera.name for camera in views.cameras]
    moved = {names[v]: names[k] for v, k in enumerate(order) if k != v}
    pairs = ", ".join(f"{place} shows what {shown} should" for place, shown in moved.items())
    return Finding(
        "swapped" if len(moved) == 2 else "wrong_order", "inconsistent", tuple(moved),
        f"the pictures of {listed(list(moved))} stand in each other's place: {pairs} ({evidence}).",
        "exchange the files, or let the correction do it.",
        value, unit, None, threshold, source, {"picture_of": moved},
    )  # fmt: skip


def of_elevation(found: Elevation, settings: CheckConfig) -> Finding:
    """All cameras stand higher or lower than is believed."""
    degrees, (before, after) = found.degrees, found.apart
    return Finding(
        "elevation", severity(abs(degrees), settings.elevation), (),
        f"all views look as if taken {abs(degrees):.0f} ± {found.uncertainty:.0f} degrees"
        f" {'higher' if degrees > 0 else 'lower'} than their cameras stand (normals apart {before:.0f} to {after:.0f}"
        " degrees).",
        "give the cameras that the views were made with (--rig, or cameras.json), or let the correction do it.",
        degrees, "degrees", found.uncertainty, settings.elevation, "check.elevation", {"degrees": list(found.apart)},
    )  # fmt: skip


def of_placement(views: ViewSet, view: int, found: Placement, settings: CheckConfig) -> list[Finding]:
    """A view of another size, or shifted."""
    name, width = views.cameras[view].name, views.resolution[1]
    findings = []
    percent = float(100 * (1 / found.zoom - 1))
    spread = np.sqrt(np.diag(found.covariance))
    zoom_spread = float(100 * spread[0] / (width / 2))
    size = "larger" if percent > 0 else "smaller"
    if abs(percent) > settings.zoom and abs(percent) > SURE * zoom_spread:
        findings.append(
            Finding(
                "zoomed", severity(abs(percent), settings.zoom), (name,),
                f"{name} shows the object {abs(percent):.1f} % {size} than the others.",
                f"scale the picture by {found.zoom:.3f}, or let the correction do it.",
                percent, "%", zoom_spread, settings.zoom, "check.zoom",
            )
        )  # fmt: skip
    shift, uncertainty = 100 * found.pixels / width, 100 * found.uncertainty / width
    if shift > settings.shift and shift > SURE * uncertainty:
        findings.append(
            Finding(
                "shifted", severity(shift, settings.shift), (name,),
                f"{name} shows the object {found.pixels:.1f} pixels ({shift:.1f} % of the image) off its place.",
                f"move the picture by {found.right:+.1f} pixels to the right and {found.down:+.1f} down, or let the"
                " correction do it.",
                shift, "% of the image", uncertainty, settings.shift, "check.shift",
                {"right_px": -found.right, "down_px": -found.down},
            )
        )  # fmt: skip
    return findings


def of_turn(
    views: ViewSet,
    view: int,
    matrix: Float[np.ndarray, "3 3"],
    uncertainty: float,
    settings: CheckConfig,
    mends: bool = True,
) -> list[Finding]:
    """Normals that are turned as a whole; whether turning them back `mends` them."""
    name, vector = views.cameras[view].name, -vector_of(matrix)
    degrees = float(np.degrees(np.linalg.norm(vector)))
    if degrees < settings.rotation:
        return []
    axis = vector / np.linalg.norm(vector)
    return [
        Finding(
            "rotated", severity(degrees, settings.rotation), (name,),
            f"the normals of {name} are turned by {degrees:.1f} ± {uncertainty:.1f} degrees about"
            f" ({axis[0]:+.2f}, {axis[1]:+.2f}, {axis[2]:+.2f}) against what the others tell.",
            "turn them back, which the correction does, or make this view's normals anew." if mends else
            "make this view's normals anew; turned back, they would agree with the others no better, so they are not.",
            degrees, "degrees", uncertainty, settings.rotation, "check.rotation", {"axis": axis.tolist()},
        )
    ]  # fmt: skip


def of_bend(views: ViewSet, bend: Bend, settings: CheckConfig) -> Finding:
    """What is said about it."""
    name, (before, after) = views.cameras[bend.view].name, bend.bending
    return Finding(
        "bent", severity(bend.degrees, settings.field), (name,),
        f"the normals of {name} are bent smoothly by {bend.degrees:.1f} ± {bend.uncertainty:.1f} degrees (root mean"
        f" square): a field that turns them back leaves {after:.1f} of {before:.1f} degrees of bending.",
        "make this view's normals anew, or let the correction do it.",
        bend.degrees, "degrees", bend.uncertainty, settings.field, "check.field",
        {"bending": list(bend.bending)},
    )  # fmt: skip


def of_bending(seen: Sequence[Observation], settings: CheckConfig) -> list[Finding]:
    """Normals that are those of no surface."""
    findings = []
    for view in seen:
        degrees = view.bending
        if degrees > settings.bending:
            findings.append(
                Finding(
                    "bent", severity(degrees, settings.bending), (view.name,),
                    f"the normals of {view.name} are bent by about {degrees:.0f} degrees (root mean square): they are"
                    " those of no surface.",
                    "make this view's normals anew, or estimate them from its colours; the reconstruction trusts them"
                    " less.",
                    degrees, "degrees", BENDING_ERROR * degrees, settings.bending, "check.bending",
                )
            )  # fmt: skip
    return findings
