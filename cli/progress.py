"""Progress on stderr: a bar per stage with the time left, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

LINE_EVERY = 10.0  # seconds between plain lines
MUCH = 0.3  # share of the kernels from which on compiling is announced


class Quiet:
    """Shows nothing."""

    def __enter__(self) -> Quiet:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to end."""

    def __call__(self, progress: Any) -> None:
        """Takes a meshopt.Progress."""


class Bars(Quiet):
    """A bar per stage."""

    def __init__(self, console: Console, steady: bool = False) -> None:
        self._bars = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            _MeanTimeLeft() if steady else TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[info]}"),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if exception[0] is None:
            self._finish_all()
        self._bars.stop()

    def __call__(self, progress: Any) -> None:
        if progress.stage not in self._tasks:
            self._finish_all()
            self._tasks[progress.stage] = self._bars.add_task(progress.stage, total=None, info="")
        self._bars.update(
            self._tasks[progress.stage],
            completed=progress.step,
            total=progress.total or None,
            info=_information(progress.info),
        )

    def _finish_all(self) -> None:
        for task in self._bars.tasks:
            if not task.finished:
                total = task.total or max(task.completed, 1)
                self._bars.update(task.id, completed=total, total=total)


class _MeanTimeLeft(ProgressColumn):
    """The time left if the steps to come take as long as those that are done."""

    def render(self, task: Task) -> Text:
        known = task.elapsed is not None and task.completed and task.total is not None
        left = (task.elapsed or 0.0) / max(task.completed, 1) * ((task.total or 0.0) - task.completed)
        return Text(str(timedelta(seconds=int(left))) if known else "-:--:--", style="progress.remaining")


class Lines(Quiet):
    """A line when a stage starts, and every now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage = ""
        self._began = self._said = 0.0

    def __call__(self, progress: Any) -> None:
        now = time.monotonic()
        if progress.stage != self._stage:
            self._stage, self._began, self._said = progress.stage, now, now
            self._console.print(f"{progress.stage} ...", highlight=False)
        elif now - self._said >= LINE_EVERY:
            self._said = now
            spent = now - self._began
            left = spent * (progress.total - progress.step) / max(progress.step, 1)
            line = f"{progress.stage} {progress.step}/{progress.total}, about {duration(left)} left"
            self._console.print(f"{line}  {_information(progress.info)}".rstrip(), highlight=False)


def duration(seconds: float) -> str:
    """In seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def display(console: Console, quiet: bool, steady: bool = False) -> Quiet:
    """What suits the console. `steady`: the time left is told from all steps, not the last."""
    if quiet:
        return Quiet()
    return Bars(console, steady) if console.is_terminal else Lines(console)


@contextmanager
def compiling(
    console: Console, quiet: bool, seconds: float, modules: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Around work that may compile kernels (of these modules, or of all that are imported): says how long, if it will.

    `seconds`: for all of them on one core.
    """
    from meshopt.compilation import compiled_share, patient_collection

    missing = 1 - compiled_share(modules)
    if missing > MUCH and not quiet:
        console.print(f"Compiling kernels, first run only, about {seconds * missing:.0f} s.", highlight=False)
    if not missing:
        yield
        return
    with patient_collection():
        yield


def _information(values: dict[str, float]) -> str:
    return "  ".join(
        f"{name} {value:,.0f}" if value == round(value) else f"{name} {value:.3g}" for name, value in values.items()
    )
