"""What `meshopt ablate` says: the plan before, the table after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from .messages import counted, line
from .progress import duration

if TYPE_CHECKING:
    from meshopt.ablation.ablation import Ablation, Plan

MOST_ERRORS = 10  # that are shown
SHOWN = ("input_deg", "visible_chamfer_pct", "view_normal_deg", "silhouette_iou")  # the files have more


def show_plan(console: Console, plan: Plan, processes: int) -> None:
    """How many runs there are, how many are left, and how long they take where some were done before."""
    inputs = len({(run.input.label, run.input.seed) for run in plan.runs})
    variants = len({run.variant.label for run in plan.runs})
    parts = [counted(len(plan.views), "object"), counted(inputs, "input"), counted(variants, "setting")]
    line(console, f"{', '.join(parts)}: {counted(len(plan.runs), 'run')}, {processes} at once.")
    if plan.done:
        seconds = fmean(row["seconds"] for row in plan.done.values()) * len(plan.left) / processes
        left = f"the other {len(plan.left)} will take about {duration(seconds)}" if plan.left else "none is left"
        line(console, f"{len(plan.done)} were done before; {left}.")
    else:
        line(console, "How long they take is known after the first.")
    for note in plan.notes:
        line(console, f"Note: {note}")


def show_ablation(console: Console, ablation: Ablation, files: Sequence[Path], seconds: float) -> None:
    """The means by input and setting, what failed, and what was written."""
    from meshopt.report.page.ablation import headline

    groups = ablation.groups
    if groups:
        console.print(_table(ablation))
        said = headline(ablation, groups)
        if said:
            line(console, said)
    failed = [row for row in ablation.rows if "error" in row]
    for row in failed[:MOST_ERRORS]:
        line(console, f"Failed: {row['object']}, {row['input']}: {row['error']}")
    if len(failed) > MOST_ERRORS:
        line(console, f"... and {len(failed) - MOST_ERRORS} more.")
    shown = [file for file in files if file.parent == ablation.folder]
    line(console, f"Wrote {', '.join(map(str, shown))} in {duration(seconds)}.")


def _table(ablation: Ablation) -> Table:
    from meshopt.ablation.plan import shown
    from meshopt.report.page.ablation import COLUMNS

    groups = ablation.groups
    columns = [c for c in COLUMNS if c[0] in SHOWN and any(c[0] in group.figures for group in groups)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    varied = [key.rpartition(".")[2] for key in ablation.plan.varied]
    for i, name in enumerate(["input", *varied, "runs", *(head for _, head, _ in columns), "error"]):
        table.add_column(name, justify="right" if i > len(varied) else "left", no_wrap=i == 0)
    for group in groups:
        figures = (_number(group.figures.get(name), form) for name, _, form in columns)
        increase = "" if group.increase_pct is None else f"{group.increase_pct:+.0f} %"
        values = (shown(value) for _, value in group.variant)
        table.add_row(group.input, *values, str(group.runs), *figures, increase)
    return table


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"
