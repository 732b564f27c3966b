"""Known exposures are found, smooth differences vanish, and what diffuses keeps constants."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from scipy.sparse import csr_matrix, diags, eye
from scipy.sparse.linalg import expm_multiply

from meshopt.texturing.lattice import Lattice, make_lattice
from meshopt.texturing.levelling import MOST_GAIN, blended, corrections, diffused, gains
from meshopt.texturing.observation import Observation


@pytest.fixture(scope="module")
def lattice(scenes: ModuleType) -> Lattice:
    mesh = scenes.sphere()
    return make_lattice(mesh, scenes.face_atlas(mesh), 0.06)


def _observed(lattice: Lattice, color: np.ndarray, directions: int = 4) -> Observation:
    """Each view sees its half of the sphere, frontally best; where it does not, it says 0. `color` [V,P,3]."""
    angle = 2 * np.pi * np.arange(directions) / directions
    weight = np.maximum(np.stack([np.sin(angle), 0 * angle, np.cos(angle)], 1) @ lattice.normals.T, 0)
    seen = weight.astype(np.float32)
    return Observation(seen, seen, (color * (weight > 0)[..., None]).astype(np.float32))


def _painted(lattice: Lattice) -> np.ndarray:
    x, y, z = lattice.points.T
    return np.stack([0.4 + 0.2 * np.sin(3 * x), 0.3 + 0.1 * np.cos(5 * y), 0.35 + 0.2 * np.sin(4 * z + x)], axis=1)


def test_known_exposures_are_found(lattice: Lattice) -> None:
    true = np.array([[1.0, 1.0, 1.0], [1.25, 1.1, 0.9], [0.8, 0.8, 0.85], [1.1, 1.3, 1.2]])
    seen = _observed(lattice, _painted(lattice) * true[:, None])
    product = gains(seen) * true
    assert (product.max(0) / product.min(0)).max() < 1.05  # some weight speaks for a gain of 1
    assert (true.max(0) / true.min(0)).min() > 1.4


def test_geometric_mean_is_one(lattice: Lattice) -> None:
    true = np.array([[0.7], [1.2], [1.0], [1.1]]) * np.ones(3)
    seen = _observed(lattice, _painted(lattice) * true[:, None])
    share = seen.weight.sum(1) / seen.weight.sum()
    assert np.abs(share @ np.log(gains(seen))).max() < 1e-6


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_equal_views_have_gains_of_one(lattice: Lattice, count: int) -> None:
    seen = _observed(lattice, np.broadcast_to(_painted(lattice), (count, *lattice.points.shape)), count)
    assert np.abs(gains(seen) - 1).max() < 1e-6


def test_highlights_do_not_count(lattice: Lattice) -> None:
    """A tenth of a view's points is three times as bright: no exposure."""
    color = np.broadcast_to(_painted(lattice), (4, *lattice.points.shape)).copy()
    color[0, np.random.default_rng(0).random(len(lattice.points)) < 0.1] *= 3
    assert np.abs(gains(_observed(lattice, color)) - 1).max() < 0.02


def test_gains_are_bounded_and_finite(lattice: Lattice) -> None:
    """Also where views are black, or share nothing."""
    far = _painted(lattice) * np.array([1.0, 1.0, 1.0, 8.0])[:, None, None]
    found = gains(_observed(lattice, far / 8))
    assert found.max() <= MOST_GAIN + 1e-9
    assert found.min() >= 1 / MOST_GAIN - 1e-9
    assert np.array_equal(gains(_observed(lattice, 0 * far)), np.ones((4, 3)))
    nothing = Observation(*np.zeros((2, 2, 5), np.float32), np.zeros((2, 5, 3), np.float32))
    assert np.array_equal(gains(nothing), np.ones((2, 3)))


