"""Progress: bars on a terminal, few lines elsewhere."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from meshopt.cli import progress
from meshopt.cli.progress import Bars, Lines, Quiet, display


def _run(shown: Quiet) -> None:
    with shown as on_progress:
        for stage, total in (("initial", 0), ("optimize", 40)):
            for step in range(max(total, 1)):
                info = {"faces": 1234.0, "loss": 0.12345}
                on_progress(SimpleNamespace(stage=stage, step=step + 1, total=total, info=info))


def _console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100)


def _text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_console_decides() -> None:
    assert type(display(_console(True), quiet=False)) is Bars
    assert type(display(_console(False), quiet=False)) is Lines
    assert type(display(_console(True), quiet=True)) is Quiet


def test_bars_end_full() -> None:
    console = _console(True)
    _run(Bars(console))
    last = _text(console)
    assert "optimize" in last
    assert "40/40" in last
    assert "1,234" in last
    assert "0.123" in last


def test_lines_are_one_per_stage_and_then_few(monkeypatch: pytest.MonkeyPatch) -> None:
    console = _console(False)
    _run(Lines(console))
    assert _text(console) == "initial ...\noptimize ...\n"
    clock = iter(range(1000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock) * 1.0)
    console = _console(False)
    _run(Lines(console))
    lines = _text(console).splitlines()
    assert lines[2] == "optimize 11/40, about 26 s left  faces 1,234  loss 0.123"
    assert len(lines) == 5
    assert "\x1b" not in _text(console)


def test_a_broken_stage_is_not_shown_as_done() -> None:
    console = _console(True)
    with pytest.raises(ZeroDivisionError), Bars(console) as on_progress:
        on_progress(SimpleNamespace(stage="optimize", step=3, total=40, info={"loss": 1 / 0}))
    assert "40/40" not in _text(console)


def test_time_left_of_steady_steps() -> None:
    """Told from all of them, also where some came at once."""
    column = progress._MeanTimeLeft()
    task = SimpleNamespace(elapsed=50.0, completed=0, total=100)
    assert str(column.render(task)) == "-:--:--"  # type: ignore[arg-type]
    task.completed = 10
    assert str(column.render(task)) == "0:07:30"  # type: ignore[arg-type]
