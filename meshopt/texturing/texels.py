"""Where each texel lies on the surface, band by band of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor

from meshopt import parallel
from meshopt.raster.cpu import CpuRasterizer
from meshopt.texturing.hinges import Hinges
from meshopt.texturing.pixels import nearest_known

BAND = 2**23  # numbers that one task looks up for its texels
GUTTER = 2  # texels around charts that look at the surface, too


class Texels:
    """The texels of a square texture that lie in faces of a uv map, or beside them.

    With `hinges` of the faces, texels beside a chart lie on the faces beyond its border; else in the plane of the
    nearest face.
    """

    def __init__(
        self, uv: Float[Tensor, "Q 2"], faces: Int[Tensor, "S 3"], size: int, hinges: Hinges | None = None
    ) -> None:
        self.uv, self.faces, self.size, self.hinges = uv.cpu().float(), faces.cpu().int(), size, hinges
        self.backend = CpuRasterizer()

    def bands(self, work: Callable[[int, int], Sequence[np.ndarray]], channels: int) -> list[np.ndarray]:
        """`work(top, bottom)` gives images of these rows, from so many channels; the whole images, rows put together.

        Rows are as many as keep what a task looks up small.
        """
        rows = max(1, min(self.size, BAND // (self.size * channels)))
        parts = parallel.run(work, [(top, min(top + rows, self.size)) for top in range(0, self.size, rows)])
        return [np.concatenate(images) for images in zip(*parts, strict=True)]

    def at(
        self, attributes: Float[Tensor, "Q C"], top: int, bottom: int
    ) -> tuple[Bool[np.ndarray, "R T"], Float32[np.ndarray, "R T C"]]:
        """Which texels of the rows lie on the surface or beside a chart, and the attributes, interpolated, there.

        Beside a chart the surface goes on, so that both sides of a seam blend into the same.
        """
        first, last = max(top - GUTTER, 0), min(bottom + GUTTER, self.size)
        x = 2 * self.uv[:, 0] - 1
        y = 2 * (self.uv[:, 1] * self.size - first) / (last - first) - 1
        clip = torch.stack([x, y, torch.zeros_like(x), torch.ones_like(x)], dim=-1)[None]
        fragments = self.backend.rasterize(clip, self.faces, (last - first, self.size))
        face = fragments.face.numpy()[0]
        place, gap = nearest_known(face >= 0)
        beside = (gap > 0) & (gap < GUTTER + 0.5)
        face[beside] = face.reshape(-1)[place[beside]]
        face[beside], bary = self._beyond(face, beside, first)
        fragments.bary[0][torch.from_numpy(beside)] = bary
        image = self.backend.interpolate(attributes[None], fragments, self.faces)[0].numpy()
        kept = slice(top - first, bottom - first)
        return face[kept] >= 0, image[kept]

    def _beyond(
        self, face: Int[np.ndarray, "R T"], beside: Bool[np.ndarray, "R T"], first: int
    ) -> tuple[Int[np.ndarray, " K"], Float[Tensor, "K 2"]]:
        """Faces and barycentric coordinates of texels that lie beside their face, off by one side at most."""
        row, column = np.nonzero(beside)
        corners = self.uv.numpy()[self.faces.numpy()[face[row, column]]] * self.size
        a, b = corners[:, 0] - corners[:, 2], corners[:, 1] - corners[:, 2]
        p = np.stack([column + 0.5, row + first + 0.5], axis=1) - corners[:, 2]
        area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
        u = p[:, 0] * b[:, 1] - p[:, 1] * b[:, 0]
        v = a[:, 0] * p[:, 1] - a[:, 1] * p[:, 0]
        found = np.stack([u, v], axis=1) / np.where(np.abs(area) > 1e-9, area, np.inf)[:, None]
        index = face[row, column]
        if self.hinges is not None:
            whole = np.concatenate([found, 1 - found.sum(1, keepdims=True)], axis=1).astype(np.float64)
            index, whole = self.hinges.crossed(index, whole)
            found = whole[:, :2]
        return index, torch.from_numpy(np.clip(found, -1, 2).astype(np.float32))
