"""What this machine has: cores, memory, an NVIDIA driver. Neither torch nor a process is started for it."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
CONTAINER_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class NvidiaDriver:
    """`cuda` is the newest CUDA (major, minor) that the driver runs; None where programs cannot reach it."""

    cuda: tuple[int, int] | None


@dataclass(frozen=True)
class PresentDevice:
    """A device that torch can compute on."""

    device: str
    name: str
    memory_gib: float | None = None


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> float | None:
    """GiB that this process may use: the machine's, or the container's limit if that is less; None where unknown."""
    try:
        found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has none
        return None
    for file in CONTAINER_LIMITS:
        try:
            found = min(found, int(Path(file).read_text()))
        except (OSError, ValueError):  # no file, or the word max
            continue
    return round(found / GIB, 1)


def nvidia_driver() -> NvidiaDriver | None:
    """The NVIDIA driver, or None where there is none."""
    cuda = _driver_version()
    present = cuda is not None or Path("/proc/driver/nvidia/version").exists()
    return NvidiaDriver(cuda) if present else None


def _driver_version() -> tuple[int, int] | None:
    library = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
    number = ctypes.c_int(0)
    try:
        if ctypes.CDLL(library).cuDriverGetVersion(ctypes.byref(number)) != 0 or number.value <= 0:
            return None
    except (OSError, AttributeError):
        return None
    return number.value // 1000, number.value % 1000 // 10
