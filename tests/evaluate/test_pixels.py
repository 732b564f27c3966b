"""Comparing pictures against figures that are known, and a plain twin."""

from __future__ import annotations

import numpy as np
import pytest

from meshopt.evaluate.pixels import decibels, gradients, similarity, within

ALL = np.ones((24, 30), bool)


def test_decibels_of_known_errors() -> None:
    assert decibels(0.01) == pytest.approx(20)
    assert decibels(0.1**2 / 4) == pytest.approx(26.0206, abs=1e-4)
    assert decibels(0.0) == 100


def test_similarity_of_flat_pictures_is_that_of_their_brightness() -> None:
    a, b = np.full((24, 30, 3), 0.4), np.full((24, 30, 3), 0.6)
    assert similarity(a, b, ALL) == pytest.approx((2 * 0.4 * 0.6 + 1e-4) / (0.4**2 + 0.6**2 + 1e-4))


def test_similarity_of_inverted_noise_is_negative_and_of_itself_one() -> None:
    noise = np.random.default_rng(0).random((24, 30, 3))
    assert similarity(noise, noise, ALL) == pytest.approx(1)
    assert similarity(noise, 1 - noise, ALL) < -0.8  # type: ignore[operator]
    assert similarity(noise, noise, ~ALL) is None


def test_similarity_is_what_windows_say_one_by_one() -> None:
    """Wang et al. 2004, over the pixels inside alone."""
    random = np.random.default_rng(1)
    a = random.random((24, 30, 3))
    b = np.clip(a + 0.2 * random.standard_normal(a.shape), 0, 1)
    inside = np.hypot(*np.mgrid[-12:12, -15:15]) < 11
    inside[3:9, 10:14] = False
    step = np.arange(-5, 6)
    gauss = np.exp(-(step[:, None] ** 2 + step**2) / (2 * 1.5**2))
    values = []
    for i, j in np.argwhere(inside):
        near = [(i + di, j + dj, gauss[di + 5, dj + 5]) for di in step for dj in step]
        near = [(r, c, w) for r, c, w in near if 0 <= r < 24 and 0 <= c < 30 and inside[r, c]]
        rows, columns, weights = (np.array(part) for part in zip(*near, strict=True))
        weights = weights / weights.sum()
        for k in range(3):
            x, y = a[rows, columns, k], b[rows, columns, k]
            mx, my = weights @ x, weights @ y
            vx, vy, vxy = weights @ (x - mx) ** 2, weights @ (y - my) ** 2, weights @ ((x - mx) * (y - my))
            values.append((2 * mx * my + 1e-4) * (2 * vxy + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4)))
    assert similarity(a, b, inside) == pytest.approx(np.mean(values), abs=1e-9)


def test_what_lies_outside_does_not_count() -> None:
    random = np.random.default_rng(2)
    a, b = random.random((2, 24, 30, 3))
    inside = np.zeros((24, 30), bool)
    inside[5:18, 6:25] = True
    other = np.where(inside[..., None], b, random.random(b.shape))
    assert similarity(a, b, inside) == pytest.approx(similarity(a, other, inside), abs=1e-12)


def test_gradients_of_ramps_are_their_slopes() -> None:
    rows, columns = np.mgrid[:24, :30]
    ramp = np.stack([0.01 * columns, 0.02 * rows, 0.03 * columns - 0.005 * rows], -1)
    found = gradients(ramp)[1:-1, 1:-1]
    assert np.allclose(found, [0.01, 0, 0, 0.02, 0.03, -0.005])


def test_within_is_a_pixel_less_on_every_side() -> None:
    inside = np.zeros((10, 12), bool)
    inside[2:7, 3:9] = True
    expected = np.zeros_like(inside)
    expected[3:6, 4:8] = True
    assert np.array_equal(within(inside), expected)
    assert not within(np.ones((10, 12), bool))[[0, -1]].any()
