"""The views of one object: what every later stage works on."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from meshopt.cameras import Camera


@dataclass(frozen=True)
class Source:
    """Where one view came from: the files, and what was done to them on the way in."""

    name: str
    rgb: str | None = None
    normals: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ViewSet:
    """V posed views of one object in the scene frame, where the object fits the cube [-1, 1].

    `normals` are unit vectors in the WORLD frame, zero outside the mask; `masks` are coverage in [0, 1]; `rgb` is
    sRGB in [0, 1] where known. User units = scene points * `scale` + `offset`.
    """

    cameras: tuple[Camera, ...]
    normals: Float[Tensor, "V H W 3"]
    masks: Float[Tensor, "V H W"]
    rgb: Float[Tensor, "V H W 3"] | None = None
    scale: float = 1.0
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    sources: tuple[Source, ...] = ()
    rig: str = ""
    notes: tuple[str, ...] = field(default=())  # what was decided on the way in, one sentence each

    def __len__(self) -> int:
        return len(self.cameras)

    @property
    def resolution(self) -> tuple[int, int]:
        """Rows and columns of every view."""
        return self.masks.shape[1], self.masks.shape[2]

    def to(self, device: torch.device | str) -> ViewSet:
        """The same views on another device."""
        from dataclasses import replace

        rgb = None if self.rgb is None else self.rgb.to(device)
        return replace(self, normals=self.normals.to(device), masks=self.masks.to(device), rgb=rgb)
