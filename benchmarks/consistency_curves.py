"""Curves of benchmarks/consistency.py: the share of damaged sets found against that of clean sets, as the threshold of
one finding varies. Needs rows of sensitive checks; draws with matplotlib.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from consistency_rows import CLEAN, Row, counted, half, label

from meshopt.config import CheckConfig
from meshopt.report.plot import require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ALLOWED = 2.0  # percent of clean sets that may be found
LEAST = 0.5  # percent: of the axis of false alarms, what is none lies here
SCORE = "score"


@dataclass(frozen=True)
class Curve:
    """Damage, and the finding whose largest value over a set is compared with a threshold; the set's score where `code`
    is SCORE. `setting`: the threshold in use, None where there is none."""

    damage: str
    code: str
    setting: str | None


CURVES = (
    Curve("rotate:5", "rotated", "rotation"),
    Curve("rotate:10", "rotated", "rotation"),
    Curve("zoom:3", "zoomed", "zoom"),
    Curve("shift:1", "shifted", "shift"),
    Curve("patch:25", "bent_patch", "patch"),
    Curve("noise:10", SCORE, None),
)


@dataclass(frozen=True)
class Points:
    """Percent of clean and of damaged sets found, for falling thresholds."""

    thresholds: np.ndarray
    alarms: np.ndarray
    found: np.ndarray

    def at(self, threshold: float) -> tuple[float, float]:
        """False alarms and detection, percent: what is at least the threshold is found."""
        k = int(np.count_nonzero(self.thresholds >= threshold)) - 1
        return (float(self.alarms[k]), float(self.found[k])) if k >= 0 else (0.0, 0.0)

    def best(self, allowed: float = ALLOWED) -> tuple[float, float]:
        """A threshold between the lowest value with few enough false alarms and the next; what it finds, percent."""
        fine = np.flatnonzero(self.alarms <= allowed)
        if not len(fine):
            return np.inf, 0.0
        k = int(fine[-1])
        return float(np.append(self.thresholds, 0.0)[k : k + 2].mean()), float(self.found[k])


def largest(row: Row, code: str) -> float:
    """The largest value that a set has of a finding; 0 without one."""
    if code == SCORE:
        return float(row["score"])
    return max((abs(f["value"] or 0.0) for f in row["findings"] if f["code"] == code), default=0.0)


def points(clean: Sequence[float], damaged: Sequence[float]) -> Points:
    """The curve of two samples."""
    values = np.unique([*clean, *damaged])[::-1]
    values = values[values > 0]
    shares = [100 * np.mean(np.asarray(part)[None, :] >= values[:, None], axis=1) for part in (clean, damaged)]
    return Points(values, *shares)


def samples(rows: Sequence[Row], curve: Curve) -> tuple[list[float], list[float]]:
    """Of the clean sets and of those with the damage: the values."""
    clean = [largest(row, curve.code) for row in rows if row["kind"] == CLEAN]
    return clean, [largest(row, curve.code) for row in rows if label(row) == curve.damage and counted(row)]


def chosen(rows: Sequence[Row]) -> str:
    """Markdown: the lowest threshold with few enough false alarms on one half of the objects, and what it and the one
    in use find on the other half. Empty without sensitive rows."""
    rows = [row for row in rows if row["sensitive"]]
    lines = []
    for curve in CURVES:
        of_half = {name: samples([r for r in rows if half(r["object"]) == name], curve) for name in ("even", "odd")}
        if not all(all(parts) for parts in of_half.values()):
            continue
        used = getattr(CheckConfig(), curve.setting or "", None)
        for one, other in (("even", "odd"), ("odd", "even")):
            threshold, there = points(*of_half[one]).best()
            here = points(*of_half[other])
            figures = [f"{threshold:.2f}", f"{there:.0f}", *_shares(here, threshold)]
            figures += ["", "", ""] if used is None else [f"{used:g}", *_shares(here, used)]
            lines.append(f"| {curve.damage} | {curve.code} | {one} | " + " | ".join(figures) + " |")
    if not lines:
        return ""
    head = (
        f"| damage | finding | chosen on | threshold ({ALLOWED:g} % false alarms) | found there %"
        " | found on the other % | false alarms there % | in use | found % | false alarms % |"
    )
    return "\n".join([head, "|---|---|---" + "|--:" * 7 + "|", *lines]) + "\n"


def _shares(found: Points, threshold: float) -> list[str]:
    alarms, share = found.at(threshold)
    return [f"{share:.0f}", f"{alarms:.0f}"]


def draw(rows: Sequence[Row], select: str = "all") -> bytes:
    """A PNG's bytes. `select`: objects of one half, or all."""
    require_matplotlib()
    from matplotlib.figure import Figure

    rows = [row for row in rows if row["sensitive"] and select in ("all", half(row["object"]))]
    figure = Figure(figsize=(8.0, 5.5), dpi=120, layout="constrained")
    axes = figure.add_subplot(xlabel="clean sets found, % (false alarms)", ylabel="damaged sets found, %")
    for number, curve in enumerate(CURVES):
        clean, damaged = samples(rows, curve)
        if clean and damaged:
            _draw(axes, curve, points(clean, damaged), f"{curve.damage} ({len(damaged)} sets)", number)
    axes.set_xscale("log")
    axes.set_xlim(0.9 * LEAST, 100)
    axes.set_xticks([LEAST, 1, 2, 5, 10, 20, 50, 100], ["0", "1", "2", "5", "10", "20", "50", "100"])
    axes.minorticks_off()
    axes.set_ylim(0, 102)
    axes.axvline(ALLOWED, color="0.6", linestyle=":", linewidth=1.0)
    axes.grid(True, color="0.92")
    axes.set_title(
        f"objects: {select}; {sum(row['kind'] == CLEAN for row in rows)} clean sets; dots: thresholds in use"
    )
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", frameon=True)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _draw(axes: Axes, curve: Curve, found: Points, title: str, number: int) -> None:
    """Lines that lie on one another are told apart by their widths."""
    color, width = f"C{number}", 1.2 + 0.7 * (len(CURVES) - number)
    last = found.found[-1:] if len(found.found) else [0.0]
    x, y = np.maximum([LEAST, *found.alarms, 100.0], LEAST), [0.0, *found.found, *last]
    axes.plot(x, y, color=color, label=title, drawstyle="steps-post", linewidth=width)
    used = getattr(CheckConfig(), curve.setting or "", None)
    if used is not None:
        alarms, share = found.at(used)
        axes.plot(max(alarms, LEAST), share, "o", color=color, markeredgecolor="white", markersize=6 + width)
