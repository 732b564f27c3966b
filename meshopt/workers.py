"""Long tasks in processes of their own: what one of them does to its process costs no other.

`work` deals tasks to processes that live from task to task and gives an `Outcome` of each, whatever becomes of it.
No import of torch, numpy or numba here: a process reads how many threads it may use before it imports them.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from multiprocessing import connection, resource_tracker
from typing import Any, TypeVar

from meshopt.worker_process import GRACE, Cause, Outcome, attempt, family, resident, serve

Task = TypeVar("Task")
Result = TypeVar("Result")

ATTEMPTS = 3  # processes in a row that end before they take a task
MEMORY_EVERY = 0.1  # seconds between two looks at how much memory processes hold


def work(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    processes: int,
    *,
    threads: int = 1,
    seconds: float | None = None,
    memory: int | None = None,
    environments: Sequence[Mapping[str, str]] = (),
) -> Generator[Outcome[Result], None, None]:
    """Calls the function with each task, in that many processes of some threads each; outcomes as they come.

    Tasks are taken from `tasks` when a process is free for them, in order; a process keeps its modules' globals. One
    that dies, is at a task for more than `seconds`, or holds more than `memory` bytes (Linux), is replaced. All of that
    happens while the caller waits for an outcome. `environments`: variables for the first, second, ... process, and
    for whatever replaces it; beyond the last they begin again. The processes end with the generator: close it
    (`contextlib.closing`) where its loop may be left early. The function must be importable by its name, or a
    `functools.partial` of such; a script that calls this needs `if __name__ == "__main__":`.

    Raises RuntimeError if processes end before they take a task, or cannot load the function; ValueError for counts
    that are not positive.
    """
    if min(processes, threads) < 1:
        raise ValueError(f"processes and threads must be at least 1, not {processes} and {threads}")
    crew = _Crew(pickle.dumps(function), tasks, _Terms(threads, seconds, memory, environments))
    try:
        for place in range(crew.look_ahead(processes)):
            crew.hire(place)
        while crew.at_work():
            yield from crew.listen()
    finally:
        _end(crew.workers + crew.dismissed)


@dataclass(frozen=True)
class _Terms:
    """What processes may use."""

    threads: int
    seconds: float | None
    memory: int | None
    environments: Sequence[Mapping[str, str]]


class _Worker:
    """A process as its parent sees it."""

    def __init__(self, function: bytes, terms: _Terms, place: int) -> None:
        context = multiprocessing.get_context("spawn")
        environment = dict(terms.environments[place % len(terms.environments)]) if terms.environments else {}
        self.pipe, theirs = context.Pipe()
        arguments = (theirs, function, terms.threads, environment)
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        self.place = place
        self.index: int | None = None  # of the task it is at; none until it says that it is ready
        self.since = 0.0
        with theirs:
            self.process.start()

    def spent(self) -> float:
        """Seconds since it got its task."""
        return time.monotonic() - self.since

    def ending(self) -> tuple[str, Cause]:
        """How its process, whose pipe has closed, came to its end."""
        self.process.join(GRACE)
        code = self.process.exitcode
        if code is None:
            return "the process closed its connection", "crash"
        if code >= 0:
            return f"the process ended itself with exit code {code}", "crash"
        if code == -getattr(signal, "SIGKILL", 9):
            return f"the process was killed by signal {-code} (is the memory full?)", "kill"
        return f"the process was killed by signal {-code}", "crash"


class _Crew:
    """The workers, and the tasks that are left for them."""

    def __init__(self, function: bytes, tasks: Iterable[Any], terms: _Terms) -> None:
        self.function, self.terms = function, terms
        self.tasks = enumerate(tasks)
        self.ahead: deque[tuple[int, Any]] = deque()  # the next tasks
        self.workers: list[_Worker] = []  # that start or are at a task
        self.dismissed: list[_Worker] = []  # that end by themselves
        self.failures = 0  # processes in a row that ended without a task

    def look_ahead(self, count: int) -> int:
        """How many tasks are left, of so many."""
        self.ahead.extend(islice(self.tasks, max(0, count - len(self.ahead))))
        return len(self.ahead)

    def at_work(self) -> bool:
        return bool(self.look_ahead(1)) or any(w.index is not None for w in self.workers)

    def hire(self, place: int) -> None:
        with _signals_later():
            self.workers.append(_Worker(self.function, self.terms, place))

    def listen(self) -> list[Outcome[Any]]:
        """Waits until a worker says something, dies, is late or too large; the outcomes of that."""
        heard = connection.wait([w.pipe for w in self.workers], self.patience())
        outcomes = []
        for worker in list(self.workers):
            if worker.pipe in heard:
                outcomes += self.hear(worker)
            elif worker.index is not None:
                outcomes += self.judge(worker)
        return outcomes

    def patience(self) -> float | None:
        """Seconds until a worker has to be looked at."""
        busy = [w for w in self.workers if w.index is not None]
        limits = [MEMORY_EVERY] if self.terms.memory is not None and busy else []
        if self.terms.seconds is not None and busy:
            limits.append(max(0.0, self.terms.seconds - max(w.spent() for w in busy)))
        return min(limits, default=None)

    def judge(self, worker: _Worker) -> list[Outcome[Any]]:
        """Replaces a worker that goes beyond what it may use; the outcome of its task."""
        seconds, memory = self.terms.seconds, self.terms.memory
        if seconds is not None and worker.spent() >= seconds:
            return self.lose(worker, f"took longer than {seconds:g} s", "time")
        number = worker.process.pid
        assert number is not None
        if memory is not None and resident(number) > memory:
            for process in family(number):  # at once, as they go on filling the memory
                with contextlib.suppress(OSError):
                    os.kill(process, signal.SIGKILL)
            return self.lose(worker, f"needed more than {memory / 2**30:.3g} GiB of memory", "memory")
        return []

    def hear(self, worker: _Worker) -> list[Outcome[Any]]:
        """The outcome that the worker sends; then it gets the next task."""
        try:
            said = worker.pipe.recv_bytes()
        except (EOFError, OSError):
            return self.lose(worker, *worker.ending())
        read: Outcome[Any] = attempt(lambda: pickle.loads(said), "the result cannot be read: ")
        outcome: Outcome[Any] = read.result or read
        if worker.index is not None:
            self.failures = 0
            return [replace(outcome, index=worker.index), *self.deal(worker)]
        if outcome.error is not None:
            cause = RuntimeError(outcome.trace or outcome.error)
            raise RuntimeError(f"a process cannot load its function: {outcome.error}") from cause
        return self.deal(worker)

    def deal(self, worker: _Worker) -> list[Outcome[Any]]:
        """Gives the worker the next task, or lets it go; the outcomes of tasks that cannot be sent."""
        outcomes: list[Outcome[Any]] = []
        worker.index = None
        while self.look_ahead(1) and worker.index is None:
            index, task = self.ahead[0]
            packed = attempt(partial(pickle.dumps, task), "the task cannot be sent: ")
            if packed.result is not None:
                try:
                    worker.pipe.send_bytes(packed.result)
                except OSError:  # it died, as it will turn out
                    return outcomes
                worker.index, worker.since = index, time.monotonic()
            else:
                outcomes.append(replace(packed, index=index))
            self.ahead.popleft()
        if worker.index is None:
            worker.pipe.close()
            self.workers.remove(worker)
            self.dismissed.append(worker)
        return outcomes

    def lose(self, worker: _Worker, error: str, cause: Cause) -> list[Outcome[Any]]:
        """Replaces a worker that died or has to; the outcome of its task."""
        index, spent = worker.index, worker.spent()
        self.workers.remove(worker)
        _end([worker])
        if index is None:
            self.failures += 1
            if self.failures >= ATTEMPTS and not self.workers:
                raise RuntimeError(
                    f"{self.failures} processes in a row ended before they took a task, the last one so: {error}; "
                    'a script that starts processes needs `if __name__ == "__main__":`'
                )
        if self.look_ahead(1) and (index is not None or self.failures < ATTEMPTS):
            self.hire(worker.place)
        return [] if index is None else [Outcome(index, error=error, cause=cause, seconds=spent)]


def _end(workers: Sequence[_Worker]) -> None:
    """Ends the processes, those that do not after a while by force."""
    try:
        for worker in workers:
            worker.pipe.close()
            worker.process.terminate()
        until = time.monotonic() + GRACE
        for worker in workers:
            worker.process.join(max(0.0, until - time.monotonic()))
    finally:  # also where somebody presses Ctrl-C again
        for worker in workers:
            worker.process.kill()
            worker.process.join()
            worker.process.close()


@contextlib.contextmanager
def _signals_later() -> Iterator[None]:
    """Within it Ctrl-C and SIGTERM wait, also in a process that starts here, until it can do without a traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # would let signals through again if it were started later
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
