"""Cores, memory, driver."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from meshopt import hardware, parallel
from meshopt.hardware import NvidiaDriver


def test_cores_are_those_that_kernels_use() -> None:
    assert hardware.cores() == parallel.threads()


def test_container_limits_the_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(hardware, "CONTAINER_LIMITS", (str(limit), str(tmp_path / "none")))
    whole = hardware.memory()
    if whole is None:
        pytest.skip("this system does not tell")
    assert whole > 0
    limit.write_text("max\n")
    assert hardware.memory() == whole
    limit.write_text(str(2**28))
    assert hardware.memory() == 0.2


@pytest.mark.parametrize(("code", "number", "cuda"), [(0, 12080, (12, 8)), (0, 13000, (13, 0)), (35, 0, None)])
def test_driver_version(monkeypatch: pytest.MonkeyPatch, code: int, number: int, cuda: tuple[int, int] | None) -> None:
    def version(pointer: Any) -> int:
        pointer._obj.value = number
        return code

    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(cuDriverGetVersion=version))
    found = hardware.nvidia_driver()
    assert found == (None if cuda is None else NvidiaDriver(cuda)) or Path("/proc/driver/nvidia").exists()
