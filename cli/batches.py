"""What `meshopt batch` says: what there is to do before, what came of it after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from .messages import counted, line
from .progress import duration

if TYPE_CHECKING:
    from meshopt.batch import Plan, Totals
    from meshopt.batch.summary import Summary

MOST_PROBLEMS = 10  # that are shown


def show_plan(console: Console, plan: Plan, processes: int | None = None) -> None:
    """How many assets there are, how many are left, and how many are done at once."""
    if plan.total > plan.left:
        were = "was" if len(plan.done) == 1 else "were"
        before = f"{len(plan.done)} {were} done before and did not change, {plan.left or 'none'} left"
        text = f"{counted(plan.total, 'asset')}: {before}"
    else:
        text = counted(plan.total, "asset")
    at_once = f", {min(processes, plan.left)} at once" if processes and plan.left else ""
    line(console, f"{text}{at_once}.")


def show_problems(console: Console, plan: Plan) -> int:
    """What is wrong with inputs; how many are."""
    from meshopt.batch.batch import missing

    count = 0
    for problem in missing(plan):
        count += 1
        if count <= MOST_PROBLEMS:
            line(console, f"Problem: {problem}")
    if count > MOST_PROBLEMS:
        line(console, f"... and {count - MOST_PROBLEMS} more.")
    found = f"{counted(count, 'asset')} would fail" if count else "No problem was found"
    line(console, f"{found}. Dry run: nothing was written.")
    return count


def show_totals(console: Console, plan: Plan, totals: Totals, summary: Summary, seconds: float) -> None:
    """How many were done and have failed, what the checks said of all, and what was written."""
    if plan.left:
        pace = f", one every {seconds / totals.done:.1f} s" if totals.done > 1 else ""
        line(console, f"{totals.done} of {counted(plan.left, 'asset')} done in {duration(seconds)}{pace}.")
    if totals.failed:
        more = totals.failed - len(totals.failures)
        names = ", ".join(totals.failures) + (f" and {more} more" if more else "")
        line(console, f"{totals.failed} failed: {names}. The table says why; --resume tries them again.")
    if summary.verdicts:
        said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(summary.verdicts.items()))
        line(console, f"Consistency of all results: {said}.")
    line(console, f"Wrote {', '.join(summary.files)}; results are in {plan.options.output}/NAME/.")
