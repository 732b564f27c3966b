"""Masks: where the object is, from alpha, from a normal map's background, or from a solid background.

A mask is coverage in [0, 1], float32, of the same shape as the picture it comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from jaxtyping import Float
from scipy import ndimage

Matting = Literal["auto", "alpha", "normals", "background", "rembg", "none"]
MATTINGS: tuple[str, ...] = get_args(Matting)

# Distances of a stored vector from the background's: at most background, at least object (Zero123++).
BACKGROUND_AT, OBJECT_AT = 0.2, 0.6
NORMAL_BACKGROUNDS = {"black": -1.0, "grey": 0.0, "white": 1.0}  # all three components of the stored vector
BORDER_SHARE = 0.6  # at least so much of the image's border must show the background
SPECK = 2e-4  # share of the image; smaller islands of object are noise
HOLE = (12, 1e-4)  # least size of an enclosed hole: pixels, share of the image
SNAP = 0.06  # so little background in an edge pixel is taken for rounding
EDGE = 2  # pixels over which an object's edge is blurred
HALO = 0.012  # of the image's side: how far in from an alpha's edge leftovers of the background are removed


@dataclass(frozen=True)
class Background:
    """A solid background: its colour in [0, 1], how far pixels stray from it, and its share of the border."""

    colour: Float[np.ndarray, "3"]
    noise: float
    share: float


def border_background(image: Float[np.ndarray, "H W 3"]) -> Background:
    """The most common colour along the image's border, robust to an object that touches it and to JPEG noise.

    `noise` is the largest deviation (largest of the channels) of 98 % of the border pixels that show it.
    """
    border = np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])
    keys = np.round(border * 16).astype(np.int64) @ np.array([1, 32, 1024])
    values, counts = np.unique(keys, return_counts=True)
    colour = np.median(border[keys == values[np.argmax(counts)]], axis=0)
    for _ in range(3):
        near = np.abs(border - colour).max(axis=1) < 0.08
        colour = np.median(border[near], axis=0) if near.any() else colour
    deviation = np.abs(border - colour).max(axis=1)
    near = deviation < 0.08
    noise = float(np.quantile(deviation[near], 0.98)) if near.any() else 0.0
    return Background(colour.astype(np.float32), noise, float(near.mean()))


def mask_from_background(image: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W"] | None:
    """The object before a solid background, None where the border shows none.

    Background is what looks like the border's colour and is connected to the border, so an object may hold
    that colour inside; edges are soft. The tolerance follows the border's noise (JPEG).
    """
    found = border_background(image)
    if found.share < BORDER_SHARE:
        return None
    distance = np.abs(image - found.colour).max(axis=2)
    noise = min(max(1.5 * found.noise, 0.02), 0.1)
    outside = _without_specks(_connected_to_border(distance < noise + 0.06))
    edge = _edge(image, outside)
    return _covered(outside, edge, None if edge is None else _linear_share(edge, found.colour, noise))


def mask_from_vectors(
    vectors: Float[np.ndarray, "H W 3"], background: Float[np.ndarray, "3"] | None = None
) -> Float[np.ndarray, "H W"] | None:
    """The object in a normal map, by each stored vector's distance from the background's; None without a
    background.

    `vectors` are 2 colour - 1, or float data as stored. By default the background is looked for at the
    border: black, white, grey (the zero vector) or another solid colour. Holes count where they hold the
    background, connected to the border or not.
    """
    if background is None:
        background = vector_background(vectors)
    if background is None:
        return None
    distance = np.linalg.norm(vectors - background, axis=2)
    plain = any(np.abs(background - value).max() < 0.1 for value in NORMAL_BACKGROUNDS.values())
    outside = distance < (BACKGROUND_AT + OBJECT_AT) / 2
    sure = distance < BACKGROUND_AT
    outside = _large_or_at_border(outside, sure) if plain else _connected_to_border(outside)
    outside = _without_specks(outside)
    edge = _edge(vectors, outside)
    return _covered(outside, edge, None if edge is None else _vector_share(edge, background, 0.1))


def vector_background(vectors: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "3"] | None:
    """The stored vector of a normal map's solid background, or None where the border shows none."""
    found = border_background((vectors + 1) / 2)
    if found.share < BORDER_SHARE:
        return None
    vector = 2 * found.colour - 1
    for value in NORMAL_BACKGROUNDS.values():
        if np.abs(vector - value).max() < 0.1:
            return np.full(3, value, np.float32)
    return vector


