"""Charts in a real browser: no errors, their own colours in both themes, text that can be read on a telephone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meshopt.report.page.charts import Chart, Line, Point, chart_figure, chart_file
from meshopt.report.page.document import Section, encode_page
from meshopt.report.page.markup import element

pytestmark = pytest.mark.browser
CHART = Chart(
    "Error over misalignment",
    "Misalignment of the normals, degrees",
    "Mean distance, % of the object's size",
    [
        *(
            Line(f"kind {i}", [Point(x, 0.5 + i * x / 100, 0.5, 0.6 + i * x / 50) for x in (5, 12, 30)])
            for i in range(4)
        ),
        Line("kind 3, corrected", [Point(5, 0.5), Point(30, 0.8)], 3, 1),
        Line("generated", [Point(14, 0.7, 0.6, 0.9)]),
    ],
    ("ground truth", 0.45),
)
TEXT = """[...document.querySelectorAll("figure.chart text")].map((text) => text.getBoundingClientRect().toJSON())"""
SIZES = """[...document.querySelectorAll("figure.chart text")].map(
  (text) => parseFloat(getComputedStyle(text).fontSize) * text.ownerSVGElement.getScreenCTM().a)"""
COLOURS = """[...document.querySelectorAll("[class^=series-] .dot")].map((dot) => getComputedStyle(dot).fill)"""


@pytest.fixture
def files(browser: Any, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A page with the chart, and its file; in the end nothing may have gone wrong, and nothing else been asked for."""
    page, alone = tmp_path / "page.html", tmp_path / "chart.svg"
    section = Section("chart", "Chart", chart_figure(CHART))
    page.write_bytes(encode_page("Chart", element("h1", "Chart"), [section], element("p", "The end.")))
    alone.write_bytes(chart_file(CHART))
    browser.errors.clear()
    browser.requests.clear()
    yield page, alone
    assert browser.errors == []
    assert set(browser.requests) <= {page.as_uri(), alone.as_uri()}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_page_and_file_have_the_theme_s_colours(browser: Any, files: tuple[Path, Path], dark: bool) -> None:
    colours = []
    for file in files:
        browser.open(file, dark=dark)
        colours.append(browser.run(COLOURS))
        back = browser.picture()[60, 60] if file.suffix == ".svg" else browser.picture("figure.chart")[5, 40]
        assert back.tolist() == ([28, 32, 39] if dark else [255, 255, 255])
    assert colours[0][-1] == colours[1][-1]
    assert set(colours[0]) == set(colours[1])
    assert len(set(colours[0])) == 5


@pytest.mark.parametrize("width", [360, 600, 1280])
def test_numbers_can_be_read_and_do_not_touch(browser: Any, files: tuple[Path, Path], width: int) -> None:
    browser.open(files[0], width=width)
    assert 10 <= min(browser.run(SIZES)) <= max(browser.run(SIZES)) < 17
    assert browser.run("document.documentElement.scrollWidth") <= width
    frame = browser.run("document.querySelector('figure.chart').getBoundingClientRect().toJSON()")
    boxes = np.array([[box[side] for side in ("left", "top", "right", "bottom")] for box in browser.run(TEXT)])
    assert (boxes[:, 0] > frame["left"]).all()
    assert (boxes[:, 2] < frame["right"]).all()
    for i, box in enumerate(boxes):
        apart = (boxes[:i, :2] >= box[2:]).any(1) | (boxes[:i, 2:] <= box[:2]).any(1)
        assert apart.all()


def test_words_of_a_file_stay_in_it(browser: Any, files: tuple[Path, Path]) -> None:
    browser.open(files[1])
    words = "[...document.querySelectorAll('text')].map((text) => text.getBoundingClientRect().toJSON())"
    size = browser.run("document.documentElement.getBoundingClientRect().toJSON()")
    for box in browser.run(words):
        assert box["left"] >= 8
        assert box["right"] <= size["right"] - 8
        assert box["bottom"] <= size["bottom"] - 8
