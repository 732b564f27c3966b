"""What test_workers.py has done in processes, which import this by its name."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from meshopt import parallel, worker_process
from meshopt.errors import MeshoptWarning

calls: list[Any] = []


def double(number: int) -> int:
    return 2 * number


def count(task: Any) -> tuple[int, int]:
    """This process, and how many tasks it has had."""
    calls.append(task)
    return os.getpid(), len(calls)


def fail(error: Exception | None) -> str:
    if error is not None:
        raise error
    return "fine"


def die(how: str) -> str:
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "exit":
        sys.exit(3)
    return how


def hang(file: Path | None) -> int:
    """Says by the file that it is at work, and would go on for ten minutes; without a file it ends at once."""
    if file is not None:
        file.write_text(str(os.getpid()))
        try:
            time.sleep(600)
        finally:
            file.with_suffix(".left").touch()
    return os.getpid()


def stubborn(file: Path | None) -> None:
    """Likewise, and will not be ended by a signal that it can refuse."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hang(file)


def anything(kind: str) -> Any:
    return {"lambda": lambda: None, "broken": Broken(), "text": kind}[kind]


class Broken:
    """Pickled without complaint, but not to be unpickled."""

    def __reduce__(self) -> Any:
        return int, ("no number",)


class Unstartable:
    """A function that ends the process that loads it: every one, or only the first, which leaves the file."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file

    def __call__(self, number: int) -> int:
        return double(number)

    def __reduce__(self) -> Any:
        return load, (self.file,)


def load(file: Path | None) -> Any:
    if file is not None and file.exists():
        return double
    if file is not None:
        file.touch()
    os._exit(7)


def warn(times: int) -> None:
    for _ in range(times):
        warnings.warn("one view was mended", MeshoptWarning, stacklevel=1)
        warnings.warn("of no interest", RuntimeWarning, stacklevel=1)
        logging.getLogger("meshopt.something").warning("%d views", 7)
        logging.getLogger("elsewhere").warning("of no interest")


def surroundings(task: Any) -> dict[str, Any]:
    threads = {name: os.environ.get(name) for name in worker_process.VARIABLES}
    loaded = [name for name in ("torch", "numpy", "numba") if name in sys.modules]
    return {"variables": threads, "loaded": loaded, "parallel": parallel.threads()}


def torch_threads(task: Any) -> int:
    import torch

    return torch.get_num_threads()


def fill(file: Path, how: str) -> None:
    """Takes half a GiB, by itself or by a process that it starts and whose number it writes, and keeps it."""
    fills = "import time; taken = b'1' * 2**29; time.sleep(600)"
    if how == "own":
        exec(fills)
    elif how == "child":
        child = subprocess.Popen([sys.executable, "-c", fills])
        file.write_text(str(child.pid))
        child.wait()


def variable(die: bool) -> str | None:
    if die:
        os._exit(3)
    return os.environ.get("MESHOPT_TEST")
