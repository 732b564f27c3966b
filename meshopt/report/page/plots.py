"""Convergence as small plots, one for each loss, drawn as SVG: a line that is read at any width and in any theme."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from meshopt.report.page.markup import Html, element

Curves = Mapping[str, Mapping[str, Sequence[float]]]
"""Values of every step, by stage and name."""

WIDTH, HEIGHT = 320, 168  # units of the drawing; a unit is about a pixel
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 22, 22  # around the plot
WORDS = {
    "normal": "Normals",
    "silhouette": "Silhouettes",
    "facets": "Normals of the faces",
    "inside_out": "Inside out",
    "smoothness": "Smoothness",
    "rgb": "Colours",
    "faces": "Faces",
}
_LINEAR = ("faces",)
_DECADES = 8  # at most, below the largest value


def draw_plots(curves: Curves) -> list[Html]:
    """A figure for every name that has values above 0: over all steps, stages marked, on a logarithmic axis."""
    names = dict.fromkeys(name for terms in curves.values() for name in terms)
    return [_figure(curves, name) for name in names if _largest(curves, name) > 0]


def _figure(curves: Curves, name: str) -> Html:
    title = WORDS.get(name, name.replace("_", " ").capitalize())
    scale = _scale(curves, name)
    span = _span(curves, name)
    drawing = element(
        "svg",
        element("title", f"{title} over the steps: {span}"),
        _ticks(scale),
        _stages(curves),
        [element("path", d=path, class_="line") for path in _paths(curves, name, scale)],
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
    )
    caption = element("figcaption", element("b", title), f" {span}")
    return element("figure", caption, drawing, class_="plot")


class _Scale:
    """Values to heights in the drawing."""

    def __init__(self, low: float, high: float, logarithmic: bool) -> None:
        self.low, self.high, self.logarithmic = low, high, logarithmic

    def height(self, value: float) -> float | None:
        """None for what the axis does not have."""
        if not math.isfinite(value) or (self.logarithmic and value <= 0):
            return None
        share = (self._place(value) - self._place(self.low)) / (self._place(self.high) - self._place(self.low))
        return round(HEIGHT - BOTTOM - min(max(share, 0.0), 1.0) * (HEIGHT - TOP - BOTTOM), 1)

    def ticks(self) -> list[float]:
        """Powers of ten, every second or third where there are many; else the ends."""
        if not self.logarithmic:
            return [self.low, self.high]
        exponents = list(range(round(math.log10(self.low)), round(math.log10(self.high)) + 1))
        return [10.0**e for e in exponents[:: math.ceil(len(exponents) / 5)]]

    def _place(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def _scale(curves: Curves, name: str) -> _Scale:
    """From power of ten to power of ten; numbers of faces from 0."""
    high = _largest(curves, name)
    if name in _LINEAR:
        return _Scale(0.0, high, False)
    positive = [v for terms in curves.values() for v in terms.get(name, ()) if math.isfinite(v) and v > 0]
    top = math.ceil(math.log10(high))
    bottom = max(math.floor(math.log10(min(positive))), top - _DECADES)
    return _Scale(10.0 ** min(bottom, top - 1), 10.0**top, True)


def _paths(curves: Curves, name: str, scale: _Scale) -> Iterator[str]:
    """A line for each stage, broken where there is no value."""
    total = max(1, sum(map(_steps, curves.values())))
    start = 0
    for terms in curves.values():
        values, points = terms.get(name, ()), ""
        interval = _steps(terms) / max(1, len(values))  # fewer values than steps were noted at even intervals
        pen = "M"
        for i, value in enumerate(values):
            height = scale.height(value)
            if height is not None:
                points += f"{pen}{_column(start + interval * (i + 1), total)} {height}"
            pen = "M" if height is None else "L"
        if points:
            yield points + ("h.1" if points.count("L") == 0 else "")  # a single point is a dot
        start += _steps(terms)


def _stages(curves: Curves) -> Iterator[Html]:
    """A line where each stage begins, and its name."""
    total = max(1, sum(map(_steps, curves.values())))
    start = 0
    for stage, terms in curves.items():
        steps = _steps(terms)
        if start:
            x = _column(start, total)
            yield element("line", x1=x, x2=x, y1=TOP, y2=HEIGHT - BOTTOM, class_="grid")
        if steps:
            middle = _column(start + steps / 2, total)
            yield element("text", stage, x=middle, y=HEIGHT - 6, text_anchor="middle")
        start += steps


def _ticks(scale: _Scale) -> Iterator[Html]:
    for value in scale.ticks():
        y = scale.height(value)
        assert y is not None
        yield element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid")
        yield element("text", _number(value, scale.logarithmic), x=LEFT - 6, y=y + 4, text_anchor="end")


def _number(value: float, logarithmic: bool) -> str:
    if logarithmic and not 0.001 <= value <= 1000:
        return f"1e{round(math.log10(value))}"
    return f"{value:g}" if logarithmic else f"{value:,.0f}"


def _column(step: float, total: int) -> float:
    return round(LEFT + step / total * (WIDTH - LEFT - RIGHT), 1)


def _steps(terms: Mapping[str, Sequence[float]]) -> int:
    return max((len(values) for values in terms.values()), default=0)


def _largest(curves: Curves, name: str) -> float:
    return max((v for terms in curves.values() for v in terms.get(name, ()) if math.isfinite(v)), default=0.0)


def _span(curves: Curves, name: str) -> str:
    """The first value and the last; the largest where both are 0."""
    values = [v for terms in curves.values() for v in terms.get(name, ()) if math.isfinite(v)]
    if not values[0] and not values[-1]:
        return f"0, at most {max(values):.2g}"
    return f"{values[0]:.3g} → {values[-1]:.3g}"
