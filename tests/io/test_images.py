"""Decoding: every format gives the numbers that were written; resampling keeps positions and means."""

from __future__ import annotations

import errno
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from meshopt.errors import InputError
from meshopt.io.images import image_size, read_image, resample, resample_weighted, to_square

RNG = np.random.default_rng(5)
H, W = 5, 7
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def png(values: np.ndarray) -> bytes:
    """A PNG of any number of channels, 8 or 16 bits, written by hand."""
    height, width, channels = values.shape
    raw = values.astype(values.dtype.newbyteorder(">")).tobytes()
    stride = width * channels * values.itemsize
    lines = b"".join(b"\0" + raw[i * stride : (i + 1) * stride] for i in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8 * values.itemsize, COLOUR_TYPES[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_of_every_kind(tmp_path: Path, dtype: type, channels: int) -> None:
    values = RNG.integers(0, np.iinfo(dtype).max, (H, W, channels)).astype(dtype)
    file = tmp_path / "a.png"
    file.write_bytes(png(values))
    picture = read_image(file)
    expected = values.astype(np.float64) / np.iinfo(dtype).max
    colours = expected[..., :3] if channels >= 3 else np.repeat(expected[..., :1], 3, axis=2)
    np.testing.assert_allclose(picture.pixels, colours, atol=1e-6)
    assert picture.encoded
    assert picture.depth == 8 * np.dtype(dtype).itemsize
    if channels in (2, 4):
        assert picture.alpha is not None
        np.testing.assert_allclose(picture.alpha, expected[..., -1], atol=1e-6)
    else:
        assert picture.alpha is None
    assert image_size(file) == (W, H)


def test_palette_with_and_without_transparency(tmp_path: Path) -> None:
    image = Image.fromarray(RNG.integers(0, 3, (H, W)).astype(np.uint8), "P")
    image.putpalette([10, 20, 30, 200, 100, 50, 0, 0, 255])
    image.save(tmp_path / "plain.png")
    image.save(tmp_path / "clear.png", transparency=1)
    index = np.asarray(image)
    palette = np.array([[10, 20, 30], [200, 100, 50], [0, 0, 255]]) / 255
    plain, clear = read_image(tmp_path / "plain.png"), read_image(tmp_path / "clear.png")
    np.testing.assert_allclose(plain.pixels, palette[index], atol=1e-6)
    assert plain.alpha is None
    assert clear.alpha is not None
    np.testing.assert_array_equal(clear.alpha, (index != 1).astype(np.float32))


@pytest.mark.parametrize(("suffix", "options"), [("jpg", {"quality": 97}), ("webp", {"quality": 97}), ("bmp", {})])
def test_lossy_formats(tmp_path: Path, suffix: str, options: dict[str, int]) -> None:
    ramp = np.linspace(0.1, 0.9, 32)[:, None, None] * np.ones((1, 24, 3))
    Image.fromarray((ramp * 255).astype(np.uint8)).save(tmp_path / f"a.{suffix}", **options)
    np.testing.assert_allclose(read_image(tmp_path / f"a.{suffix}").pixels, ramp, atol=0.03)


def test_webp_with_alpha_and_opaque_alpha(tmp_path: Path) -> None:
    values = np.full((8, 8, 4), 255, np.uint8)
    Image.fromarray(values).save(tmp_path / "opaque.webp", lossless=True)
    values[:4, :, 3] = 0
    Image.fromarray(values).save(tmp_path / "half.webp", lossless=True)
    assert read_image(tmp_path / "opaque.webp").alpha is None
    alpha = read_image(tmp_path / "half.webp").alpha
    assert alpha is not None
    assert alpha.mean() == 0.5


def test_jpeg_is_turned_upright(tmp_path: Path) -> None:
    image = Image.fromarray(np.zeros((10, 20, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (20, 10)
    assert image_size(tmp_path / "a.jpg") == (10, 20)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_float_arrays_are_kept(tmp_path: Path, dtype: type) -> None:
    values = RNG.uniform(-1, 1, (H, W, 3)).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    np.save(tmp_path / "b.npy", np.moveaxis(values, 2, 0))
    for name in ("a.npy", "b.npy"):
        picture = read_image(tmp_path / name)
        assert not picture.encoded
        np.testing.assert_allclose(picture.pixels, values.astype(np.float32))


def test_integer_arrays_are_scaled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((H, W, 4), 51, np.uint8))
    picture = read_image(tmp_path / "a.npy")
    assert picture.encoded
    np.testing.assert_allclose(picture.pixels, 0.2, atol=1e-6)
    assert picture.alpha is not None


def truncated(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


NOISE = RNG.integers(0, 255, (40, 40, 3)).astype(np.uint8)
BAD_FILES = {
    "empty.png": (b"", r"empty\.png is empty \(0 bytes\)"),
    "text.png": (b"hello, this is no image", r"text\.png is not an image"),
    "cut.png": (truncated(png(NOISE)), r"cut\.png is damaged or truncated"),
    "cut16.png": (truncated(png(NOISE.astype(np.uint16) * 257)), r"cut16\.png is damaged or truncated"),
    "cut.npy": (b"\x93NUMPY\x01\x00v\x00{'descr'", r"cut\.npy cannot be read as a NumPy array"),
    "fake.npy": (b"no array at all", r"fake\.npy cannot be read as a NumPy array"),
    "fake.exr": (b"no picture at all", r"fake\.exr is not an EXR file"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(tmp_path: Path, name: str) -> None:
    data, words = BAD_FILES[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=words):
        read_image(tmp_path / name)


def test_cut_jpeg(tmp_path: Path) -> None:
    Image.fromarray(NOISE).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(truncated((tmp_path / "a.jpg").read_bytes()))
    with pytest.raises(InputError, match=r"a\.jpg is damaged or truncated"):
        read_image(tmp_path / "a.jpg")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for name in ("none.png", "."):
        with pytest.raises(InputError, match="is not a file: expected an image"):
            read_image(tmp_path / name)


def test_what_the_system_says_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(path)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("meshopt.io.images.Pillow.open", denied)
    with pytest.raises(InputError, match=r"a\.png cannot be read: Permission denied\.$"):
        read_image(path)


def test_huge_images_are_refused_before_decoding(tmp_path: Path) -> None:
    head = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    (tmp_path / "bomb.png").write_bytes(bomb + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")))
    np.save(tmp_path / "large.npy", np.zeros((20, 20, 3), np.uint8))
    Image.fromarray(NOISE).save(tmp_path / "large.png")
    with pytest.raises(InputError, match=r"bomb\.png has \d+ million pixels, far more than"):
        read_image(tmp_path / "bomb.png")
    for name, words in (("large.npy", "20 x 20 pixels"), ("large.png", "40 x 40 pixels")):
        with pytest.raises(InputError, match=f"{words}, more than the limit"):
            read_image(tmp_path / name, max_pixels=399)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none(tmp_path: Path, bad: float) -> None:
    values = np.zeros((4, 4, 3), np.float32)
    values[1, 2, 0] = bad
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(InputError, match=r"a\.npy holds NaN or infinity in 1 of 16 pixels"):
        read_image(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((4, 4)), r"shape \(4, 4\): expected \(H, W, 3\)"),
        (np.zeros((0, 4, 3)), "shape"),
        (np.zeros((4, 4, 3), np.int32), "type int32: expected float, uint8 or uint16"),
        (np.zeros((4, 4, 3), complex), "type complex128"),
    ],
)
def test_arrays_that_are_no_images(tmp_path: Path, values: np.ndarray, words: str) -> None:
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(InputError, match=words):
        read_image(tmp_path / "a.npy")


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="without pickled objects"):
        read_image(tmp_path / "a.npy")


def ramp(height: int, width: int) -> np.ndarray:
    """A linear function of the image plane's (u, v), sampled at pixel centres."""
    u = (2 * np.arange(width) + 1) / width - 1
    v = 1 - (2 * np.arange(height) + 1) / height
    return (0.5 + 0.3 * u[None, :] - 0.2 * v[:, None]).astype(np.float32)


SIZE = st.integers(4, 40)


@settings(max_examples=60, deadline=None)
@given(SIZE, SIZE, SIZE, SIZE)
def test_resampling_keeps_positions(height: int, width: int, rows: int, columns: int) -> None:
    """A ramp stays the same ramp, except where a new pixel reaches within half an old one of the rim."""
    found = resample(ramp(height, width), rows, columns)
    expected = ramp(rows, columns)

    def inner(new: int, old: int) -> np.ndarray:
        reach = 1 / new if new < old else 0.0
        return np.abs((2 * np.arange(new) + 1) / new - 1) + reach <= 1 - 1 / old + 1e-9

    inside = np.ix_(inner(rows, height), inner(columns, width))
    np.testing.assert_allclose(found[inside], expected[inside], atol=2e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(1, 4))
def test_shrinking_keeps_the_mean(rows: int, columns: int, factor: int) -> None:
    image = np.random.default_rng(rows).random((rows * factor + factor // 2, columns * factor, 3)).astype(np.float32)
    small = resample(image, rows, columns)
    np.testing.assert_allclose(small.mean(axis=(0, 1)), image.mean(axis=(0, 1)), atol=1e-4)


def test_background_does_not_bleed_into_the_object() -> None:
    image = np.zeros((12, 12, 3), np.float32)
    weight = np.zeros((12, 12), np.float32)
    image[:, :5], weight[:, :5] = 0.8, 1.0
    image[:, 5:] = 0.1
    for size in (4, 12, 30):
        found = resample_weighted(image, weight, size, size)
        coverage = resample(weight, size, size)
        np.testing.assert_allclose(found[coverage > 1e-3], 0.8, atol=1e-5)
        assert (found[coverage == 0] == 0).all()


def test_padding_to_a_square() -> None:
    square = to_square(np.ones((3, 6, 2), np.float32))
    assert square.shape == (6, 6, 2)
    assert square.sum() == 36
    assert (square[1:4] == 1).all()
    assert to_square(np.ones((4, 4), np.float32)).shape == (4, 4)
