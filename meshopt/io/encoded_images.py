"""Images inside or beside mesh files, decoded when they are needed and no larger than they are needed."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import UInt8
from PIL import Image as Pillow

from meshopt.errors import InputError
from meshopt.io.images import reading

MAX_PIXELS = 64 * 1024 * 1024  # 8192 x 8192
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "DIB", "TGA", "TIFF", "GIF", "DDS", "PPM")  # Pillow's names


@dataclass(frozen=True, eq=False)
class EncodedImage:
    """An image file of a kind in `FORMATS`: `read` gives its bytes, `label` names it in messages.

    Whatever goes wrong is an InputError.
    """

    label: str
    read: Callable[[], bytes]

    @cached_property
    def _data(self) -> bytes:
        try:
            return self.read()
        except InputError:
            raise
        except Exception as error:  # a broken mesh file, anything from KeyError to binascii.Error
            raise InputError(f"{self.label} is not in the file as it should be ({type(error).__name__})") from None

    def size(self) -> tuple[int, int]:
        """Rows and columns, without decoding. Raises InputError where they are more than can be decoded safely."""
        with reading(self.label), Pillow.open(io.BytesIO(self._data), formats=FORMATS) as image:
            width, height = image.size
        if width * height > MAX_PIXELS:
            raise InputError(
                f"{self.label} is {width} x {height} pixels, expected at most {MAX_PIXELS / 1e6:.0f} million: reduce it"
            )
        return height, width

    def pixels(self, height: int, width: int) -> tuple[UInt8[np.ndarray, "H W 3"], bool]:
        """sRGB, reduced by area averages where it has more rows or columns; and whether some of it is transparent.

        Transparency is not applied. Colour profiles and the orientation that a camera notes are left out, as in glTF.
        """
        self.size()
        with reading(self.label), Pillow.open(io.BytesIO(self._data), formats=FORMATS) as file:
            file.draft("RGB", (width, height))  # a JPEG at a half, a quarter or an eighth where that is enough
            file.load()
            image: Pillow.Image = file
            clear = _is_transparent(image)
            if image.mode in ("I;16", "I;16B", "I"):  # 16-bit grey, of which Pillow would cut off what is above 255
                values = np.asarray(image, np.float32) / 257
                image = Pillow.fromarray(np.clip(values + 0.5, 0, 255).astype(np.uint8))
            colours = image.convert("RGB")
        smaller = min(width, colours.width), min(height, colours.height)
        if smaller != colours.size:
            colours = colours.resize(smaller, Pillow.Resampling.BOX)
        return np.asarray(colours), clear


def _is_transparent(image: Pillow.Image) -> bool:
    if "transparency" in image.info:
        image = image.convert("RGBA")
    if "A" not in image.getbands():
        return False
    least, _ = image.getchannel("A").getextrema()
    return float(least) < 255  # type: ignore[arg-type]
