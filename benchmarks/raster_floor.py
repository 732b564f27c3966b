"""What a step costs at least: the bytes that must move and the arithmetic that must be done, at this machine's rates.

The bytes are those of each operation's arguments and results, every one read or written once; arithmetic is counted
by hand, roughly, per vertex, face and pixel. Rates are measured here, on one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit

CHANNELS, TERMS = 4, 16
FLOAT = 4  # bytes
# Additions, multiplications and comparisons. Vertex: transform, projection, and both backwards. Face: signed area,
# bounding box, edge equations. Hit: three edge functions and a depth test for a pixel centre in a face's box, of which
# half lie inside, in two layers. Pixel, modular: weights 30, interpolation 20, loss 12, their backwards 100; fused: the
# normal 20, its length 12, differences and loss 20, and nine sums for each face 18.
OPERATIONS = {"vertex": 50, "face": 40, "hit": 10, "modular": 162, "fused": 70}
HITS = 4


@dataclass(frozen=True)
class Rates:
    """Of one thread: bytes per second read and written, and float32 operations per second."""

    copy: float
    scalar: float
    vector: float


@dataclass(frozen=True)
class Floor:
    """Seconds at least for the bytes and for the arithmetic (`scalar`: one number at a time, `vector`: many)."""

    bytes: float
    operations: float
    memory: float
    scalar: float
    vector: float

    @property
    def seconds(self) -> float:
        """Memory traffic and vector arithmetic, at best overlapping wholly."""
        return max(self.memory, self.vector)


def floor(kind: str, sizes: dict[str, int], rates: Rates) -> Floor:
    """`kind` is modular or fused; `sizes` are views, pixels and covered (of one view), vertices and faces."""
    views = sizes["views"]
    moved = _modular_bytes(sizes) if kind == "modular" else _fused_bytes(sizes)
    covered, counts = views * sizes["covered"], OPERATIONS
    operations = views * (counts["vertex"] * sizes["vertices"] + counts["face"] * sizes["faces"])
    operations += covered * (counts["hit"] * HITS + counts[kind])
    return Floor(moved, operations, moved / rates.copy, operations / rates.scalar, operations / rates.vector)


def _modular_bytes(sizes: dict[str, int]) -> float:
    """Every operation alone: what it returns is written, what it is given is read."""
    image, bary, index = FLOAT * CHANNELS, 2 * FLOAT, FLOAT
    forward = (index + bary + FLOAT) + (index + bary + image) + (index + 2 * image) + 2 * image
    backward = image + 2 * image  # of the loss and of antialias
    covered = (index + bary + image) + bary + (index + 2 * bary)  # interpolate's and rasterize's: covered pixels only
    pixels = sizes["pixels"] * (forward + backward) + sizes["covered"] * covered + sizes["pixels"] * bary
    return sizes["views"] * (pixels + _mesh_bytes(sizes, FLOAT * CHANNELS))


def _fused_bytes(sizes: dict[str, int]) -> float:
    """Target and weight are read, the visible face is written; nothing else exists for every pixel."""
    pixels = sizes["pixels"] * (FLOAT * CHANNELS + FLOAT + FLOAT)
    return sizes["views"] * (pixels + _mesh_bytes(sizes, 3 * FLOAT))


def _mesh_bytes(sizes: dict[str, int], attribute: int) -> float:
    """Of one view: clip positions written and read, with their gradients; attributes and theirs; faces, twice."""
    return sizes["vertices"] * (4 * 4 * FLOAT + 2 * attribute) + 2 * sizes["faces"] * 3 * FLOAT


def measure_rates() -> Rates:
    """About a second."""
    source = np.ones(4 << 20, np.float32)  # 16 MB, as much as four images of 512 x 512 with four channels
    target, small = np.ones_like(source), np.ones(4096, np.float32)
    out = np.empty_like(small)
    _many(small, out)
    _one(10)
    moved, rounds = 2 * source.nbytes, 100_000
    return Rates(
        copy=moved / _best(lambda: np.copyto(target, source)),
        scalar=9 * rounds / _best(lambda: _one(rounds)),
        vector=2 * TERMS * len(small) / _best(lambda: _many(small, out)),
    )


def _best(work: Callable[[], object], repeats: int = 12) -> float:
    """Seconds of one thread's CPU."""
    times = []
    for _ in range(repeats):
        rounds, began, spent = 0, time.process_time(), 0.0
        while spent < 2e-3:
            work()
            rounds += 1
            spent = time.process_time() - began
        times.append(spent / rounds)
    return min(times)


@njit(cache=True, nogil=True)
def _many(values, out):
    """A polynomial of each value: TERMS multiplications and additions, which the compiler vectorises."""
    shift = np.float32(0.25)
    for k in range(len(values)):
        y = values[k]
        for _ in range(TERMS):
            y = y * values[k] + shift
        out[k] = y


@njit(cache=True, nogil=True)
def _one(rounds):
    """Four chains, nine operations, too unlike for a vector."""
    a, b, c, d = np.float32(0.1), np.float32(0.2), np.float32(0.3), np.float32(0.4)
    half, one = np.float32(0.5), np.float32(1)
    for _ in range(rounds):
        a = a * half + one
        b = one - b * half
        c = (c + one) * half
        d = (one - d) * half - half
    return a + b + c + d
