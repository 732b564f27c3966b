"""Packing finds room near the largest scale, in few trials however many charts there are."""

from __future__ import annotations

import numpy as np
import pytest

from meshopt.texturing import packing
from meshopt.texturing.charts import Charts, signed_areas


def _rectangles(count: int, seed: int) -> Charts:
    """Random rectangles, turned at random, two faces each."""
    random = np.random.default_rng(seed)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * random.uniform(0.2, 2.0, (count, 1, 2))
    angle = random.uniform(0, np.pi, count)
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], 1).reshape(-1, 2, 2)
    points = np.einsum("nij,nkj->nki", turn, corners).reshape(-1, 2)
    first = 4 * np.arange(count)[:, None, None]
    faces = (first + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3).astype(np.int32)
    owner, chart = np.repeat(np.arange(count), 4), np.repeat(np.arange(count), 2)
    return Charts(packing.upright(Charts(points, owner, faces, chart, owner)), owner, faces, chart, owner)


@pytest.mark.parametrize("padding", [0, 4])
@pytest.mark.parametrize("count", [1, 7, 300, 5000])
def test_few_trials_and_a_full_texture(count: int, padding: int, monkeypatch: pytest.MonkeyPatch) -> None:
    charts, trials, lay_out = _rectangles(count, count), [], packing._lay_out
    monkeypatch.setattr(packing, "_lay_out", lambda *given: trials.append(given[0]) or lay_out(*given))
    placed = packing.pack(charts, 1024, padding)
    assert placed is not None
    assert placed.min() >= 0
    assert placed.max() <= 1
    assert len(trials) <= (8 if count > packing.MANY else 14)
    covered = float(np.abs(signed_areas(placed[charts.faces])).sum())
    likely = packing.likely_coverage(charts, 1024, padding)
    assert 0.6 * likely < covered < 1.5 * likely or count < 10
    flat, side = signed_areas(charts.points[charts.faces]), signed_areas(placed[charts.faces])
    assert np.ptp(side / flat) < 1e-6 * (side / flat).mean()  # all scaled alike, none mirrored


def test_no_room() -> None:
    charts = _rectangles(5000, 0)
    assert packing.pack(charts, 512, 16) is None
    assert packing.likely_coverage(charts, 512, 16) == 0
    assert packing.pack(charts, 64, 0) is None
