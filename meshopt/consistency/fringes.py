"""Fringes: the colour of a background along a mask's rim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32

from meshopt.consistency.findings import Finding
from meshopt.views import ViewSet

RIM = (0.4, 1.6)  # pixels of 512 inside the outline: where a fringe shows
INWARD = 7.0  # pixels of 512 from there to where the object itself shows
ALIKE = 0.1  # largest difference of a channel between colours that count as one
APART = 0.15  # and from which on two colours differ
SUDDEN = 0.75  # of the difference between rim and object that two pixels of 512 must make up
SIZE = 512  # rows of the images in whose pixels widths are stated


@dataclass(frozen=True)
class Fringe:
    """A rim of a foreign colour: the share of the outline in percent, its sRGB colour, its width in pixels of the
    view's image."""

    view: int
    percent: float
    colour: tuple[float, float, float]
    width: float


def fringes(views: ViewSet) -> list[Fringe]:
    """Every view's rim against what lies a few pixels further in; none without colours."""
    if views.rgb is None:
        return []
    masks, colours = (t.detach().cpu().float().numpy() for t in (views.masks, views.rgb))
    return [_fringe(i, mask, rgb) for i, (mask, rgb) in enumerate(zip(masks, colours, strict=True))]


def _fringe(view: int, mask: Float32[np.ndarray, "H W"], rgb: Float32[np.ndarray, "H W 3"]) -> Fringe:
    pixel = max(mask.shape) / SIZE
    solid = np.pad((mask > 0.5).astype(np.uint8), 1)
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 5)[1:-1, 1:-1]
    rows, columns = np.nonzero((depth > RIM[0] * pixel + 0.5) & (depth <= max(RIM[1] * pixel, 1) + 0.5))
    if not len(rows):
        return Fringe(view, 0.0, (0.0, 0.0, 0.0), 0.0)
    soft = cv2.GaussianBlur(depth, (0, 0), 1.5)
    dx, dy = (cv2.Sobel(soft, cv2.CV_32F, *way)[rows, columns] for way in ((1, 0), (0, 1)))
    length = np.maximum(np.hypot(dx, dy), 1e-6)
    dx, dy = dx / length, dy / length

    def further_in(steps: float) -> Float32[np.ndarray, "P 3"]:
        r, c = np.rint(rows + steps * dy).astype(int), np.rint(columns + steps * dx).astype(int)
        return np.asarray(rgb[np.clip(r, 0, rgb.shape[0] - 1), np.clip(c, 0, rgb.shape[1] - 1)])

    rim, inner = rgb[rows, columns], further_in(INWARD * pixel)
    differs = np.abs(rim - inner).max(axis=1) > APART
    if not differs.any():
        return Fringe(view, 0.0, (0.0, 0.0, 0.0), 0.0)
    colour = _mode(rim[differs])
    foreign = differs & (np.abs(rim - colour).max(axis=1) < ALIKE) & (np.abs(inner - colour).max(axis=1) > APART)
    width, jump = 0.0, np.zeros(len(rows))
    for steps in np.arange(0, INWARD - 1) * pixel:
        here, next_but_one = further_in(steps), further_in(steps + 2 * pixel)
        jump = np.maximum(jump, np.abs(next_but_one - here).max(axis=1))
        if foreign.any() and (np.abs(here[foreign] - colour).max(axis=1) < ALIKE).mean() > 0.5:
            width = float(steps) + 2.0
    foreign &= jump > SUDDEN * np.abs(inner - rim).max(axis=1)  # shading goes over slowly
    return Fringe(view, 100.0 * float(foreign.mean()), (float(colour[0]), float(colour[1]), float(colour[2])), width)


def _mode(colours: Float32[np.ndarray, "P 3"]) -> Float32[np.ndarray, "3"]:
    """The most common colour."""
    keys = np.rint(colours * 10).astype(np.int64) @ np.array([1, 16, 256])
    values, counts = np.unique(keys, return_counts=True)
    middle = np.median(colours[keys == values[counts.argmax()]], axis=0)
    near = np.abs(colours - middle).max(axis=1) < ALIKE
    return np.asarray(np.median(colours[near], axis=0), np.float32)


def fringe_findings(found: Sequence[Fringe], names: Sequence[str], threshold: float) -> list[Finding]:
    """A finding for every view whose outline shows a foreign colour."""
    result = []
    for one in found:
        if one.percent < threshold:
            continue
        name = names[one.view]
        colour = "#" + "".join(f"{round(255 * min(max(value, 0.0), 1.0)):02x}" for value in one.colour)
        result.append(
            Finding(
                "mask_fringe",
                "suspect",
                (name,),
                f"{one.percent:.0f} % of the outline of {name} has a rim of about {one.width:.0f} pixels in {colour}, "
                "as if its mask were too wide.",
                f"Make the mask of {name} narrower by {max(one.width, 1):.0f} pixels.",
                value=one.percent,
                unit="% of the outline",
                threshold=threshold,
                threshold_from="check.masks.fringe",
                details={"width": one.width, "colour": colour},
            )
        )
    return result
