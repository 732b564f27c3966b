"""Colours of the map that says which view each texel is from."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import UInt8


def source_palette() -> UInt8[np.ndarray, "256 3"]:
    """Colours of the map of sources: black for no surface, grey for what was filled in, one for each view."""
    hues = np.arange(254) * 137.508 % 360  # the golden angle: neighbours differ most
    values = np.stack([hues / 2, np.full(254, 150), np.full(254, 230)], axis=-1).astype(np.uint8)
    views = cv2.cvtColor(values[None], cv2.COLOR_HSV2RGB)[0]
    return np.concatenate([[[0, 0, 0], [110, 110, 110]], views]).astype(np.uint8)
