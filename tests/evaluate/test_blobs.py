"""Blobs are connected, of the size asked for, inside what is allowed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from meshopt.evaluate.blobs import blob, smooth_noise, softened


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("pixels", [1, 40, 400, 3000])
def test_blob_is_connected_and_of_its_size(seed, pixels) -> None:
    random = np.random.default_rng(seed)
    allowed = smooth_noise(np.random.default_rng(seed + 50), (96, 80), 1, 0.06)[..., 0] > -0.7
    start = tuple(int(k) for k in random.choice(np.argwhere(allowed)))
    found = blob(random, allowed, start, pixels)
    labels, _ = ndimage.label(allowed)
    room = int((labels == labels[start]).sum())
    assert found[start]
    assert not (found & ~allowed).any()
    assert ndimage.label(found)[1] == 1
    assert found.sum() == pytest.approx(min(pixels, room), rel=0.1, abs=1)


def test_noise_has_unit_variance_at_any_resolution() -> None:
    for sigma in (0.02, 0.04, 0.1):
        fields = [smooth_noise(np.random.default_rng(s), (64, 64), 3, sigma) for s in range(8)]
        assert np.std(fields) == pytest.approx(1, abs=0.2)
    small, large = (smooth_noise(np.random.default_rng(1), (n, n), 1, 0.08)[..., 0] for n in (64, 192))
    np.testing.assert_allclose(large[1::3, 1::3], small, atol=0.05)


def test_softened_border() -> None:
    region = np.zeros((40, 40), bool)
    region[10:30, 10:30] = True
    weight = softened(region, 2.0)
    assert weight[20, 20] == 1
    assert weight[20, 10] == pytest.approx(0.6, abs=0.15)
    assert not weight[:4].any()
