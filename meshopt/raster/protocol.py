"""What every rasteriser backend offers: the semantics of nvdiffrast's three operations, gradients included.

Clip space as in OpenGL, x and y in [-w, w]; raster row 0 is clip y = -w (meshopt's clip matrices point y
down, so row 0 is the top of the image). Pixel centre of column i: x/w = (2i + 1) / W - 1. No culling. Shared
edges are hit once (top-left rule).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Fragments:
    """What each pixel sees. `face` is -1 where there is nothing.

    `bary` holds the perspective-correct weights of the face's first two vertices (the third is 1 - u - v) and
    carries gradients to clip positions; `depth` is z/w in [-1, 1], without gradient. Both are 0 where `face`
    is -1.
    """

    face: Int[Tensor, "V H W"]
    bary: Float[Tensor, "V H W 2"]
    depth: Float[Tensor, "V H W"]


@runtime_checkable
class Rasterizer(Protocol):
    """A backend. `rank` orders usable ones for `auto` (higher: better); `devices` are torch device types."""

    name: str
    licence: str
    devices: tuple[str, ...]
    rank: int

    def unusable(self) -> str | None:
        """None if the backend works here, else one sentence: why not, and what mends it."""
        ...

    def rasterize(
        self, clip: Float[Tensor, "V N 4"], faces: Int[Tensor, "F 3"], resolution: tuple[int, int]
    ) -> Fragments:
        """The nearest face at every pixel centre of V images of `resolution` = (H, W)."""
        ...

    def interpolate(
        self, attributes: Float[Tensor, "V N C"], fragments: Fragments, faces: Int[Tensor, "F 3"]
    ) -> Float[Tensor, "V H W C"]:
        """Vertex attributes at every pixel, 0 where there is nothing. V may be 1: the same for all views."""
        ...

    def antialias(
        self,
        image: Float[Tensor, "V H W C"],
        fragments: Fragments,
        clip: Float[Tensor, "V N 4"],
        faces: Int[Tensor, "F 3"],
    ) -> Float[Tensor, "V H W C"]:
        """Blends neighbouring pixels across silhouette edges; from this silhouettes get their gradient."""
        ...


def count_skipped(clip: Float[Tensor, "V N 4"], faces: Int[Tensor, "F 3"]) -> Int[Tensor, "V"]:
    """How many faces no backend can draw in each view: a vertex is not finite, or the face has no area at all."""
    a, b, c = (clip.double()[:, faces[:, k].long()] for k in range(3))
    finite = torch.stack([corner.isfinite().all(-1) for corner in (a, b, c)]).all(0)
    u, v, w = (corner[..., [0, 1, 3]] for corner in (a, b, c))
    turn = (u * torch.linalg.cross(v - u, w - u)).sum(-1)
    return (~finite | (turn == 0)).sum(-1)