def without_halo(alpha: Float[np.ndarray, "H W"], vectors: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W"]:
    """An alpha freed from leftovers of a black, grey or white background in the normal map, at its rim and in
    holes.

    No unit vector is near those three, so a pixel that is shows background, whatever alpha says. The
    background is what `vectors` (as stored, premultiplication undone) show just outside. On grey, which short
    vectors inside resemble, only pixels near the alpha's edge change.
    """
    solid = alpha > 0.5
    near = cv2.dilate(solid.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    ring = vectors[near & (alpha < 0.02)]
    if not len(ring):
        return alpha
    middle = np.median(ring, axis=0)
    plain = [value for value in NORMAL_BACKGROUNDS.values() if np.abs(middle - value).max() < 0.25]
    if not plain or (np.linalg.norm(ring - middle, axis=1) < 0.3).mean() < BORDER_SHARE:
        return alpha
    depth = cv2.distanceTransform(np.pad(solid.astype(np.uint8), 1), cv2.DIST_C, 3)[1:-1, 1:-1]
    rim = (depth > 0) & (depth <= max(2, round(HALO * max(alpha.shape))))
    shown = mask_from_vectors(vectors, np.full(3, plain[0], np.float32))
    if shown is None:
        return alpha
    where = rim if plain[0] == 0 else np.ones_like(rim)
    return np.where(where, np.minimum(alpha, shown), alpha).astype(np.float32)


def unmix(
    image: Float[np.ndarray, "H W 3"], mask: Float[np.ndarray, "H W"], colour: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "H W 3"]:
    """The object's own colour where a mask's soft edge has background mixed in."""
    a = np.maximum(mask, 0.25)[..., None]
    pure = np.clip((image - (1 - a) * colour) / a, 0, 1)
    return np.where((mask < 1)[..., None], pure, image).astype(np.float32)


def iou(a: Float[np.ndarray, "H W"], b: Float[np.ndarray, "H W"]) -> float:
    """Intersection over union of two soft masks; 1 where both are empty."""
    union = float(np.maximum(a, b).sum(dtype=np.float64))
    return float(np.minimum(a, b).sum(dtype=np.float64)) / union if union > 0 else 1.0


def _connected_to(region: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The part of a boolean image that is 4-connected to seeds in it."""
    labels, count = ndimage.label(region)
    keep = np.zeros(count + 1, bool)
    keep[labels[seeds]] = True
    keep[0] = False
    return keep[labels]


def _connected_to_border(region: np.ndarray) -> np.ndarray:
    """The part of a boolean image that is 4-connected to its border."""
    border = np.ones(region.shape, bool)
    border[1:-1, 1:-1] = False
    return _connected_to(region, border)


def _without_specks(outside: np.ndarray) -> np.ndarray:
    """Adds islands of object smaller than a share of SPECK of the image to the background: noise, frame
    lines.
    """
    labels, count = ndimage.label(~outside, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    keep = sizes >= SPECK * outside.size
    keep[0] = False
    return ~keep[labels]


def _large_or_at_border(region: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """Drops small or doubtful islands: enclosed holes must be large (HOLE) and more than half of them
    sure.
    """
    labels, count = ndimage.label(region)
    if count == 0:
        return region
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    certain = np.bincount(labels[sure & region], minlength=count + 1)
    keep = (certain >= max(HOLE[0], HOLE[1] * region.size)) & (certain > sizes / 2)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    keep[border] = True
    keep[0] = False
    return keep[labels]


@dataclass(frozen=True)
class _Edge:
    """The pixels near an object's border: where, their colours, the nearest colours inside, and on which
    side.
    """

    band: np.ndarray
    pixels: Float[np.ndarray, "P 3"]
    inner: Float[np.ndarray, "P 3"]
    inside: np.ndarray


def _edge(image: Float[np.ndarray, "H W 3"], outside: np.ndarray) -> _Edge | None:
    """The band of EDGE pixels on both sides of the border; None where no pixel lies deeper inside than
    that.
    """
    inside = (~outside).astype(np.uint8)
    depth = cv2.distanceTransform(np.pad(inside, 3, mode="edge"), cv2.DIST_C, 3)[3:-3, 3:-3]
    core = depth > EDGE
    if not core.any():
        return None
    _, labels = cv2.distanceTransformWithLabels(
        (~core).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    band = (cv2.dilate(inside, np.ones((2 * EDGE + 1, 2 * EDGE + 1), np.uint8)) > 0) & ~core
    colours = np.zeros((int(labels.max()) + 1, 3))
    colours[labels[core]] = image[core]
    return _Edge(band, image[band].astype(np.float64), colours[labels[band]], ~outside[band])


def _linear_share(edge: _Edge, background: Float[np.ndarray, "3"], noise: float) -> np.ndarray:
    """How far each edge pixel has gone from the background to the nearest colour inside; 0 within the
    noise.
    """
    contrast, step = edge.inner - background, edge.pixels - background
    square = (contrast**2).sum(axis=1)
    share = np.clip((step * contrast).sum(axis=1) / np.maximum(square, 1e-6), 0, 1)
    share = np.where(square > (3 * noise) ** 2, share, edge.inside)
    return np.where(np.linalg.norm(step, axis=1) < noise, 0, share)


def _vector_share(edge: _Edge, background: Float[np.ndarray, "3"], noise: float) -> np.ndarray:
    """As `_linear_share`, but a vector may turn at the edge and only keeps its length.

    A pixel c = (1 - s) F + s B with |F| = L, the length inside: |c - s B|^2 = L^2 (1 - s)^2 is quadratic in
    s. Of two answers the one nearer to the linear share holds.
    """
    guess = 1 - _linear_share(edge, background, noise)
    length = (edge.inner**2).sum(axis=1)
    a = (background.astype(np.float64) ** 2).sum() - length
    half_b = length - edge.pixels @ background
    c = (edge.pixels**2).sum(axis=1) - length
    root = np.sqrt(np.maximum(half_b**2 - a * c, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        linear = -c / (2 * half_b)
        answers = np.stack([(-half_b + root) / a, (-half_b - root) / a, linear])
    answers[:2, np.abs(a) < 1e-3] = np.nan
    answers[2, np.abs(a) >= 1e-3] = np.nan
    fits = (answers > -0.1) & (answers < 1.1) & (half_b**2 >= a * c)
    distance = np.where(fits, np.abs(answers - guess), np.inf)
    best = np.take_along_axis(answers, distance.argmin(axis=0)[None], axis=0)[0]
    s = np.where(np.isfinite(distance.min(axis=0)), best, guess)
    share = 1 - np.where(s < SNAP, 0, np.clip(s, 0, 1))
    return np.where(np.linalg.norm(edge.pixels - background, axis=1) < noise, 0, share)


def _covered(outside: np.ndarray, edge: _Edge | None, share: np.ndarray | None) -> Float[np.ndarray, "H W"]:
    """Coverage: 1 inside, 0 outside, and `share` at the edge."""
    result = (~outside).astype(np.float32)
    if edge is not None and share is not None:
        result[edge.band] = share
    return result
