"""Charts: lines over a number with their spread and a base line, in a page or as a file of their own (SVG)."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from meshopt.report.page.chart_drawing import (
    KEY_HEIGHT,
    KEY_WIDTH,
    Box,
    description,
    drawing,
    is_logarithmic,
    key,
)
from meshopt.report.page.chart_lines import Chart, Line, Point, drawable
from meshopt.report.page.document import asset
from meshopt.report.page.markup import Html, element

__all__ = ["Chart", "Line", "Point", "chart_figure", "chart_file"]

PAGE = Box(0, 0, 480, 300, text=16)  # narrow: on a telephone two thirds of it; figures.css has the sizes of the text
WIDTH, HEIGHT, MARGIN = 640, 330, 20  # of a file: of the whole, of its drawing, around it
TITLE, TEXT = 16, 13  # sizes of its text, as in charts.css
_CHARACTER = 0.58  # widths in sizes, on average, of the widest usual font
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def chart_figure(chart: Chart) -> Html:
    """For a page whose styles are those of `document`; a sentence stands in a chart without finite points."""
    shown = drawable(chart)
    plot = element(
        "svg",
        element("title", shown.title),
        element("desc", description(shown)),
        drawing(shown, PAGE),
        viewBox=f"0 0 {PAGE.right:g} {PAGE.bottom:g}",
        role="img",
    )
    keys = [element("li", _sample(drawn), name) for drawn, name in _keys(shown)]
    return element(
        "figure",
        element("figcaption", element("b", shown.title)),
        element("p", _y_title(shown), class_="y-title"),
        plot,
        element("p", shown.x_title, class_="x-title"),
        element("ul", keys, class_="keys") if keys else None,
        class_="chart",
    )


def chart_file(chart: Chart) -> bytes:
    """A file's bytes: an SVG with its styles, dark where the reader prefers that, that needs nothing else."""
    shown = drawable(chart)
    parts, top = [], float(MARGIN)
    for content, kind, size in ((shown.title, "title", TITLE), (_y_title(shown), None, TEXT)):
        rows = _wrapped(content, (WIDTH - 2 * MARGIN) / (_CHARACTER * size))
        parts.append(_text(rows, MARGIN, top, size, class_=kind))
        top += 1.4 * size * len(rows) + 4
    parts.append(drawing(shown, Box(MARGIN, top, WIDTH - MARGIN, top + HEIGHT, TEXT)))
    rows = _wrapped(shown.x_title, (WIDTH - 2 * MARGIN) / (_CHARACTER * TEXT))
    top += HEIGHT
    parts.append(_text(rows, WIDTH / 2, top, TEXT, text_anchor="middle"))
    legend, height = _legend(shown, top + 1.4 * TEXT * len(rows) + 8)
    whole = element(
        "svg",
        element("title", shown.title),
        element("desc", description(shown)),
        element("style", Html(_styles())),
        element("rect", width="100%", height="100%", class_="back"),
        parts,
        legend,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {height:g}",
        width=WIDTH,
        height=f"{height:g}",
        role="img",
        class_="chart",
        font_family=_FONTS,
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_NO_XML.sub("�", whole)}\n'.encode("utf-8", "replace")


def _sample(drawn: Html) -> Html:
    size = f"0 0 {KEY_WIDTH} {KEY_HEIGHT}"
    return element("svg", drawn, viewBox=size, width=KEY_WIDTH, height=KEY_HEIGHT, aria_hidden="true")


def _keys(chart: Chart) -> Iterator[tuple[Html, str]]:
    """A sample and a name for everything in the chart."""
    for line in chart.lines:
        yield key(line), line.name
    if chart.lines and chart.base is not None:
        yield key(None), chart.base[0]


def _y_title(chart: Chart) -> str:
    return f"{chart.y_title} (logarithmic)" if is_logarithmic(chart) else chart.y_title


def _legend(chart: Chart, top: float) -> tuple[Html, float]:
    """Of a file, in as many columns as the names leave room for; and where the file ends."""
    keys = list(_keys(chart))
    longest = max((len(name) for _, name in keys), default=0)
    room, gap = WIDTH - 2 * MARGIN, KEY_WIDTH + 8
    columns = max(1, min(4, int(room // (gap + _CHARACTER * TEXT * longest + 16))))
    cells, height = [], 0.0
    for i, (drawn, name) in enumerate(keys):
        if i % columns == 0:
            top, height = top + height, 0.0
        x = MARGIN + i % columns * room / columns
        rows = _wrapped(name, (room / columns - gap) / (_CHARACTER * TEXT))
        sample = element("g", drawn, transform=f"translate({x:g} {top + 0.7 * TEXT - KEY_HEIGHT / 2:g})")
        cells += [sample, _text(rows, x + gap, top, TEXT, class_="name")]
        height = max(height, 1.4 * TEXT * len(rows) + 4)
    return element("g", cells, class_="legend"), round(top + height + MARGIN - 4)


def _text(rows: Sequence[str], x: float, top: float, size: float, **attributes: str | None) -> Html:
    """Rows below each other, from `top` on."""
    lines = [element("tspan", row, x=f"{x:g}", y=f"{top + (1.4 * i + 1.05) * size:.1f}") for i, row in enumerate(rows)]
    return element("text", lines, **attributes)


def _wrapped(text: str, characters: float) -> list[str]:
    return textwrap.wrap(text, max(8, int(characters)))


def _styles() -> str:
    """charts.css with the theme's colours in place of their names: readers of SVG other than browsers know no names."""
    rules = re.sub(r"/\*.*?\*/", "", asset("charts.css"), flags=re.DOTALL)
    light, dark = (_filled(rules, theme) for theme in _themes())
    return f"\n{light.strip()}\n\n@media (prefers-color-scheme: dark) {{\n{dark.strip()}\n}}\n"


def _filled(rules: str, theme: dict[str, str]) -> str:
    return re.sub(r"var\(--([\w-]+)\)", lambda name: theme[name[1]], rules)


def _themes() -> tuple[dict[str, str], dict[str, str]]:
    """The colours of theme.css by their names: light, dark."""
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#\w+);", part)) for part in asset("theme.css").split("@media (prefers-color")
    )
    return light, dark
