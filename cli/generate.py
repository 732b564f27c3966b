"""`meshopt generate`: one picture, or a text, in, a folder of views and their normals out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import click

from meshopt.errors import InputError

from .commands import argument, command, option
from .messages import consoles, line, messages
from .options import loudness_options, output_options
from .weights import places_of, runtime_of, runtime_options, show_models, show_weights, weights_options

if TYPE_CHECKING:
    from rich.console import Console

    from meshopt.config import Config
    from meshopt.generate.adapters import NormalModel, OnStep, ViewModel
    from meshopt.generate.runtime import RuntimeOptions
    from meshopt.generate.stage import Generated, GenerateOptions
    from meshopt.generate.weights import Places


def _list(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if not value:
        return
    from meshopt.generate.registry import view_models

    show_models(view_models())
    context.exit()


@command(
    examples=(
        "meshopt generate --list",
        "meshopt generate cat.png --model zero123plus -o views/ --dry-run",
        "meshopt generate cat.png --model wonder3d --download --allow-pickle -o views/",
    ),
    short_help="Generate views and normals of the object in a picture.",
)
@argument("image", required=False, metavar="[IMAGE]")
@option("--model", required=True, metavar="NAME|DIR", help="A model, or the folder of its weights.")
@option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List the models.")
@option("--prompt", default="", metavar="TEXT", help="What the views show, for models that read it.")
@output_options
@weights_options
@option("--dry-run", is_flag=True, help="Say what would be loaded and done, and stop.")
@option("--seed", type=int, default=0, metavar="N", help="Seed of the noise.  [default: 0]")
@option("--steps", type=int, metavar="N", help="Denoising steps.  [default: the model's]")
@option("--guidance", type=float, metavar="X", help="How strongly IMAGE or TEXT guides.  [default: the model's]")
@option("--matting", default="auto", metavar="HOW", help="auto, alpha, background, rembg, none.  [default: auto]")
@option("--matting-model", metavar="FILE", help="Model name or local ONNX file for rembg.")
@option("--fill", type=float, metavar="X", help="Share of the model's picture that the object fills.")
@option("--upscale", type=int, default=1, metavar="N", help="Make the views N times as large.  [default: 1]")
@option("--upscaler", metavar="FILE|DIR", help="ONNX file or diffusers' upscaler.  [default: Lanczos' filter]")
@runtime_options
@loudness_options
def generate(image: str | None, model: str, output: str, overwrite: bool, dry_run: bool, quiet: bool, verbose: int,
             **flags: Any) -> None:  # fmt: skip
    """Generate views and normals of the object in IMAGE, or of what a TEXT says.

    Writes a folder that `meshopt reconstruct --views DIR` reads. Nothing is downloaded without --download, and no code
    of a model's authors runs without --trust-remote-code.
    """
    began = time.monotonic()
    out, err = consoles(quiet)
    with messages(err, verbose):
        from meshopt.generate.registry import choose, view_models

        chosen, folder = choose(model, view_models())
        options, places = _options(flags), places_of(flags, folder)
        show_weights(out, chosen.card, places, dry_run)
        if dry_run:
            _show_plan(out, chosen, image, options, output, overwrite)
            return
        done = _compute(chosen, image, places, options, output, overwrite, err, quiet)
        _show(out, done, time.monotonic() - began)


def _options(flags: dict[str, Any]) -> GenerateOptions:
    from meshopt.generate.stage import GenerateOptions
    from meshopt.generate.upscaling import UpscaleOptions

    names = ("seed", "steps", "guidance", "fill", "matting", "matting_model", "prompt")
    larger = UpscaleOptions(flags["upscale"], flags["upscaler"])
    return GenerateOptions(**{name: flags[name] for name in names}, upscale=larger, runtime=runtime_of(flags))


def _compute(model: ViewModel, image: str | None, places: Places, options: GenerateOptions, output: str,
             overwrite: bool, err: Console, quiet: bool) -> Generated:  # fmt: skip
    from meshopt.generate.stage import generate

    with steps_shown(err, quiet) as on_step:
        return generate(model, image, places, options, output, overwrite, on_step)


def views_of(
    image: str, config: Config, output: str, overwrite: bool, allowed: Mapping[str, bool], out: Console, err: Console,
    quiet: bool, resume: bool = False,
) -> str:  # fmt: skip
    """A folder in `output` with the views that the configured model makes of a picture; `allowed`: download and code.

    Normals that it does not make are estimated. `resume`: views that were made before will do.
    Raises InputError where no model is configured.
    """
    from meshopt.generate.registry import choose, view_models
    from meshopt.generate.stage import GenerateOptions, check_input, made_before
    from meshopt.generate.upscaling import UpscaleOptions

    wanted = config.generate
    if wanted.model is None:
        raise InputError(
            f"{image} is one picture: --model NAME (see meshopt generate --list) makes views of it, or --views takes a "
            "folder of views."
        )
    chosen, folder = choose(wanted.model, view_models())
    parts = [f"{name}={place}" for name, place in wanted.parts.items()]
    places = places_of({**_given(wanted.weights, wanted.revision, allowed), "parts": parts}, folder)
    larger = UpscaleOptions(wanted.upscale, wanted.upscaler)
    options = GenerateOptions(
        config.seed, wanted.steps, wanted.guidance, wanted.fill, wanted.matting, config.views.matting_model, larger,
        _runtime(config), wanted.prompt, config.views.max_pixels,
    )  # fmt: skip
    check_input(chosen, image, options)
    place = str(Path(output) / "views")
    made = made_before(chosen, image, options, place) if resume else None
    if made is not None and (chosen.card.normals or "estimated" in made):
        line(out, f"The views in {place} are those of this picture: they are not made again.")
        return place
    show_weights(out, chosen.card, places, ask=False)
    estimator = None if chosen.card.normals else _estimator(config, allowed, out)
    done = _compute(chosen, image, places, options, place, overwrite or made is not None, err, quiet)
    for note in done.notes:
        line(out, note[0].upper() + note[1:])
    line(out, f"Wrote {len(done.written.files.cameras)} generated views to {place}.")
    if estimator is not None:
        _estimate(place, estimator, config, out, err, quiet)
    return place


def _estimator(config: Config, allowed: Mapping[str, bool], out: Console) -> tuple[NormalModel, Places]:
    """What estimates normals, and its weights. Raises InputError where these are missing."""
    from meshopt.generate.registry import choose, normal_models
    from meshopt.generate.weights import check_places, locate

    chosen, folder = choose(config.generate.normals, normal_models(), "generate.normals")
    places = places_of(_given(None, None, allowed), folder)
    show_weights(out, chosen.card, places, ask=False)
    check_places(chosen.card, locate(chosen.card, places), places)
    return chosen, places


def _estimate(
    folder: str, estimator: tuple[NormalModel, Places], config: Config, out: Console, err: Console, quiet: bool
) -> None:
    """Estimates the normals of the generated views in a folder, and puts them there."""
    from meshopt.generate.estimation import EstimateOptions, estimate, write_estimated
    from meshopt.views import LoadOptions, load_views

    chosen, places = estimator
    options = EstimateOptions(config.seed, None, _runtime(config))
    read = LoadOptions(matting=config.views.matting, matting_model=config.views.matting_model)
    views = load_views(folder, options=read, normal_maps="none")
    made = json.loads((Path(folder) / "cameras.json").read_text(encoding="utf-8"))["generated"]
    with steps_shown(err, quiet) as on_step:
        done = estimate(chosen, views, places, options, on_step)
    write_estimated(done, chosen, options, folder, True, {"generated": made})
    line(out, f"Wrote their normals, estimated by {chosen.card.title}, to {folder}.")


def _runtime(config: Config) -> RuntimeOptions:
    from meshopt.generate.runtime import RuntimeOptions

    wanted = config.generate
    return RuntimeOptions(config.device, wanted.dtype, wanted.offload, wanted.slicing)


def _given(weights: str | None, revision: str | None, allowed: Mapping[str, bool]) -> dict[str, Any]:
    """As the flags of `weights_options` would say it."""
    return {"weights": weights, "revision": revision, "parts": (), **allowed}


@contextmanager
def steps_shown(err: Console, quiet: bool) -> Iterator[OnStep]:
    """Progress of a model's steps, on `err`."""
    from .progress import display

    with display(err, quiet) as on_progress:

        def on_step(what: str, done: int, total: int) -> None:
            on_progress(SimpleNamespace(stage=what, step=done, total=total, info={}))

        yield on_step


