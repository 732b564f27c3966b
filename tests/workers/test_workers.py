"""meshopt.workers: every task has its outcome, whatever it does to its process, and no process is left behind."""

from __future__ import annotations

import contextlib
import functools
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from meshopt import workers
from meshopt.errors import InputError
from meshopt.workers import Outcome, work

HERE = Path(__file__).parent
PATIENCE = 60  # seconds, for what should take one
posix = pytest.mark.skipif(os.name == "nt", reason="signals")


@pytest.fixture(scope="module")
def tasks() -> Iterator[ModuleType]:
    """worker_tasks.py, where processes find it too."""
    sys.path.append(str(HERE))
    yield importlib.import_module("worker_tasks")
    sys.path.remove(str(HERE))


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


def done(function: Callable[[Any], Any], of: Sequence[Any], processes: int = 1, **how: Any) -> list[Outcome[Any]]:
    """The outcomes by task."""
    outcomes = sorted(work(function, of, processes, **how), key=lambda o: o.index)
    assert [o.index for o in outcomes] == list(range(len(of)))
    return outcomes


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether it has ended and its parent knows."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


class Script:
    """A program with the lines, in a process group of its own; arguments are files."""

    def __init__(self, folder: Path, lines: str, *arguments: Path) -> None:
        file = folder / "script.py"
        file.write_text("import worker_tasks\nfrom meshopt.workers import work\n" + lines)
        command = [sys.executable, str(file), *map(str, arguments)]
        self.process = subprocess.Popen(
            command,
            env=os.environ | {"PYTHONPATH": str(HERE)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def said(self) -> str:
        """All that it and its processes write, once the last of them has ended."""
        try:
            return self.process.communicate(timeout=PATIENCE)[0]
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise


def test_every_task_has_its_result(tasks: ModuleType) -> None:
    outcomes = done(tasks.double, range(7), 2)
    assert [o.result for o in outcomes] == [0, 2, 4, 6, 8, 10, 12]
    assert all(o.error is None and not o.bug and o.warnings == () and 0 <= o.seconds < PATIENCE for o in outcomes)


def test_no_tasks_start_no_process() -> None:
    assert list(work(abs, [], 3)) == []


def test_counts_must_be_positive() -> None:
    for processes, threads in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            list(work(abs, [1], processes, threads=threads))


def test_one_process_has_the_tasks_in_order_and_keeps_its_globals(tasks: ModuleType) -> None:
    outcomes = list(work(tasks.count, range(4), 1))
    assert [o.index for o in outcomes] == [0, 1, 2, 3]
    assert [o.result[1] for o in outcomes if o.result] == [1, 2, 3, 4]
    assert {o.result[0] for o in outcomes if o.result}.isdisjoint({os.getpid()})
    assert len({o.result[0] for o in outcomes if o.result}) == 1


def test_outcomes_come_as_they_are_ready(tasks: ModuleType, tmp_path: Path) -> None:
    with contextlib.closing(work(tasks.hang, [tmp_path / "long", None, None], 2)) as outcomes:
        assert [next(outcomes).index, next(outcomes).index] == [1, 2]


def test_partial_functions() -> None:
    assert [o.result for o in done(functools.partial(divmod, 7), [2, 3])] == [(3, 1), (2, 1)]


def test_exceptions_are_sentences(tasks: ModuleType) -> None:
    errors = [TypeError("one\n two"), None, KeyError(), InputError("a.png: no image."), MemoryError()]
    errors.append(FileNotFoundError(2, "No such file", "b.png"))
    wrong, fine, empty, given, full, lost = done(tasks.fail, errors)
    assert (fine.result, fine.error, fine.bug) == ("fine", None, False)
    assert [o.cause for o in (wrong, fine, given, full, lost)] == ["bug", None, "input", "memory", "disk"]
    assert (wrong.error, wrong.bug) == ("TypeError: one two", True)
    assert "in fail" in (wrong.trace or "")
    assert (empty.error, empty.bug) == ("KeyError: no message", True)
    assert (given.error, given.bug) == ("a.png: no image.", False)
    assert (full.error, full.bug) == ("the memory is full", False)
    assert (lost.error, lost.bug) == ("b.png: No such file", False)


@posix
def test_a_process_that_dies_costs_its_own_task_only(tasks: ModuleType) -> None:
    fine, killed, left, last = done(tasks.die, ["no", "kill", "exit", "no"])
    assert (fine.result, last.result) == ("no", "no")
    assert killed.error == "the process was killed by signal 9 (is the memory full?)"
    assert left.error == "the process ended itself with exit code 3"
    assert (killed.cause, left.cause) == ("kill", "crash")


def test_time_limit_of_a_task(tasks: ModuleType, tmp_path: Path) -> None:
    late, fine = done(tasks.hang, [tmp_path / "file", None], seconds=2)
    assert (late.result, late.error) == (None, "took longer than 2 s")
    assert late.cause == "time"
    assert 2 <= late.seconds < PATIENCE
    assert fine.result != int((tmp_path / "file").read_text())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_memory_limit_of_a_process_and_its_children(tasks: ModuleType, tmp_path: Path) -> None:
    started = tmp_path / "child"
    fine, own, child, last = done(
        functools.partial(tasks.fill, started), ["none", "own", "child", "none"], memory=2**28
    )
    assert (fine.error, last.error) == (None, None)
    for large in (own, child):
        assert (large.error, large.cause) == ("needed more than 0.25 GiB of memory", "memory")
    until(lambda: gone(int(started.read_text())))


def test_tasks_are_taken_when_a_process_is_free_for_them(tasks: ModuleType) -> None:
    taken: list[int] = []

    def stream() -> Iterator[int]:
        for number in range(10**9):
            taken.append(number)
            yield number

    with contextlib.closing(work(tasks.double, stream(), 2)) as outcomes:
        assert all(next(outcomes).error is None for _ in range(6))
    assert len(taken) <= 12


def test_environments_of_processes(tasks: ModuleType) -> None:
    """Those of a process are also those of what replaces it."""
    given = [{"MESHOPT_TEST": "a"}]
    first, _, last = done(tasks.variable, [False, True, False], environments=given)
    assert first.result == last.result == "a"
    assert "MESHOPT_TEST" not in os.environ


def test_what_cannot_be_pickled_is_an_error(tasks: ModuleType) -> None:
    local, broken, fine = done(tasks.anything, ["lambda", "broken", "text"])
    assert local.error is not None
    assert broken.error is not None
    assert local.error.startswith("the result cannot be sent: ")
    assert broken.error.startswith("the result cannot be read: ValueError: ")
    assert fine.result == "text"
    unsendable, unreadable, fine = done(tasks.double, [threading.Lock(), tasks.Broken(), 3])
    assert unsendable.error is not None
    assert unreadable.error is not None
    assert unsendable.error.startswith("the task cannot be sent: TypeError: ")
    assert unreadable.error.startswith("ValueError: ")
    assert fine.result == 6
    with pytest.raises(Exception, match="pickle"):
        next(work(lambda task: task, [1], 1))


def test_warnings_come_with_the_outcome(tasks: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    outcomes = done(tasks.warn, [2, 0, 1])
    both = ("one view was mended", "7 views")
    assert [o.warnings for o in outcomes] == [both, (), both]
    assert capfd.readouterr() == ("", "")


def test_threads_are_limited_before_anything_is_imported(tasks: ModuleType) -> None:
    before = dict(os.environ)
    (outcome,) = done(tasks.surroundings, [0], threads=3)
    assert outcome.result is not None
    assert set(outcome.result["variables"].values()) == {"3"}
    assert outcome.result["loaded"] == []
    assert outcome.result["parallel"] == 3
    assert dict(os.environ) == before


def test_torch_has_one_thread(tasks: ModuleType) -> None:
    assert [o.result for o in done(tasks.torch_threads, [0])] == [1]


def test_torch_has_one_thread_where_the_script_asks_for_more(tmp_path: Path) -> None:
    lines = (
        "import torch\n"
        "torch.set_num_threads(2)\n"
        "if __name__ == '__main__':\n"
        "    print([o.result for o in work(worker_tasks.torch_threads, [0], 1)], torch.get_num_threads())\n"
    )
    assert Script(tmp_path, lines).said() == "[1] 2\n"


@posix
def test_closing_early_ends_the_processes(tasks: ModuleType, tmp_path: Path) -> None:
    """They unwind first."""
    files = [tmp_path / "a", tmp_path / "b"]
    outcomes = work(tasks.hang, [files[0], None, files[1]], 2)
    pids = [next(outcomes).result]
    until(lambda: all(f.exists() and f.read_text() for f in files))
    outcomes.close()
    pids += [int(f.read_text()) for f in files]
    assert all(gone(pid) for pid in pids if pid)
    assert all(f.with_suffix(".left").exists() for f in files)


@posix
def test_a_process_that_will_not_end_is_killed(
    tasks: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "GRACE", 0.2)
    file = tmp_path / "a"
    outcomes = work(tasks.stubborn, [None, file], 1)
    next(outcomes)
    until(lambda: file.exists() and bool(file.read_text()))
    outcomes.close()
    assert gone(int(file.read_text()))
    assert not file.with_suffix(".left").exists()


WAITING = (
    "import pathlib, sys\n"
    "if __name__ == '__main__':\n"
    "    try:\n"
    "        print('go', flush=True)\n"
    "        list(work(worker_tasks.%s, [pathlib.Path(a) for a in sys.argv[1:]], 2))\n"
    "    except KeyboardInterrupt:\n"
    "        print('interrupted')\n"
)


@posix
@pytest.mark.parametrize("function", ["hang", "stubborn"])
def test_processes_end_with_their_parent_even_if_it_is_killed(function: str, tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    script = Script(tmp_path, WAITING % function, *files)
    until(lambda: all(f.exists() for f in files))
    script.process.kill()
    assert script.said() == "go\n"
    assert [f.with_suffix(".left").exists() for f in files] == [function == "hang"] * 2


@posix
def test_interruption_is_the_parent_s_alone(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    script = Script(tmp_path, WAITING % "hang", *files)
    until(lambda: all(f.exists() for f in files))
    os.killpg(script.process.pid, signal.SIGINT)
    assert script.said() == "go\ninterrupted\n"
    assert all(f.with_suffix(".left").exists() for f in files)


@posix
@pytest.mark.parametrize("delay", [0, 0.03, 0.06])
def test_interruption_while_processes_start(delay: float, tmp_path: Path) -> None:
    script = Script(tmp_path, WAITING % "hang", tmp_path / "a", tmp_path / "b")
    assert script.process.stdout is not None
    assert script.process.stdout.readline() == "go\n"
    time.sleep(delay)
    os.killpg(script.process.pid, signal.SIGINT)
    assert script.said() == "interrupted\n"


def test_processes_that_cannot_start(tasks: ModuleType) -> None:
    with pytest.raises(RuntimeError, match=r"\d processes in a row ended before.*exit code 7"):
        done(tasks.Unstartable(), range(4), 2)


def test_a_process_that_does_not_start_once_costs_no_task(tasks: ModuleType, tmp_path: Path) -> None:
    assert [o.result for o in done(tasks.Unstartable(tmp_path / "file"), [1, 2])] == [2, 4]


def test_a_function_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("only_here")
    exec("def function(task): pass", vars(module))
    monkeypatch.setitem(sys.modules, "only_here", module)
    with pytest.raises(RuntimeError, match=r"cannot load its function: ModuleNotFoundError.*only_here"):
        done(module.function, range(4), 2)


def test_a_script_without_a_guard_ends(tmp_path: Path) -> None:
    script = Script(tmp_path, "list(work(worker_tasks.double, [1, 2], 1))\n")
    assert "RuntimeError: 3 processes in a row ended before" in script.said()
    assert script.process.returncode == 1
