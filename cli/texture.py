"""`meshopt texture`: a mesh and views in, the mesh with a texture out."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .commands import argument, command
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
    running_options,
    settings,
    texture_options,
)

if TYPE_CHECKING:
    from rich.console import Console

    from meshopt.config import Config

FLAGS = {**READING, **TEXTURING, **RUNNING}  # each flag is a setting
COMPILE_SECONDS = 20  # of the kernels that texturing uses, on one core


@command(
    examples=(
        "meshopt texture mesh.glb --views rgb/ --rig wonder3d -o out/",
        "meshopt texture a.ply --views rgb/ --rig cameras.json --bake optimize -o out/",
    ),
    codes=(0, 1, 2, 3, 130),
)
@argument("mesh", metavar="MESH")
@input_options
@output_options
@reading_options
@running_options
@texture_options
@config_options
@loudness_options
def texture(
    mesh: str,
    views: str | None,
    normals: str | None,
    output: str,
    overwrite: bool,
    source: str | None,
    overrides: tuple[str, ...],
    quiet: bool,
    verbose: int,
    **flags: Any,
) -> int:
    """Texture MESH, any mesh file, from views of it.

    The mesh is to stand as the views' cameras see it: front +Z, up +Y, in their units. Normal maps are needed for
    --bake-normals and for the check of the views only. The mesh's shape stays, unless --faces reduces it.
    """
    from .messages import consoles, messages

    if views is None:
        raise click.UsageError("Missing option '--views'.")
    began = time.monotonic()
    out, err = consoles(quiet)
    with messages(err, verbose):
        config = settings(source, overrides, flags, FLAGS)
        from meshopt.report.folder import check_mesh_stays, check_result_folder, write_result

        check_result_folder(output, overwrite)
        check_mesh_stays(mesh, output, config.output)
        result = _compute(mesh, views, normals, config, out, err, quiet)
        files = write_result(result, output, overwrite)
        from .summary import show_result

        show_result(out, result.report, result.views.notes, files, time.monotonic() - began)
    return exit_code(result.report, config)


def _compute(
    mesh: str, views: str, normals: str | None, config: Config, out: Console, err: Console, quiet: bool
) -> Any:
    """Loads mesh and views, and makes the texture, with progress on `err`."""
    import meshopt.pipeline
    from meshopt.io.meshes import load_mesh

    from .progress import compiling, display
    from .summary import show_sources

    given = load_mesh(Path(mesh).expanduser(), limits=config.meshes.limits)
    loaded = read_views(views, normals, config, "needed" if config.texture.normals else "optional")
    show_sources(out, loaded)
    used = {name: module for name, module in sys.modules.items() if name == "meshopt.texturing.observation_kernels"}
    with compiling(err, quiet, COMPILE_SECONDS, used), display(err, quiet) as on_progress:
        return meshopt.pipeline.texture(given, loaded, config, on_progress)
