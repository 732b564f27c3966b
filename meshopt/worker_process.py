"""A process of `meshopt.workers`: calls a function with one task after the other.

No import of torch, numpy or numba here: they read how many threads they may use when they are imported.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, Generic, Literal, TypeVar

from meshopt import parallel
from meshopt.errors import InputError, MeshoptWarning

Result = TypeVar("Result")
Cause = Literal["input", "memory", "disk", "bug", "crash", "kill", "time"]

GRACE = 2.0  # seconds that a process has to end by itself
VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)
FULL = ("can't allocate memory", "out of memory", "std::bad_alloc", "Insufficient memory")  # torch, CUDA, OpenCV
FIRST_TO_GO = "500"  # of 1000: where the memory of a machine is full, the system ends such a process before its parent


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """What became of a task: its result, or else the error."""

    index: int  # of the task
    result: Result | None = None
    error: str | None = None  # one sentence
    cause: Cause | None = None  # of the error; disk: an OSError, crash, kill: of the process, time: too long
    trace: str | None = None  # the traceback of an exception that is nobody's fault but the function's
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()  # MeshoptWarnings and what meshopt's log warned of, each once

    @property
    def bug(self) -> bool:
        """Whether the error is an exception that neither the input nor the machine explains."""
        return self.trace is not None


def serve(pipe: Any, function: bytes, threads: int, environment: Mapping[str, str] | None = None) -> None:
    """The life of a process: says whether it can load the function, then an outcome for each task that it hears."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, _leave)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
        os.set_inheritable(pipe.fileno(), False)  # what a task starts must not keep it open
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(environment or {})
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    with contextlib.suppress(EOFError, OSError):  # of the pipe, when the parent closes it
        desk = Desk(function, threads)
        pipe.send_bytes(pickle.dumps(desk.loaded))
        while desk.function is not None:
            pipe.send_bytes(desk.answer(pipe.recv_bytes()))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is about to end


class Desk:
    """Where a process loads its function, and calls it with one task after the other.

    Made before torch, numpy and numba are imported. `loaded`: whether the function could be.
    """

    def __init__(self, function: bytes, threads: int) -> None:
        os.environ.update(dict.fromkeys(VARIABLES, str(threads)))
        self.threads, self.notes = threads, _Notes()
        with self.notes.taken(), parallel.limit(threads):
            found: Outcome[Callable[[Any], Any]] = attempt(lambda: pickle.loads(function))
        self.function = found.result
        self.loaded: Outcome[Any] = replace(found, result=None)

    def answer(self, task: bytes) -> bytes:
        """The outcome of the task, pickled as the task is."""
        function = self.function
        assert function is not None
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(self.threads)
        with self.notes.taken(), parallel.limit(self.threads):
            outcome: Outcome[Any] = attempt(lambda: function(pickle.loads(task)))
        outcome = replace(outcome, warnings=self.notes.told())
        packed: Outcome[bytes] = attempt(lambda: pickle.dumps(outcome), "the result cannot be sent: ")
        if packed.result is None:
            return pickle.dumps(replace(packed, seconds=outcome.seconds, warnings=outcome.warnings))
        return packed.result


def family(process: int) -> list[int]:
    """A process and those it has started, and those these have; without them where the system does not say."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return [process]
    return [process, *(member for child in children for member in family(int(child)))]


def resident(process: int) -> int:
    """Bytes of main memory that a process and those it has started hold; 0 where the system does not say."""
    pages = 0
    for member in family(process):
        with contextlib.suppress(OSError, IndexError):  # it has ended
            pages += int(Path(f"/proc/{member}/statm").read_text().split()[1])
    return pages and pages * os.sysconf("SC_PAGE_SIZE")


class _Notes(logging.Handler):
    """Takes the warnings and the log of a process, which prints none, and keeps meshopt's."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] == "meshopt":
            self.texts.append(record.getMessage())

    def show(self, message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, MeshoptWarning):
            self.texts.append(str(message))

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Within it, warnings come here."""
        with warnings.catch_warnings():
            warnings.simplefilter("always", MeshoptWarning)
            warnings.showwarning = self.show
            yield

    def told(self) -> tuple[str, ...]:
        """What it has kept since it was last asked, each once."""
        texts, self.texts = self.texts, []
        return tuple(dict.fromkeys(texts))


def attempt(action: Callable[[], Result], prefix: str = "") -> Outcome[Result]:
    """What the action gives, or the sentence of its exception after the prefix, as the outcome of no task yet."""
    start, trace = time.perf_counter(), None
    cause: Cause
    try:
        return Outcome(-1, action(), seconds=time.perf_counter() - start)
    except InputError as error:
        text, cause = str(error), "input"
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        text, cause = f"{place}{error.strerror or error}", "disk"
    except Exception as error:
        if isinstance(error, MemoryError) or any(words in str(error) for words in FULL):
            text, cause = "the memory is full", "memory"
        else:
            text, cause = f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}", "bug"
            trace = traceback.format_exc()
    return Outcome(-1, error=prefix + text, cause=cause, trace=trace, seconds=time.perf_counter() - start)


def _end_with_parent() -> None:
    """Waits for the end of the parent, which may have come without a word, and ends this process then."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


def _leave(number: int, frame: FrameType | None) -> None:
    """SIGTERM unwinds, so that temporary files and processes of the task go."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once
    raise SystemExit(128 + number)
