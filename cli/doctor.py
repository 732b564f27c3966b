"""`meshopt doctor`: what works here, what does not, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from meshopt.errors import InputError

from .commands import command, option
from .messages import consoles, counted, line, messages

if TYPE_CHECKING:
    from rich.console import Console


@command(
    examples=(
        "meshopt doctor",
        "meshopt doctor --json > doctor.json",
    ),
    codes=(0, 1, 2),
    short_help="Show what works here, and what mends the rest.",
)
@option("--json", "as_json", is_flag=True, help="The same facts as JSON, to go with a bug report.")
def doctor(as_json: bool) -> None:
    """Show devices, rasterisers and optional parts; what is not usable, why, and the command that mends it.

    The exit code is 0 where `meshopt reconstruct` can run, else 2.
    """
    import json

    from meshopt.diagnosis import as_plain, diagnose

    out, err = consoles(quiet=False)
    with messages(err, 0):
        diagnosis = diagnose()
    facts = as_plain(diagnosis)
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        _show(out, facts)
    if facts["obstacle"] is not None:
        raise InputError(f"meshopt reconstruct cannot run here: {diagnosis.obstacle}.")


def _show(out: Console, facts: Mapping[str, Any]) -> None:
    line(out, f"meshopt {facts['meshopt']}, Python {facts['python']}, {facts['platform']}")
    memory = "" if facts["memory_gib"] is None else f", {facts['memory_gib']} GiB of memory"
    line(out, f"{counted(facts['cores'], 'core')}{memory}")
    _show_torch(out, facts["torch"])
    _show_numba(out, facts["numba"])
    if facts["rasterisers"]:
        _show_rasterisers(out, facts["rasterisers"])
    for extra in facts["extras"]:
        packages = ", ".join(f"{name} {version or 'not installed'}" for name, version in extra["packages"].items())
        line(out, f"extra {extra['name']}: {packages}")
    if facts["findings"]:
        line(out, "\nNot usable here, and not required:")
    for finding in facts["findings"]:
        line(out, f"- {finding['what']}: {finding['why']}.")
        if finding["command"]:
            line(out, f"    {finding['command']}")
    if facts["obstacle"] is None:
        line(out, f"\nReady: meshopt reconstruct runs on {facts['device']} with the rasteriser {facts['backend']}.")


def _show_torch(out: Console, torch: Mapping[str, Any] | None) -> None:
    if torch is None:
        return
    driver = f", NVIDIA driver for CUDA {torch['driver_cuda']}" if torch["driver_cuda"] else ""
    line(out, f"torch {torch['version']}, {torch['build']} build{driver}")
    for device in torch["devices"]:
        size = "" if device["memory_gib"] is None else f", {device['memory_gib']} GiB"
        line(out, f"device {device['device']}: {device['name']}{size}")


def _show_numba(out: Console, numba: Mapping[str, Any] | None) -> None:
    if numba is None:
        return
    place = f"kept {'' if numba['cache'].startswith('beside') else 'in '}{numba['cache']}"
    kind = "" if numba["cache_writable"] else " (not writable)"
    share = f"{numba['compiled_share']:.0%} of the kernels are compiled"
    line(out, f"numba {numba['version']}, {share}, {place}{kind}")


def _show_rasterisers(out: Console, rows: list[Mapping[str, Any]]) -> None:
    from rich import box
    from rich.table import Table

    kinds = list(rows[0]["devices"])
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("rasteriser", "version", "licence", "commercial use", *(f"on {kind}" for kind in kinds)):
        table.add_column(name, overflow="fold")
    for row in rows:
        use = {True: "allowed", False: "not allowed", None: "see its licence"}[row["commercial_use"]]
        works = [
            "no" if row["devices"][kind] else "yes, taken by auto" if kind in row["auto_on"] else "yes"
            for kind in kinds
        ]
        table.add_row(row["name"], row["version"] or "-", row["licence"].partition(":")[0], use, *works)
    out.print(table)
