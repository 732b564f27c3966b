"""Convergence plots: heights are those of the values, gaps stay gaps, odd curves do no harm."""

from __future__ import annotations

import re

import numpy as np
import pytest

from meshopt.report.page.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, draw_plots


def _lines(figure: str) -> list[np.ndarray]:
    paths = re.findall(r'<path d="([^"]*)" class="line">', figure)
    return [np.array([p.split(" ") for p in re.findall(r"[\d.]+ [\d.]+", path)], float) for path in paths]


def test_a_decade_is_a_decade() -> None:
    (figure,) = draw_plots({"coarse": {"normal": [1.0, 0.1]}, "fine": {"normal": [0.01, 0.001]}})
    first, second = _lines(figure)
    heights = np.concatenate([first, second])[:, 1]
    assert np.allclose(heights, np.linspace(TOP, HEIGHT - BOTTOM, 4), atol=0.06)
    assert np.allclose(np.concatenate([first, second])[:, 0], LEFT + np.arange(1, 5) / 4 * (WIDTH - LEFT - RIGHT))
    assert "<title>Normals over the steps: 1 → 0.001</title>" in figure
    assert list(re.findall(r"<text[^>]*>([^<]*)</text>", figure)) == [
        *("0.001", "0.01", "0.1", "1", "coarse", "fine"),
    ]


def test_values_that_have_no_logarithm_leave_gaps() -> None:
    (figure,) = draw_plots({"a": {"x": [1.0, 0.5, 0.0, float("nan"), 0.25, 0.125]}})
    (path,) = re.findall(r'<path d="([^"]*)" class="line">', figure)
    assert path.count("M") == 2
    assert path.count("L") == 2


@pytest.mark.parametrize(
    ("curves", "count"),
    [
        ({}, 0),
        ({"a": {}}, 0),
        ({"a": {"x": []}}, 0),
        ({"a": {"x": [0.0, 0.0]}}, 0),
        ({"a": {"x": [float("nan")]}}, 0),
        ({"a": {"x": [3.0]}, "b": {"y": [1e-30, 1e30]}}, 2),
        ({"a": {"faces": [100.0, 2000.0], "x": [1.0] * 8}}, 2),
    ],
)
def test_odd_curves(curves: dict[str, dict[str, list[float]]], count: int) -> None:
    figures = draw_plots(curves)
    assert len(figures) == count
    for figure in figures:
        for line in _lines(figure):
            assert (line[:, 0] >= LEFT).all()
            assert (line[:, 0] <= WIDTH - RIGHT).all()
            assert (line[:, 1] >= TOP).all()
            assert (line[:, 1] <= HEIGHT - BOTTOM).all()
    if count == 2 and "faces" in curves["a"]:
        assert "2,000" in figures[0]
