"""The picture as a generator expects it: the object cut out, in the middle, of one size, on a plain background."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image as Pillow

from meshopt import matting
from meshopt.cutout import mask_from_rembg
from meshopt.errors import InputError
from meshopt.io.images import (
    COLOUR_SUFFIXES,
    MAX_PIXELS,
    Picture,
    read_image,
    resample,
    resample_weighted,
    to_bytes,
)

MATTINGS = ("auto", "alpha", "background", "rembg", "none")
SEEN = 0.05  # coverage from which on a pixel counts as the object's
LARGEST = 4096  # pixels of a picture's side: a larger one is reduced
REACH = 3  # new pixels that Lanczos' filter looks at to each side
LEAST = 8  # pixels of the object's longer side
EMPTY, FULL = 1e-4, 0.999  # shares of the picture at which a mask is no mask
SMALL = 0.5  # of the wanted size: a smaller object is called small


@dataclass(frozen=True)
class Framing:
    """A generator's picture: `size` pixels square, of which the object's longer side takes the share `fill`.

    `background` is the sRGB grey around it, in [0, 1].
    """

    size: int
    fill: float
    background: float


@dataclass(frozen=True, eq=False)
class Cutout:
    """The object in a picture: sRGB in [0, 1], freed of the background, coverage, where that is from, and notes."""

    rgb: Float[np.ndarray, "H W 3"]
    alpha: Float[np.ndarray, "H W"]
    source: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Framed:
    """A generator's picture: sRGB in [0, 1] on its background, coverage, and notes, one sentence each."""

    rgb: Float[np.ndarray, "S S 3"]
    alpha: Float[np.ndarray, "S S"]
    framing: Framing
    notes: tuple[str, ...] = ()


def check_matting(how: str) -> None:
    """Raises InputError for an unknown way to cut out."""
    if how not in MATTINGS:
        raise InputError(f"--matting {how!r} is unknown: expected one of {', '.join(MATTINGS)}.")


def cut_out(path: Path, how: str = "auto", model: str | None = None, max_pixels: int = MAX_PIXELS) -> Cutout:
    """The object in a picture file.

    `how`: 'alpha', 'background' (a solid one), 'rembg' with `model` (a name or an ONNX file), 'none' (all of the
    picture), or 'auto': the first of alpha, rembg where there is a `model`, and background that there is. A picture of
    more than 4096 pixels a side is reduced. Raises InputError where it cannot be read, has more than `max_pixels`, or
    nothing is found.
    """
    check_matting(how)
    if path.is_file() and path.suffix.lower() not in COLOUR_SUFFIXES:
        raise InputError(f"{path} is no picture: expected one of {', '.join(COLOUR_SUFFIXES)}.")
    picture = _reduced(read_image(path, max_pixels))
    alpha, source = _mask(picture, how, model, path)
    share = float((alpha > 0.5).mean())
    if how != "none" and not EMPTY < share < FULL:
        what = "nothing" if share <= EMPTY else "all of the picture"
        raise InputError(f"{path}: {source} covers {what}, expected an object on a background; use another --matting.")
    rgb = np.clip(picture.pixels, 0, 1)
    around = matting.border_background(rgb)
    if picture.alpha is None and how != "none" and around.share >= matting.BORDER_SHARE:
        rgb = matting.unmix(rgb, alpha, around.colour)
    return Cutout(rgb, alpha, source, _notes(alpha) if how != "none" else ())


def _reduced(picture: Picture) -> Picture:
    """By area averages, the colours counting by alpha, to sides of at most LARGEST."""
    rows, columns = picture.shape
    ratio = LARGEST / max(rows, columns)
    if ratio >= 1:
        return picture
    height, width = max(1, round(rows * ratio)), max(1, round(columns * ratio))
    if picture.alpha is None:
        return replace(picture, pixels=resample(picture.pixels, height, width))
    pixels = resample_weighted(picture.pixels, picture.alpha, height, width)
    return replace(picture, pixels=pixels, alpha=np.clip(resample(picture.alpha, height, width), 0, 1))


