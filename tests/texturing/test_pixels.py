"""Unknown pixels are as the nearest known one."""

from __future__ import annotations

import numpy as np
import pytest

from meshopt.texturing.pixels import nearest, nearest_known


@pytest.mark.parametrize("count", [1, 3, 40])
def test_nearest_pixel_by_trying_all(count: int) -> None:
    random = np.random.default_rng(count)
    known = np.zeros((17, 23), bool)
    known.flat[random.permutation(known.size)[:count]] = True
    place, distance = nearest_known(known)
    row, column = np.mgrid[:17, :23]
    rows, columns = np.divmod(place, 23)
    assert known[rows, columns].all()
    least = np.hypot(row[..., None] - row[known], column[..., None] - column[known]).min(-1)
    assert np.abs(np.hypot(row - rows, column - columns) - least).max() < 0.03 * least.max() + 1e-6
    assert np.abs(distance - least).max() < 0.03 * least.max() + 1e-6
    assert np.array_equal(place[known], np.flatnonzero(known))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_known_pixels_stay(dtype: type) -> None:
    image = np.random.default_rng(0).uniform(0, 255, (9, 11, 3)).astype(dtype)
    known = np.zeros((9, 11), bool)
    known[2:5, 3:6] = True
    found = nearest(image, known)
    assert found.dtype == dtype
    assert np.array_equal(found[known], image[known])
    assert (found[0, 0] == image[2, 3]).all()
    assert (found[8, 10] == image[4, 5]).all()


def test_all_known_and_none() -> None:
    image = np.ones((3, 4, 1))
    assert nearest(image, np.ones((3, 4), bool)) is image
    assert nearest(image, np.zeros((3, 4), bool)) is image
    place, distance = nearest_known(np.zeros((3, 4), bool))
    assert np.isinf(distance).all()
    assert (place == 0).all()
    place, distance = nearest_known(np.ones((3, 4), bool))
    assert np.array_equal(place.ravel(), np.arange(12))
    assert (distance == 0).all()
