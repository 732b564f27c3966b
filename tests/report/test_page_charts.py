"""Charts: marks stand where the axes' numbers say, nothing is lost or drawn outside, series are told apart."""

from __future__ import annotations

import itertools
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshopt.report.page.chart_drawing import NOTHING
from meshopt.report.page.chart_lines import COLOURS, style
from meshopt.report.page.charts import Chart, Line, Point, chart_figure, chart_file
from meshopt.report.page.document import asset

HOSTILE = "<script>\"a\" & 'b'</script>\x00"
CHART = Chart(
    "Error over angle",
    "Angle, degrees",
    "Error, %",
    [
        Line("rotated", [Point(20, 1.7, 1.2, 1.9, "3 seeds"), Point(5, 0.6, 0.5, 0.7), Point(10, 0.9, 0.8, 1.1)]),
        Line("noise", [Point(4, 0.5), Point(25, 0.8)]),
        Line("generated", [Point(12, 1.0, 0.9, 1.3)]),
    ],
    ("ground truth", 0.4),
)
BOTH = pytest.mark.parametrize("page", [True, False], ids=["page", "file"])


def _tree(chart: Chart, page: bool) -> ElementTree.Element:
    """Names of elements without their namespace."""
    tree = ElementTree.fromstring(chart_figure(chart).replace("\x00", "") if page else chart_file(chart))
    for part in tree.iter():
        part.tag = part.tag.rpartition("}")[2]
    return tree


