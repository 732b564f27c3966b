"""`meshopt evaluate`: how far a mesh is from the true one, and how well it fits views."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .commands import OWN, argument, command, option
from .options import (
    READING,
    config_options,
    input_options,
    loudness_options,
    read_views,
    reading_options,
    settings,
)

if TYPE_CHECKING:
    from rich.console import Console

    from meshopt.config import Config
    from meshopt.mesh import Mesh
    from meshopt.report.evaluations import Measured
    from meshopt.views import ViewSet

FLAGS = {  # each flag is a setting
    **READING,
    "align": "evaluate.align",
    "samples": "evaluate.samples",
    "lpips": "evaluate.lpips",
}
COMPILE_SECONDS = 35  # of the kernels that measuring uses, on one core
KERNELS = ("meshopt.evaluate.", "meshopt.intersections_", "meshopt.raster.kernels")
STDOUT = "-"


@command(
    examples=(
        "meshopt evaluate out/mesh.glb --gt truth.obj --align icp",
        "meshopt evaluate out/mesh.glb --views rgb/ --normals normals/ -o figures/",
    ),
    short_help="Measure a mesh against the true one, or against views.",
)
@argument("mesh", metavar="MESH")
@option("--gt", "truth", metavar="MESH", help="The true mesh.")
@input_options
@option("--align", metavar="HOW", help="Lay MESH on the true mesh first: none, bbox, icp.  [default: none]")
@option("--samples", type=int, metavar="N", help="Points on each surface.  [default: 100000]")
@option("--lpips", is_flag=True, default=None, help="Measure LPIPS, too; needs the package lpips.")
@option("--download", is_flag=True, group=OWN, help="Let --lpips fetch the weights it needs.")
@option("-o", "--output", metavar="DIR", help="Folder for evaluation.json, and evaluation.png of the views.")
@option("--json", "record", metavar="FILE", help="The figures as JSON; - is standard output.")
@option("--overwrite", is_flag=True, help="Replace files that are already there.")
@reading_options
@config_options
@loudness_options
def evaluate(
    mesh: str,
    truth: str | None,
    views: str | None,
    normals: str | None,
    download: bool,
    output: str | None,
    record: str | None,
    overwrite: bool,
    source: str | None,
    overrides: tuple[str, ...],
    quiet: bool,
    verbose: int,
    **flags: Any,
) -> int:
    """Measure MESH, any mesh file, against the true mesh, against views, or both.

    All stand in one frame, front +Z, up +Y, in one unit, unless --align lays MESH on the true mesh first.
    docs/evaluate.md says what every figure is.
    """
    from .messages import consoles, messages

    if truth is None and views is None and normals is None:
        raise click.UsageError("Missing option '--gt', the true mesh, or '--views' (and '--normals'), or both.")
    began = time.monotonic()
    out, err = consoles(quiet or record == STDOUT)
    with messages(err, verbose):
        config = settings(source, overrides, flags, FLAGS)
        from meshopt.report.targets import EVALUATION_FILES, check_json_file, check_output_folder

        if output is not None:
            check_output_folder(output, EVALUATION_FILES, overwrite)
        if record not in (None, STDOUT):
            check_json_file(record, overwrite)
        from .figures import show_evaluation
        from .summary import show_sources

        given, true, loaded = _load(mesh, truth, views, normals, config)
        if loaded is not None:
            show_sources(out, loaded)
        measured = _compute((mesh, truth), (given, true, loaded), config, download, (err, quiet))
        files = _write(measured, output, record, overwrite)
        show_evaluation(out, measured.evaluation, files, time.monotonic() - began)
    return 0


def _load(
    mesh: str, truth: str | None, views: str | None, normals: str | None, config: Config
) -> tuple[Mesh, Mesh | None, ViewSet | None]:
    """What was named; the mesh with its texture where there are pictures to compare it with."""
    from meshopt.io.meshes import load_mesh

    given = load_mesh(Path(mesh).expanduser(), views is not None, config.meshes.limits)
    true = None if truth is None else load_mesh(Path(truth).expanduser(), limits=config.meshes.limits)
    if views is None and normals is None:
        return given, true, None
    return given, true, read_views(views, normals, config, "optional")


def _compute(
    names: tuple[str, str | None],
    inputs: tuple[Mesh, Mesh | None, ViewSet | None],
    config: Config,
    download: bool,
    progress: tuple[Console, bool],
) -> Measured:
    """Measures, and says on the console before if kernels are compiled."""
    from meshopt.evaluate.evaluation import evaluate as measure
    from meshopt.report.evaluations import Measured

    from .progress import compiling

    used = {name: module for name, module in sys.modules.items() if name.startswith(KERNELS)}
    with compiling(*progress, COMPILE_SECONDS, used):
        found = measure(*inputs, config.evaluate, download)
    return Measured(*names, inputs[2], config.evaluate, found)


def _write(measured: Measured, output: str | None, record: str | None, overwrite: bool) -> tuple[Path, ...]:
    """Writes what was asked for; the files' paths."""
    from meshopt.report.evaluations import encode_evaluation, write_evaluation, write_evaluation_file

    files: tuple[Path, ...] = ()
    if output is not None:
        files = write_evaluation(measured, output, overwrite)
    if record == STDOUT:
        click.echo(encode_evaluation(measured), nl=False)
    elif record is not None:
        files += (write_evaluation_file(measured, record, overwrite or Path(record) in files),)
    return files
