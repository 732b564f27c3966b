"""Pictures inside the page."""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, features

from meshopt import parallel
from meshopt.io.images import to_bytes
from meshopt.report.page.document import data_uri

QUALITY, METHOD = 82, 2  # of WebP: what looks like the original; quick


def encode_images(images: Sequence[UInt8[np.ndarray, "_ _ 4"]], lossless: bool = False) -> list[str]:
    """RGBA images as addresses that hold them: WebP, or PNG where Pillow cannot write that."""
    return parallel.run(_encoded, [(image, lossless) for image in images])


def encode_image(image: UInt8[np.ndarray, "H W *C"], lossless: bool = False) -> str:
    """One image, grey, RGB or RGBA."""
    return _encoded(image, lossless)


def with_cover(
    colors: Float[np.ndarray, "H W 3"], cover: Float[np.ndarray, "H W"], side: int
) -> UInt8[np.ndarray, "h w 4"]:
    """RGBA of colours and coverage in [0, 1], at most `side` pixels on the longer side."""
    cover = np.clip(cover, 0, 1).astype(np.float32)[..., None]
    image = np.concatenate([np.where(cover > 0, colors, 0.0).astype(np.float32), cover], -1)
    if max(image.shape[:2]) > side:  # what is not covered has no say in the mean
        image[..., :3] *= cover
        image = smaller(image, side)
        image[..., :3] /= np.maximum(image[..., 3:], 1e-4)
    return to_bytes(image)


def smaller(image: np.ndarray, side: int) -> np.ndarray:
    """At most `side` pixels on the longer side, each the mean of what it covers."""
    height, width = image.shape[:2]
    if max(height, width) <= side:
        return image
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _encoded(image: np.ndarray, lossless: bool) -> str:
    stream = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image))
    if features.check("webp"):
        picture.save(stream, "WEBP", quality=60 if lossless else QUALITY, method=METHOD, lossless=lossless)
        return data_uri(stream.getvalue(), "image/webp")
    picture.save(stream, "PNG")
    return data_uri(stream.getvalue(), "image/png")
