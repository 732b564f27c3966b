"""Meta's DRTK under the protocol: CUDA and ROCm, for any use.

DRTK finds the face at each pixel; weights, interpolation and silhouettes are meshopt's torch code, as DRTK's own
silhouette gradients change no image, and so are no antialiasing. Its frame: x right, y down, in pixels, 0 at the
centre of the first pixel; z > 0, and 1/z is interpolated.
Source: Pidhorskyi et al., Rasterized Edge Gradients, ECCV 2024.
"""

from __future__ import annotations

import importlib
import importlib.util

import torch
from jaxtyping import Int
from torch import Tensor

from meshopt.raster.clipping import ClippedView
from meshopt.raster.coverage import CoverageRasterizer

HELP = (
    "`pip install git+https://github.com/facebookresearch/DRTK.git --no-build-isolation` installs it where torch is a"
    " CUDA or ROCm build (the package called drtk on PyPI is another one); its licence, MIT, allows any use"
)
FARTHEST = 3.0  # minus z/w in [-1, 1]: 1/z as DRTK wants it, positive and linear in the image


class DrtkRasterizer(CoverageRasterizer):
    """DRTK's `rasterize`."""

    name = "drtk"
    licence = "MIT"
    devices: tuple[str, ...] = ("cuda",)  # newer ones draw on a CPU too, slower than meshopt does
    rank = 20

    def unusable(self) -> str | None:
        """None if it can be imported and a device is there, else why not and what mends it."""
        if all(kind == "cuda" and not torch.cuda.is_available() for kind in self.devices):
            return f"torch {torch.__version__} finds no CUDA or ROCm device here; with one, {HELP}"
        if importlib.util.find_spec("drtk") is None:
            return f"drtk is not installed; {HELP}"
        try:
            found = importlib.import_module("drtk")
        except Exception as error:  # built for another torch, most often
            return f"drtk fails to start ({type(error).__name__}: {error}); {HELP}"
        return None if hasattr(found, "rasterize") else f"the drtk installed here is another package; {HELP}"

    def nearest(self, views: list[ClippedView], resolution: tuple[int, int]) -> Int[Tensor, "V H W"]:
        """The nearest face, -1 where there is none."""
        rasterize = importlib.import_module("drtk").rasterize
        height, width = resolution
        found = []
        for view in views:
            if not len(view.faces):
                found.append(torch.full(resolution, -1, dtype=torch.int32, device=view.points.device))
                continue
            x, y, z = view.points.unbind(1)
            pixels = [(x + 1) * width / 2 - 0.5, (y + 1) * height / 2 - 0.5, 1 / (FARTHEST - z)]
            points = torch.stack(pixels, 1).float().contiguous()
            found.append(rasterize(points[None], view.faces.int(), height, width)[0])
        return torch.stack(found)
