"""sRGB and linear light: the two functions are each other's inverse."""

from __future__ import annotations

import numpy as np
import pytest

from meshopt.colorspace import linear_to_srgb, srgb_to_linear


def test_transfer_functions_are_inverse() -> None:
    values = np.linspace(0, 1, 1001)
    assert np.allclose(linear_to_srgb(srgb_to_linear(values)), values, atol=1e-7)
    assert srgb_to_linear(np.array(0.5)) == pytest.approx(0.2140, abs=1e-4)
