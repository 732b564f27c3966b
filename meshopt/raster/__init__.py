"""Differentiable rasterisation: one protocol, several backends.

A backend is one file with a class that keeps to `protocol.Rasterizer`, and one line in `BACKENDS`. It is
imported when asked for, and whatever its import raises only makes that backend unusable.
"""

from __future__ import annotations

import importlib
import logging

import torch
from jaxtyping import Float
from torch import Tensor

from meshopt.errors import InputError
from meshopt.raster.protocol import Fragments, Rasterizer, count_skipped

__all__ = ["BACKENDS", "Fragments", "Rasterizer", "available", "count_skipped", "get", "transform"]

BACKENDS = {  # name: module:class
    "cpu": "meshopt.raster.cpu:CpuRasterizer",
    "nvdiffrast": "meshopt.raster.nvdiffrast:NvdiffrastRasterizer",
    "drtk": "meshopt.raster.drtk:DrtkRasterizer",
    "pytorch3d": "meshopt.raster.pytorch3d:Pytorch3dRasterizer",
    "reference": "meshopt.raster.reference:ReferenceRasterizer",
}

logger = logging.getLogger(__name__)


def get(name: str = "auto", device: torch.device | str = "cpu") -> Rasterizer:
    """The backend of that name, or with `auto` the highest ranked one that works on the device.

    Raises InputError if the name is unknown or the backend does not work here.
    """
    kind = torch.device(device).type
    if name == "auto":
        usable = [b for key in BACKENDS if isinstance(b := _load(key, kind, start=False), Rasterizer)]
        if not usable:
            raise InputError(f"no rasteriser works on device {kind!r} (known: {', '.join(BACKENDS)}); use the cpu")
        return max(usable, key=lambda backend: backend.rank)
    if name not in BACKENDS:
        raise InputError(f"there is no rasteriser {name!r}; choose one of auto, {', '.join(BACKENDS)}")
    backend = _load(name, kind)
    if isinstance(backend, str):
        raise InputError(f"rasteriser {name!r} cannot be used: {backend}")
    return backend


def available(device: torch.device | str = "cpu") -> dict[str, str | None]:
    """Every known backend: None if it works on the device, else why not."""
    loaded = {name: _load(name, torch.device(device).type) for name in BACKENDS}
    return {name: found if isinstance(found, str) else None for name, found in loaded.items()}


def _load(name: str, kind: str, start: bool = True) -> Rasterizer | str:
    """The backend, or why it does not work on devices of that kind; without `start`, not started for other kinds."""
    module, _, attribute = BACKENDS[name].partition(":")
    try:
        backend: Rasterizer = getattr(importlib.import_module(module), attribute)()
        reason = backend.unusable() if start or kind in backend.devices else None
    except Exception as error:  # third-party extensions fail in many ways
        logger.debug("rasteriser %s", name, exc_info=True)
        return f"its import fails ({type(error).__name__}: {error})"
    if reason is None and kind not in backend.devices:
        reason = f"it works on {', '.join(backend.devices)} only, not on {kind}"
    return backend if reason is None else reason


def transform(vertices: Float[Tensor, "N 3"], matrices: Float[Tensor, "V 4 4"]) -> Float[Tensor, "V N 4"]:
    """Clip positions of vertices seen through each of V world-to-clip matrices (M @ [x y z 1])."""
    matrices = matrices.to(vertices)
    return vertices @ matrices[:, :, :3].transpose(1, 2) + matrices[:, None, :, 3]
