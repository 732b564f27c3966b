"""What commands that read views have in common: their flags, what the flags set, and how the views are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .commands import option

if TYPE_CHECKING:
    from meshopt.config import Config
    from meshopt.io.folders import NormalMaps
    from meshopt.settings import Override
    from meshopt.views import ViewSet

Command = TypeVar("Command", bound=Callable[..., Any])

READING = {  # each flag is a setting
    "rig": "views.rig",
    "normal_frame": "views.normal_frame",
    "normal_axes": "views.normal_axes",
    "matting": "views.matting",
    "matting_model": "views.matting_model",
    "resolution": "views.resolution",
}

TEXTURING = {
    "texture": "texture.kind",
    "texture_size": "texture.size",
    "bake": "texture.bake",
    "bake_normals": "texture.normals",
}
RUNNING = {
    "faces": "output.faces",
    "formats": "output.formats",
    "html": "output.html",
    "device": "device",
    "backend": "backend",
    "strict": "check.strict",
    "correct": "check.correct",
}
MAKING = {**READING, **TEXTURING, **RUNNING, "init": "initial.method", "quality": "quality", "seed": "seed"}


def input_options(command: Command) -> Command:
    """--views and --normals."""
    return with_options(
        command,
        option("--views", metavar="DIR|SHEET", help="Colour images, or one sheet of them."),
        option("--normals", metavar="DIR|SHEET", help="Normal maps, or one sheet; or they lie in --views."),
    )


def reading_options(command: Command) -> Command:
    """The flags of `READING`."""
    return with_options(
        command,
        option("--rig", metavar="NAME|FILE", help="Camera layout or cameras file.  [default: auto]"),
        option("--normal-frame", metavar="FRAME", help="auto, camera, front or world.  [default: auto]"),
        option("--normal-axes", metavar="AXES", help="auto, opengl, opencv, directx, ...  [default: auto]"),
        option("--matting", metavar="HOW", help="auto, alpha, normals, background, rembg, none."),
        option("--matting-model", metavar="FILE", help="Model name or local ONNX file for rembg."),
        option("--resolution", type=int, metavar="N", help="Pixels per side of each view."),
    )


def output_options(command: Command) -> Command:
    """--output and --overwrite."""
    return with_options(
        command,
        option("-o", "--output", required=True, metavar="DIR", help="Folder for the result."),
        option("--overwrite", is_flag=True, help="Replace a result that is already there."),
    )


def texture_options(command: Command) -> Command:
    """The flags of `TEXTURING`."""
    return with_options(
        command,
        option("--texture", metavar="KIND", help="atlas, vertex or none.  [default: atlas]"),
        option("--texture-size", type=int, metavar="N", help="Texels per side, 512 to 8192.  [default: 2048]"),
        option("--bake", metavar="HOW", help="blend or optimize.  [default: blend]"),
        option("--bake-normals", is_flag=True, default=None, help="Make a normal map, too; see --faces."),
    )


def running_options(command: Command) -> Command:
    """The flags of `RUNNING`."""
    return with_options(
        command,
        option("--faces", type=int, metavar="N", help="Number of faces of the result."),
        option(
            "--format", "formats", multiple=True, metavar="LIST", callback=_split,
            help="glb,gltf,obj,ply.  [default: glb]",
        ),
        html_option,
        option("--device", metavar="DEVICE", help="auto, cpu, cuda, ...  [default: auto]"),
        option("--backend", metavar="NAME", help="Rasteriser: auto, cpu, ...  [default: auto]"),
        option(
            "--strict", is_flag=True, default=None, help="Stop before the colours where views are inconsistent."
        ),
        option("--correct/--no-correct", default=None, help="Mend views that do not fit.  [default: correct]"),
    )  # fmt: skip


def making_options(command: Command) -> Command:
    """The flags of `MAKING`."""
    return with_options(
        command,
        reading_options,
        option("--init", metavar="HOW|FILE", help="auto, carved, hull, normals, sphere or a mesh.  [default: auto]"),
        option("--quality", metavar="HOW", help="fast, default or best."),
        option("--seed", type=int, metavar="N", help="Seed of every random number.  [default: 0]"),
        running_options,
        texture_options,
    )


def html_option(command: Command) -> Command:
    """Whether there is a page."""
    return option("--html/--no-html", default=None, help="Write report.html.  [default: html]")(command)


def _split(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> list[str] | None:
    return [name.strip() for item in value for name in item.split(",") if name.strip()] or None


def config_options(command: Command) -> Command:
    """--config and --set."""
    return with_options(
        command,
        option("--config", "source", metavar="FILE|PRESET", help="Settings; flags and --set go over them."),
        option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="One setting; may be repeated."),
    )


def loudness_options(command: Command) -> Command:
    """--quiet and --verbose."""
    return with_options(
        command,
        option("--quiet", "-q", is_flag=True, help="Say nothing but warnings and errors."),
        option("--verbose", "-v", count=True, help="Say more; -vv says all."),
    )


def require_input(views: str | None, normals: str | None) -> None:
    """Raises click.UsageError where there is nothing to read."""
    if views is None and normals is None:
        raise click.UsageError("Missing option '--normals' (and '--views', where there are colours).")


def settings(
    source: str | None, overrides: tuple[str, ...], flags: Mapping[str, Any], keys: Mapping[str, str] = READING
) -> Config:
    """The defaults, under `source`, under the flags that were given, under `overrides`; `keys`: a flag's setting."""
    from meshopt.config import load_config

    return load_config(source, [*flag_overrides(flags, keys), *overrides])


def flag_overrides(flags: Mapping[str, Any], keys: Mapping[str, str]) -> list[Override]:
    """The settings that were given by flags; `keys`: a flag's setting."""
    from meshopt.settings import Override

    return [
        Override(keys[name], value, f"--{name.replace('_', '-').replace('formats', 'format')}")
        for name, value in flags.items()
        if value is not None
    ]


def read_views(views: str | None, normals: str | None, config: Config, normal_maps: NormalMaps = "needed") -> ViewSet:
    """The views, read as the settings say; `normal_maps` as for `load_views`."""
    from meshopt.views import LoadOptions, load_views

    options = LoadOptions(**config.views.model_dump(exclude={"rig"}))
    return load_views(views, normals, config.views.rig, options=options, normal_maps=normal_maps)


def exit_code(report: Mapping[str, Any], config: Config) -> int:
    """Of a command that has made a mesh."""
    from .main import INCONSISTENT, OK

    return INCONSISTENT if config.check.strict and report.get("verdict") == "inconsistent" else OK


def with_options(command: Command, *options: Callable[[Command], Command]) -> Command:
    """The command with the options, in this order."""
    for decorate in reversed(options):
        command = decorate(command)
    return command
