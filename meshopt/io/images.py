"""Image files in: PNG, JPEG, WebP and BMP of any mode and depth; EXR and NPY for normal maps."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError
from scipy import sparse

from meshopt.errors import InputError
from meshopt.io.exr import read_exr

COLOUR_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
FLOAT_SUFFIXES = (".exr", ".npy")
SUFFIXES = COLOUR_SUFFIXES + FLOAT_SUFFIXES
MAX_PIXELS = 32 * 1024 * 1024  # 8192 x 4096: reading takes up to 1.2 GB
MAX_SIDE = 65_536  # pixels
PILLOWS = ("PNG", "JPEG", "WEBP", "BMP", "DIB")  # Pillow's names of the formats: others can be told by content


@dataclass(frozen=True)
class Picture:
    """One decoded image, row 0 on top.

    `pixels` are float32: in [0, 1] for integer formats (`encoded`), the stored numbers for float formats.
    `alpha` is in [0, 1], and None where the file has none or is opaque everywhere. `depth` is the bits per
    channel.
    """

    pixels: Float[np.ndarray, "H W 3"]
    alpha: Float[np.ndarray, "H W"] | None
    encoded: bool = True
    depth: int = 8

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pixels.shape[0], self.pixels.shape[1]


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decodes an image file.

    Raises InputError for a file that is missing, empty, truncated, no image, larger than `max_pixels` (found
    out before it is decoded), or that holds NaN or infinity.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file: expected an image ({', '.join(SUFFIXES)}).")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes): expected an image.")
        if path.suffix.lower() == ".npy":
            return _from_array(path, _read_npy(path, max_pixels))
        if path.suffix.lower() == ".exr":
            return _from_array(path, read_exr(path, max_pixels))
        return _read_integer(path, max_pixels)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}.") from error


def image_size(path: Path, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height of an image file, without decoding it where the format allows. Raises as
    `read_image` does.
    """
    suffix = path.suffix.lower()
    if suffix in FLOAT_SUFFIXES or not path.is_file() or path.stat().st_size == 0:
        height, width = read_image(path, max_pixels).shape
        return width, height
    with reading(path), Pillow.open(path, formats=PILLOWS) as image:
        check_size(path, *image.size, max_pixels)
        turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        return image.size[::-1] if turned else image.size


def check_size(path: Path, width: int, height: int, max_pixels: int) -> None:
    """Raises InputError where an image of this size would be larger than `max_pixels`, or longer than `MAX_SIDE`."""
    if max(width, height) > MAX_SIDE:
        raise InputError(f"{path} is {width} x {height} pixels: expected sides of at most {MAX_SIDE}.")
    if width * height > max_pixels:
        raise InputError(
            f"{path} is {width} x {height} pixels, more than the limit of {max_pixels / 1e6:.0f} million; "
            "reduce it, or raise the limit with --set views.max_pixels=N."
        )


