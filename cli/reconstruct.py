"""`meshopt reconstruct`: views and normals in, a folder with the mesh out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from .options import (
    READING,
    RUNNING,
    TEXTURING,
    config_options,
    exit_code,
    input_options,
    loudness_options,
    output_options,
    read_views,
    reading_options,
    require_input,
    running_options,
    settings,
    texture_options,
)

if TYPE_CHECKING:
    from rich.console import Console

    from meshopt.config import Config

FLAGS = {  # each flag is a setting
    **READING,
    **TEXTURING,
    **RUNNING,
    "model": "generate.model",
    "init": "initial.method",
    "quality": "quality",
    "seed": "seed",
}
COMPILE_SECONDS = 50  # of all kernels, on one core


@click.command()
@click.argument("image", required=False, metavar="[IMAGE]")
@input_options
@output_options
@reading_options
@click.option("--model", metavar="NAME|DIR", help="For IMAGE: the model that makes views of it, or its weights.")
@click.option("--download", is_flag=True, help="For IMAGE: download the model's weights where they are missing.")
@click.option("--trust-remote-code", is_flag=True, help="For IMAGE: run the pipeline code of the model's authors.")
@click.option("--allow-pickle", is_flag=True, help="For IMAGE: read weights in .bin files, too.")
@click.option("--init", metavar="HOW|FILE", help="auto, carved, hull, normals, sphere or a mesh.  [default: auto]")
@click.option("--quality", metavar="HOW", help="fast, default or best.")
@running_options
@texture_options
@config_options
@click.option("--seed", type=int, metavar="N", help="Seed of every random number.  [default: 0]")
@click.option("--plot", is_flag=True, help="Draw the losses of every step: curves.png (needs matplotlib).")
@loudness_options
def reconstruct(
    image: str | None,
    views: str | None,
    normals: str | None,
    output: str,
    overwrite: bool,
    source: str | None,
    overrides: tuple[str, ...],
    download: bool,
    trust_remote_code: bool,
    allow_pickle: bool,
    plot: bool,
    quiet: bool,
    verbose: int,
    **flags: Any,
) -> int:
    """Make a textured mesh from views of one object and their normal maps, or from IMAGE alone.

    Of IMAGE, a model makes the views first (see `meshopt generate`); they are kept in views/ beside the mesh.

    Every flag is a setting too; `meshopt config` lists them all. With --strict the exit code is 3 where the views are
    inconsistent.
    """
    from .messages import consoles, messages

    if image is None:
        require_input(views, normals)
    elif views is not None or normals is not None:
        raise click.UsageError("IMAGE is one picture to make views of: it goes without '--views' and '--normals'.")
    began = time.monotonic()
    out, err = consoles(quiet)
    with messages(err, verbose):
        config = settings(source, overrides, flags, FLAGS)
        from meshopt.report.folder import check_result_folder, write_result

        check_result_folder(output, overwrite)
        if plot:
            from meshopt.report.plot import require_matplotlib

            require_matplotlib()
        if image is not None:
            from .generate import views_of

            allowed = {"download": download, "trust_remote_code": trust_remote_code, "allow_pickle": allow_pickle}
            views = views_of(image, config, output, overwrite, allowed, out, err, quiet)
        result = _compute(views, normals, config, out, err, quiet)
        files = write_result(result, output, overwrite, plot)
        from .summary import show_result

        show_result(out, result.report, result.views.notes, files, time.monotonic() - began)
    return exit_code(result.report, config)


def _compute(views: str | None, normals: str | None, config: Config, out: Console, err: Console, quiet: bool) -> Any:
    """Loads the views and reconstructs, with progress on `err`."""
    import meshopt.pipeline

    from .progress import compiling, display
    from .summary import show_sources

    loaded = read_views(views, normals, config)
    show_sources(out, loaded)
    with compiling(err, quiet, COMPILE_SECONDS), display(err, quiet) as on_progress:
        return meshopt.pipeline.reconstruct(loaded, config, on_progress)
