"""Where a run computes: the device, and the rasteriser that works there."""

from __future__ import annotations

import platform
from typing import Any

import torch

from meshopt import raster
from meshopt.errors import InputError
from meshopt.hardware import GIB, PresentDevice
from meshopt.raster.protocol import Rasterizer


def present() -> list[PresentDevice]:
    """The CPU, and every device of the accelerator's kind."""
    found = [PresentDevice("cpu", platform.processor() or platform.machine())]
    there = accelerator()
    if there is None:
        return found
    module: Any = getattr(torch, there.type, None)
    for index in range(module.device_count() if hasattr(module, "device_count") else 1):
        properties = module.get_device_properties(index) if hasattr(module, "get_device_properties") else None
        size = getattr(properties, "total_memory", None)
        memory = None if size is None else round(size / GIB, 1)
        found.append(PresentDevice(f"{there.type}:{index}", str(getattr(properties, "name", there.type)), memory))
    return found


def accelerator() -> torch.device | None:
    """torch's accelerator, if this build of torch has one and a device of its kind is there to compute on."""
    found = getattr(torch, "accelerator", None)  # from torch 2.6 on
    if found is not None:
        return found.current_accelerator() if found.is_available() else None
    return torch.device(torch.cuda.current_device()) if torch.cuda.is_available() else None


def choose(device: str, backend: str, given: torch.device | None = None) -> tuple[torch.device, Rasterizer]:
    """The device of that name and the rasteriser of that name on it; either may be auto. `given`: where the views are.

    An automatic device is an accelerator (that of the views, if they are on one) where its best rasteriser ranks no
    lower than the CPU's, else the CPU. Raises InputError where there is no such device or rasteriser.
    """
    if device == "auto":
        return _best(backend, given)
    wanted = named(device)
    found = raster.get(backend, wanted)
    if backend == "auto" and found.rank <= 0:
        raise InputError(
            f"--device {device}: the only rasteriser that works there is {found.name}, which is made for tests and far "
            f"too slow; meshopt doctor says what the others lack, or use --device cpu, or --backend {found.name}"
        )
    return wanted, found


def _best(backend: str, given: torch.device | None) -> tuple[torch.device, Rasterizer]:
    """Of the CPU and the accelerator, the one with the higher ranked rasteriser; the accelerator if they are equal."""
    cpu = torch.device("cpu")
    other = accelerator() if given is None or given.type == cpu.type else given
    if other is not None:
        try:
            found = raster.get(backend, other)
        except InputError:
            return cpu, raster.get(backend, cpu)
        if found.rank > 0 and found.rank >= _rank(backend, cpu):
            return other, found
    return cpu, raster.get(backend, cpu)


def _rank(backend: str, device: torch.device) -> float:
    try:
        return raster.get(backend, device).rank
    except InputError:
        return float("-inf")


def named(name: str) -> torch.device:
    """The device of that name. Raises InputError where this machine has none."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].split(". ")[0].rstrip(".")[:200]
        raise InputError(
            f"--device {name}: not usable here ({reason}), expected cpu or auto; meshopt doctor tells more"
        ) from None
    return device
