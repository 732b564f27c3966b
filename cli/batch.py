"""`meshopt batch`: hundreds of assets or millions, each as `meshopt reconstruct` would do it."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import click

from .commands import argument, command, option
from .options import (
    MAKING,
    config_options,
    flag_overrides,
    loudness_options,
    making_options,
    output_options,
)

if TYPE_CHECKING:
    from rich.console import Console

    from meshopt.batch import Options, Plan, Totals
    from meshopt.batch.engines import Engine
    from meshopt.batch.status import Record, Status

MOST_LINES = 20  # failures that are said as they come
UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def _bytes(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?) *([kmgt]?)(?:i?b)?", value.strip().lower())
    size = 0 if found is None else int(float(found[1]) * UNITS[found[2]])
    if size < 2**20:
        raise click.BadParameter(f"{value!r} is no size, expected bytes with a suffix, such as 4G or 800M")
    return size


@command(
    examples=(
        "meshopt batch assets/ -o out/",
        "meshopt batch assets.csv -o out/ --resume --seconds 600 --memory 4G",
        "meshopt batch assets/ -o out/ --dry-run",
    ),
    codes=(0, 1, 2, 4, 130),
    short_help="Reconstruct many assets, each in a process of its own.",
)
@argument("assets", metavar="DIR|MANIFEST")
@output_options
@option("--resume", is_flag=True, help="Go on: leave what is done and has not changed.")
@option("--dry-run", is_flag=True, help="Check manifest and input, say what would be done, and stop.")
@option("--processes", type=click.IntRange(1, 100_000), metavar="N", help="At once.  [default: one per core]")
@option("--seconds", type=click.FloatRange(1), metavar="S", help="Time limit of an asset.  [default: none]")
@option("--memory", callback=_bytes, metavar="SIZE", help="Limit of a process, as 4G.  [default: none]")
@option(
    "--retries",
    type=click.IntRange(0, 100),
    default=1,
    metavar="N",
    help="After a crash, a kill, too much time or memory.  [default: 1]",
)
@option("--engine", type=click.Choice(["local", "ray"]), default="local", help="Where.  [default: local]")
@option("--ray-address", metavar="ADDRESS", help="Of a Ray cluster; auto: the one of this machine.")
@option(
    "--gpus-per-asset",
    type=click.FloatRange(0.001, 64),
    metavar="X",
    help="Share of a GPU, as 0.25.  [default: 1 where settings compute on one]",
)
@making_options
@config_options
@loudness_options
def batch(assets: str, output: str, quiet: bool, verbose: int, dry_run: bool, **flags: Any) -> int:
    """Reconstruct every asset of DIR, which has a folder for each, or of MANIFEST, a CSV or JSONL file.

    OUTPUT/NAME/ is what `meshopt reconstruct` would have written. An asset that fails takes no other with it: what
    became of each is in status.jsonl at once, and in summary.csv at the end. The exit code is 4 where some have failed.
    """  # fmt: skip
    from .messages import consoles, line, messages

    began = time.monotonic()
    out, err = consoles(quiet)
    if flags["resume"] and flags["overwrite"]:
        raise click.UsageError("--resume goes on, --overwrite does all again: expected one of them.")
    with messages(err, verbose):
        from meshopt.batch.batch import make_plan, opened_status
        from meshopt.batch.summary import write_summary

        from .batches import show_plan, show_problems, show_totals
        from .main import INTERRUPTED, OK, SOME_FAILED

        options = _options(assets, output, flags)
        with opened_status(options, dry_run) as status, ExitStack() as stack:
            plan = make_plan(options, status)
            if dry_run:
                show_plan(out, plan)
                return SOME_FAILED if show_problems(out, plan) else OK
            engine = _engine(options, flags, stack)
            show_plan(out, plan, engine.processes)
            try:
                totals = _run(plan, engine, status, err, quiet)
            except KeyboardInterrupt:
                files = write_summary(status, output).files
                line(err, f"Interrupted: what is done is kept, --resume goes on. Wrote {', '.join(files)}.")
                return INTERRUPTED
            summary = write_summary(status, output)
        show_totals(out, plan, totals, summary, time.monotonic() - began)
    return SOME_FAILED if totals.failed else OK


def _options(assets: str, output: str, flags: dict[str, Any]) -> Options:
    from meshopt.batch import Options
    from meshopt.config import overrides_in
    from meshopt.settings import Override

    given = [] if flags["source"] is None else overrides_in(flags["source"])
    given += flag_overrides({name: flags[name] for name in MAKING}, MAKING)
    given += [Override.parse(text) for text in flags["overrides"]]
    how = {name: flags[name] for name in ("resume", "overwrite", "retries")}
    return Options(assets, output, tuple(given), **how)


def _engine(options: Options, flags: dict[str, Any], stack: ExitStack) -> Engine:
    from meshopt.batch.engines import Limits, this_machine

    limits = Limits(flags["seconds"], flags["memory"], flags["gpus_per_asset"] or 0.0)
    if flags["engine"] == "local" and flags["ray_address"] is None:
        return this_machine(options.config, flags["processes"], limits)
    from meshopt.batch.ray_engine import cluster

    return stack.enter_context(cluster(flags["ray_address"], flags["processes"], limits))


def _run(plan: Plan, engine: Engine, status: Status, err: Console, quiet: bool) -> Totals:
    """Does what is left, with progress and failures on the console."""
    from meshopt.batch import Totals, run_batch

    from .messages import line
    from .progress import display

    if not plan.left:
        return Totals()
    said: list[str] = []
    with display(err, quiet, steady=True) as on_progress:

        def show(done: int, **info: int) -> None:
            on_progress(SimpleNamespace(stage="assets", step=done, total=plan.left, info=info))

        def on_try(record: Record, totals: Totals) -> None:
            if record["state"] != "done" and len(said) < MOST_LINES:
                said.append(record["asset"])
                word = "Failed" if record["state"] == "failed" else "To be tried again"
                line(err, f"{word}: {record['asset']}: {record['error']}")
                if len(said) == MOST_LINES:
                    line(err, "No more of them are shown here; status.jsonl has all.")
            show(totals.done + totals.failed, failed=totals.failed)

        show(0)
        return run_batch(plan, engine, status, on_try)
