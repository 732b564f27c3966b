"""Views made to agree in brightness and tint: one gain each, then a smooth correction along the surface.

What is left between the views after it is detail, and detail is taken from one view at a time: together, blending in
two bands (Baumberg, "Blending images for texturing 3D models", BMVC 2002), with the low band made on the surface
instead of in the images, so that nothing is mixed across an occlusion.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32
from scipy.sparse import csr_matrix, diags
from scipy.special import ive

from meshopt import parallel
from meshopt.texturing.observation import Observation

DARK = 0.01  # linear light: below, ratios say nothing
LEAST_POINTS = 50  # points that two views have to share before they are compared
MOST_GAIN = 2.0  # a larger one is no exposure
PRIOR = 200.0  # points that speak for a gain of 1
FLAT = 1e-3  # weight below which a smoothed value is not known
MOST_TERMS, LEAST_TERM = 200, 1e-5  # of a sum of polynomials


def gains(seen: Observation) -> Float[np.ndarray, "V 3"]:
    """What each view's linear colours are to be multiplied with; their weighted geometric mean is 1.

    From the medians of the ratios of every two views' colours where both see the surface.
    """
    count = len(seen.weight)
    logs = np.log(np.maximum(seen.color, DARK))
    valid = np.all(seen.color > DARK, axis=-1)
    system, right = np.zeros((count, count)), np.zeros((count, 3))
    for u in range(count):
        for v in range(u + 1, count):
            both = np.minimum(seen.sure[u], seen.sure[v])
            shared = (both > 0.2) & valid[u] & valid[v]
            size = float(shared.sum())
            if size < LEAST_POINTS:
                continue
            ratio = np.median(logs[u, shared] - logs[v, shared], axis=0)
            system[[u, v], [u, v]] += size
            system[[u, v], [v, u]] -= size
            right[u] -= size * ratio
            right[v] += size * ratio
    system += PRIOR * np.eye(count)
    found = np.linalg.solve(system, right)
    share = seen.weight.sum(1)
    found -= (share[:, None] * found).sum(0) / max(float(share.sum()), 1e-9)
    return np.exp(np.clip(found, -np.log(MOST_GAIN), np.log(MOST_GAIN)))


def corrections(
    seen: Observation, consensus: Float[np.ndarray, "P 3"], adjacency: csr_matrix, time: float
) -> Float32[np.ndarray, "V P 3"]:
    """What each view's linear colours are to be multiplied with to follow the consensus in the mean around a point.

    Means are weighted by how surely the view sees the points, and taken along the surface: `diffused` for this time.
    """

    def of_view(sure: Float32[np.ndarray, " P"], color: Float32[np.ndarray, "P 3"]) -> Float32[np.ndarray, "P 3"]:
        both = np.concatenate([consensus + DARK, color + DARK], axis=1) * sure[:, None]
        means = diffused(both.astype(np.float32), adjacency, time)
        known = means[:, 3:].min(1, keepdims=True) > FLAT * DARK
        return np.where(known, means[:, :3] / np.maximum(means[:, 3:], FLAT * DARK), 1.0).astype(np.float32)

    ratios = parallel.run(of_view, list(zip(seen.sure, seen.color, strict=True)))
    return np.clip(np.stack(ratios), 1 / MOST_GAIN, MOST_GAIN)


def diffused(values: Float32[np.ndarray, "P C"], adjacency: csr_matrix, time: float) -> Float32[np.ndarray, "P C"]:
    """exp(-time (1 - A)) values, A the mean of the neighbours: they spread over about sqrt(time) edges.

    By Chebyshev polynomials, of which the square root of the explicit steps suffices (Hammond et al., "Wavelets on
    graphs via spectral graph theory", 2011).
    """
    mean = (diags(1 / np.maximum(np.asarray(adjacency.sum(1)).ravel(), 1)) @ adjacency).tocsr().astype(np.float32)
    shares = (2 * ive(np.arange(MOST_TERMS), time)).astype(np.float32)
    shares[0] /= 2
    before, now = values, mean @ values
    total = shares[0] * before + shares[1] * now
    for share in shares[2 : 2 + int((shares[2:] > LEAST_TERM).sum())]:
        before, now = now, 2 * (mean @ now) - before
        total += share * now
    return total


def blended(weight: Float32[np.ndarray, "V P"], color: Float32[np.ndarray, "V P 3"]) -> Float32[np.ndarray, "P 3"]:
    """The weighted mean of the views' colours; 0 where all weights are."""
    return np.einsum("vp,vpc->pc", weight, color) / np.maximum(weight.sum(0), 1e-12)[:, None]
