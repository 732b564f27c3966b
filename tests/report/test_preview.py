"""The preview shows what it says."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from meshopt.report import preview, sheets
from meshopt.report.preview import Scores, angle_map, draw_preview

TILE = 64


def _sheet(result: SimpleNamespace, count: int = 3) -> np.ndarray:
    scores = [Scores(f"view {i}", 0.9, 30.0) for i in range(count)]
    return np.asarray(draw_preview(result.views, result.renders, scores, "title", "subtitle", tile=TILE))


def _tile(sheet: np.ndarray, row: int, column: int) -> np.ndarray:
    top = 64 + sheets.HEAD + row * (TILE + sheets.GAP)
    left = sheets.LEFT + column * (TILE + sheets.GAP)
    return sheet[top : top + TILE, left : left + TILE]


def test_angle_map_is_the_angle() -> None:
    angles = np.radians([0, 30, 90, 180])
    turned = np.stack([np.sin(angles), 0 * angles, np.cos(angles)], -1)[None]
    ahead = np.broadcast_to([0.0, 0.0, 1.0], turned.shape)
    assert np.allclose(angle_map(ahead, turned), [[0, 30, 90, 180]])


def test_rows_show_normals_angles_and_silhouettes(result: SimpleNamespace) -> None:
    sheet = _sheet(result)
    centre = (slice(28, 36), slice(28, 36))
    assert np.allclose(_tile(sheet, 0, 0)[centre], 128, atol=1)  # colour
    assert np.allclose(_tile(sheet, 1, 2)[centre], [128, 128, 255], atol=1)  # input normals
    assert np.allclose(_tile(sheet, 2, 2)[centre], [191, 128, 238], atol=1)  # result normals
    silhouettes = _tile(sheet, 4, 1).reshape(-1, 3)
    for color in (preview.BOTH, preview.MISSING, preview.EXTRA, sheets.TILE):
        assert (silhouettes == color).all(1).any()


def test_heat_map_has_the_colour_of_its_legend(result: SimpleNamespace) -> None:
    """30 degrees lie at two thirds of the scale."""
    heat = _tile(_sheet(result), 3, 0)[32, 32].astype(int)
    level = np.full((1, 1, 3), 30 / sheets.DEGREES, np.float32)
    expected = sheets.heat(np.full((1, 1), 30.0), np.ones((1, 1), bool))[0, 0] * 255
    assert np.abs(heat - expected).max() <= 1
    assert level.shape == (1, 1, 3)


def test_normals_that_are_not_known_have_no_angle(result: SimpleNamespace) -> None:
    """As where they were discounted: not 90 degrees."""
    normals = result.views.normals.clone()
    normals[0, 14:18, 14:18] = 0
    result.views = replace(result.views, normals=normals)
    heat = _tile(_sheet(result), 3, 0)
    assert np.allclose(heat[32, 32], sheets.UNKNOWN, atol=1)
    assert not np.allclose(heat[32, 46], sheets.UNKNOWN, atol=40)


def test_many_views_are_thinned_out_into_rows(result: SimpleNamespace) -> None:
    many = [i % 3 for i in range(40)]
    views, renders = result.views, result.renders
    wide = replace(
        views,
        cameras=tuple(views.cameras[i] for i in many),
        normals=views.normals[many],
        masks=views.masks[many],
        rgb=None,
    )
    pictures = SimpleNamespace(normals=renders.normals[many], masks=renders.masks[many], rgb=None)
    sheet = _sheet(SimpleNamespace(views=wide, renders=pictures), 40)
    assert sheet.shape[1] < sheets.COLUMNS * (TILE + sheets.GAP) + 300
    assert sheet.shape[0] > sheets.MOST_VIEWS / sheets.COLUMNS * 4 * TILE


def test_same_result_same_picture(result: SimpleNamespace) -> None:
    assert (_sheet(result) == _sheet(result)).all()


@pytest.mark.parametrize("width", [1, 40, 10_000])
def test_labels_fit(width: int) -> None:
    from PIL import Image, ImageDraw

    pen = ImageDraw.Draw(Image.new("RGB", (8, 8)))
    font = sheets.font(14)
    text = sheets.fitted(pen, "a rather long name of a view", font, width)
    assert pen.textlength(text, font=font) <= max(width, pen.textlength("...", font=font))
