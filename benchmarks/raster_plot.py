"""The figures of raster.py as a picture: times beside each other, and their growth where that was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

COLORS = ("#2f6690", "#d1495b", "#5b8e7d", "#edae49", "#6b4e71")
KINDS = {"modular": "-", "fused": "--"}


def draw(pyplot: Any, results: dict[str, Any], path: Path) -> None:
    """Bars of all backends; with `--full` two panels more, over pixels and over faces."""
    rows = {label: row for label, row in results.items() if label != "machine"}
    scaled = any("scaling_pixels" in row for row in rows.values())
    figure, axes = pyplot.subplots(
        1, 3 if scaled else 1, figsize=(12 if scaled else 5, 4), layout="constrained", squeeze=False
    )
    _bars(axes[0, 0], rows)
    for axis, name, title in zip(axes[0, 1:], ("pixels", "faces"), ("pixels of each view", "faces"), strict=False):
        _growth(axis, rows, name, title)
    names = [results["machine"]["cpu"], *results["machine"]["devices"].values()]
    figure.suptitle(f"Four views, forward and backward: {', '.join(names)}", fontsize=10)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _bars(axis: Any, rows: dict[str, Any]) -> None:
    """One group for each kind of work and mesh. Accelerators: wall-clock seconds, hatched."""
    groups = ("modular_20480", "modular_81920", "fused_20480", "fused_81920")
    width = 0.8 / max(len(rows), 1)
    for k, (label, row) in enumerate(rows.items()):
        device = all(group not in row for group in groups)
        seconds = [row.get(group + ("_device_wall" if device else ""), 0.0) for group in groups]
        places = [g + (k - (len(rows) - 1) / 2) * width for g in range(len(groups))]
        color, hatch = COLORS[k % len(COLORS)], "//" if device else None
        bars = axis.bar(places, [1e3 * s for s in seconds], width, label=label, color=color, hatch=hatch)
        axis.bar_label(bars, fmt="%.0f", fontsize=8)
    axis.set_xticks(range(len(groups)), [g.replace("_", "\n") for g in groups], fontsize=8)
    axis.set_ylabel("ms (CPU, one thread; accelerators: wall)")
    axis.set_title("512 x 512", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)


def _growth(axis: Any, rows: dict[str, Any], name: str, title: str) -> None:
    """Double logarithmic, with a line of slope 1 through the last point of the first series."""
    guide: list[list[float]] = []
    for k, (label, row) in enumerate(rows.items()):
        for kind, style in KINDS.items():
            series = row.get(f"scaling_{name}", {}).get(kind, [])
            if series:
                counts, seconds = zip(*series, strict=True)
                axis.plot(
                    counts,
                    [1e3 * s for s in seconds],
                    style,
                    marker="o",
                    ms=3,
                    color=COLORS[k],
                    label=f"{label}, {kind}",
                )
                guide = guide or series
    if guide:
        (first, _), (last, most) = guide[0], guide[-1]
        axis.plot([first, last], [1e3 * most * first / last, 1e3 * most], ":", color="#999999", label="linear")
    axis.set(xscale="log", yscale="log")
    axis.set_title(f"over {title}", fontsize=9)
    axis.set_ylabel("ms")
    axis.grid(alpha=0.2)
    axis.legend(frameon=False, fontsize=8)