def _mask(picture: Picture, how: str, model: str | None, path: Path) -> tuple[np.ndarray, str]:
    if how == "none":
        return np.ones(picture.shape, np.float32), "nothing: the whole picture counts"
    if how in ("auto", "alpha") and picture.alpha is not None:
        return picture.alpha, "its alpha"
    if how == "rembg" or (how == "auto" and model is not None):
        return mask_from_rembg(picture.pixels, model), "rembg"
    found = matting.mask_from_background(picture.pixels) if how in ("auto", "background") else None
    if found is not None:
        return found, "its solid background"
    missing = {
        "auto": "neither alpha nor a solid background was found",
        "alpha": "no alpha channel was found",
        "background": "its border shows no solid background",
    }[how]
    raise InputError(
        f"{path}: {missing}; cut the object out (--matting rembg --matting-model FILE does), or take the whole "
        "picture with --matting none."
    )


def _notes(alpha: Float[np.ndarray, "H W"]) -> tuple[str, ...]:
    edges = {"top": alpha[0], "bottom": alpha[-1], "left": alpha[:, 0], "right": alpha[:, -1]}
    cut = [name for name, edge in edges.items() if float((edge > 0.5).mean()) > 0.02]
    if not cut:
        return ()
    return (f"the picture cuts the object off at its {' and '.join(cut)}: generators expect all of it.",)


def frame(cutout: Cutout, framing: Framing) -> Framed:
    """The object in the middle of a square, its box's longer side `fill` of the square's.

    Resampled by Lanczos' filter, each pixel counting by its coverage. Raises InputError for an object of few pixels.
    """
    top, bottom, left, right = _box(cutout.alpha)
    longer = max(bottom - top, right - left)
    if longer < LEAST:
        raise InputError(f"the object is {longer} pixels large, expected {LEAST} at least; check --matting.")
    side = longer / framing.fill  # of the square, in the picture's pixels
    reach = math.ceil(REACH * max(1.0, side / framing.size)) + 1
    down, across = (max(0, math.ceil((side - n) / 2)) + reach for n in (bottom - top, right - left))
    alpha = cutout.alpha[top:bottom, left:right]
    premultiplied = np.dstack([cutout.rgb[top:bottom, left:right] * alpha[..., None], alpha])
    padded = np.pad(premultiplied, ((down, down), (across, across), (0, 0)))
    window = [margin + (n - side) / 2 for margin, n in ((across, right - left), (down, bottom - top))]
    square = _resampled(padded, (window[0], window[1], window[0] + side, window[1] + side), framing.size)
    alpha = np.clip(square[..., 3], 0, 1)
    pure = np.clip(square[..., :3] / np.maximum(square[..., 3:], 1e-3), 0, 1)  # the filter overshoots at edges
    rgb = pure * alpha[..., None] + np.float32(framing.background) * (1 - alpha[..., None])
    notes = cutout.notes
    if longer < SMALL * framing.fill * framing.size:
        wanted = round(framing.fill * framing.size)
        notes += (f"the object is {longer} pixels large, and the model's picture of it {wanted}: details are missing.",)
    return Framed(rgb, alpha, framing, notes)


def _box(alpha: Float[np.ndarray, "H W"]) -> tuple[int, int, int, int]:
    """First and last row (excluded) and column of what is seen."""
    rows, columns = (np.flatnonzero((alpha > SEEN).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise InputError("the picture's mask is empty; check --matting.")
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _resampled(
    image: Float[np.ndarray, "H W C"], window: Sequence[float], size: int
) -> Float[np.ndarray, "size size C"]:
    channels = [Pillow.fromarray(np.ascontiguousarray(image[..., c], np.float32)) for c in range(image.shape[2])]
    box = (window[0], window[1], window[2], window[3])
    resized = [c.resize((size, size), Pillow.Resampling.LANCZOS, box=box) for c in channels]
    return np.stack([np.asarray(c, np.float32) for c in resized], axis=-1)


def as_bytes(framed: Framed) -> np.ndarray:
    """The picture as 8-bit sRGB, rounded."""
    return to_bytes(framed.rgb)