def _all(tree: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    """What is of a class in the drawing, without the legend."""
    legends = [part for part in tree.iter() if part.get("class") in ("keys", "legend")]
    samples = {id(sample) for legend in legends for sample in legend.iter()}
    return [part for part in tree.iter() if part.get("class") == kind and id(part) not in samples]


def _numbers(text: str | None) -> list[float]:
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", text or "")]


def _map(tree: ElementTree.Element, axis: str) -> tuple[np.ndarray, np.ndarray]:
    """Values that stand at an axis and where: from its text alone."""
    labels = _all(tree, f"tick-{axis}")
    values = [float((label.text or "").replace("−", "-").replace(",", "")) for label in labels]
    places = [float(label.get(axis) or "nan") for label in labels]
    return np.array(values), np.array(places)


def _rows(tree: ElementTree.Element) -> np.ndarray:
    return np.array([_numbers(path.get("d"))[1] for path in _all(tree, "grid")])


def _marks(tree: ElementTree.Element) -> list[tuple[str, float, float]]:
    """What they say and where they are."""
    marks = [*_all(tree, "dot"), *_all(tree, "hollow")]
    return [(mark.findtext("title") or "", *_numbers(mark.get("transform"))) for mark in marks]


@BOTH
def test_marks_stand_where_the_axes_say(page: bool) -> None:
    tree = _tree(CHART, page)
    (values, columns), (heights, _) = _map(tree, "x"), _map(tree, "y")
    rows, marks = _rows(tree), _marks(tree)
    assert len(marks) == 6
    for name, point in ((line.name, point) for line in CHART.lines for point in line.points):
        ((_, x, y),) = [mark for mark in marks if mark[0].startswith(name) and f"degrees: {point.x}\n" in mark[0]]
        assert x == pytest.approx(np.interp(point.x, values, columns), abs=0.11)
        assert y == pytest.approx(np.interp(point.y, heights, rows), abs=0.11)
    base = _numbers(_all(tree, "base")[0].get("d"))
    assert base[1] == pytest.approx(np.interp(0.4, heights, rows), abs=0.11)
    assert (base[0], base[2]) == pytest.approx((columns[0], columns[-1]), abs=0.11)


@BOTH
def test_lines_and_bands_go_along_x(page: bool) -> None:
    tree = _tree(CHART, page)
    (values, columns), (heights, _) = _map(tree, "x"), _map(tree, "y")
    rows = _rows(tree)
    band = np.reshape(_numbers(_all(tree, "band")[0].get("d")), (-1, 2))
    assert np.allclose(band[:, 0], np.interp([5, 10, 20, 20, 10, 5], values, columns), atol=0.11)
    assert np.allclose(band[:, 1], np.interp([0.7, 1.1, 1.9, 1.2, 0.8, 0.5], heights, rows), atol=0.11)
    assert len(_all(tree, "band")) == 1
    line = np.reshape(_numbers(_all(tree, "line")[0].get("d")), (-1, 2))
    assert np.allclose(line[:, 0], np.interp([5, 10, 20], values, columns), atol=0.11)
    assert len(_all(tree, "line")) == 2  # one point alone is a mark
    (bar,) = _all(tree, "bar")
    assert _numbers(bar.get("d"))[1:3] == pytest.approx(np.interp([0.9, 1.3], heights, rows), abs=0.11)


def test_points_without_spread_part_a_band() -> None:
    points = [Point(x, 1.0, *((0.9, 1.2) if x != 3 else (0.9, None))) for x in range(1, 5)]
    tree = _tree(Chart("t", "x", "y", [Line("a", points)]), True)
    assert (len(_all(tree, "band")), len(_all(tree, "bar"))) == (1, 1)


@BOTH
def test_what_it_says(page: bool) -> None:
    tree = _tree(CHART, page)
    drawing = tree if tree.tag == "svg" else next(tree.iter("svg"))
    assert drawing.get("role") == "img"
    assert [part.tag for part in drawing][:2] == ["title", "desc"]
    assert drawing.findtext("title") == "Error over angle"
    assert drawing.findtext("desc") == (
        "Error, % against Angle, degrees: rotated (0.6 to 1.7), noise (0.5 to 0.8), generated (1)."
        " Base line: ground truth (0.4)."
    )
    assert "rotated: 3 seeds\nAngle, degrees: 20\nError, %: 1.7 (1.2 to 1.9)" in [mark[0] for mark in _marks(tree)]
    words = [part.text or part.tail for part in tree.iter() if part.tag in ("tspan", "b", "p")]
    words += [sample.tail for sample in tree.iter("svg")] if page else []
    assert {"Error over angle", "Error, %", "Angle, degrees"} <= set(words)
    assert {"rotated", "noise", "generated", "ground truth"} <= set(words)


def test_heights_are_logarithms_where_values_differ_widely() -> None:
    tree = _tree(Chart("t", "x", "y", [Line("a", [Point(i, 10.0**i, 10.0**i / 2) for i in range(5)])]), True)
    steps = np.diff([y for _, _, y in _marks(tree)])
    assert np.allclose(steps, steps[0], atol=0.11)
    assert tree.findtext("p") == "y (logarithmic)"
    assert "(logarithmic)" not in chart_figure(CHART)


@BOTH
def test_text_stays_text(page: bool) -> None:
    chart = Chart(HOSTILE, HOSTILE, HOSTILE, [Line(HOSTILE, [Point(1, 1, 0, 2, HOSTILE)])], (HOSTILE, 1.0))
    tree = _tree(chart, page)
    assert not list(tree.iter("script"))
    assert "".join(tree.itertext()).count("</script>") > 5


@BOTH
@pytest.mark.parametrize(
    "lines",
    [
        [],
        [Line("a", [])],
        [Line("a", [Point(math.nan, 1.0), Point(1.0, math.inf), Point(1e308, 1.0)])],
    ],
    ids=["no line", "no point", "none finite"],
)
def test_a_sentence_stands_for_nothing(lines: list[Line], page: bool) -> None:
    tree = _tree(Chart("t", "x", "y", lines, ("base", 1.0)), page)
    assert next(text.text for text in tree.iter("text") if text.get("text-anchor") == "middle") == NOTHING
    assert "base" not in [part.get("class") for part in tree.iter()]


ANY = st.floats(allow_nan=True, allow_infinity=True)
POINTS = st.lists(st.builds(Point, ANY, ANY, st.one_of(st.none(), ANY), st.one_of(st.none(), ANY)), max_size=4)


@given(st.lists(POINTS, max_size=3), st.one_of(st.none(), ANY), st.booleans())
def test_any_number_is_drawn_inside_or_left_out(points: list[list[Point]], base: float | None, page: bool) -> None:
    lines = [Line("a", part) for part in points]
    tree = _tree(Chart("t", "x", "y", lines, None if base is None else ("base", base)), page)
    drawing = tree if tree.tag == "svg" else next(tree.iter("svg"))
    _, _, width, height = _numbers(drawing.get("viewBox"))
    for part in tree.iter():
        for name in ("d", "transform", "x", "y"):
            assert not re.search("nan|inf", part.get(name, ""))
    for _, x, y in _marks(tree):
        assert 0 < x < width
        assert 0 < y < height
    finite = [p for part in points for p in part if abs(p.x) <= 1e300 and abs(p.y) <= 1e300]
    assert len(_all(tree, "dot")) == len(finite)


def test_equal_places_and_no_range() -> None:
    for points in ([Point(0, 0)], [Point(2, 1), Point(2, 3)], [Point(5, 7, 7, 7)] * 3):
        assert len(_all(_tree(Chart("t", "x", "y", [Line("a", points)]), False), "dot")) == len(points)


def test_series_are_told_apart() -> None:
    looks = [style(Line("a", (), series, variant)) for series in range(24) for variant in range(4)]
    assert len({(look.colour, look.marker, look.dash) for look in looks}) == len(looks)
    first = [style(Line("a", (), series)) for series in range(COLOURS)]
    assert len({look.colour for look in first}) == len({look.marker for look in first}) == COLOURS
    assert style(Line("a", (), 1, 1)).colour == style(Line("a", (), 1)).colour
    assert style(Line("a", (), 1, 1)).hollow


def test_a_series_keeps_its_colour_where_another_has_no_points() -> None:
    figure = chart_figure(Chart("t", "x", "y", [Line("a", []), Line("b", [Point(1, 1)])]))
    assert "series-2" in figure
    assert "series-1" not in figure


def _light(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_series_have_contrast_in_both_themes() -> None:
    for part in asset("theme.css").split("@media (prefers-color-scheme: dark)"):
        theme = dict(re.findall(r"--([\w-]+): (#\w+);", part))
        colours = [theme[f"series-{i}"] for i in range(1, COLOURS + 1)]
        assert len(set(colours)) == COLOURS
        for colour, back in itertools.product(colours, [theme["card"]]):
            dark, light = sorted([_light(colour), _light(back)])
            assert (light + 0.05) / (dark + 0.05) >= 3


def test_a_file_needs_nothing_else() -> None:
    content = chart_file(CHART).decode()
    assert content.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg"')
    assert "var(" not in content
    assert re.findall(r"\w+://[^\"]*", content) == ["http://www.w3.org/2000/svg"]
    light, dark = content.split("@media (prefers-color-scheme: dark)")
    assert "#ffffff" in light
    assert "#1c2027" not in light
    assert "#1c2027" in dark.split("</style>")[0]
    assert chart_file(CHART) == chart_file(CHART)


def test_long_names_are_wrapped_and_the_file_grows() -> None:
    name = "a name that says all there is to say of a kind of damage " * 3
    tall = _tree(Chart(name, name, name, [Line(name, [Point(1, 1)]), Line("b", [Point(1, 2)])]), False)
    short = _tree(Chart("t", "x", "y", [Line("a", [Point(1, 1)]), Line("b", [Point(1, 2)])]), False)
    assert max(len(row.text or "") for row in tall.iter("tspan")) < 90
    assert float(tall.get("height", 0)) > float(short.get("height", 0)) + 100
    lowest = max(float(row.get("y", 0)) for row in tall.iter("tspan"))
    assert lowest < float(tall.get("height", 0)) - 10
