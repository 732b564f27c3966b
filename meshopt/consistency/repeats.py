"""One view's picture repeated in another, as generators do that show a face on the back as well ("Janus")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32

from meshopt.consistency.observation import Observation
from meshopt.frames import front_view

CANVAS = (96, 64)  # rows and columns onto which every silhouette is stretched, row by row
DETAIL = 5.0  # canvas pixels: sigma below which a picture's structure counts
SOFT = 1.0  # canvas pixels: sigma of what is too fine to count
FAINT = {"rgb": 0.012, "normals": 0.03}  # rms structure below which there is nothing to compare
TURN = 20.0  # degrees: views whose azimuths differ by less stand in the same place


@dataclass(frozen=True, eq=False)
class Picture:
    """A view's structure on the canvas: `layers` by kind, high-pass, and the weight of each pixel."""

    weight: Float32[np.ndarray, "r c"]
    layers: dict[str, Float32[np.ndarray, "r c C"]]

    def mirrored(self) -> Picture:
        """Of the mirrored picture."""
        layers = {kind: layer[:, ::-1].copy() for kind, layer in self.layers.items()}
        layers["normals"][..., 0] *= -1
        return Picture(self.weight[:, ::-1], layers)


@dataclass(frozen=True)
class Repeat:
    """How alike two views are, `mirrored` or not: `likeness` (correlation of their structure, at most 1), and how alike
    other views are that would have to be so as well if the object had this symmetry (None: there are none)."""

    source: int
    view: int
    mirrored: bool
    likeness: float
    expected: float | None


def picture(observation: Observation) -> Picture | None:
    """The structure of a view, None where nothing is seen."""
    solid = observation.mask > 0.5
    rows = np.flatnonzero(solid.any(axis=1))
    if len(rows) < 8:
        return None
    left, right = solid[rows].argmax(axis=1), solid.shape[1] - 1 - solid[rows, ::-1].argmax(axis=1)
    height, width = CANVAS
    at = rows[0] + (np.arange(height) + 0.5) / height * (rows[-1] + 1 - rows[0]) - 0.5
    first, last = np.interp(at, rows, left), np.interp(at, rows, right + 1)
    columns = first[:, None] + (np.arange(width) + 0.5)[None, :] / width * (last - first)[:, None] - 0.5
    place = columns.astype(np.float32), np.broadcast_to(at[:, None], CANVAS).astype(np.float32)
    images = {"normals": observation.normals}
    if observation.rgb is not None:
        images["rgb"] = observation.rgb
    cover = observation.solid.astype(np.float32)
    weight = cv2.remap(cover, *place, cv2.INTER_LINEAR)
    layers = {}
    for kind, image in images.items():
        canvas = cv2.remap(image.astype(np.float32) * cover[..., None], *place, cv2.INTER_LINEAR)
        layers[kind] = _smooth(canvas, weight, SOFT) - _smooth(canvas, weight, DETAIL)
    return Picture((weight > 0.9).astype(np.float32), layers)


def _smooth(premultiplied: np.ndarray, weight: np.ndarray, sigma: float) -> Float32[np.ndarray, "r c C"]:
    mass = cv2.GaussianBlur(weight, (0, 0), sigma)
    return np.asarray(cv2.GaussianBlur(premultiplied, (0, 0), sigma) / np.maximum(mass, 1e-3)[..., None], np.float32)


def likeness(one: Picture, two: Picture) -> float:
    """The least correlation of what both show: of colours, of normals; 0 where there is no structure."""
    weight = (one.weight * two.weight)[..., None]
    found = []
    for kind, layer in one.layers.items():
        a, b = layer * weight, two.layers[kind] * weight
        area = max(float(weight.sum()), 1.0)
        power = np.sqrt((a**2).sum() / area), np.sqrt((b**2).sum() / area)
        if min(power) > FAINT[kind]:
            found.append(float((a * b).sum() / area / (power[0] * power[1])))
    return min(found) if found else 0.0


def repeats(observations: Sequence[Observation]) -> list[Repeat]:
    """How alike the front view is to every other one, as it is and mirrored."""
    plain = [picture(observation) for observation in observations]
    front = front_view([observation.camera for observation in observations])
    found = []
    for mirrored in (False, True):
        sources = [p.mirrored() if p is not None and mirrored else p for p in plain]
        for view, shown in enumerate(plain):
            source = sources[front]
            if view == front or source is None or shown is None:
                continue
            pairs = [(sources[k], plain[other]) for k, other in partners(observations, front, view, mirrored)]
            known = [likeness(one, two) for one, two in pairs if one is not None and two is not None]
            expected = max(known) if known else None
            found.append(Repeat(front, view, mirrored, likeness(source, shown), expected))
    return found


def partners(observations: Sequence[Observation], source: int, view: int, mirrored: bool) -> list[tuple[int, int]]:
    """Other pairs of views that would be alike, too, if a symmetry of the object made `view` look like `source`.

    A turn about the vertical axis by the angle between the two, or, mirrored, a reflection half way between them.
    """
    azimuth = [observation.camera.azimuth for observation in observations]
    tilt = [observation.camera.elevation for observation in observations]
    apart = abs(tilt[source] - tilt[view])
    pairs = []
    for k, place in enumerate(azimuth):
        target = azimuth[source] + azimuth[view] - place if mirrored else azimuth[view] - azimuth[source] + place
        for other, at in enumerate(azimuth):
            if {k, other} == {source, view} or (mirrored and other < k):
                continue
            if abs((at - target + 180) % 360 - 180) < TURN and abs(tilt[k] - tilt[other]) <= apart + 1:
                pairs.append((k, other))
    return pairs
