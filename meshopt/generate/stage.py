"""From a picture to a folder of views: the steps in order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from meshopt.errors import InputError
from meshopt.generate.adapters import Card, OnStep, Request, ViewModel, rig_of
from meshopt.generate.libraries import require_diffusers
from meshopt.generate.preparation import Framed, check_matting, cut_out, frame
from meshopt.generate.runtime import RuntimeOptions, memory_advice, start
from meshopt.generate.upscaling import UpscaleOptions, upscale
from meshopt.generate.weights import Places, Weights, check_places, locate, obtain
from meshopt.generate.writing import WrittenViews, check_output, write_views
from meshopt.io.images import MAX_PIXELS

STEPS = (1, 1000)
GUIDANCE = (0.0, 100.0)
FILLS = (0.1, 1.0)


@dataclass(frozen=True)
class GenerateOptions:
    """How views are generated; None: as the model's authors do.

    `steps` of denoising; `guidance`: how strongly the picture guides them; `fill`: the share of the model's picture
    that the object's longer side takes; `matting`, `matting_model` and `max_pixels` as for `preparation.cut_out`;
    `prompt`: a text, for models that read one. Raises InputError.
    """

    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    fill: float | None = None
    matting: str = "auto"
    matting_model: str | None = None
    upscale: UpscaleOptions = field(default_factory=UpscaleOptions)
    runtime: RuntimeOptions = field(default_factory=RuntimeOptions)
    prompt: str = ""
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        check_matting(self.matting)
        ranges = (
            ("--seed", self.seed, (0, 2**32 - 1)),
            ("--steps", self.steps, STEPS),
            ("--guidance", self.guidance, GUIDANCE),
            ("--fill", self.fill, FILLS),
        )
        for flag, found, (low, high) in ranges:
            if found is not None and not low <= found <= high:
                raise InputError(f"{flag} {found} is out of range, expected {low:g} to {high:g}.")

    def request(self, card: Card) -> Request:
        """What is asked of a model."""
        steps = card.steps if self.steps is None else self.steps
        guidance = card.guidance if self.guidance is None else float(self.guidance)
        return Request(self.seed, steps, guidance, self.prompt.strip())


@dataclass(frozen=True)
class Generated:
    """What was written, and what was done on the way, one sentence each."""

    written: WrittenViews
    notes: tuple[str, ...]


def check_input(model: ViewModel, image: str | Path | None, options: GenerateOptions) -> None:
    """Raises InputError where the model is not given what it draws: a picture, a text, or both."""
    name, prompt = model.card.name, options.prompt.strip()
    if model.framing is None:
        if image is not None:
            raise InputError(f"{name} draws what a text says (meshopt generate --prompt TEXT), and takes no picture.")
        if not prompt:
            raise InputError(f"{name} draws what a text says: --prompt TEXT is missing.")
        if options.fill is not None or options.matting != "auto":
            raise InputError(f"--fill and --matting are for pictures, and {name} takes none.")
        return
    if image is None:
        raise InputError(f"{name} draws the object in a picture: IMAGE is missing.")
    if prompt and not model.card.prompt:
        raise InputError(f"--prompt {prompt!r}: {name} reads no text, expected a picture alone.")


def prepare(model: ViewModel, image: str | Path, options: GenerateOptions) -> tuple[Framed, str]:
    """The picture as the model expects it, and where its mask is from."""
    assert model.framing is not None
    framing = model.framing if options.fill is None else replace(model.framing, fill=options.fill)
    cutout = cut_out(Path(image).expanduser(), options.matting, options.matting_model, options.max_pixels)
    if options.matting == "none" and options.fill is None:
        framing = replace(framing, fill=1.0)  # the picture is framed already
    return frame(cutout, framing), cutout.source


def generate(
    model: ViewModel,
    image: str | Path | None,
    places: Places,
    options: GenerateOptions,
    folder: str | Path,
    overwrite: bool = False,
    on_step: OnStep = lambda what, done, total: None,
) -> Generated:
    """Writes a folder with the views of the object in a picture, and their normals where the model makes any.

    `image` is None for a model that draws what a text says. The same picture, weights, options and seed give the same
    bytes on the CPU. What can be found out before is refused before anything is loaded. Raises InputError.
    """
    check_input(model, image, options)
    check_output(folder, rig_of(model), overwrite)
    options.upscale.check()
    if model.card.parts:
        require_diffusers()
    located = locate(model.card, places)
    check_places(model.card, located, places)
    runtime = start(options.runtime, on_step, model.card.offload)
    picture, source = (None, "") if image is None else prepare(model, image, options)
    weights = obtain(model.card, located, places)
    request = options.request(model.card)
    with memory_advice(runtime), runtime.seeded(request.seed):
        pipeline = model.load(weights, runtime)
    with memory_advice(runtime), runtime.seeded(request.seed):  # anew: loading draws numbers, too
        output = model.run(pipeline, picture, request, runtime)
        del pipeline  # room for the next model
        views = upscale(model.decode(output), options.upscale, runtime, request.seed)
    made = _record(model, weights, request) | {"runtime": runtime.record, **options.upscale.record}
    notes: tuple[str, ...] = ()
    if picture is not None and image is not None:
        made |= _record_of_picture(picture, Path(image).expanduser(), source)
        notes = (f"mask from {source}.", *picture.notes)
    return Generated(write_views(views, picture, {"generated": made}, folder, overwrite), notes)


def made_before(
    model: ViewModel, image: str | Path, options: GenerateOptions, folder: str | Path
) -> Mapping[str, Any] | None:
    """The cameras file in the folder, where it is of the views that `generate` would make; None where it is not."""
    request = options.request(model.card)
    wanted = {"model": model.card.name, **{name: getattr(request, name) for name in ("seed", "steps", "guidance")}}
    try:
        made: dict[str, Any] = json.loads((Path(folder) / "cameras.json").read_text(encoding="utf-8"))
        digest = hashlib.sha256(Path(image).expanduser().read_bytes()).hexdigest()
        found = made["generated"]
        same = found["image"]["sha256"] == digest and all(found[name] == value for name, value in wanted.items())
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return made if same else None


def _record(model: ViewModel, weights: Weights, request: Request) -> dict[str, Any]:
    """How the views were made, for the cameras file."""
    said = {"prompt": request.prompt} if request.prompt else {}
    return {
        "model": model.card.name,
        "weights": list(weights.record),
        "seed": request.seed,
        "steps": request.steps,
        "guidance": request.guidance,
        **said,
    }


def _record_of_picture(picture: Framed, image: Path, source: str) -> dict[str, Any]:
    """Of what, and how the model saw it."""
    framing = picture.framing
    return {
        "picture": {"size": framing.size, "fill": framing.fill, "background": framing.background},
        "image": {"file": image.name, "sha256": hashlib.sha256(image.read_bytes()).hexdigest(), "mask": source},
    }
