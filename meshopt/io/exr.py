"""A small OpenEXR reader: single-part scan-line files, uncompressed or with RLE, ZIPS or ZIP compression.

Enough for normal maps as Blender and most renderers write them; OpenCV's wheels no longer read EXR
everywhere. Format: https://openexr.com/en/latest/OpenEXRFileLayout.html
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from meshopt.errors import InputError

_TYPES: dict[int, np.dtype] = {0: np.dtype("<u4"), 1: np.dtype("<f2"), 2: np.dtype("<f4")}
_LINES = {0: 1, 1: 1, 2: 1, 3: 16}  # compression code: none, RLE, ZIPS, ZIP -> scan lines in a block
_CODES = ("none", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB")
MAX_SIDE = 65_536  # pixels
MAX_CHANNELS = 64
_MENDING = "save it with ZIP compression, as NPY, or as a 16-bit PNG."


@dataclass(frozen=True)
class _Header:
    channels: list[tuple[str, np.dtype]]
    compression: int
    window: tuple[int, int, int, int]  # of the data: x0, y0, x1, y1, inclusive
    display: tuple[int, int, int, int]
    size: int  # bytes of the header


def read_exr(path: Path, max_pixels: int) -> Float[np.ndarray, "H W C"]:
    """The R, G, B (or X, Y, Z) and A channels of an EXR file, float32, over its display window; 0 where no
    data is.

    Raises InputError for a file that is no EXR, is truncated, has other channels, more than `max_pixels`, or
    a kind of compression or layout that this reader does not know.
    """
    data = path.read_bytes()
    try:
        header = _header(path, data)
        x0, y0, x1, y1 = header.display
        for window in (header.display, header.window):
            width, height = window[2] - window[0] + 1, window[3] - window[1] + 1
            if min(width, height) < 1 or max(width, height) > MAX_SIDE or width * height > max_pixels:
                raise InputError(
                    f"{path} is {width} x {height} pixels: expected at least one and at most "
                    f"{max_pixels / 1e6:.0f} million, on sides of at most {MAX_SIDE}."
                )
        names = _wanted(path, [name for name, _ in header.channels])
        image = np.zeros((y1 - y0 + 1, x1 - x0 + 1, len(names)), np.float32)
        _read_blocks(data, header, names, image)
    except (struct.error, zlib.error, IndexError, ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is damaged or truncated: {error}.") from error
    return image


def _header(path: Path, data: bytes) -> _Header:
    if data[:4] != b"\x76\x2f\x31\x01":
        raise InputError(f"{path} is not an EXR file (its first bytes are {data[:4].hex(' ')}).")
    if struct.unpack_from("<I", data, 4)[0] & 0x1A00:
        raise InputError(f"{path} is a tiled, deep or multi-part EXR: expected plain scan lines; {_MENDING}")
    attributes: dict[str, bytes] = {}
    at = 8
    while data[at]:
        name, at = _text(data, at)
        _, at = _text(data, at)
        size = struct.unpack_from("<i", data, at)[0]
        if size < 0:
            raise ValueError(f"attribute {name!r} has a negative size")
        attributes[name] = data[at + 4 : at + 4 + size]
        at += 4 + size
    missing = {"channels", "compression", "dataWindow", "displayWindow"} - attributes.keys()
    if missing:
        raise ValueError(f"the header lacks {', '.join(sorted(missing))}")
    compression = attributes["compression"][0]
    if compression not in _LINES:
        kind = _CODES[compression] if compression < len(_CODES) else str(compression)
        raise InputError(f"{path} is an EXR with {kind} compression: expected none, RLE, ZIPS or ZIP; {_MENDING}")
    return _Header(
        _channels(path, attributes["channels"]),
        compression,
        struct.unpack("<4i", attributes["dataWindow"]),
        struct.unpack("<4i", attributes["displayWindow"]),
        at + 1,
    )


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode("latin-1"), end + 1


def _channels(path: Path, data: bytes) -> list[tuple[str, np.dtype]]:
    channels: list[tuple[str, np.dtype]] = []
    at = 0
    while data[at] and len(channels) <= MAX_CHANNELS:
        name, at = _text(data, at)
        kind, _, step_x, step_y = struct.unpack_from("<iIii", data, at)
        if (step_x, step_y) != (1, 1) or kind not in _TYPES:
            raise InputError(f"{path} has a subsampled or unknown channel {name!r}: expected full float channels.")
        channels.append((name, _TYPES[kind]))
        at += 16
    if len(channels) > MAX_CHANNELS:
        raise InputError(f"{path} has more than {MAX_CHANNELS} channels: expected R, G, B and A alone.")
    return channels


def _wanted(path: Path, names: list[str]) -> list[str]:
    """The three channels (and alpha) that hold the picture, with or without a layer's name before the dot."""
    for letters in ("RGB", "XYZ"):
        for layer in sorted({name[:-1] for name in names}, key=len):
            found = [layer + letter for letter in letters]
            if set(found) <= set(names):
                return found + [name for name in (layer + "A", "A") if name in names][:1]
    raise InputError(f"{path} has the channels {', '.join(names)}: expected R, G, B or X, Y, Z.")


