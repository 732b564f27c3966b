"""The whole: what is planned, what is done again, and what a failure costs; runs are made up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meshopt.ablation import ablation
from meshopt.ablation.ablation import RUNS, ablate, default_processes, make_plan
from meshopt.ablation.objects import Subject
from meshopt.ablation.plan import Damage, Input, variants
from meshopt.ablation.runs import RUN_FILES, Task
from meshopt.errors import InputError
from meshopt.parallel import cores
from meshopt.worker_process import Outcome

NOISE = [Input("corrupted", (Damage("noise", 5.0),), seed) for seed in (1, 2)]
ONE = variants(None, [], [])
TWO = variants(None, [], [("check.correct", (True, False))])


class Work:
    """In place of meshopt.workers.work: done at once, last task first; `fails` has names of runs that fail."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.fails: dict[str, str] = {}
        self.stop_after = 1000

    def __call__(self, function: Callable[..., Any], tasks: Sequence[Task], processes: int) -> Iterator[Outcome[Any]]:
        for index in reversed(range(len(tasks))):
            if len(self.done) >= self.stop_after:
                raise KeyboardInterrupt
            run = tasks[index].run
            self.done.append(run.name)
            if run.input.label in self.fails:
                yield Outcome(index, error=self.fails[run.input.label])
                continue
            measured = {"view_normal_deg": float(len(self.done)), "input_deg": 1.0, "seconds": 1.0}
            place = tasks[index].folder / run.name
            place.mkdir(parents=True)
            for name in RUN_FILES:
                (place / name).write_text(json.dumps({"schema": 1, "measured": measured}))
            yield Outcome(index, tasks[index].row(measured), seconds=1.0)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    fake = Work()
    monkeypatch.setattr(ablation, "work", fake)
    return fake


def test_every_object_input_and_variant(subject: Subject, tmp_path: Path) -> None:
    other = replace(subject, name="other", generated=None)
    plan = make_plan([subject, other], NOISE, TWO, tmp_path)
    assert [run.source.name for run in plan.runs] == ["egg"] * 8 + ["other"] * 6
    assert [run.input.label for run in plan.runs[:8:2]] == ["reference", "generated", "noise 5", "noise 5"]
    assert {run.variant.label for run in plan.runs} == {"check.correct=true", "check.correct=false"}
    assert plan.varied == ("check.correct",)
    assert plan.left == list(range(14))
    assert set(plan.views) == {"egg", "other"}


def test_nothing_to_compare(subject: Subject, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to compare"):
        make_plan([replace(subject, generated=None)], [], ONE, tmp_path)


def test_silhouettes_that_do_not_meet_are_noted(subject: Subject, tmp_path: Path) -> None:
    assert subject.generated is not None
    empty = replace(subject.generated, masks=subject.generated.masks * 0)
    assert "hardly overlap" in make_plan([replace(subject, generated=empty)], [], ONE, tmp_path).notes[0]
    assert make_plan([subject], [], ONE, tmp_path).notes == ()


def test_rows_are_in_the_order_of_the_plan(subject: Subject, tmp_path: Path, work: Work) -> None:
    told: list[tuple[int, int]] = []
    plan = make_plan([subject], NOISE, ONE, tmp_path)
    done = ablate(plan, tmp_path, 2, lambda outcome, count, total: told.append((count, total)))
    assert [(row["input"], row["input_seed"]) for row in done.rows] == [
        ("reference", None), ("generated", None), ("noise 5", 1), ("noise 5", 2),
    ]  # fmt: skip
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [group.runs for group in done.groups] == [1, 1, 2]


def test_what_was_stopped_goes_on(subject: Subject, tmp_path: Path, work: Work) -> None:
    work.stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        ablate(make_plan([subject], NOISE, ONE, tmp_path), tmp_path)
    before = list(work.done)
    work.stop_after = 1000
    plan = make_plan([subject], NOISE, ONE, tmp_path)
    assert len(plan.left) == 2
    done = ablate(plan, tmp_path)
    assert len(set(work.done)) == len(work.done) == 4
    assert [row["view_normal_deg"] for row in done.rows] == [4.0, 3.0, 2.0, 1.0]
    again = make_plan([subject], NOISE, ONE, tmp_path)
    assert again.left == []
    assert ablate(again, tmp_path).rows == done.rows
    assert before == work.done[:2]


def test_more_inputs_leave_what_was_done(subject: Subject, tmp_path: Path, work: Work) -> None:
    ablate(make_plan([subject], NOISE[:1], ONE, tmp_path), tmp_path)
    plan = make_plan([subject], NOISE, ONE, tmp_path)
    assert [plan.runs[i].input.seed for i in plan.left] == [2]


def test_begun_anew_all_is_done_again(subject: Subject, tmp_path: Path, work: Work) -> None:
    ablate(make_plan([subject], NOISE, ONE, tmp_path), tmp_path)
    assert len(make_plan([subject], NOISE, ONE, tmp_path, anew=True).left) == 4


def test_a_failure_is_a_row_and_is_tried_again(subject: Subject, tmp_path: Path, work: Work) -> None:
    work.fails["generated"] = "the views have no silhouettes."
    done = ablate(make_plan([subject], NOISE, ONE, tmp_path), tmp_path)
    assert done.rows[1]["error"] == "the views have no silhouettes."
    assert len(done.sound) == 3
    assert [group.input for group in done.groups] == ["reference", "noise 5"]
    assert make_plan([subject], NOISE, ONE, tmp_path).left == [1]
    assert not (tmp_path / RUNS / work.done[-2]).exists()


def test_on_the_cpu_all_cores_work() -> None:
    assert default_processes(variants(None, ["device=cpu"], [])) == cores()
