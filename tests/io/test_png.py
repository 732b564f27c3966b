"""PNG files: the image, nothing else."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image

from meshopt.io.png import encode_png

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)


def test_pixels_come_back() -> None:
    assert (np.asarray(Image.open(io.BytesIO(encode_png(IMAGE)))) == IMAGE).all()


def test_bytes_depend_on_the_image_alone() -> None:
    data = encode_png(IMAGE)
    assert data == encode_png(np.asfortranarray(IMAGE))
    kinds, at = set(), 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        kinds.add(kind)
        at += length + 12
    assert kinds == {b"IHDR", b"IDAT", b"IEND"}  # no time, no colour profile