def _read_blocks(data: bytes, header: _Header, names: list[str], image: np.ndarray) -> None:
    x0, y0, x1, y1 = header.window
    width, height, lines = x1 - x0 + 1, y1 - y0 + 1, _LINES[header.compression]
    row_bytes = width * sum(kind.itemsize for _, kind in header.channels)
    blocks = -(-height // lines)
    for offset in struct.unpack_from(f"<{blocks}Q", data, header.size):
        top, size = struct.unpack_from("<ii", data, offset)
        count = min(lines, y1 - top + 1)
        if not y0 <= top <= y1 or size < 0 or offset + 8 + size > len(data):
            raise ValueError(f"the block of scan line {top} lies outside the file")
        raw = _unpack(data[offset + 8 : offset + 8 + size], header.compression, row_bytes * count)
        for line in range(count):
            _read_line(raw, line * row_bytes, header, names, image, top + line)


def _read_line(raw: bytes, at: int, header: _Header, names: list[str], image: np.ndarray, y: int) -> None:
    x0, x1 = header.window[0], header.window[2]
    left, top, right, bottom = header.display
    first, last = max(x0, left), min(x1, right)
    for name, kind in header.channels:
        if name in names and top <= y <= bottom and first <= last:
            values = np.frombuffer(raw, kind, x1 - x0 + 1, at)
            image[y - top, first - left : last - left + 1, names.index(name)] = values[first - x0 : last - x0 + 1]
        at += (x1 - x0 + 1) * kind.itemsize


def _unpack(block: bytes, compression: int, size: int) -> bytes:
    if compression == 0 or len(block) >= size:  # a block that would not shrink is stored as it is
        raw = block
    else:
        packed = _run_lengths(block, size) if compression == 1 else zlib.decompressobj().decompress(block, size)
        steps = np.frombuffer(packed, np.uint8).copy()
        steps[1:] -= np.uint8(128)  # modulo 256, as the sums are
        values = np.cumsum(steps, dtype=np.uint8)
        half = (len(values) + 1) // 2
        mixed = np.empty_like(values)
        mixed[0::2], mixed[1::2] = values[:half], values[half:]
        raw = mixed.tobytes()
    if len(raw) != size:
        raise ValueError(f"a block holds {len(raw)} bytes, {size} were expected")
    return raw


def _run_lengths(block: bytes, size: int) -> bytes:
    """Unpacks until there are more than `size` bytes."""
    out = bytearray()
    at = 0
    while at < len(block) and len(out) <= size:
        count = block[at] - 256 if block[at] > 127 else block[at]
        if count < 0:
            out += block[at + 1 : at + 1 - count]
            at += 1 - count
        else:
            out += block[at + 1 : at + 2] * (count + 1)
            at += 2
    return bytes(out)
