"""What the pictures show: one repeated in another, colours that differ, normals that do not lie on their colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshopt.config import ContentChecks
from meshopt.consistency.colour_offsets import Offset, offsets
from meshopt.consistency.findings import Finding
from meshopt.consistency.observation import Observation
from meshopt.consistency.repeats import Repeat, repeats
from meshopt.views import ViewSet

DARK, BRIGHT = 0.06, 0.96  # sRGB: values beyond tell nothing about a gain
IN_ALL, IN_ONE = (0.08, 0.6), (0.25, 2.0)  # likeness and distinctness from which on an offset is believed
POINTS = 30  # surface points that two views must share


@dataclass(frozen=True)
class Gain:
    """One view's colours against the other views': percent per channel (red, green, blue), and the uncertainty."""

    view: int
    percent: tuple[float, float, float]
    error: float

    @property
    def largest(self) -> float:
        """The channel that is farthest off, percent, without its sign."""
        return max(abs(value) for value in self.percent)

    @property
    def hue(self) -> float:
        """The channel that is farthest off the mean of the three, percent: what light and shade do not explain."""
        middle = sum(self.percent) / 3
        return max(abs(value - middle) for value in self.percent)


@dataclass(frozen=True, eq=False)
class SurfaceColours:
    """sRGB of surface points in every view, and the weight with which a view sees them (0: it does not)."""

    values: Float[np.ndarray, "V N 3"]
    weight: Float[np.ndarray, "V N"]


def check_content(
    views: ViewSet,
    observations: Sequence[Observation],
    thresholds: ContentChecks,
    colours: SurfaceColours | None,
) -> list[Finding]:
    """Everything about what the pictures show; colours only where a surface connects the views."""
    names = [observation.name for observation in observations]
    findings = repeat_findings(repeats(observations), names, thresholds)
    findings += offset_findings(*offsets(observations), names, thresholds)
    if colours is not None:
        findings += gain_findings(colour_gains(colours), names, thresholds)
    return findings


def repeat_findings(found: Sequence[Repeat], names: Sequence[str], thresholds: ContentChecks) -> list[Finding]:
    """Views that repeat the front although the other views show no such symmetry: each with its better likeness."""
    result = {}
    for one in sorted(found, key=lambda one: -one.likeness):
        symmetric = max(one.expected or 0.0, 0.0)
        if one.view in result or one.likeness < thresholds.repeat or one.likeness - symmetric < thresholds.beyond:
            continue
        view, source = names[one.view], names[one.source]
        how = "the mirrored picture" if one.mirrored else "the picture"
        sure = one.expected is not None
        result[one.view] = Finding(
            "janus",
            "inconsistent" if sure else "suspect",
            (view,),
            f"View {view} repeats {how} of {source} (correlation {one.likeness:.2f}"
            + (f"; the other views allow {symmetric:.2f})." if sure else ")."),
            f"Regenerate {view}, or leave it out.",
            value=one.likeness,
            unit="correlation",
            threshold=thresholds.repeat,
            threshold_from="check.content.repeat",
            details={"picture_of": source, "mirrored": one.mirrored, "expected": one.expected},
        )
    return list(result.values())


def colour_gains(colours: SurfaceColours) -> list[Gain]:
    """Every view's gain per channel against the others, from the points that pairs of views share.

    For each pair the median of the ratio's logarithm, then gains that explain the pairs, outliers discounted; what
    most views agree on is 0. Only views that share points with others are listed.
    """
    count = len(colours.values)
    usable = (colours.weight > 0.2) & ((colours.values > DARK) & (colours.values < BRIGHT)).all(axis=2)
    logs = np.log(np.clip(colours.values, 1e-3, None))
    rows, ratios, errors = [], [], []
    for i in range(count):
        for j in range(i):
            both = usable[i] & usable[j]
            if both.sum() < POINTS:
                continue
            ratio = logs[i][both] - logs[j][both]
            middle = np.median(ratio, axis=0)
            rows.append(np.eye(count)[i] - np.eye(count)[j])
            ratios.append(middle)
            spread = 1.48 * float(np.median(np.abs(ratio - middle)))
            errors.append(0.01 + spread * (0.2 + np.sqrt(20 / both.sum())))  # points are not independent
    return _gains(np.stack(rows), np.stack(ratios), np.array(errors)) if rows else []


def _gains(pairs: np.ndarray, ratios: np.ndarray, errors: np.ndarray) -> list[Gain]:
    """From the pairs [P, V], 1 and -1 for the two views, their ratios' logarithms [P, 3] and errors [P]."""
    seen = np.abs(pairs).sum(axis=0) > 0
    gains = _explained(pairs, ratios, errors)
    gains = gains - np.median(gains[seen], axis=0)
    leftover = np.abs(pairs @ gains - ratios).max(axis=1)
    result = []
    for view in np.flatnonzero(seen):
        mine = np.abs(pairs[:, view]) > 0
        red, green, blue = (100 * (np.exp(gains[view]) - 1)).tolist()
        result.append(Gain(int(view), (red, green, blue), 100 * float(np.median(leftover[mine]) + errors[mine].min())))
    return result