def test_smooth_differences_vanish(lattice: Lattice) -> None:
    """One view is brighter towards the top, one is tinted: their means become those of the consensus."""
    color = np.broadcast_to(_painted(lattice), (4, *lattice.points.shape)).copy()
    color[0] *= np.exp(0.3 * lattice.points[:, 1:2])
    color[1] *= [1.2, 1.0, 0.9]
    seen = _observed(lattice, color)
    consensus = blended(seen.weight, seen.color)
    ratio = corrections(seen, consensus, lattice.adjacency(), 16.0)
    for view in range(4):
        surely = seen.weight[view] > 0.3
        before = np.abs((seen.color[view] / np.maximum(consensus, 1e-9) - 1)[surely])
        after = np.abs((ratio[view] * seen.color[view] / np.maximum(consensus, 1e-9) - 1)[surely])
        assert after.mean() < 0.015
        if view < 2:
            assert after.mean() < 0.25 * before.mean()


def test_equal_views_need_no_correction(lattice: Lattice) -> None:
    seen = _observed(lattice, np.broadcast_to(_painted(lattice), (3, *lattice.points.shape)), 3)
    consensus = blended(seen.weight, seen.color)
    assert np.abs(corrections(seen, consensus, lattice.adjacency(), 16.0) - 1).max() < 1e-4


def test_corrections_far_from_what_a_view_sees_are_bounded(lattice: Lattice) -> None:
    color = np.broadcast_to(_painted(lattice), (2, *lattice.points.shape)).copy()
    color[0] = 0
    seen = _observed(lattice, color, 2)
    ratio = corrections(seen, blended(seen.weight, seen.color), lattice.adjacency(), 16.0)
    assert np.isfinite(ratio).all()
    assert ratio.min() >= np.float32(1 / MOST_GAIN)
    assert ratio.max() <= MOST_GAIN


def _mean(links: csr_matrix) -> csr_matrix:
    return (diags(1 / np.asarray(links.sum(1)).ravel()) @ links).tocsr().astype(np.float64)


@pytest.mark.parametrize("time", [0.0, 0.5, 16.0, 200.0])
def test_diffusion_is_the_exponential(lattice: Lattice, time: float) -> None:
    links = lattice.adjacency()
    values = np.random.default_rng(1).uniform(size=(len(lattice.points), 2)).astype(np.float32)
    values[:, 1] = 0
    values[3, 1] = 1  # a point source: its neighbourhood, never below 0
    generator = _mean(links) - eye(len(values))
    found = diffused(values, links, time)
    assert np.abs(found - expm_multiply(time * generator, values.astype(np.float64))).max() < 1e-4
    assert found.min() > -1e-4
    assert found[:, 0].max() < values[:, 0].max() + 1e-4


def test_diffusion_keeps_constants_and_the_total(lattice: Lattice) -> None:
    """The total with every point weighted by the number of its neighbours, as in a random walk."""
    links = lattice.adjacency()
    ones = np.ones((len(lattice.points), 1), np.float32)
    assert np.abs(diffused(ones, links, 30.0) - 1).max() < 1e-4
    values = np.random.default_rng(2).uniform(size=ones.shape).astype(np.float32)
    degree = np.asarray(links.sum(1)).ravel()
    assert degree @ diffused(values, links, 30.0) == pytest.approx(degree @ values, rel=1e-4)


def test_values_spread_over_the_root_of_the_time() -> None:
    """On a line of points the spread's variance is the time."""
    count, time = 201, 50.0
    links = diags([np.ones(count - 1)] * 2, [-1, 1]).tocsr().astype(np.float32)
    source = np.zeros((count, 1), np.float32)
    source[100] = 1
    found = diffused(source, links, time)[:, 0].astype(np.float64)
    assert (found * (np.arange(count) - 100) ** 2).sum() == pytest.approx(time, rel=0.01)


def test_blended_is_the_weighted_mean() -> None:
    weight = np.array([[1, 0, 0], [3, 2, 0]], np.float32)
    color = np.array([[[1, 1, 1]] * 3, [[0, 0.5, 1]] * 3], np.float32)
    assert np.allclose(blended(weight, color), [[0.25, 0.625, 1], [0, 0.5, 1], [0, 0, 0]])
