"""How fine a view's normals are: blurred or enlarged maps beside sharp ones, and JPEG's blocks.

The width of edges is estimated from the ratio of an edge's gradients at two scales (Zhuo and Sim, Defocus map
estimation from a single image, 2011): a step blurred by sigma has at scale s a gradient of 1 / sqrt(s^2 + sigma^2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float32

from meshopt import parallel
from meshopt.config import DetailChecks
from meshopt.consistency.findings import Finding
from meshopt.consistency.observation import Observation
from meshopt.views import ViewSet

SCALES = (1.0, 2.5)  # pixels: sigmas at which gradients are compared
STRONG = 0.12  # change per pixel of normals (of colours: a third of it), at SCALES[0], from which on there is an edge
EDGES = 60  # edge pixels that must be there for an estimate
SHARPEST = 0.2  # quantile of the edges' widths that is the picture's sharpness
WIDEST = 12.0  # pixels: a larger sigma cannot be told
BOTH = 0.6  # where colours are blurred, this share of the threshold for normals makes it more than a note


@dataclass(frozen=True)
class Detail:
    """How fine one view is: sigma of a Gaussian, pixels of the view's image, that its edges look blurred with (None:
    there are not enough edges), its uncertainty, the same for its colours, and how much more (share) normals change
    across the borders of 8 x 8 blocks than elsewhere."""

    view: int
    sigma: float | None
    error: float
    rgb_sigma: float | None
    blocks: float


def check_detail(views: ViewSet, observations: Sequence[Observation], thresholds: DetailChecks) -> list[Finding]:
    """Everything about how fine the views are."""
    names = [observation.name for observation in observations]
    return detail_findings(measure_detail(views), names, thresholds)


def measure_detail(views: ViewSet) -> list[Detail]:
    """Every view's detail at full resolution."""
    normals, masks = (t.detach().cpu().float().numpy() for t in (views.normals, views.masks))
    rgb = None if views.rgb is None else views.rgb.detach().cpu().float().numpy()

    def measured(i: int) -> Detail:
        solid = masks[i] > 0.99
        sigma, error = edge_width(normals[i], solid, STRONG)
        rgb_sigma = None if rgb is None else edge_width(rgb[i], solid, STRONG / 3)[0]
        return Detail(i, sigma, error, rgb_sigma, blockiness(normals[i], solid))

    return parallel.run(measured, [(i,) for i in range(len(views))])


def edge_width(
    image: Float32[np.ndarray, "H W C"], solid: Bool[np.ndarray, "H W"], strong: float
) -> tuple[float | None, float]:
    """Sigma, pixels, of the sharper edges inside the mask, and its uncertainty; None without enough edges."""
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    if not len(rows):
        return None, 0.0
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    inside = np.pad(solid[box].astype(np.uint8), 1)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
    fine, coarse = (_slope(image[box], scale) for scale in SCALES)
    peak = fine >= 0.99 * cv2.dilate(fine, np.ones((3, 3), np.uint8))
    edge = (depth > 2.5 * SCALES[1]) & (fine > strong / 2) & peak
    weakest = max(strong / 2, float(np.quantile(fine[edge], 0.5))) if edge.sum() >= 2 * EDGES else strong / 2
    edge &= fine >= weakest
    count = int(edge.sum())
    if count < EDGES:
        return None, 0.0
    ratio = (fine[edge] / np.maximum(coarse[edge], 1e-6)) ** 2
    small, large = SCALES[0] ** 2, SCALES[1] ** 2
    square = (large - ratio * small) / np.maximum(ratio - 1, 1e-3)
    sigma = np.sqrt(np.clip(square, 0, WIDEST**2))
    low, middle, high = np.quantile(sigma, [SHARPEST / 2, SHARPEST, 1.5 * SHARPEST])
    return float(middle), float((high - low) / 2)


def _slope(image: Float32[np.ndarray, "H W C"], scale: float) -> Float32[np.ndarray, "H W"]:
    """Length of the gradient of a smoothed image, per pixel."""
    smooth = cv2.GaussianBlur(image, (0, 0), scale)
    dx, dy = (cv2.Sobel(smooth, cv2.CV_32F, *way, scale=0.125) for way in ((1, 0), (0, 1)))
    return np.asarray(np.sqrt(sum(np.einsum("hwc,hwc->hw", d, d) for d in (dx, dy))), np.float32)


