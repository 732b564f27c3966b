"""How alike two pictures are: signal to noise, structure, and the gradients of normals. One view each."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float64

WINDOW, SIGMA = 11, 1.5  # of SSIM, pixels
K1, K2 = 0.01, 0.03
SILENCE = 1e-10  # mean squared errors below count as this: 100 dB


def decibels(mean_square: float) -> float:
    """Peak signal-to-noise ratio for values in [0, 1]; 100 dB at most."""
    return float(-10 * np.log10(max(mean_square, SILENCE)))


def similarity(
    first: Float[np.ndarray, "H W 3"], second: Float[np.ndarray, "H W 3"], inside: Bool[np.ndarray, "H W"]
) -> float | None:
    """SSIM (Wang et al. 2004) of colours in [0, 1]: Gaussian window of 11 x 11 pixels, sigma 1.5; None where no pixel
    is `inside`.

    Windows see the pixels inside alone, at the border of the mask and of the picture their weights are scaled up to
    a sum of 1: what lies outside does not count, whatever its colour. Mean over the pixels inside and the channels.
    """
    if not inside.any():
        return None
    weight = inside.astype(np.float64)
    total = np.maximum(_blurred(weight), 1e-12)

    def mean(values: np.ndarray) -> np.ndarray:
        return _blurred(values * weight[..., None]) / total[..., None]

    a, b = first.astype(np.float64), second.astype(np.float64)
    at, bt = mean(a), mean(b)
    spread_a, spread_b, common = mean(a * a) - at * at, mean(b * b) - bt * bt, mean(a * b) - at * bt
    c1, c2 = K1**2, K2**2
    ratio = (2 * at * bt + c1) * (2 * common + c2) / ((at * at + bt * bt + c1) * (spread_a + spread_b + c2))
    return float(ratio[inside].mean())


def _blurred(values: Float64[np.ndarray, "H W *C"]) -> Float64[np.ndarray, "H W *C"]:
    return cv2.GaussianBlur(values, (WINDOW, WINDOW), SIGMA, borderType=cv2.BORDER_CONSTANT)


def gradients(values: Float[np.ndarray, "H W 3"]) -> Float64[np.ndarray, "H W 6"]:
    """Sobel derivatives of the three channels to the right and down, over 8: the change per pixel."""
    planes = [values[..., k].astype(np.float64) for k in range(3)]
    steps = [
        cv2.Sobel(plane, cv2.CV_64F, *axis, ksize=3, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
        for plane in planes
        for axis in ((1, 0), (0, 1))
    ]
    return np.stack(steps, -1)


def within(inside: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """The pixels all of whose eight neighbours are inside, too; none at the picture's border."""
    framed = cv2.copyMakeBorder(inside.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return cv2.erode(framed, np.ones((3, 3), np.uint8))[1:-1, 1:-1] > 0
