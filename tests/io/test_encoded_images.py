"""Images of any mode as 8-bit sRGB, no larger than asked for."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from meshopt.errors import InputError
from meshopt.io import encoded_images
from meshopt.io.encoded_images import EncodedImage

RGB = np.random.default_rng(0).integers(0, 256, (6, 10, 3), np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **more: object) -> EncodedImage:
    stream = io.BytesIO()
    image.save(stream, kind, **more)
    return EncodedImage("x", stream.getvalue)


def test_pixels_are_the_pictures() -> None:
    found, clear = encoded(Image.fromarray(RGB)).pixels(6, 10)
    assert np.array_equal(found, RGB)
    assert not clear


@pytest.mark.parametrize("mode", ["L", "P", "LA", "1", "RGBA", "I;16", "CMYK"])
def test_every_mode(mode: str) -> None:
    middle = 255 if mode == "1" else 128
    grey = np.tile(np.array([[0, 255, middle]], np.uint8), (4, 1))
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(grey).convert(mode)
    found, clear = encoded(image, "TIFF" if mode == "CMYK" else "PNG").pixels(4, 3)
    expected = np.array([0, 255, middle])
    assert np.abs(found.astype(int) - expected[None, :, None]).max() <= 1
    assert not clear


def test_transparency_is_found_and_not_applied() -> None:
    image = np.concatenate([RGB, np.zeros((6, 10, 1), np.uint8)], axis=-1)
    found, clear = encoded(Image.fromarray(image)).pixels(6, 10)
    assert clear
    assert np.array_equal(found, RGB)
    palette = Image.fromarray(np.zeros((2, 2), np.uint8)).convert("P")
    assert encoded(palette, transparency=0).pixels(2, 2)[1]


def test_reduced_by_means_never_enlarged() -> None:
    image = encoded(Image.fromarray(np.repeat(np.repeat(RGB, 4, 0), 4, 1)))
    assert np.array_equal(image.pixels(6, 10)[0], RGB)
    assert image.pixels(100, 100)[0].shape == (24, 40, 3)
    photo = encoded(Image.fromarray(np.full((640, 480, 3), 77, np.uint8)), "JPEG")
    assert photo.pixels(100, 60)[0].shape == (100, 60, 3)
    assert np.abs(photo.pixels(100, 60)[0].astype(int) - 77).max() <= 1


def test_what_is_too_large_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoded_images, "MAX_PIXELS", 50)
    with pytest.raises(InputError, match=r"^x is 10 x 6 pixels, expected at most 0 million: reduce it"):
        encoded(Image.fromarray(RGB)).pixels(6, 10)


def test_bytes_that_cannot_be_had() -> None:
    def fail() -> bytes:
        raise KeyError("bufferViews")

    with pytest.raises(InputError, match=r"^x is not in the file as it should be \(KeyError\)$"):
        EncodedImage("x", fail).size()
