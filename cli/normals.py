"""`meshopt normals`: views with colours alone in, the same views with estimated normals out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .commands import argument, command, option
from .generate import steps_shown
from .messages import consoles, line, messages
from .options import loudness_options, output_options
from .weights import places_of, runtime_of, runtime_options, show_models, show_weights, weights_options

if TYPE_CHECKING:
    from rich.console import Console

    from meshopt.generate.estimation import Estimated, EstimateOptions
    from meshopt.views import ViewSet


def _list(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if not value:
        return
    from meshopt.generate.registry import normal_models

    show_models(normal_models())
    context.exit()


@command(
    examples=(
        "meshopt normals rgb/ -o views/",
        "meshopt normals rgb/ --rig zero123plus --download -o views/",
    ),
)
@argument("views", metavar="DIR")
@option("--model", default="marigold", metavar="NAME|DIR", help="A model, or its weights.  [default: marigold]")
@option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List the models.")
@output_options
@option("--rig", default="auto", metavar="NAME|FILE", help="Camera layout or cameras file.  [default: auto]")
@option("--matting", default="auto", metavar="HOW", help="auto, alpha, background, rembg, none.  [default: auto]")
@option("--matting-model", metavar="FILE", help="Model name or local ONNX file for rembg.")
@option("--resolution", type=int, metavar="N", help="Pixels per side of each view.")
@weights_options
@option("--dry-run", is_flag=True, help="Say what would be loaded and done, and stop.")
@option("--seed", type=int, default=0, metavar="N", help="Seed of the noise.  [default: 0]")
@option("--steps", type=int, metavar="N", help="Denoising steps.  [default: the model's]")
@option("--check/--no-check", default=True, help="Check the normals against each other.  [default: check]")
@runtime_options
@loudness_options
def normals(views: str, model: str, output: str, overwrite: bool, dry_run: bool, check: bool, quiet: bool,
            verbose: int, **flags: Any) -> None:  # fmt: skip
    """Estimate the normals of the colour views in DIR.

    Writes the views with their normals into another folder, which `meshopt reconstruct --views` reads, and says whether
    the normals fit together, as `meshopt check` does.
    """
    began = time.monotonic()
    out, err = consoles(quiet)
    with messages(err, verbose):
        from meshopt.generate.estimation import EstimateOptions, check_output, write_estimated
        from meshopt.generate.registry import choose, normal_models

        chosen, folder = choose(model, normal_models())
        options = EstimateOptions(flags["seed"], flags["steps"], runtime_of(flags))
        places = places_of(flags, folder)
        show_weights(out, chosen.card, places, dry_run)
        loaded = _views(views, flags)
        check_output(output, loaded, overwrite)
        for note in loaded.notes:
            line(out, note[0].upper() + note[1:])
        if dry_run:
            line(out, f"{len(loaded)} views would be seen, {options.request(chosen.card).steps} steps each, and "
                      f"written to {output}. Nothing was loaded.")  # fmt: skip
            return
        done = _compute(chosen, loaded, places, options, err, quiet)
        write_estimated(done, chosen, options, output, overwrite)
        line(out, f"Wrote {len(loaded)} views and normals to {output} in {time.monotonic() - began:.1f} s.")
        if check:
            _check(output, out, err, quiet)
        line(out, f"Next: meshopt reconstruct --views {output} -o ...")


def _views(folder: str, flags: dict[str, Any]) -> ViewSet:
    from meshopt.views import LoadOptions, load_views

    names = ("matting", "matting_model", "resolution")
    options = LoadOptions(**{name: flags[name] for name in names})
    return load_views(Path(folder).expanduser(), None, flags["rig"], options=options, normal_maps="none")


def _compute(model: Any, views: ViewSet, places: Any, options: EstimateOptions, err: Console, quiet: bool) -> Estimated:
    from meshopt.generate.estimation import estimate

    with steps_shown(err, quiet) as on_step:
        return estimate(model, views, places, options, on_step)


def _check(folder: str, out: Console, err: Console, quiet: bool) -> None:
    """Reads what was written, and says whether it fits together."""
    from meshopt.config import CheckConfig
    from meshopt.views import load_views

    from .check import examined
    from .summary import show_findings

    began = time.monotonic()
    report = examined(load_views(folder), CheckConfig(), err, quiet).report
    show_findings(out, report, (), time.monotonic() - began)
