"""Renders a sample object straight from its signed distance function: no mesh in between."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from . import trace_kernels
from .objects import SampleObject
from .rigs import View

SUPERSAMPLE = 4  # samples per pixel and axis
THREADS = 2
SLAB = 8  # rows of a picture, or planes of a grid, that a thread does at a time
GRID = 160  # points per axis of the distance grid that speeds up the rays and gives the ambient occlusion


@dataclass(frozen=True)
class Picture:
    """One rendered view: sRGB in [0, 1], unit normals in the world frame, coverage in [0, 1]."""

    rgb: np.ndarray  # [H, W, 3]
    normal: np.ndarray  # [H, W, 3]
    alpha: np.ndarray  # [H, W]


def in_slabs(work: Callable[[int, int], None], count: int, slab: int = SLAB, which: slice = slice(None)) -> None:
    """Calls work(first, last) for the slabs of range(count), or `which` of them, on a few threads.

    `work` must release the GIL.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        jobs = [pool.submit(work, first, min(first + slab, count)) for first in range(0, count, slab)[which]]
        for job in jobs:
            job.result()


@dataclass(frozen=True)
class Scene:
    """A sample object with the distance grid its pictures need; the grid spans [-1, 1] along each axis."""

    sample: SampleObject

    @cached_property
    def grid(self) -> np.ndarray:
        """Signed distances [G, G, G] in scene units at -1 + 2 (i, j, k) / (G - 1)."""
        return self.distances(-1.0, 2.0 / (GRID - 1), GRID)

    def distances(self, origin: float, spacing: float, size: int) -> np.ndarray:
        """Signed distances [size, size, size] at origin + spacing * (i, j, k), scene units, float64."""
        values = np.empty((size, size, size))
        s = self.sample

        def work(first: int, last: int) -> None:
            trace_kernels.fill_grid(s.distance, s.frame, origin, spacing, values, first, last)

        in_slabs(work, size)
        return values

    def render(self, view: View, size: int, which: slice = slice(None)) -> Picture:
        """The object from one camera, size x size pixels; normals are averaged per pixel and renormalised.

        Where `which` picks some of the slabs of SLAB rows, the others stay empty.
        """
        out = np.zeros((size, size, 7))
        s, camera, grid = self.sample, view.matrix(), self.grid
        spacing = 2.0 / (GRID - 1)

        def work(first: int, last: int) -> None:
            trace_kernels.render_rows(
                s.distance,
                s.colour,
                s.frame,
                grid,
                -1.0,
                spacing,
                s.lipschitz,
                camera,
                out,
                first,
                last,
                SUPERSAMPLE,
            )

        in_slabs(work, size, which=which)
        hits = out[..., :1]
        normal = out[..., 1:4] / np.maximum(np.sqrt((out[..., 1:4] ** 2).sum(-1, keepdims=True)), 1e-12)
        return Picture(out[..., 4:7] / np.maximum(hits, 1.0), normal, hits[..., 0] / SUPERSAMPLE**2)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points near the surface, moved onto it."""
        moved = np.ascontiguousarray(points, np.float64).copy()
        in_slabs(
            lambda a, b: trace_kernels.project(self.sample.distance, self.sample.frame, moved[a:b]),
            len(moved),
            4096,
        )
        return moved

    def paint(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Unit normals and sRGB colours in [0, 1] at points of the surface."""
        out, s = np.empty((len(points), 6)), self.sample

        def work(first: int, last: int) -> None:
            trace_kernels.paint(
                s.distance,
                s.colour,
                s.frame,
                self.grid,
                -1.0,
                2.0 / (GRID - 1),
                points[first:last],
                out[first:last],
            )

        in_slabs(work, len(points), 4096)
        return out[:, :3], out[:, 3:]
