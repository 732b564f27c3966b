"""Images continued over pixels that are not known."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int, Shaped


def nearest(image: Shaped[np.ndarray, "H W C"], known: Bool[np.ndarray, "H W"]) -> Shaped[np.ndarray, "H W C"]:
    """The image, with every pixel that is not `known` as the nearest one that is."""
    if known.all() or not known.any():
        return image
    return image.reshape(-1, image.shape[-1])[nearest_known(known)[0]]


def nearest_known(known: Bool[np.ndarray, "H W"]) -> tuple[Int[np.ndarray, "H W"], Float32[np.ndarray, "H W"]]:
    """Of the nearest known pixel of each pixel: its number, and its distance (infinite where none is known)."""
    if not known.any():
        return np.zeros(known.shape, np.int64), np.full(known.shape, np.inf, np.float32)
    distance, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    place = np.zeros(labels.max() + 1, np.int64)
    place[labels[known]] = np.flatnonzero(known)
    return place[labels], distance
