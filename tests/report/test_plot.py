"""curves.png: readable, whatever the names and values."""

from __future__ import annotations

import io
import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from meshopt.errors import InputError
from meshopt.report import plot
from meshopt.report.plot import draw_curves, require_matplotlib

needs_matplotlib = pytest.mark.skipif("not __import__('importlib.util').util.find_spec('matplotlib')")


def _pixels(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB"))


@needs_matplotlib
def test_picture_has_a_sensible_size_and_a_line_per_name(result: SimpleNamespace) -> None:
    from matplotlib.colors import to_rgb

    pixels = _pixels(draw_curves(result.curves, result.report["stages"], "title"))
    assert (pixels.shape[1], pixels.shape[0]) == tuple(round(inches * plot.DPI) for inches in plot.SIZE)
    for color in ("C0", "C1", "C2"):
        near = np.abs(pixels - 255 * np.array(to_rgb(color))).max(-1) < 25
        assert near.sum() > 20


@needs_matplotlib
def test_the_same_curves_give_the_same_bytes(result: SimpleNamespace) -> None:
    assert draw_curves(result.curves) == draw_curves(result.curves)


@needs_matplotlib
@pytest.mark.parametrize(
    "curves",
    [
        {},
        {"coarse": {}},
        {"coarse": {"normal": []}},
        {"coarse": {"normal": [0.0, -1.0, math.nan]}},
        {"coarse": {"normal": [1.0]}, "fine": {"faces": [10.0, 20.0]}},
        {"coarse": {f"term {i}": [float(i + 1)] * 3 for i in range(25)}},
    ],
)
def test_odd_curves_are_drawn(curves: dict[str, dict[str, list[float]]]) -> None:
    stages = [{"name": "coarse", "faces": 100}, {"name": "color"}]
    assert _pixels(draw_curves(curves, stages)).min() < 128


def test_stages_follow_each_other_and_sparse_values_are_spread() -> None:
    curves = {"coarse": {"normal": [1.0, 2.0, 3.0, 4.0], "iou": [0.5, 0.6]}, "fine": {"normal": [5.0]}}
    starts = plot._starts(curves)
    assert starts == {"coarse": 0, "fine": 4}
    steps, values = plot._joined(curves, starts, "normal", True)
    assert np.array_equal(steps, [1, 2, 3, 4, math.nan, 5, math.nan], equal_nan=True)
    assert np.array_equal(values, [1, 2, 3, 4, math.nan, 5, math.nan], equal_nan=True)
    assert plot._joined(curves, starts, "iou", True)[0][:2] == [2, 4]


@pytest.mark.parametrize(
    ("extras", "command"), [(["plot"], "pip install 'meshopt3d[plot]'"), ([], "pip install matplotlib")]
)
def test_missing_matplotlib_is_one_sentence_with_the_command(
    monkeypatch: pytest.MonkeyPatch, extras: list[str], command: str
) -> None:
    monkeypatch.setattr(plot, "extras", lambda: extras)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError) as caught:
        require_matplotlib()
    assert str(caught.value) == f"--plot needs the package matplotlib: {command}."
