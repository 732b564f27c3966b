"""`meshopt check`: whether views fit together, and which does not, where and by how much."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .commands import command, option
from .options import (
    READING,
    config_options,
    html_option,
    input_options,
    loudness_options,
    read_views,
    reading_options,
    require_input,
    settings,
)

if TYPE_CHECKING:
    from rich.console import Console

    from meshopt.config import CheckConfig
    from meshopt.consistency import Checked
    from meshopt.views import ViewSet

FLAGS = {**READING, "deep": "check.deep", "html": "output.html"}  # each flag is a setting
COMPILE_SECONDS = 20  # of the kernels that the checks use, on one core
STDOUT = "-"


@command(
    examples=(
        "meshopt check --views rgb/ --normals normals/ -o check/",
        "meshopt check --views views/ --json - --deep --strict",
    ),
    codes=(0, 1, 2, 3, 130),
)
@input_options
@option("-o", "--output", metavar="DIR", help="Folder for report.html, check.json and check.png.")
@option("--json", "record", metavar="FILE", help="The findings as JSON; - is standard output.")
@option("--overwrite", is_flag=True, help="Replace files that are already there.")
@option("--strict", is_flag=True, help="Exit with 3 for suspect views, too.")
@option("--deep", is_flag=True, default=None, help="Leave each view out in turn, too: some seconds more.")
@html_option
@reading_options
@config_options
@loudness_options
def check(
    views: str | None,
    normals: str | None,
    output: str | None,
    record: str | None,
    overwrite: bool,
    strict: bool,
    source: str | None,
    overrides: tuple[str, ...],
    quiet: bool,
    verbose: int,
    **flags: Any,
) -> int:
    """Say which view does not fit the others, and why.

    For everything found: where, by how much, and what mends it. The exit code is 3 where the views are inconsistent,
    else 0.
    """
    from .messages import consoles, messages

    require_input(views, normals)
    began = time.monotonic()
    out, err = consoles(quiet or record == STDOUT)
    with messages(err, verbose):
        config = settings(source, overrides, flags, FLAGS)
        from meshopt.report.targets import CHECK_FILES, check_json_file, check_output_folder

        if output is not None:
            check_output_folder(output, CHECK_FILES, overwrite)
        if record not in (None, STDOUT):
            check_json_file(record, overwrite)
        loaded = read_views(views, normals, config)
        from .summary import show_findings, show_sources

        show_sources(out, loaded)
        checked = examined(loaded, config.check, err, quiet)
        files = _write(loaded, checked, output, record, overwrite, config.output.html)
        show_findings(out, checked.report, files, time.monotonic() - began)
    return _exit_code(checked.report.verdict, strict)


def examined(views: ViewSet, settings: CheckConfig, err: Console, quiet: bool) -> Checked:
    """The views, checked; says so where kernels have to be compiled first."""
    import meshopt.consistency

    from .progress import compiling

    used = {name: module for name, module in sys.modules.items() if name == "meshopt.initial.depth_kernels"}
    with compiling(err, quiet, COMPILE_SECONDS, used):
        return meshopt.consistency.check(views, settings)


def _write(
    views: ViewSet, checked: Checked, output: str | None, record: str | None, overwrite: bool, html: bool
) -> tuple[Path, ...]:
    """Writes what was asked for; the files' paths."""
    from meshopt.report.findings import encode_findings, write_findings, write_findings_file

    files: tuple[Path, ...] = ()
    if output is not None:
        files = write_findings(views, checked, output, overwrite, html)
    if record == STDOUT:
        click.echo(encode_findings(views, checked), nl=False)
    elif record is not None:
        files += (write_findings_file(views, checked, record, overwrite or Path(record) in files),)
    return files


def _exit_code(verdict: str, strict: bool) -> int:
    from .main import INCONSISTENT, OK

    return INCONSISTENT if verdict == "inconsistent" or (strict and verdict == "suspect") else OK