def blockiness(image: Float32[np.ndarray, "H W C"], solid: Bool[np.ndarray, "H W"]) -> float:
    """How much more neighbours differ across multiples of 8 rows and columns than elsewhere, as a share."""
    shares = []
    for axis in (0, 1):
        step = np.einsum("hwc->hw", np.abs(np.diff(image, axis=axis)))
        inside = solid if axis == 0 else solid.T
        both = inside[1:] & inside[:-1]
        step = np.minimum(step if axis == 0 else step.T, 0.1) * both
        lines, weight = step.sum(axis=1), both.sum(axis=1)
        phase = (np.arange(len(lines)) + 1) % 8
        at = [lines[phase == k].sum() / max(weight[phase == k].sum(), 1) for k in range(8)]
        shares.append(at[0] / max(float(np.median(at[1:])), 1e-6) - 1)
    return float(min(shares))


def detail_findings(found: Sequence[Detail], names: Sequence[str], thresholds: DetailChecks) -> list[Finding]:
    """Blurred views, blurred sets, JPEG. Colours alone are a note: soft shading looks like that, too."""
    normals = {one.view: one.sigma for one in found if one.sigma is not None}
    colours = {one.view: one.rgb_sigma for one in found if one.rgb_sigma is not None}
    result = []
    for one in found:
        limit = _limit(normals, one.view, thresholds.normals, thresholds)
        if normals.get(one.view, 0.0) >= limit:
            result.append(_blurred(names[one.view], "normals", normals[one.view], one.error, limit))
        limit_colours = _limit(colours, one.view, thresholds.colours, thresholds)
        if colours.get(one.view, 0.0) >= limit_colours:
            both = normals.get(one.view, 0.0) >= BOTH * limit
            finding = _blurred(names[one.view], "colours", colours[one.view], None, limit_colours)
            result.append(finding if both else replace(finding, severity="note"))
    middle = float(np.median(list(normals.values()))) if len(normals) > 1 else 0.0
    if middle >= thresholds.all_normals:
        result.append(_all_blurred([names[view] for view in normals], middle, thresholds.all_normals))
    blocky = [one for one in found if one.blocks > thresholds.blocks]
    if len(blocky) > len(found) / 2:
        share = float(np.median([one.blocks for one in blocky]))
        result.append(_jpeg([names[one.view] for one in blocky], share, thresholds))
    return result


def _limit(widths: dict[int, float], view: int, least: float, thresholds: DetailChecks) -> float:
    """The width from which on a view is less fine than the others; infinite where too few others can be measured."""
    others = [value for other, value in widths.items() if other != view]
    if len(others) < 2:
        return float("inf")
    return max(least, thresholds.ratio * float(np.median(others)), thresholds.beyond * max(others))


def _blurred(name: str, what: str, sigma: float, error: float | None, threshold: float) -> Finding:
    """The finding for one view less fine than the others."""
    code = "normals_blurred" if what == "normals" else "colours_blurred"
    return Finding(
        code,
        "suspect",
        (name,),
        f"The {what} of {name} are blurred: their edges are as after a Gaussian of {sigma:.1f} pixels, more than twice "
        "as wide as in the other views.",
        f"Generate {name} anew at the resolution of the others; its details will be missing otherwise.",
        value=sigma,
        unit="pixels, sigma",
        uncertainty=error,
        threshold=threshold,
        threshold_from=f"check.detail.{what}, check.detail.ratio",
    )


def _all_blurred(names: Sequence[str], sigma: float, threshold: float) -> Finding:
    """The finding for a set without detail."""
    return Finding(
        "normals_blurred",
        "note",
        tuple(names),
        f"All normals are blurred: their edges are as after a Gaussian of {sigma:.1f} pixels.",
        "Generate the normals at a higher resolution; images of half the size would lose nothing.",
        value=sigma,
        unit="pixels, sigma",
        threshold=threshold,
        threshold_from="check.detail.all_normals",
    )


def _jpeg(names: Sequence[str], share: float, thresholds: DetailChecks) -> Finding:
    """The note that normal maps have been JPEG files."""
    return Finding(
        "normals_jpeg",
        "note",
        tuple(names),
        f"The normal maps have been JPEG files: they change by {100 * share:.0f} % more across the borders of 8 x 8 "
        "blocks.",
        "Store normal maps as PNG.",
        value=share,
        unit="share",
        threshold=thresholds.blocks,
        threshold_from="check.detail.blocks",
    )
