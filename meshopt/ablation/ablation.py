"""The whole ablation: every object from every input under every variant, in processes; what was done stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch

from meshopt import parallel
from meshopt.ablation.misalignment import misalignment
from meshopt.ablation.objects import Source, Subject
from meshopt.ablation.plan import Input, Variant
from meshopt.ablation.runs import RUNS, Row, Run, Task, execute, kept
from meshopt.ablation.summary import Group, error_name, groups
from meshopt.devices import choose
from meshopt.errors import InputError
from meshopt.workers import Outcome, work

OVERLAP = 0.5  # of the silhouettes of true and generated views: less is noted


@dataclass(frozen=True)
class Plan:
    """All runs, those of an object one after the other; `done` has the rows of what was kept, by the runs' places."""

    runs: tuple[Run, ...]
    done: dict[int, Row]
    certain: bool
    """The references are ground truth."""
    notes: tuple[str, ...]
    views: dict[str, tuple[str, ...]]
    """The views' names, by object."""

    @property
    def varied(self) -> tuple[str, ...]:
        """Keys of the settings that differ."""
        return tuple(key for key, _ in self.runs[0].variant.varied)

    @property
    def left(self) -> list[int]:
        """Places of the runs that are still to be done."""
        return [i for i in range(len(self.runs)) if i not in self.done]


@dataclass(frozen=True)
class Ablation:
    """What was found. A failed run's row has `error`, a sentence, instead of figures."""

    plan: Plan
    rows: tuple[Row, ...]
    folder: Path

    @property
    def sound(self) -> list[Row]:
        """Rows of runs that did not fail."""
        return [row for row in self.rows if "error" not in row]

    @property
    def groups(self) -> list[Group]:
        """Means by input and variant."""
        return groups(self.sound, self.plan.varied)

    @property
    def error(self) -> str:
        """The figure that is compared: a column."""
        return error_name(self.sound)


def make_plan(
    sources: Sequence[Source],
    damages: Sequence[Input],
    variants: Sequence[Variant],
    folder: str | Path,
    anew: bool = False,
) -> Plan:
    """What `ablate` is to do; `damages`: inputs beside the reference and, where there are any, generated normals.

    Every object is loaded once. With `anew` runs that were kept in `folder` are done again. Raises InputError where an
    object cannot be read, and where there is nothing to compare.
    """
    folder = Path(folder) / RUNS
    runs: list[Run] = []
    notes: list[str] = []
    certain, views = True, {}
    for source in sources:
        subject = source.load()
        certain = certain and subject.certain
        notes += [*getattr(source, "notes", ()), *_notes(subject)]
        views[subject.name] = tuple(camera.name for camera in subject.reference.cameras)
        starts = [Input("reference"), *([Input("generated")] if subject.generated is not None else []), *damages]
        content = subject.fingerprint()
        runs += [Run(source, content, start, variant) for start in starts for variant in variants]
    if len({(run.input, run.variant.label) for run in runs}) < 2:
        raise InputError(
            "there is nothing to compare: expected --gt-normals or --gt-mesh beside --normals, or --corrupt, or --vary."
        )
    known = [] if anew else [(i, kept(Task(run, folder))) for i, run in enumerate(runs)]
    rows = {i: row for i, row in known if row is not None}
    return Plan(tuple(runs), rows, certain, tuple(notes), views)


def ablate(
    plan: Plan,
    folder: str | Path,
    processes: int | None = None,
    on_run: Callable[[Outcome[Row], int, int], None] = lambda outcome, done, total: None,
) -> Ablation:
    """Does the runs of the plan that are left, `processes` at once (by default one per core), each on one thread.

    Every run is kept in `folder`/runs when it is done; one that fails takes no other with it. `on_run` is told of each,
    with how many of all that were left are done. A script that calls this needs `if __name__ == "__main__":`, as the
    processes import it.
    """
    folder, left = Path(folder), plan.left
    variants = {run.variant.label: run.variant for run in plan.runs}
    count = max(1, min(processes or default_processes(list(variants.values())), len(left)))
    rows = dict(plan.done)
    with closing(work(execute, [Task(plan.runs[i], folder / RUNS) for i in left], count)) as outcomes:
        for outcome in outcomes:
            place = left[outcome.index]
            rows[place] = outcome.result or {**plan.runs[place].facts, "error": outcome.error}
            on_run(outcome, len(rows) - len(plan.done), len(left))
    return Ablation(plan, tuple(rows[i] for i in range(len(plan.runs))), folder)


def default_processes(variants: Sequence[Variant]) -> int:
    """One per core where all variants compute on the CPU, else one."""
    on_cpu = all(choose(v.config.device, v.config.backend, torch.device("cpu"))[0].type == "cpu" for v in variants)
    return parallel.cores() if on_cpu else 1


def _notes(subject: Subject) -> list[str]:
    if subject.generated is None:
        return []
    overlap = misalignment(subject.generated, subject.reference).silhouette_iou
    if overlap >= OVERLAP:
        return []
    return [
        f"{subject.name}: the true and the given silhouettes hardly overlap (IoU {overlap:.2f}): expected both to show"
        " the object in the same place and size."
    ]
