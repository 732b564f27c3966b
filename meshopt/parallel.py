"""A deterministic pool of threads for kernels that release the GIL.

`run` calls one function for many argument tuples and gives the results in order. What a call computes must
not depend on the number of threads: callers partition their work by its shape alone, or into parts that do
not overlap. Importing this brings no torch.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

Result = TypeVar("Result")

_limit: ContextVar[int | None] = ContextVar("meshopt_threads", default=None)
_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None


def cores() -> int:
    """How many this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def threads() -> int:
    """How many threads `run` uses here: the `limit` in force, else the cores this process may run on."""
    limited = _limit.get()
    return cores() if limited is None else limited


@contextmanager
def limit(count: int) -> Iterator[None]:
    """Within this context, `run` uses at most `count` threads, the caller's included (1: no others).

    Raises ValueError if `count` is not positive.
    """
    if count < 1:
        raise ValueError(f"the number of threads must be at least 1, not {count}")
    token = _limit.set(count)
    try:
        yield
    finally:
        _limit.reset(token)


class _Torch(threading.local):
    """How many of the contexts that this thread is in want torch to have one thread."""

    depth = 0


class _TorchUsers:
    """The threads that are in such contexts, and how many threads torch had before the first of them."""

    def __init__(self) -> None:
        self.lock, self.count, self.before = threading.Lock(), 0, 1


_torch, _users = _Torch(), _TorchUsers()


@contextmanager
def single_torch() -> Iterator[None]:
    """Within this context torch computes on the calling thread alone; afterwards as before. From several threads, too.

    Our kernels use the cores. torch's own threads would compete with them, waiting actively between its many short
    operations (six times the time has been seen on two cores), and would make sums depend on their number.
    """
    import torch

    before = torch.get_num_threads()
    if not _torch.depth:
        with _users.lock:
            if _users.count:
                before = _users.before
            _users.before, _users.count = before, _users.count + 1
    _torch.depth += 1
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)  # torch keeps it for each thread, so that those that leave disturb no others
        _torch.depth -= 1
        if not _torch.depth:
            with _users.lock:
                _users.count -= 1


def run(function: Callable[..., Result], arguments: Sequence[tuple[Any, ...]]) -> list[Result]:
    """`[function(*a) for a in arguments]`, several at once. Of several exceptions the first in order.

    The caller works too, so a call never waits for a free thread: calls from several Python threads at once,
    and calls from within a task (which run on that task's own thread), cannot block each other.
    """
    others = min(threads(), len(arguments)) - 1
    if others < 1:
        return [function(*a) for a in arguments]
    batch = _Batch(function, arguments)
    futures = [_executor().submit(batch.drain) for _ in range(others)]
    batch.drain()
    _finish(futures)
    return batch.collect()


class Turns:
    """Lets tasks of one `run` do the last part of their work one by one, in order, whatever the number of threads.

    Sums then have the same bytes always, and need one place instead of one for each task.
    """

    def __init__(self, count: int) -> None:
        self._left = [threading.Event() for _ in range(count)]

    @contextmanager
    def of(self, task: int) -> Iterator[Callable[[], Any]]:
        """Task 0, 1, ... of those in the order of `run`. What it gives waits until the tasks before have left."""
        try:
            yield self._left[task - 1].wait if task else lambda: None
        finally:
            self._left[task].set()


class _Batch:
    """The tasks of one `run`: whoever drains takes the next one until none is left."""

    def __init__(self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> None:
        self.function, self.arguments = function, arguments
        self.next, self.lock = 0, threading.Lock()
        self.results: list[Any] = [None] * len(arguments)
        self.errors: dict[int, BaseException] = {}

    def take(self) -> int | None:
        with self.lock:
            if self.next >= len(self.arguments):
                return None
            self.next += 1
            return self.next - 1

    def drain(self) -> None:
        token = _limit.set(1)  # a task's own calls of `run` stay on its thread
        try:
            while (index := self.take()) is not None:
                try:
                    self.results[index] = self.function(*self.arguments[index])
                except BaseException as error:
                    with self.lock:
                        self.errors[index] = error
                        self.next = len(self.arguments)
        finally:
            _limit.reset(token)

    def collect(self) -> list[Any]:
        if self.errors:
            raise self.errors[min(self.errors)]
        return self.results


def _finish(futures: list[Future[None]]) -> None:
    """Waits for the others that have begun; those still queued find nothing to do and are dropped."""
    wait([f for f in futures if not f.cancel()])


def _executor() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(1, cores() - 1), thread_name_prefix="meshopt")
        return _pool


def _forget() -> None:
    """A forked child has none of its parent's threads."""
    global _pool, _lock
    _pool, _lock, _users.lock = None, threading.Lock(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
