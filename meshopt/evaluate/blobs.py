"""Irregular connected blobs of a wanted number of pixels."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32

ROUGHNESS = 0.25  # of a blob's outline, relative to its radius


def smooth_noise(
    random: np.random.Generator, shape: tuple[int, int], channels: int, sigma: float
) -> Float32[np.ndarray, "H W C"]:
    """White noise under a Gaussian of `sigma` (in shares of the image), of about unit variance.

    The same stream gives the same field at any resolution.
    """
    cells = max(16, min(256, round(4 / sigma)))
    margin = round(3 * sigma * cells)
    white = random.standard_normal((cells + 2 * margin, cells + 2 * margin, channels)).astype(np.float32)
    blurred = cv2.GaussianBlur(white, (0, 0), sigma * cells)[margin : cells + margin, margin : cells + margin]
    field = np.ascontiguousarray(2 * np.sqrt(np.pi) * sigma * cells * blurred, np.float32)
    wide = cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return wide.reshape(*shape, channels)


def blob(
    random: np.random.Generator, allowed: Bool[np.ndarray, "H W"], start: tuple[int, int], pixels: int
) -> Bool[np.ndarray, "H W"]:
    """About `pixels` pixels of `allowed`, connected, around the pixel `start` (row, column) of it.

    Fewer where the part of `allowed` in which `start` lies has fewer.
    """
    height, width = allowed.shape
    rows, columns = np.ogrid[:height, :width]
    radius = max(1.0, float(np.sqrt(pixels / np.pi)))
    noise = smooth_noise(random, (height, width), 1, min(0.2, max(0.03, 0.5 * radius / max(height, width))))[..., 0]
    distance = np.hypot(rows - start[0], columns - start[1]) / radius + ROUGHNESS * noise
    distance[start] = -np.inf
    region = component(allowed, start)
    levels = np.sort(distance[region])

    def grown(count: int) -> np.ndarray:
        return component(region & (distance <= levels[count - 1]), start)

    low, high = min(max(pixels, 1), len(levels)), len(levels)
    while low < high:  # the smallest count of pixels of which enough hang together
        middle = (low + high) // 2
        if grown(middle).sum() >= min(pixels, len(levels)):
            high = middle
        else:
            low = middle + 1
    found = grown(low)
    before = grown(max(low - 1, 1))
    return before if pixels - before.sum() < found.sum() - pixels else found


def component(region: Bool[np.ndarray, "H W"], start: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
    """The 4-connected part of `region` which the pixel `start` (row, column) of it belongs to."""
    labels = cv2.connectedComponents(region.astype(np.uint8), connectivity=4)[1]
    return labels == labels[start]


def softened(region: Bool[np.ndarray, "H W"], sigma: float) -> Float32[np.ndarray, "H W"]:
    """Weights in [0, 1] that fall off over about 2 `sigma` pixels on both sides of the region's rim."""
    blurred = cv2.GaussianBlur(region.astype(np.float32), (0, 0), sigma)
    return np.clip((blurred - 0.1) / 0.8, 0, 1)


def depth_inside(region: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "H W"]:
    """Distance in pixels to the nearest pixel outside the region; the image's border is not outside."""
    return cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
