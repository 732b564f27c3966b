"""Masks: what other views' silhouettes contradict, holes, fringes, loose specks, objects cut off by the image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32

from meshopt.config import MaskChecks
from meshopt.consistency.findings import Finding, listed
from meshopt.consistency.fringes import fringe_findings, fringes
from meshopt.consistency.hulls import Contradiction, contradictions, facing_rim
from meshopt.consistency.observation import Observation
from meshopt.views import ViewSet

FACING = 0.5  # cosine to the camera all around a hole in a flat side, ...
FLAT, SAME = 0.7, 0.985  # ... and share of the normals there that are the same: cosine to their median


@dataclass(frozen=True, eq=False)
class Hole:
    """A hole that the silhouette encloses. `percent` of the silhouette; `facing`: how much more (cosine) the normals
    face the camera all around it than along the outline; `region` over the observation's pixels. Not `sure`: in a flat
    side of an object whose outline faces the camera as well, where a hole with sharp edges looks the same."""

    view: int
    percent: float
    facing: float
    region: Bool[np.ndarray, "h w"]
    sure: bool


def check_masks(views: ViewSet, observations: Sequence[Observation], thresholds: MaskChecks) -> list[Finding]:
    """Everything about the masks."""
    names = [observation.name for observation in observations]
    contradicted = contradictions(observations, thresholds.hull)
    cut = {one.against[0] for one in contradicted if one.fault != "shown"}
    lone = [one for o in observations if o.number not in cut for one in holes(o, thresholds)]
    findings = contradiction_findings(contradicted, observations, thresholds)
    findings += [_hole_finding(one, names, thresholds) for one in lone]
    findings += fringe_findings(fringes(views), names, thresholds.fringe)
    for i, name in enumerate(names):
        findings += _speck_findings(views.masks[i].detach().cpu().float().numpy(), name, thresholds)
        findings += _border_findings(views.masks[i].detach().cpu().float().numpy(), name, thresholds)
    return findings + _source_findings(views)


def holes(observation: Observation, thresholds: MaskChecks) -> list[Hole]:
    """Enclosed holes around which the surface goes on as if there were none."""
    outside = (observation.mask < 0.5).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    height, width = outside.shape
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    inner = (left > 0) & (top > 0) & (left + stats[:, 2] < width) & (top + stats[:, 3] < height)
    percent = 100.0 * stats[:, cv2.CC_STAT_AREA] / max(outside.size - int(outside.sum()), 1)
    chosen = [k for k in range(1, count) if inner[k] and percent[k] >= thresholds.hole]
    if not chosen:
        return []
    cosine, rim = facing_rim(observation)
    result = []
    for label in chosen:
        region = labels == label
        around = rim & (cv2.dilate(region.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0)
        elsewhere = cosine[rim & ~around]
        if around.any() and len(elsewhere):
            low = float(np.quantile(cosine[around], 0.25))
            facing, flat = low - float(elsewhere.mean()), _alike(observation.normals[around])
            sure = facing > thresholds.hole_facing
            if sure or (low > FACING and flat > FLAT):
                result.append(Hole(observation.number, float(percent[label]), facing, region, sure))
    return result


def _alike(normals: Float[np.ndarray, "K 3"]) -> float:
    """Share of them that differ little from their median."""
    median = np.median(normals, axis=0)
    return float((normals @ (median / max(float(np.linalg.norm(median)), 1e-6)) > SAME).mean())


def contradiction_findings(
    found: Sequence[Contradiction], observations: Sequence[Observation], thresholds: MaskChecks
) -> list[Finding]:
    """One finding per view at fault, for its largest contradiction."""
    names = [observation.name for observation in observations]
    result: dict[tuple[str, tuple[str, ...]], Finding] = {}
    for one in found:
        said = _said(one, names, observations[one.against[0]])
        finding = Finding(
            said.code,
            "inconsistent",
            said.views,
            said.message,
            said.remedy,
            value=one.percent,
            unit="% of the silhouette",
            uncertainty=_area_error(one),
            threshold=thresholds.hull.least,
            threshold_from="check.masks.hull.least",
            details={"depth": one.depth, "facing": one.facing, "against": [names[i] for i in one.against]},
        )
        result.setdefault((said.code, said.views), finding)
    return list(result.values())


@dataclass(frozen=True)
class _Said:
    code: str
    views: tuple[str, ...]
    message: str
    remedy: str


def _said(one: Contradiction, names: Sequence[str], against: Observation) -> _Said:
    """A contradiction in words."""
    shows, lacks, percent = names[one.view], against.name, f"{one.percent:.1f} %"
    if one.fault == "shown":
        others = listed([names[i] for i in one.against])
        message = f"The mask of {shows} covers {percent} more than the silhouette of {others} allows."
        remedy = f"Cut the mask of {shows} there (--matting), or regenerate {shows}."
        return _Said("mask_extra", (shows,), message, remedy)
    if one.fault == "either":
        message = f"The masks of {shows} and {lacks} contradict each other over {percent} of the object."
        remedy = f"Look at both; regenerate {shows} or {lacks}, or make its mask anew (--matting)."
        return _Said("mask_conflict", (shows, lacks), message, remedy)
    hole = _enclosed(one, against)
    what = "has a hole over" if hole else "cuts off"
    message = f"The mask of {lacks} {what} {percent} of the object that {shows} shows."
    remedy = f"Make the mask of {lacks} anew (--matting), or leave its silhouette out."
    return _Said("mask_hole" if hole else "mask_cuts", (lacks,), message, remedy)


def _area_error(one: Contradiction) -> float:
    """Percent of the silhouette: half a ray's width along the region's edge."""
    area = float(one.region.sum())
    edge = area - float(cv2.erode(one.region.astype(np.uint8), np.ones((3, 3), np.uint8)).sum())
    return one.percent * 0.5 * edge / max(area, 1.0)


def _enclosed(one: Contradiction, observation: Observation) -> bool:
    """Whether what is missing is a hole: not connected to the background around the object."""
    _, labels = cv2.connectedComponents((observation.mask < 0.5).astype(np.uint8), connectivity=4)
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return bool(one.missing.any()) and float(np.isin(labels[one.missing], border).mean()) < 0.5


def _hole_finding(one: Hole, names: Sequence[str], thresholds: MaskChecks) -> Finding:
    name = names[one.view]
    return Finding(
        "mask_hole",
        "suspect" if one.sure else "note",
        (name,),
        f"The mask of {name} has a hole of {one.percent:.1f} % of the silhouette around which the surface goes on"
        + ("." if one.sure else ", flat: one with sharp edges, or none."),
        f"Make the mask of {name} anew (--matting), unless the object has this hole.",
        value=one.percent,
        unit="% of the silhouette",
        threshold=thresholds.hole,
        threshold_from="check.masks.hole",
        details={"facing": one.facing},
    )


def _speck_findings(mask: Float32[np.ndarray, "H W"], name: str, thresholds: MaskChecks) -> list[Finding]:
    """Islands of less than 0.2 % of the largest part."""
    _, _, stats, _ = cv2.connectedComponentsWithStats((mask > 0.5).astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    small = areas < 0.002 * areas.max(initial=0)
    if not small.any():
        return []
    count, percent = int(small.sum()), 100.0 * float(areas[small].sum()) / float(areas.sum())
    return [
        Finding(
            "mask_specks",
            "suspect" if percent >= thresholds.specks else "note",
            (name,),
            f"The mask of {name} has {count} loose speck{'s' if count > 1 else ''}.",
            f"Remove them from the mask of {name}.",
            value=percent,
            unit="% of the silhouette",
            threshold=thresholds.specks,
            threshold_from="check.masks.specks",
            details={"count": count},
        )
    ]


def _border_findings(mask: Float32[np.ndarray, "H W"], name: str, thresholds: MaskChecks) -> list[Finding]:
    """Sides of the image that the object touches."""
    sides = {"top": mask[0], "bottom": mask[-1], "left": mask[:, 0], "right": mask[:, -1]}
    touched = {side: 100.0 * float((line > 0.5).mean()) for side, line in sides.items() if (line > 0.5).any()}
    if not touched:
        return []
    most = max(touched.values())
    return [
        Finding(
            "mask_cut_off",
            "suspect" if most >= thresholds.cut_off else "note",
            (name,),
            f"The object in {name} touches the image's {listed(list(touched))} side: what lies beyond is missing.",
            "Render or generate the views with a margin around the object.",
            value=most,
            unit="% of the image's side",
            threshold=thresholds.cut_off,
            threshold_from="check.masks.cut_off",
            details={"sides": touched},
        )
    ]


def _source_findings(views: ViewSet) -> list[Finding]:
    """Views whose colour image and normal map came with masks that differ: the loader says so in its notes."""
    result = []
    for source in views.sources:
        for note in source.notes:
            match = re.search(r"disagree \(IoU (\d\.\d+)\)", note)
            if match:
                result.append(
                    Finding(
                        "masks_differ",
                        "suspect",
                        (source.name,),
                        f"The masks of the colour image and the normal map of {source.name} differ: {note}",
                        "Check that both images show the same picture; --matting chooses which mask counts.",
                        value=float(match[1]),
                        unit="IoU",
                        threshold=0.9,
                        threshold_from="the loader",
                    )
                )
    return result
