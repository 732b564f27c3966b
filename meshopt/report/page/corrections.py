"""Corrections in words, and which finding each belongs to. Works on the plain data of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from meshopt.consistency.findings import listed

Plain = Mapping[str, Any]

_KINDS = {  # of a correction, by what it mends
    "order": ("swapped", "wrong_order", "wrong_camera"),
    "mirror": ("mirrored",),
    "normals": ("rotated", "flipped", "wrong_camera"),
    "placement": ("zoomed", "shifted"),
    "bending": ("bent",),
    "elevation": ("elevation",),
    "discount": ("bent_patch",),
}


def belonging(finding: Plain, corrections: Sequence[Plain]) -> list[Plain]:
    """Those corrections that mend what a finding is about."""
    return [c for c in corrections if finding["code"] in _KINDS.get(c["kind"], ()) and _concerns(c, finding["views"])]


def described(correction: Plain) -> str:
    """What was done, as a sentence."""
    kind, view = correction["kind"], correction.get("view")
    if kind == "order":
        return f"{listed([f'{name} gets the picture of {other}' for name, other in correction['picture_of'].items()])}."
    if kind == "mirror":
        return f"The picture of {view} is flipped left to right."
    if kind == "normals":
        return _turn(np.asarray(correction["matrix"]), str(view))
    if kind == "placement":
        return _placement(correction)
    if kind == "bending":
        return f"The normals of {view} are turned back by a field that varies smoothly over the picture."
    if kind == "elevation":
        sense = "higher" if correction["degrees"] > 0 else "lower"
        return f"All cameras stand {abs(correction['degrees']):.1f}° {sense}."
    if kind == "discount":
        return f"The normals of {view} count no more in {100 * correction['share']:.1f} % of its picture."
    return f"{kind}." if view is None else f"{kind} of {view}."


def _turn(matrix: np.ndarray, view: str) -> str:
    if np.linalg.det(matrix) < 0:
        return f"Axes of the normals of {view} are exchanged or inverted."
    degrees = np.degrees(np.arccos(np.clip((np.trace(matrix) - 1) / 2, -1, 1)))
    return f"The normals of {view} are turned by {degrees:.1f}°."


def _placement(correction: Plain) -> str:
    """Zoom in percent, shifts in percent of the image."""
    percent = 100 * (correction["zoom"] - 1)
    parts = [f"{'enlarged' if percent > 0 else 'reduced'} by {abs(percent):.1f} %"] if abs(percent) >= 0.05 else []
    for key, ahead, back in (("right", "right", "left"), ("up", "up", "down")):
        share = 100 * correction[key] / 2
        if abs(share) >= 0.05:
            parts.append(f"moved {ahead if share > 0 else back} by {abs(share):.1f} %")
    return f"The picture of {correction['view']} is {listed(parts or ['placed anew'])}."


def _concerns(correction: Plain, views: Sequence[str]) -> bool:
    if correction["kind"] == "order":
        return bool(set(correction["picture_of"]) & set(views)) or not views
    return correction.get("view") is None or correction["view"] in views or not views
