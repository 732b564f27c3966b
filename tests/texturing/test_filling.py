"""Filled-in values are harmonic."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import block_diag, coo_matrix, csr_matrix

from meshopt.texturing.filling import fill
from meshopt.texturing.lattice import make_lattice


def _grid(rows: int, columns: int) -> tuple[np.ndarray, csr_matrix]:
    """Points of a flat grid, each linked to the four beside it."""
    number = np.arange(rows * columns).reshape(rows, columns)
    i = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    j = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    links = coo_matrix((np.ones(len(i), np.float32), (i, j)), shape=(number.size,) * 2).tocsr()
    y, x = np.divmod(np.arange(number.size), columns)
    return np.stack([x, y, 0 * x], axis=1).astype(np.float64), (links + links.T).tocsr()


def _border(points: np.ndarray) -> np.ndarray:
    flat = points[:, :2]
    return ((flat == flat.min(0)) | (flat == flat.max(0))).any(1)


def test_linear_function_comes_back_from_its_border() -> None:
    points, links = _grid(12, 9)
    truth = points @ [[0.2, -1], [0.7, 3], [0, 0]] + [1, 0.5]
    known = _border(points)
    found = fill(np.where(known[:, None], truth, -100), known, links, points)
    assert np.abs(found - truth).max() < 1e-12


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 80))
def test_each_value_is_the_mean_of_its_neighbours(seed: int, count: int) -> None:
    """And so none lies outside the range of the known ones, which are kept."""
    points, links = _grid(9, 10)
    random = np.random.default_rng(seed)
    known = np.zeros(len(points), bool)
    known[random.permutation(len(points))[:count]] = True
    values = random.uniform(-1, 1, (len(points), 3))
    found = fill(values, known, links, points)
    assert np.array_equal(found[known], values[known])
    mean = links @ found / np.asarray(links.sum(1))
    assert np.abs(mean - found)[~known].max() < 1e-10
    assert (found.min(0) >= values[known].min(0) - 1e-12).all()
    assert (found.max(0) <= values[known].max(0) + 1e-12).all()


def test_part_of_which_nothing_is_known_takes_the_nearest() -> None:
    points, links = _grid(4, 5)
    both = block_diag([links, links], format="csr")
    known = np.concatenate([_border(points), np.zeros(len(points), bool)])
    values = np.random.default_rng(0).uniform(size=(40, 3))
    found = fill(values, known, both, np.concatenate([points, points + np.array([0, 0, 0.3])]))
    assert np.array_equal(found[20:][_border(points)], values[:20][_border(points)])
    distance = np.linalg.norm(points[:, None] - points[_border(points)], axis=-1)
    assert np.array_equal(found[20:], values[:20][_border(points)][distance.argmin(1)])


def test_points_without_neighbours() -> None:
    """As vertices that no face uses are."""
    points, links = _grid(3, 3)
    alone = block_diag([links, csr_matrix((2, 2), dtype=np.float32)], format="csr")
    known = np.array([*[True] * 4, *[False] * 5, True, False])
    values = np.arange(11.0)[:, None]
    found = fill(values, known, alone, np.concatenate([points, [[9, 9, 9], [0, 0, 0.1]]]))
    assert np.isfinite(found).all()
    assert (found[9, 0], found[10, 0]) == (9, 0)


def test_nothing_to_do_and_nothing_to_go_by() -> None:
    points, links = _grid(3, 4)
    values = np.random.default_rng(0).uniform(size=(12, 3))
    assert np.array_equal(fill(values, np.ones(12, bool), links, points), values)
    with pytest.raises(ValueError, match="known"):
        fill(values, np.zeros(12, bool), links, points)


def test_input_is_not_changed(scenes: ModuleType) -> None:
    mesh = scenes.sphere()
    lattice = make_lattice(mesh, scenes.face_atlas(mesh), 0.2)
    values = np.ones((len(lattice.points), 3), np.float32)
    known = lattice.points[:, 2] > 0.3
    values[~known] = np.nan  # what is not known is never looked at
    found = fill(values, known, lattice.adjacency(), lattice.points)
    assert np.abs(found - 1).max() < 1e-6
    assert np.isnan(values[~known]).all()
    assert not known.all()
