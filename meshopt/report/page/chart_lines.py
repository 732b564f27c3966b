"""What a chart shows: points, lines and a base line, and how each line looks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from meshopt.report.page.chart_axes import usable

COLOURS = 8  # --series-1 and so on in theme.css, dark and light
_RADIUS = 4.5  # of a marker
_DASHES = (None, "7 4", "2 3", "9 3 2 3")


@dataclass(frozen=True)
class Point:
    """A measurement; from `low` to `high` it spreads, `label` says in the tooltip what it is."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    label: str = ""


@dataclass(frozen=True)
class Line:
    """Points under one name; a single one is a mark.

    `series` is the number whose colour and marker it has, the line's place in the chart unless given. Lines of one
    series that differ in their `variant` (0 to 3) have the same colour and marker, filled or hollow, and other dashes.
    """

    name: str
    points: Sequence[Point]
    series: int | None = None
    variant: int = 0


@dataclass(frozen=True)
class Chart:
    """Values over x; `base` is the name and height of a line across it all, to compare with."""

    title: str
    x_title: str
    y_title: str
    lines: Sequence[Line]
    base: tuple[str, float] | None = None


@dataclass(frozen=True)
class Style:
    """How a line looks: unlike that of any other of 24 series in its variant, and of any other variant."""

    colour: int  # from 1
    marker: str  # a path around 0 0
    dash: str | None
    hollow: bool


def style(line: Line) -> Style:
    """Eight colours, each with a shape of its own; after each eight, other shapes and dashes."""
    assert line.series is not None
    cycle, colour = divmod(line.series, COLOURS)
    marker = _MARKERS[(colour + 3 * cycle) % len(_MARKERS)]
    return Style(colour + 1, marker, _DASHES[(cycle + line.variant) % len(_DASHES)], line.variant % 2 == 1)


def drawable(chart: Chart) -> Chart:
    """The chart with what can be drawn of it: finite points in the order of x, lines that have any, their series."""
    lines = [
        replace(line, points=_finite(line.points), series=i if line.series is None else line.series)
        for i, line in enumerate(chart.lines)
    ]
    height = None if chart.base is None else usable(chart.base[1])
    base = None if chart.base is None or height is None else (chart.base[0], height)
    return replace(chart, lines=[line for line in lines if line.points], base=base)


def _finite(points: Sequence[Point]) -> list[Point]:
    """In the order of x; a spread has both ends or none."""
    found = []
    for point in points:
        x, y = usable(point.x), usable(point.y)
        if x is None or y is None:
            continue
        ends = [None if end is None else usable(end) for end in (point.low, point.high)]
        low, high = sorted(end for end in ends if end is not None) if None not in ends else (None, None)
        found.append(Point(x, y, low, high, point.label))
    return sorted(found, key=lambda point: point.x)


def _polygon(corners: int, radius: float, turn: float = 0.0, inner: float = 1.0) -> str:
    """A path around 0 0 with a corner at the top; every second one at `inner` of the radius. `turn` in degrees."""
    path = ""
    for i in range(corners):
        angle = math.radians(360 * i / corners + turn)
        reach = _RADIUS * radius * (inner if i % 2 else 1.0)
        path += f"{'L' if path else 'M'}{reach * math.sin(angle):.2f} {-reach * math.cos(angle):.2f}"
    return path + "Z"


def _cross(turn: float) -> str:
    """Four arms."""
    arm, reach, path = 0.36 * _RADIUS, 1.15 * _RADIUS, ""
    cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    corners = [(-arm, -reach), (arm, -reach), (arm, -arm), (reach, -arm), (reach, arm), (arm, arm)]
    for x, y in [*corners, *((-x, -y) for x, y in corners)]:
        path += f"{'L' if path else 'M'}{x * cosine - y * sine:.2f} {x * sine + y * cosine:.2f}"
    return path + "Z"


_MARKERS = (
    f"M{-_RADIUS} 0A{_RADIUS} {_RADIUS} 0 1 1 {_RADIUS} 0A{_RADIUS} {_RADIUS} 0 1 1 {-_RADIUS} 0Z",
    _polygon(4, 1.28, 45),  # square
    _polygon(3, 1.35),
    _polygon(4, 1.35),  # diamond
    _polygon(3, 1.35, 180),
    _cross(0),
    _polygon(10, 1.5, inner=0.45),  # star
    _cross(45),
)
