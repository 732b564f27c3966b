"""`meshopt reconstruct`: views and normals in, a folder with the mesh out."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from meshopt.config import Config

FLAGS = {  # each flag is a setting
    "rig": "views.rig",
    "normal_frame": "views.normal_frame",
    "normal_axes": "views.normal_axes",
    "matting": "views.matting",
    "matting_model": "views.matting_model",
    "resolution": "views.resolution",
    "init": "initial.method",
    "quality": "quality",
    "faces": "output.faces",
    "formats": "output.formats",
    "seed": "seed",
    "device": "device",
    "backend": "backend",
}
COMPILE_SECONDS = 45  # of all kernels, on one core


def _split(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> list[str] | None:
    return [name.strip() for item in value for name in item.split(",") if name.strip()] or None


@click.command()
@click.option("--views", metavar="DIR|SHEET", help="Colour images, or one sheet of them.")
@click.option("--normals", metavar="DIR|SHEET", help="Normal maps, or one sheet; or they lie in --views.")
@click.option("-o", "--output", required=True, metavar="DIR", help="Folder for the result.")
@click.option("--overwrite", is_flag=True, help="Replace a result that is already there.")
@click.option("--rig", metavar="NAME|FILE", help="Camera layout or cameras file.  [default: auto]")
@click.option("--normal-frame", metavar="FRAME", help="auto, camera, front or world.  [default: auto]")
@click.option("--normal-axes", metavar="AXES", help="auto, opengl, opencv, directx, ...  [default: auto]")
@click.option("--matting", metavar="HOW", help="auto, alpha, normals, background, rembg, none.")
@click.option("--matting-model", metavar="FILE", help="Model name or local ONNX file for rembg.")
@click.option("--resolution", type=int, metavar="N", help="Pixels per side of each view.")
@click.option("--init", metavar="HOW|FILE", help="auto, carved, hull, normals, sphere or a mesh.  [default: auto]")
@click.option("--quality", metavar="HOW", help="fast, default or best.")
@click.option("--faces", type=int, metavar="N", help="Number of faces of the result.")
@click.option(
    "--format", "formats", multiple=True, metavar="LIST", callback=_split, help="glb,obj,ply.  [default: glb]"
)
@click.option("--config", "source", metavar="FILE|PRESET", help="Settings; flags and --set go over them.")
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="One setting; may be repeated.")
@click.option("--seed", type=int, metavar="N", help="Seed of every random number.  [default: 0]")
@click.option("--device", metavar="DEVICE", help="auto, cpu, cuda, ...  [default: auto]")
@click.option("--backend", metavar="NAME", help="Rasteriser: auto, cpu, ...  [default: auto]")
@click.option("--plot", is_flag=True, help="Draw the losses of every step: curves.png (needs matplotlib).")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but warnings and errors.")
@click.option("--verbose", "-v", count=True, help="Say more; -vv says all.")
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
) -> None:
    """Make a mesh from views of one object and their normal maps.

    Every flag is a setting too; `meshopt config` lists them all.
    """
    from .messages import consoles, messages

    if views is None and normals is None:
        raise click.UsageError("Missing option '--normals' (and '--views', where there are colours).")
    began = time.monotonic()
    out, err = consoles(quiet)
    with messages(err, verbose):
        config = _settings(source, overrides, flags)
        from meshopt.report.folder import check_result_folder, write_result

        check_result_folder(output, overwrite)
        if plot:
            from meshopt.report.plot import require_matplotlib

            require_matplotlib()
        result = _compute(views, normals, config, out, err, quiet)
        files = write_result(result, output, overwrite, plot)
        from .summary import show_result

        show_result(out, result.report, result.views.notes, files, time.monotonic() - began)


def _settings(source: str | None, overrides: tuple[str, ...], flags: dict[str, Any]) -> Config:
    from meshopt.config import load_config
    from meshopt.settings import Override

    given = [
        Override(FLAGS[name], value, f"--{name.replace('_', '-').replace('formats', 'format')}")
        for name, value in flags.items()
        if value is not None
    ]
    return load_config(source, [*given, *overrides])


def _compute(views: str | None, normals: str | None, config: Config, out: Console, err: Console, quiet: bool) -> Any:
    """Loads the views and reconstructs, with progress on `err`."""
    import meshopt.pipeline
    from meshopt.compilation import compiled_share, patient_collection
    from meshopt.views import LoadOptions, load_views

    from .progress import display
    from .summary import show_sources

    options = LoadOptions(**config.views.model_dump(exclude={"rig"}))
    loaded = load_views(views, normals, config.views.rig, options=options)
    show_sources(out, loaded)
    missing = 1 - compiled_share()
    if missing > 0.3 and not quiet:
        err.print(f"Compiling kernels, first run only, about {COMPILE_SECONDS * missing:.0f} s.", highlight=False)
    with patient_collection() if missing else nullcontext(), display(err, quiet) as on_progress:
        return meshopt.pipeline.reconstruct(loaded, config, on_progress)
