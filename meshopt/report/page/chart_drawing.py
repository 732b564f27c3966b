"""The inside of a chart as SVG: grid, ticks, bands, lines, marks; classes give the colours (charts.css)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from meshopt.report.page.chart_axes import Axis, number, trimmed, value_axis
from meshopt.report.page.chart_lines import Chart, Line, Point, Style, style
from meshopt.report.page.markup import Content, Html, element

KEY_WIDTH, KEY_HEIGHT = 34, 14  # of a sample in the legend
NOTHING = "There is nothing to draw: no value is finite."
_WIDTH = 0.6  # of a character, at most, on average, in font sizes


@dataclass(frozen=True)
class Box:
    """Where a drawing with its numbers goes, in its units, and the size of its text."""

    left: float
    top: float
    right: float
    bottom: float
    text: float


def drawing(chart: Chart, box: Box) -> Html:
    """Everything but titles and legend; a sentence where there are no points. `chart` as `drawable` gives it."""
    if not chart.lines:
        x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        return element("text", NOTHING, x=_round(x), y=_round(y), text_anchor="middle")
    points = [point for line in chart.lines for point in line.points]
    base = [] if chart.base is None else [chart.base[1]]
    spreads = [end for p in points for end in (p.low, p.high) if end is not None]
    place = _Places(trimmed([p.x for p in points]), value_axis([*base, *(p.y for p in points)], spreads), box)
    return element(
        "g",
        _rows(place),
        _columns(place),
        [_series(line, _bands(line.points, place)) for line in chart.lines],
        None if chart.base is None else _across(chart.base, place),
        [_series(line, _curve(line, place)) for line in chart.lines],
        [_series(line, _marks(line, chart, place)) for line in chart.lines],
    )


def key(line: Line | None) -> Html:
    """A sample of a line for the legend, `KEY_WIDTH` by `KEY_HEIGHT`; None: of the base line."""
    middle, path = KEY_HEIGHT / 2, f"M1 {KEY_HEIGHT / 2}H{KEY_WIDTH - 1}"
    if line is None:
        return element("path", d=path, class_="base")
    look = style(line)
    curve = element("path", d=path, class_="line", stroke_dasharray=look.dash) if len(line.points) > 1 else None
    return _series(line, [curve, _marker(look, KEY_WIDTH / 2, middle)])


def description(chart: Chart) -> str:
    """What it shows, for those who do not see it."""
    if not chart.lines:
        return NOTHING
    lines = [f"{line.name} ({_span([p.y for p in line.points])})" for line in chart.lines]
    base = "" if chart.base is None else f" Base line: {chart.base[0]} ({number(chart.base[1])})."
    return f"{chart.y_title} against {chart.x_title}: {', '.join(lines)}.{base}"


def is_logarithmic(chart: Chart) -> bool:
    """Whether heights are logarithms. `chart` as `drawable` gives it."""
    values = [point.y for line in chart.lines for point in line.points]
    return bool(values) and value_axis([*values, *([] if chart.base is None else [chart.base[1]])]).logarithmic


class _Places:
    """Values to places in the drawing; the numbers at the axes have room in the box."""

    def __init__(self, x: Axis, y: Axis, box: Box) -> None:
        self.x, self.y, self.text = x, y, box.text
        widths = [_WIDTH * box.text * len(label) for label in y.labels()]
        ends = [_WIDTH * box.text * len(label) / 2 for label in x.labels()]
        self.left = box.left + max(max(widths) + 0.6 * box.text, ends[0])
        self.right = box.right - max(ends[-1], 8)
        self.top, self.bottom = box.top + 0.5 * box.text, box.bottom - 1.6 * box.text

    def column(self, x: float) -> float:
        return _round(self.left + self.x.share(x) * (self.right - self.left))

    def row(self, y: float) -> float:
        return _round(self.bottom - self.y.share(y) * (self.bottom - self.top))


def _rows(place: _Places) -> Iterator[Html]:
    """Lines of the grid and their numbers."""
    for value, label in zip(place.y.ticks, place.y.labels(), strict=True):
        y, x = place.row(value), _round(place.left - 0.5 * place.text)
        yield element("path", d=f"M{_round(place.left)} {y}H{_round(place.right)}", class_="grid")
        yield element("text", label, x=x, y=_round(y + 0.35 * place.text), text_anchor="end", class_="tick-y")


def _columns(place: _Places) -> Iterator[Html]:
    """The lower edge and the numbers below it."""
    bottom = _round(place.bottom)
    yield element("path", d=f"M{_round(place.left)} {bottom}H{_round(place.right)}", class_="edge")
    for value, label in zip(place.x.ticks, place.x.labels(), strict=True):
        x, y = place.column(value), _round(place.bottom + 1.35 * place.text)
        yield element("path", d=f"M{x} {bottom}v4", class_="edge")
        yield element("text", label, x=x, y=y, text_anchor="middle", class_="tick-x")


def _bands(points: Sequence[Point], place: _Places) -> Iterator[Html]:
    """Where points next to each other spread, an area; around one alone, a bar."""
    for spreads, run in groupby(points, key=lambda point: point.low is not None):
        if not spreads:
            continue
        ends = [(place.column(p.x), place.row(p.low or 0.0), place.row(p.high or 0.0)) for p in run]
        if len(ends) > 1:
            there = [f"{x} {high}" for x, _, high in ends]
            back = [f"{x} {low}" for x, low, _ in reversed(ends)]
            yield element("path", d=f"M{'L'.join(there + back)}Z", class_="band")
        else:
            x, low, high = ends[0]
            path = f"M{x} {low}V{high}M{_round(x - 4)} {low}h8M{_round(x - 4)} {high}h8"
            yield element("path", d=path, class_="bar")


def _across(base: tuple[str, float], place: _Places) -> Html:
    name, height = base
    path = f"M{_round(place.left)} {place.row(height)}H{_round(place.right)}"
    return element("path", element("title", f"{name}: {number(height)}"), d=path, class_="base")


def _curve(line: Line, place: _Places) -> Html | None:
    """Through the points, where there are several."""
    if len(line.points) < 2:
        return None
    path = "L".join(f"{place.column(p.x)} {place.row(p.y)}" for p in line.points)
    return element("path", d=f"M{path}", class_="line", stroke_dasharray=style(line).dash)


def _marks(line: Line, chart: Chart, place: _Places) -> Iterator[Html]:
    for point in line.points:
        words = [f"{line.name}: {point.label}" if point.label else line.name]
        words += [f"{chart.x_title}: {number(point.x)}", f"{chart.y_title}: {number(point.y)}"]
        if point.low is not None and point.high is not None:
            words[-1] += f" ({number(point.low)} to {number(point.high)})"
        title = element("title", "\n".join(words))
        yield _marker(style(line), place.column(point.x), place.row(point.y), title)


def _marker(look: Style, x: float, y: float, title: Html | None = None) -> Html:
    kind = "hollow" if look.hollow else "dot"
    return element("path", title, d=look.marker, transform=f"translate({x} {y})", class_=kind)


def _series(line: Line, content: Content) -> Html:
    """Parts of a line, in its colour."""
    return element("g", content, class_=f"series-{style(line).colour}")


def _span(values: Sequence[float]) -> str:
    low, high = number(min(values)), number(max(values))
    return low if low == high else f"{low} to {high}"


def _round(value: float) -> float:
    return round(value, 1)