def _explained(rows: np.ndarray, ratios: np.ndarray, errors: np.ndarray) -> Float[np.ndarray, "V 3"]:
    """Least squares with weights that fall with the residual; the smallest gains where several explain the same."""
    gains = np.zeros((rows.shape[1], 3))
    for _ in range(10):
        residual = np.abs(rows @ gains - ratios).max(axis=1)
        weight = 1 / (errors * np.sqrt(1 + (residual / (2 * errors + 0.02)) ** 2))
        prior = 1e-3 * np.eye(rows.shape[1]) * weight.max()
        system = np.vstack([rows * weight[:, None], prior])
        right = np.vstack([ratios * weight[:, None], np.zeros_like(gains)])
        gains = np.linalg.lstsq(system, right, rcond=None)[0]
    return gains


def gain_findings(found: Sequence[Gain], names: Sequence[str], thresholds: ContentChecks) -> list[Finding]:
    """A finding for every view whose colours differ."""
    result = []
    for one in found:
        if one.largest - 2 * one.error < thresholds.colour:
            continue
        name = names[one.view]
        channels = ", ".join(
            f"{word} {value:+.0f} %" for word, value in zip(("red", "green", "blue"), one.percent, strict=True)
        )
        result.append(
            Finding(
                "colour_shift",
                "suspect" if one.hue - 2 * one.error > thresholds.colour else "note",
                (name,),
                f"The colours of {name} differ from those of the other views: {channels}.",
                f"Divide the colours of {name} by these gains, or regenerate it; the shape does not suffer.",
                value=one.largest,
                unit="%",
                uncertainty=one.error,
                threshold=thresholds.colour,
                threshold_from="check.content.colour",
                details={"gains": [1 + value / 100 for value in one.percent]},
            )
        )
    return result


def offset_findings(
    single: Sequence[Offset], together: Offset | None, names: Sequence[str], thresholds: ContentChecks
) -> list[Finding]:
    """Normals off their colours: in all views alike, or, as a note, in one."""
    in_all = together is not None and _off(together, *IN_ALL, thresholds)
    found = [together] if in_all else [one for one in single if _off(one, *IN_ONE, thresholds)]
    result = []
    for one in filter(None, found):
        views = tuple(names[view] for view in one.views)
        right, down = one.shift
        who = f"view {views[0]}" if len(views) == 1 else "all views"
        result.append(
            Finding(
                "normals_off_rgb",
                "suspect" if in_all else "note",
                views,
                f"The normals of {who} lie {right:+.1f} % (right) and {down:+.1f} % (down) of the image off the "
                f"colours.",
                "Crop and scale normal maps and colour images alike, or regenerate the normals from the colours.",
                value=one.length,
                unit="% of the image",
                uncertainty=0.3,
                threshold=thresholds.offset,
                threshold_from="check.content.offset",
                details={"shift": list(one.shift), "likeness": one.likeness, "distinct": one.distinct},
            )
        )
    return result


def _off(one: Offset, alike: float, distinct: float, thresholds: ContentChecks) -> bool:
    return one.length > thresholds.offset and one.likeness > alike and one.gain > 0.3 and one.distinct > distinct
