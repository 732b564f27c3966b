"""Writes 8-bit PNG files whose bytes depend on the pixels alone.

Image libraries choose row filters and deflate settings that change between their versions; this is the whole
format in a few lines, with zlib from the standard library.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np


def _filtered(rows: np.ndarray, channels: int) -> bytes:
    """Each row [H, W * C] with the filter whose residuals are smallest, as PNG wants it."""
    zero = np.zeros(rows.shape[1], np.int16)
    out, above = bytearray(), zero
    for row in rows.astype(np.int16):
        left, corner = zero.copy(), zero.copy()
        left[channels:], corner[channels:] = row[:-channels], above[:-channels]
        a, b, c = np.abs(above - corner), np.abs(left - corner), np.abs(left + above - 2 * corner)
        paeth = np.where((a <= b) & (a <= c), left, np.where(b <= c, above, corner))
        candidates = [(row - guess) & 255 for guess in (zero, left, above, (left + above) // 2, paeth)]
        costs = [int(np.minimum(r, 256 - r).sum()) for r in candidates]
        best = costs.index(min(costs))
        out.append(best)
        out += candidates[best].astype(np.uint8).tobytes()
        above = row
    return bytes(out)


def encode(pixels: np.ndarray) -> bytes:
    """A PNG file of 8-bit pixels [H, W, 3 or 4] (RGB or RGBA, straight alpha)."""
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, {3: 2, 4: 6}[channels], 0, 0, 0)
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    data = packer.compress(_filtered(pixels.reshape(height, -1), channels)) + packer.flush()
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
