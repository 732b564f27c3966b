"""`meshopt reconstruct`: views and normals in, a folder with the mesh out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from .options import (
    READING,
    config_options,
    input_options,
    loudness_options,
    read_views,
    reading_options,
    require_input,
    settings,
)

if TYPE_CHECKING:
    from rich.console import Console

    from meshopt.config import Config

FLAGS = {  # each flag is a setting
    **READING,
    "init": "initial.method",
    "quality": "quality",
    "faces": "output.faces",
    "formats": "output.formats",
    "seed": "seed",
    "device": "device",
    "backend": "backend",
    "strict": "check.strict",
    "correct": "check.correct",
}
COMPILE_SECONDS = 45  # of all kernels, on one core


def _split(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> list[str] | None:
    return [name.strip() for item in value for name in item.split(",") if name.strip()] or None


@click.command()
@input_options
@click.option("-o", "--output", required=True, metavar="DIR", help="Folder for the result.")
@click.option("--overwrite", is_flag=True, help="Replace a result that is already there.")
@reading_options
@click.option("--init", metavar="HOW|FILE", help="auto, carved, hull, normals, sphere or a mesh.  [default: auto]")
@click.option("--quality", metavar="HOW", help="fast, default or best.")
@click.option("--faces", type=int, metavar="N", help="Number of faces of the result.")
@click.option(
    "--format", "formats", multiple=True, metavar="LIST", callback=_split, help="glb,obj,ply.  [default: glb]"
)
@config_options
@click.option("--seed", type=int, metavar="N", help="Seed of every random number.  [default: 0]")
@click.option("--device", metavar="DEVICE", help="auto, cpu, cuda, ...  [default: auto]")
@click.option("--backend", metavar="NAME", help="Rasteriser: auto, cpu, ...  [default: auto]")
@click.option("--strict", is_flag=True, default=None, help="Stop before the colours where views are inconsistent.")
@click.option("--correct/--no-correct", default=None, help="Mend views that do not fit.  [default: correct]")
@click.option("--plot", is_flag=True, help="Draw the losses of every step: curves.png (needs matplotlib).")
@loudness_options
def reconstruct(
    views: str | None,
    normals: str | None,
    output: str,
    overwrite: bool,
    source: str | None,
    overrides: tuple[str, ...],
    plot: bool,
    quiet: bool,
    verbose: int,
    **flags: Any,
) -> int:
    """Make a mesh from views of one object and their normal maps.

    Every flag is a setting too; `meshopt config` lists them all. With --strict the exit code is 3 where the views are
    inconsistent.
    """
    from .messages import consoles, messages

    require_input(views, normals)
    began = time.monotonic()
    out, err = consoles(quiet)
    with messages(err, verbose):
        config = settings(source, overrides, flags, FLAGS)
        from meshopt.report.folder import check_result_folder, write_result

        check_result_folder(output, overwrite)
        if plot:
            from meshopt.report.plot import require_matplotlib

            require_matplotlib()
        result = _compute(views, normals, config, out, err, quiet)
        files = write_result(result, output, overwrite, plot)
        from .summary import show_result

        show_result(out, result.report, result.views.notes, files, time.monotonic() - began)
    return _exit_code(result.report, config)


def _exit_code(report: Mapping[str, Any], config: Config) -> int:
    from .main import INCONSISTENT, OK

    return INCONSISTENT if config.check.strict and report.get("verdict") == "inconsistent" else OK


def _compute(views: str | None, normals: str | None, config: Config, out: Console, err: Console, quiet: bool) -> Any:
    """Loads the views and reconstructs, with progress on `err`."""
    import meshopt.pipeline
    from meshopt.compilation import compiled_share, patient_collection

    from .progress import display
    from .summary import show_sources

    loaded = read_views(views, normals, config)
    show_sources(out, loaded)
    missing = 1 - compiled_share()
    if missing > 0.3 and not quiet:
        err.print(f"Compiling kernels, first run only, about {COMPILE_SECONDS * missing:.0f} s.", highlight=False)
    with patient_collection() if missing else nullcontext(), display(err, quiet) as on_progress:
        return meshopt.pipeline.reconstruct(loaded, config, on_progress)