@contextmanager
def reading(path: Path | str) -> Iterator[None]:
    """Turns what goes wrong in decoding into one sentence, an InputError that begins with `path`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            yield
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is not an image that can be read: its content is of no known format.") from error
    except Pillow.DecompressionBombError as error:
        count = re.search(r"\d+", str(error))
        found = f"has {int(count[0]) / 1e6:.0f} million pixels" if count else "is huge"
        raise InputError(f"{path} {found}, far more than can be decoded safely: reduce it.") from error
    except MemoryError:
        raise InputError(f"{path} needs more memory than there is: expected a smaller image.") from None
    except Exception as error:  # decoders let anything through, from IndexError to zlib.error
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"{path} cannot be read: {error.strerror}.") from error
        words = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        raise InputError(f"{path} is damaged or truncated: {words}.") from error


def _read_integer(path: Path, max_pixels: int) -> Picture:
    with reading(path), Pillow.open(path, formats=PILLOWS) as image:
        check_size(path, *image.size, max_pixels)
        image.load()
        if _png_depth(path) == 16:  # Pillow has checked the file, but would keep 8 bits of it
            return _read_16_bit(path)
        upright = ImageOps.exif_transpose(image)
        transparent = "A" in upright.getbands() or "transparency" in upright.info
        stored = np.asarray(upright.convert("RGBA" if transparent else "RGB"))
        pixels, alpha = _fractions(stored[..., :3]), _fractions(stored[..., 3]) if transparent else None
    return Picture(pixels, None if alpha is None or bool((alpha == 1).all()) else alpha)


def _fractions(values: UInt8[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    """8 bits as [0, 1], in no more memory than the result takes."""
    found = values.astype(np.float32, order="C")
    found /= 255
    return found


def _png_depth(path: Path) -> int:
    with path.open("rb") as stream:
        head = stream.read(25)
    return head[24] if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) == 25 else 8


def _read_16_bit(path: Path) -> Picture:
    try:
        values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        values = None
    if values is None:
        raise InputError(f"{path} is damaged: it says it is a 16-bit PNG but cannot be decoded.")
    values = values.astype(np.float32) / np.iinfo(values.dtype).max
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    elif values.shape[2] >= 3:
        values[..., :3] = values[..., 2::-1]
    return Picture(*_split_alpha(np.ascontiguousarray(values)), depth=16)


def _read_npy(path: Path, max_pixels: int) -> np.ndarray:
    try:
        values = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # the header is Python's syntax: anything from TokenError to OverflowError
        words = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        raise InputError(f"{path} cannot be read as a NumPy array without pickled objects: {words}.") from error
    if values.ndim == 3 and values.shape[0] in (3, 4) and values.shape[2] not in (3, 4):
        values = np.moveaxis(values, 0, 2)
    if values.ndim != 3 or values.shape[2] not in (3, 4) or 0 in values.shape:
        raise InputError(f"{path} holds an array of shape {values.shape}: expected (H, W, 3), (H, W, 4) or (3, H, W).")
    if values.dtype.kind not in "fu" or values.dtype.itemsize > 8:
        raise InputError(f"{path} holds numbers of type {values.dtype}: expected float, uint8 or uint16.")
    check_size(path, values.shape[1], values.shape[0], max_pixels)
    return np.array(values)


def _from_array(path: Path, values: np.ndarray) -> Picture:
    encoded = values.dtype.kind == "u"
    depth = 8 * values.dtype.itemsize
    if encoded:
        values = values.astype(np.float32) / np.iinfo(values.dtype).max
    with np.errstate(over="ignore"):  # a double that is too large becomes infinite
        values = values.astype(np.float32)
    wrong = int(np.count_nonzero(~np.isfinite(values).all(axis=2)))
    if wrong:
        raise InputError(
            f"{path} holds NaN or infinity in {wrong} of {values.shape[0] * values.shape[1]} pixels: "
            "expected finite numbers (write zero vectors in the background)."
        )
    return Picture(*_split_alpha(values), encoded=encoded, depth=depth)


def _split_alpha(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    if values.shape[2] < 4:
        return values, None
    alpha = np.clip(np.ascontiguousarray(values[..., 3]), 0, 1)
    return np.ascontiguousarray(values[..., :3]), None if bool((alpha == 1).all()) else alpha


def to_bytes(values: Float[np.ndarray, "*S"]) -> UInt8[np.ndarray, "*S"]:
    """[0, 1] to 8 bits, rounded; what lies beyond is clipped."""
    return np.floor(np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)


def resample(image: Float[np.ndarray, "H W *C"], height: int, width: int) -> Float[np.ndarray, "h w *C"]:
    """The image on another pixel grid over the same rectangle: area average to fewer, bilinear to more
    pixels.

    Pixel-centre exact: a linear ramp stays that ramp, except within a new and a half old pixel of the rim;
    averaging to fewer pixels keeps the mean.
    """
    result = np.ascontiguousarray(image, np.float32)
    for axis, size in ((0, height), (1, width)):
        old = result.shape[axis]
        shape = (size, result.shape[1]) if axis == 0 else (result.shape[0], size)
        if size > old or (size < old and old % size == 0):
            kind = cv2.INTER_LINEAR if size > old else cv2.INTER_AREA
            result = cv2.resize(result, shape[::-1], interpolation=kind)
        elif size < old:
            moved = np.moveaxis(result, axis, 0)
            small = _averaging(old, size) @ moved.reshape(old, -1)
            result = np.moveaxis(small.reshape(size, *moved.shape[1:]), 0, axis)
        result = np.ascontiguousarray(result)
    return result.reshape(height, width, *image.shape[2:])


@lru_cache(maxsize=8)
def _averaging(old: int, new: int) -> sparse.csr_array:
    """Means over new pixels of the linear interpolant of old ones; plain area weights would shift
    positions.
    """
    ratio = old / new
    edges = np.arange(new + 1) * ratio
    first = np.floor(edges[:-1] - 0.5).astype(np.int64)
    columns = first[:, None] + np.arange(math.ceil(ratio) + 2)
    inside = np.clip(columns, 0, old - 1)

    def integral(x: np.ndarray) -> np.ndarray:
        """Of each old pixel's weight, from the rim to x: a hat of width 2, flat where the rim is nearer."""
        t = np.clip(x[:, None] - (inside + 0.5), -1, 1)
        rising = np.where(inside == 0, np.maximum(t, -0.5) + 0.5, (t + 1) ** 2 / 2)
        falling = np.where(inside == old - 1, 0.5 + np.minimum(t, 0.5), 1 - (1 - t) ** 2 / 2)
        return np.where(t < 0, rising, falling)

    weights = np.where(columns == inside, integral(edges[1:]) - integral(edges[:-1]), 0) / ratio
    rows = np.repeat(np.arange(new), columns.shape[1])
    values = (weights.ravel().astype(np.float32), (rows, inside.ravel()))
    return sparse.csr_array(sparse.coo_array(values, shape=(new, old)))


def resample_weighted(
    image: Float[np.ndarray, "H W C"], weight: Float[np.ndarray, "H W"], height: int, width: int
) -> Float[np.ndarray, "h w C"]:
    """As `resample`, but each pixel counts by its `weight` (premultiplied); zero where no weight falls."""
    if image.shape[:2] == (height, width):
        return np.where(weight[..., None] > 0, image, 0).astype(np.float32)
    total = resample(weight, height, width)
    mixed = resample(image * weight[..., None], height, width)
    return np.where(total[..., None] > 1e-4, mixed / np.maximum(total, 1e-4)[..., None], 0).astype(np.float32)


def to_square(image: Float[np.ndarray, "H W *C"]) -> Float[np.ndarray, "S S *C"]:
    """The image padded with zeros to a square, centred (the odd pixel goes to the right or the bottom)."""
    rows, columns = image.shape[:2]
    side = max(rows, columns)
    result = np.zeros((side, side, *image.shape[2:]), image.dtype)
    top, left = (side - rows) // 2, (side - columns) // 2
    result[top : top + rows, left : left + columns] = image
    return result
