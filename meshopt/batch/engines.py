"""Where assets are made: in processes on this machine, or on a Ray cluster."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from meshopt import hardware, parallel
from meshopt.config import Config
from meshopt.errors import InputError
from meshopt.worker_process import Outcome, resident
from meshopt.workers import work

Task = TypeVar("Task")
Result = TypeVar("Result")

USUAL = 2.0  # GiB that a process may come to hold with the usual settings


@runtime_checkable
class Engine(Protocol):
    """Deals tasks to processes."""

    @property
    def processes(self) -> int:
        """How many there are."""
        ...

    def work(
        self, function: Callable[[Task], Result], tasks: Iterable[Task], processes: int
    ) -> Generator[Outcome[Result], None, None]:
        """As `meshopt.workers.work`."""
        ...


@dataclass(frozen=True)
class Limits:
    """Of one process: seconds for an asset, bytes of main memory, and its share of a GPU (0: none, 1: a whole one)."""

    seconds: float | None = None
    memory: int | None = None
    gpu: float = 0.0


@dataclass(frozen=True)
class Machine:
    """This one: so many processes of one thread each, spread over the GPUs where they need any."""

    processes: int
    limits: Limits = Limits()
    gpus: tuple[str, ...] = ()  # as CUDA_VISIBLE_DEVICES names them

    def work(
        self, function: Callable[[Task], Result], tasks: Iterable[Task], processes: int
    ) -> Generator[Outcome[Result], None, None]:
        """As `meshopt.workers.work`."""
        environments: list[Mapping[str, str]] = [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in self.gpus]
        limits = self.limits
        return work(function, tasks, processes, seconds=limits.seconds, memory=limits.memory, environments=environments)


def this_machine(config: Config, processes: int | None, limits: Limits) -> Machine:
    """One process per core, fewer where the memory is small; where the settings compute on GPUs, as many as there are
    shares of GPUs, by default one each. Raises InputError where a limit cannot be kept.
    """
    if limits.memory is not None and not resident(os.getpid()):
        raise InputError("--memory: this system does not say how much memory a process holds; expected Linux")
    gpus, number = _gpus(config)
    most = parallel.cores()
    if not number:
        if limits.gpu:
            raise InputError(f"--gpus-per-asset {limits.gpu:g}: the settings do not compute on a GPU here (--device)")
        return Machine(processes or max(1, min(most, int((hardware.memory() or most * USUAL) / USUAL))), limits)
    fitting = number * max(1, math.floor(1 / (limits.gpu or 1.0) + 1e-9))
    return Machine(processes or min(fitting, most), limits, gpus)


def _gpus(config: Config) -> tuple[tuple[str, ...], int]:
    """Those that the settings compute on, and how many; no names where the settings name one of them."""
    if config.backend == "auto" and (config.device == "cpu" or (config.device == "auto" and not _accelerated())):
        return (), 0  # known without torch, which takes seconds to import
    import torch

    from meshopt.devices import choose

    if choose(config.device, config.backend, torch.device("cpu"))[0].type != "cuda":
        return (), 0
    if config.device.startswith("cuda:"):
        return (), 1
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]
    return tuple(names), len(names)


def _accelerated() -> bool:
    """Whether this machine may have a GPU that torch's builds for CUDA and ROCm use."""
    return hardware.nvidia_driver() is not None or Path("/dev/kfd").exists()
