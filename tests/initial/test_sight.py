"""What views tell each other about depths: against a slow twin, and on a ball and its hull."""

from __future__ import annotations

import numpy as np
import pytest

from meshopt.initial import sight
from meshopt.initial.construction import Sizes, _observations, _outlines
from meshopt.initial.depth import depth_search
from meshopt.initial.hull import visual_hull

PRICE = 4.0


@pytest.fixture(params=["orthographic", "perspective"])
def scene(studio, request):
    """The searches of all views of a ball, each estimated alone, and the hull."""
    perspective = request.param == "perspective"
    views = studio.views(studio.oblique(), studio.ball) if perspective else studio.four(studio.ball)
    outlines = _outlines(views)
    hull = visual_hull(outlines, 48)
    seen = _observations(views, hull.outlines, Sizes(48, 48))
    found = [depth_search(v, [o for o in seen if o is not v], hull.field, studio.settings) for v in seen]
    for search in found:
        search.propagate(4)
    return found, hull.field


def outside(search, ball) -> np.ndarray:
    """How far each label's point is outside the ball [P, L], scene units."""
    points = search.view.camera.points(search.columns[:, None], search.rows[:, None], search.depths[None])
    return np.linalg.norm(points - ball.centre, axis=-1) - ball.axes[0]


def test_points_that_others_look_through_cost(studio, scene) -> None:
    """All views know where the ball is: only its inside costs nothing."""
    searches, hull = scene
    for search in searches:
        search.start[:], search.stop[:] = 0, len(search.depths)
        first = np.argmax(outside(search, studio.ball) < 0.5 * search.view.camera.pitch, axis=1)
        search.belief[:] = 10 * np.abs(np.arange(len(search.depths)) - first[:, None])
    sight.exchange(searches, hull, PRICE)
    for search in searches:
        away, pixel = outside(search, studio.ball), search.view.camera.pitch
        seen_frontally = (np.abs(search.cosine[search.index >= 0]) > 0.5)[:, None]
        assert np.median(search.told[seen_frontally & (np.abs(away) < pixel / 2)]) < 0.1 * PRICE
        assert np.median(search.told[seen_frontally & (away > 3 * pixel)]) >= PRICE
        assert search.told.min() >= 0


def test_told_is_replaced(scene) -> None:
    searches, hull = scene
    before = searches[0].belief.copy()
    sight.exchange(searches, hull, PRICE)
    once = searches[0].belief.copy()
    searches[0].hear(np.zeros_like(before))
    np.testing.assert_allclose(searches[0].belief, before, atol=1e-4)
    assert np.abs(once - before).max() > 0.5 * PRICE


def test_empty_rays_insist(scene) -> None:
    searches, hull = scene
    gone = hull.with_values(np.full_like(hull.values, -1))
    for search in searches:
        belief = sight._Belief.of(search, gone, PRICE)
        assert (belief.sure == sight.INSIST * PRICE).all()
        assert (sight._Belief.of(search, hull, PRICE).sure <= PRICE).all()


def test_summary_and_free_space_equal_their_slow_twins(scene) -> None:
    searches, hull = scene
    search, other = searches[:2]
    belief = sight._Belief.of(other, hull, PRICE)
    allowed = other.allowed_belief()
    low = allowed.min(axis=1, keepdims=True)
    np.testing.assert_array_equal(belief.label, allowed.argmin(axis=1))
    np.testing.assert_allclose(
        belief.nearer, np.minimum(np.minimum.accumulate(allowed, axis=1) - low, PRICE), atol=1e-5
    )
    cost = np.zeros_like(search.belief)
    sight._add_empty(cost, search, belief)
    reach, last = other.along_ray(sight.TOLERANCE), len(other.depths) - 1
    points = search.view.camera.points(search.columns[:, None], search.rows[:, None], search.depths[None])
    columns, rows, depths = other.view.camera.project(points)
    height, width = other.index.shape
    for p, d in np.argwhere(search.allowed_belief() < np.inf)[::137]:
        a, b = int(np.floor(columns[p, d])), int(np.floor(rows[p, d]))
        around = [(i, j) for i in (a, a + 1) for j in (b, b + 1) if 0 <= i < width and 0 <= j < height]
        pixels = [other.index[j, i] for i, j in around if other.index[j, i] >= 0]
        label = other.labels_of(depths[p, d : d + 1])[0]
        labels = [int(np.clip(np.floor(label + reach[q] + 0.5), 0, last)) for q in pixels]
        expected = min((belief.nearer[q, k] for q, k in zip(pixels, labels, strict=True)), default=0.0)
        assert cost[p, d] == pytest.approx(expected, abs=1e-5)