def _show_plan(
    out: Console, model: ViewModel, image: str | None, options: GenerateOptions, output: str, overwrite: bool
) -> None:
    """What would be done, everything checked that needs no weights."""
    from meshopt.generate.adapters import rig_of
    from meshopt.generate.stage import check_input, prepare
    from meshopt.generate.writing import check_output

    check_input(model, image, options)
    check_output(output, rig_of(model), overwrite)
    options.upscale.check()
    request = options.request(model.card)
    if image is not None:
        picture, source = prepare(model, image, options)
        framing = picture.framing
        line(out, f"Picture: {framing.size} x {framing.size} pixels, of which the object takes {framing.fill:.0%}; "
                  f"mask from {source}.")  # fmt: skip
        for note in picture.notes:
            line(out, note[0].upper() + note[1:])
    if request.prompt:
        line(out, f"Text: {request.prompt}")
    line(out, f"{request.steps} steps, guidance {request.guidance:g}, seed {request.seed}.")
    line(out, f"{len(rig_of(model).views)} views of rig {model.rig} would be written to {output}. Nothing was loaded.")


def _show(out: Console, done: Generated, seconds: float) -> None:
    for note in done.notes:
        line(out, note[0].upper() + note[1:])
    written = done.written
    kinds = "views and normals" if written.has_normals else "views without normals"
    line(out, f"Wrote {len(written.files.cameras)} {kinds} to {written.folder} in {seconds:.1f} s.")
    command = "reconstruct --views" if written.has_normals else "normals"
    line(out, f"Next: meshopt {command} {written.folder} -o ...")
