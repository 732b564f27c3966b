"""curves.png: the losses of every step and the number of faces; needs matplotlib, which is optional."""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from meshopt.errors import InputError
from meshopt.packages import PROJECT, extras

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curves = Mapping[str, Mapping[str, Sequence[float]]]
"""Values of every step, by stage and name."""

FACES = "faces"  # the name that has an axis of its own
SIZE, DPI = (12.0, 6.5), 100  # inches, pixels per inch
_STYLES = ("-", "--", ":", "-.")  # one for each ten colours


def require_matplotlib() -> None:
    """Raises InputError where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        package = f"'{PROJECT}[plot]'" if "plot" in extras() else "matplotlib"
        raise InputError(f"--plot needs the package matplotlib: pip install {package}.")


def draw_curves(curves: Curves, stages: Iterable[Mapping[str, Any]] = (), title: str = "") -> bytes:
    """A PNG's bytes: every name's values over the steps on a logarithmic axis, stages marked, faces on the right.

    `stages` as in the report: where a stage has no curve named faces, its number at the end is shown. Values that are
    not positive or not finite leave gaps. Raises InputError where matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss, weighted", title=title)
    starts = _starts(curves)
    names = dict.fromkeys(name for terms in curves.values() for name in terms if name != FACES)
    drawn = sum(_draw(axes, _joined(curves, starts, name, True), name, i) for i, name in enumerate(names))
    if drawn:
        axes.set_yscale("log")
    axes.margins(y=0.1)  # room for the names of the stages
    axes.grid(True, which="major", color="0.9")
    counts = axes.twinx()
    counts.set_ylabel(FACES, color="0.45")
    counts.tick_params(axis="y", colors="0.45")
    counts.set_ylim(bottom=0)
    if _draw_faces(counts, curves, starts, stages):
        counts.set_ylim(bottom=0, top=1.08 * counts.dataLim.y1)
        counts.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    else:
        counts.set_axis_off()
    _mark_stages(axes, curves, starts)
    handles = [h for part in (axes, counts) for h in part.get_legend_handles_labels()[0]]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=7, frameon=False)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _starts(curves: Curves) -> dict[str, int]:
    """Steps before each stage."""
    starts, total = {}, 0
    for stage in curves:
        starts[stage] = total
        total += _steps(curves[stage])
    return starts


def _steps(terms: Mapping[str, Sequence[float]]) -> int:
    return max((len(values) for values in terms.values()), default=0)


def _joined(curves: Curves, starts: Mapping[str, int], name: str, positive: bool) -> tuple[list[float], list[float]]:
    """Steps and values of one name through all stages, with a gap between stages.

    A name with fewer values than its stage has steps was noted at even intervals.
    """
    steps: list[float] = []
    values: list[float] = []
    for stage, terms in curves.items():
        found = terms.get(name, ())
        interval = _steps(terms) / max(1, len(found))
        steps += [starts[stage] + interval * (i + 1) for i in range(len(found))] + [math.nan]
        values += [v if math.isfinite(v) and (v > 0 or not positive) else math.nan for v in found] + [math.nan]
    return steps, values


def _draw(axes: Axes, points: tuple[list[float], list[float]], name: str, number: int) -> bool:
    """One line, if there is anything to see."""
    known = sum(math.isfinite(value) for value in points[1])
    if known:
        style, marker = _STYLES[number // 10 % len(_STYLES)], "." if known < 3 else ""
        axes.plot(*points, label=name, color=f"C{number % 10}", linestyle=style, marker=marker, linewidth=1.6)
    return known > 0


def _draw_faces(axes: Axes, curves: Curves, starts: Mapping[str, int], stages: Iterable[Mapping[str, Any]]) -> bool:
    """The faces of every step where they were noted, else those at the end of each stage."""
    steps, values = _joined(curves, starts, FACES, False)
    if any(map(math.isfinite, values)):
        axes.plot(steps, values, label=FACES, color="0.6", linewidth=1.0)
        return True
    ends = {row.get("name"): row.get("faces") for row in stages}
    known = [(starts[stage] + _steps(curves[stage]), ends[stage]) for stage in curves if ends.get(stage)]
    if known:
        axes.plot(
            *zip(*known, strict=True), "o", label=f"{FACES} after the stage", color="0.6", markersize=4, clip_on=False
        )
    return bool(known)


def _mark_stages(axes: Axes, curves: Curves, starts: Mapping[str, int]) -> None:
    """A line where each stage starts, and its name at the top."""
    for stage, start in starts.items():
        axes.axvline(start, color="0.8", linewidth=0.8)
        end = start + _steps(curves[stage])
        if end > start:
            label = axes.text((start + end) / 2, 0.985, stage, ha="center", va="top", color="0.35", fontsize=9)
            label.set_transform(axes.get_xaxis_transform())
    axes.set_xlim(0, max(1, max((starts[s] + _steps(curves[s]) for s in curves), default=1)))
