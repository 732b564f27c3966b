"""The EXR reader against files written here, by the format's description."""

from __future__ import annotations

import contextlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from meshopt.errors import InputError
from meshopt.io.exr import read_exr

LIMIT = 10_000
RNG = np.random.default_rng(3)


def attribute(name: str, kind: str, data: bytes) -> bytes:
    return name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(data)) + data


def run_lengths(data: bytes) -> bytes:
    out, at = bytearray(), 0
    while at < len(data):
        end = at
        while end < len(data) and data[end] == data[at] and end - at < 128:
            end += 1
        if end - at >= 3:
            out += struct.pack("b", end - at - 1) + data[at : at + 1]
        else:
            end = min(at + 100, len(data))
            out += struct.pack("b", -(end - at)) + data[at:end]
        at = end
    return bytes(out)


def packed(raw: bytes, compression: int) -> bytes:
    """Interleaved halves, differences, then run lengths or deflate; stored as it is where that is not
    shorter.
    """
    if compression == 0:
        return raw
    values = np.frombuffer(raw, np.uint8)
    mixed = np.concatenate([values[0::2], values[1::2]]).astype(np.int64)
    steps = np.diff(mixed, prepend=mixed[0] - 0) + 128
    steps[0] = mixed[0]
    data = (steps % 256).astype(np.uint8).tobytes()
    data = run_lengths(data) if compression == 1 else zlib.compress(data)
    return data if len(data) < len(raw) else raw


def exr(
    channels: dict[str, np.ndarray],
    compression: int,
    window: tuple[int, int] = (0, 0),
    display: tuple[int, int, int, int] | None = None,
    version: int = 2,
) -> bytes:
    """A scan-line EXR; channels are float16, float32 or uint32 arrays of one shape."""
    names = sorted(channels)
    height, width = channels[names[0]].shape
    x0, y0 = window
    box = (x0, y0, x0 + width - 1, y0 + height - 1)
    codes = {"uint32": 0, "float16": 1, "float32": 2}
    described = b"".join(
        name.encode() + b"\0" + struct.pack("<iIii", codes[channels[name].dtype.name], 0, 1, 1) for name in names
    )
    head = struct.pack("<I", 20000630) + struct.pack("<I", version)
    head += attribute("channels", "chlist", described + b"\0")
    head += attribute("compression", "compression", bytes([compression]))
    head += attribute("dataWindow", "box2i", struct.pack("<4i", *box))
    head += attribute("displayWindow", "box2i", struct.pack("<4i", *(display or box)))
    head += attribute("lineOrder", "lineOrder", b"\0") + b"\0"
    lines = 16 if compression == 3 else 1
    blocks = []
    for top in range(0, height, lines):
        rows = range(top, min(top + lines, height))
        raw = b"".join(channels[name][row].astype(channels[name].dtype).tobytes() for row in rows for name in names)
        data = packed(raw, compression)
        blocks.append(struct.pack("<ii", y0 + top, len(data)) + data)
    offsets, at = [], len(head) + 8 * len(blocks)
    for block in blocks:
        offsets.append(at)
        at += len(block)
    return head + struct.pack(f"<{len(offsets)}Q", *offsets) + b"".join(blocks)


def smooth(dtype: type, rows: int = 37, columns: int = 21) -> dict[str, np.ndarray]:
    y, x = np.mgrid[:rows, :columns] / 10.0
    return {c: np.sin(x * k + y).astype(dtype) for k, c in enumerate("RGBA", 1)}


@pytest.mark.parametrize("compression", [0, 1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_reads_what_was_written(tmp_path: Path, compression: int, dtype: type) -> None:
    channels = smooth(dtype)
    noise = RNG.normal(size=channels["G"].shape).astype(dtype)  # does not shrink: blocks stored as they are
    for content in (channels, {**channels, "G": noise}):
        (tmp_path / "a.exr").write_bytes(exr(content, compression))
        found = read_exr(tmp_path / "a.exr", LIMIT)
        np.testing.assert_array_equal(found, np.stack([content[c] for c in "RGBA"], -1).astype(np.float32))


def test_layers_vectors_and_integers(tmp_path: Path) -> None:
    content = smooth(np.float32)
    layered = {f"ViewLayer.Normal.{a}": content[b] for a, b in zip("XYZ", "RGB", strict=True)}
    layered["depth.V"] = np.ones_like(content["R"])
    layered["id"] = np.ones(content["R"].shape, np.uint32)
    (tmp_path / "a.exr").write_bytes(exr(layered, 3))
    found = read_exr(tmp_path / "a.exr", LIMIT)
    np.testing.assert_array_equal(found, np.stack([content[c] for c in "RGB"], -1))


def test_data_window_inside_and_beyond_the_display(tmp_path: Path) -> None:
    content = {c: np.full((4, 6), k, np.float32) for k, c in enumerate("RGB", 1)}
    (tmp_path / "inside.exr").write_bytes(exr(content, 2, (2, 3), (0, 0, 9, 9)))
    found = read_exr(tmp_path / "inside.exr", LIMIT)
    assert found.shape == (10, 10, 3)
    assert (found[3:7, 2:8] == [1, 2, 3]).all()
    assert found.sum() == 24 * 6
    (tmp_path / "beyond.exr").write_bytes(exr(content, 3, (-2, -1), (0, 0, 2, 4)))
    found = read_exr(tmp_path / "beyond.exr", LIMIT)
    assert found.shape == (5, 3, 3)
    assert (found[:3] == [1, 2, 3]).all()
    assert (found[3:] == 0).all()


def test_refusals(tmp_path: Path) -> None:
    file = tmp_path / "a.exr"
    good = exr(smooth(np.float32), 3)
    cases = {
        "damaged or truncated": good[: len(good) // 2],
        "is not an EXR file": b"\0" + good[1:],
        "PIZ compression: expected none, RLE, ZIPS or ZIP; save it": exr(smooth(np.float32), 4),
        "is a tiled, deep or multi-part EXR": exr(smooth(np.float32), 0, version=2 | 0x200),
        "channels Y: expected R, G, B or X, Y, Z": exr({"Y": np.zeros((3, 3), np.float32)}, 0),
    }
    for words, data in cases.items():
        file.write_bytes(data)
        with pytest.raises(InputError, match=words):
            read_exr(file, LIMIT)
    file.write_bytes(good)
    with pytest.raises(InputError, match="21 x 37 pixels: expected at least one and at most"):
        read_exr(file, 700)


@pytest.mark.parametrize("at", range(8, 300, 13))
def test_damaged_headers_are_one_sentence(tmp_path: Path, at: int) -> None:
    """Whatever byte is wrong: InputError or a picture, never another exception."""
    data = bytearray(exr(smooth(np.float32, 8, 8), 3))
    data[at] ^= 0xFF
    (tmp_path / "a.exr").write_bytes(bytes(data))
    with contextlib.suppress(InputError):
        assert read_exr(tmp_path / "a.exr", LIMIT).ndim == 3
