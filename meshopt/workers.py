"""Long tasks in processes of their own: what one of them does to its process costs no other.

`work` deals tasks to processes that live from task to task and gives an `Outcome` of each, whatever becomes of it.
No import of torch, numpy or numba here: a process reads how many threads it may use before it imports them.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from multiprocessing import connection, resource_tracker
from typing import Any, TypeVar

from meshopt.worker_process import GRACE, Outcome, attempt, serve

Task = TypeVar("Task")
Result = TypeVar("Result")

ATTEMPTS = 3  # processes in a row that end before they take a task


def work(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    processes: int,
    *,
    threads: int = 1,
    seconds: float | None = None,
) -> Generator[Outcome[Result], None, None]:
    """Calls the function with each task, in that many processes of some threads each; outcomes as they come.

    Tasks are dealt in order, the next one to the first process that is free; a process keeps its modules' globals. One
    that dies, or is at a task for more than `seconds`, is replaced. All of that happens while the caller waits for an
    outcome. The processes end with the generator: close it (`contextlib.closing`) where its loop may be left early.
    The function must be importable by its name, or a `functools.partial` of such; a script that calls this needs
    `if __name__ == "__main__":`.

    Raises RuntimeError if processes end before they take a task, or cannot load the function; ValueError for counts
    that are not positive.
    """
    if min(processes, threads) < 1:
        raise ValueError(f"processes and threads must be at least 1, not {processes} and {threads}")
    crew = _Crew(pickle.dumps(function), tasks, threads, seconds)
    try:
        for _ in range(min(processes, len(tasks))):
            crew.hire()
        while crew.at_work():
            yield from crew.listen()
    finally:
        _end(crew.workers + crew.dismissed)


class _Worker:
    """A process as its parent sees it."""

    def __init__(self, function: bytes, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, function, threads), daemon=True)
        self.index: int | None = None  # of the task it is at; none until it says that it is ready
        self.since = 0.0
        with theirs:
            self.process.start()

    def spent(self) -> float:
        """Seconds since it got its task."""
        return time.monotonic() - self.since

    def ending(self) -> str:
        """How its process, whose pipe has closed, came to its end."""
        self.process.join(GRACE)
        code = self.process.exitcode
        if code is None:
            return "the process closed its connection"
        if code >= 0:
            return f"the process ended itself with exit code {code}"
        memory = " (is the memory full?)" if code == -getattr(signal, "SIGKILL", 9) else ""
        return f"the process was killed by signal {-code}{memory}"


class _Crew:
    """The workers, and the tasks that are left for them."""

    def __init__(self, function: bytes, tasks: Sequence[Any], threads: int, seconds: float | None) -> None:
        self.function, self.tasks, self.threads, self.seconds = function, tasks, threads, seconds
        self.left = deque(range(len(tasks)))
        self.workers: list[_Worker] = []  # that start or are at a task
        self.dismissed: list[_Worker] = []  # that end by themselves
        self.failures = 0  # processes in a row that ended without a task

    def at_work(self) -> bool:
        return bool(self.left) or any(w.index is not None for w in self.workers)

    def hire(self) -> None:
        with _signals_later():
            self.workers.append(_Worker(self.function, self.threads))

    def listen(self) -> list[Outcome[Any]]:
        """Waits until a worker says something, dies or is late; the outcomes of that."""
        busy = [w for w in self.workers if w.index is not None]
        patience = None
        if self.seconds is not None and busy:
            patience = max(0.0, self.seconds - max(w.spent() for w in busy))
        heard = connection.wait([w.pipe for w in self.workers], patience)
        outcomes = []
        for worker in list(self.workers):
            if worker.pipe in heard:
                outcomes += self.hear(worker)
            elif self.seconds is not None and worker.index is not None and worker.spent() >= self.seconds:
                outcomes += self.lose(worker, f"took longer than {self.seconds:g} s")
        return outcomes

    def hear(self, worker: _Worker) -> list[Outcome[Any]]:
        """The outcome that the worker sends; then it gets the next task."""
        try:
            said = worker.pipe.recv_bytes()
        except (EOFError, OSError):
            return self.lose(worker, worker.ending())
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
        while self.left and worker.index is None:
            packed = attempt(lambda: pickle.dumps(self.tasks[self.left[0]]), "the task cannot be sent: ")
            if packed.result is not None:
                try:
                    worker.pipe.send_bytes(packed.result)
                except OSError:  # it died, as it will turn out
                    return outcomes
                worker.index, worker.since = self.left.popleft(), time.monotonic()
            else:
                outcomes.append(replace(packed, index=self.left.popleft()))
        if worker.index is None:
            worker.pipe.close()
            self.workers.remove(worker)
            self.dismissed.append(worker)
        return outcomes

    def lose(self, worker: _Worker, error: str) -> list[Outcome[Any]]:
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
        if self.left and (index is not None or self.failures < ATTEMPTS):
            self.hire()
        return [] if index is None else [Outcome(index, error=error, seconds=spent)]


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
