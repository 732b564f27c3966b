"""Tasks in the processes of a Ray cluster: an existing one by its address, or one on this machine alone."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from meshopt.batch.engines import Limits
from meshopt.errors import InputError
from meshopt.worker_process import Cause, Desk, Outcome, resident
from meshopt.workers import ATTEMPTS, MEMORY_EVERY

Task = TypeVar("Task")
Result = TypeVar("Result")

REACHED = 10.0  # seconds in which a cluster has to answer
LOW = "running low on memory"  # in what Ray says when it ends a process for that


@dataclass(frozen=True)
class Cluster:
    """One that this process is connected to: so many actors of one thread and one core each."""

    processes: int
    limits: Limits

    def work(
        self, function: Callable[[Task], Result], tasks: Iterable[Task], processes: int
    ) -> Generator[Outcome[Result], None, None]:
        """As `meshopt.workers.work`."""
        crew = _Crew(pickle.dumps(function), tasks, self.limits)
        try:
            for _ in range(processes):
                crew.hire()
            while crew.hands:
                yield from crew.listen()
        finally:
            for hand in crew.hands:
                crew.end(hand)


@contextlib.contextmanager
def cluster(address: str | None, processes: int | None, limits: Limits) -> Iterator[Cluster]:
    """A connection to the cluster at an address, else to one on this machine that ends with the block.

    By default an actor for each of its cores, or for each share of its GPUs. Raises InputError.
    """
    ray = _ray()
    try:
        if found := re.fullmatch(r"(?:ray://)?([\w.-]+):(\d{1,5})", address or ""):
            socket.create_connection((found[1], int(found[2])), REACHED).close()  # Ray itself tries for minutes
        ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", include_dashboard=False)
    except (OSError, RuntimeError, ValueError, OverflowError) as error:
        text = " ".join(str(error).split())[:200]
        raise InputError(f"--ray-address {address}: no cluster can be reached there ({text})") from None
    try:
        has = ray.cluster_resources()
        cores, gpus = int(has.get("CPU", 1)), has.get("GPU", 0.0)
        if limits.gpu and gpus < limits.gpu:
            raise InputError(f"--gpus-per-asset {limits.gpu:g}: the cluster has {gpus:g} GPUs")
        fitting = min(cores, int(gpus / limits.gpu + 1e-9)) if limits.gpu else cores
        yield Cluster(processes or max(1, fitting), limits)
    finally:
        ray.shutdown()


class _Desk(Desk):
    """The actor."""

    def __init__(self, function: bytes, folder: str, memory: int | None) -> None:
        with contextlib.suppress(OSError):  # another machine may have none of that name
            os.chdir(folder)
        if memory is not None:
            threading.Thread(target=_watch, args=(memory,), daemon=True).start()
        super().__init__(function, 1)

    def ready(self) -> bytes:
        return pickle.dumps(self.loaded)


@dataclass(eq=False)
class _Hand:
    """An actor, what is awaited from it, and the task it is at: none until it is ready."""

    actor: Any
    awaited: Any
    index: int | None = None
    since: float = 0.0


class _Crew:
    """The actors, and the tasks that are left for them."""

    def __init__(self, function: bytes, tasks: Iterable[Any], limits: Limits) -> None:
        self.ray = _ray()
        self.function, self.tasks, self.limits = function, enumerate(tasks), limits
        self.hands: list[_Hand] = []
        self.failures = 0  # actors in a row that ended without a task

    def hire(self) -> None:
        limits = self.limits
        options = {"num_cpus": 1, "num_gpus": limits.gpu, "max_restarts": 0}
        options |= {"memory": limits.memory} if limits.memory is not None else {}
        kind = self.ray.remote(**options)(_Desk)
        actor = kind.remote(self.function, str(os.getcwd()), limits.memory)  # noqa: PTH109
        self.hands.append(_Hand(actor, actor.ready.remote()))

    def end(self, hand: _Hand) -> None:
        with contextlib.suppress(Exception):  # it may be dead already
            self.ray.kill(hand.actor)

    def listen(self) -> list[Outcome[Any]]:
        """Waits until an actor says something, dies or is late; the outcomes of that."""
        seconds, now = self.limits.seconds, time.monotonic()
        ends = [hand.since + seconds for hand in self.hands if hand.index is not None] if seconds is not None else []
        patience = max(0.0, min(ends) - now) if ends else None
        heard, _ = self.ray.wait([hand.awaited for hand in self.hands], timeout=patience)
        outcomes = []
        for hand in list(self.hands):
            if hand.awaited in heard:
                outcomes += self.hear(hand)
            elif seconds is not None and hand.index is not None and time.monotonic() - hand.since >= seconds:
                outcomes += self.lose(hand, f"took longer than {seconds:g} s", "time")
        return outcomes

    def hear(self, hand: _Hand) -> list[Outcome[Any]]:
        """The outcome that the actor sends; then it gets the next task."""
        try:
            outcome: Outcome[Any] = pickle.loads(self.ray.get(hand.awaited))
        except self.ray.exceptions.RayError as error:
            if isinstance(error, self.ray.exceptions.OutOfMemoryError) or LOW in str(error):
                return self.lose(hand, "the cluster ended the process, as the memory of its machine was full", "memory")
            hint = "" if self.limits.memory is None else " (more memory than --memory allows?)"
            return self.lose(hand, f"the process ended or was killed{hint}", "crash")
        index = hand.index
        if index is None and outcome.error is not None:
            raise RuntimeError(f"a process cannot load its function: {outcome.error}")
        self.deal(hand)
        return [] if index is None else [replace(outcome, index=index)]

    def deal(self, hand: _Hand) -> None:
        """Gives the actor the next task, or lets it go."""
        self.failures = 0
        hand.index, task = next(self.tasks, (None, None))
        if hand.index is None:
            self.hands.remove(hand)
            self.end(hand)
            return
        hand.awaited, hand.since = hand.actor.answer.remote(pickle.dumps(task)), time.monotonic()

    def lose(self, hand: _Hand, error: str, cause: Cause) -> list[Outcome[Any]]:
        """Replaces an actor that died or has to; the outcome of its task."""
        self.hands.remove(hand)
        self.end(hand)
        if hand.index is None:
            self.failures += 1
            if self.failures >= ATTEMPTS and not self.hands:
                raise RuntimeError(f"{self.failures} actors in a row ended before they took a task: {error}")
        if hand.index is not None or self.failures < ATTEMPTS:
            self.hire()
        spent = time.monotonic() - hand.since
        return [] if hand.index is None else [Outcome(hand.index, error=error, cause=cause, seconds=spent)]


def _watch(memory: int) -> None:
    """Ends this process when it holds more."""
    while resident(os.getpid()) <= memory:
        time.sleep(MEMORY_EVERY)
    os._exit(1)


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise InputError('--engine ray needs Ray: pip install "meshopt3d[ray]"') from None
    return ray
