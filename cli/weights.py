"""What commands with models have in common: flags for their weights and where they run, and what is said of both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meshopt.errors import InputError

from .commands import option
from .messages import line
from .options import Command, with_options

if TYPE_CHECKING:
    from rich.console import Console

    from meshopt.generate.adapters import Card
    from meshopt.generate.runtime import RuntimeOptions
    from meshopt.generate.weights import Located, Places


def weights_options(command: Command) -> Command:
    """Where weights are from, and what is allowed."""
    return with_options(
        command,
        option("--weights", metavar="DIR", help="Folder of the weights.  [default: the hub's cache]"),
        option("--part", "parts", multiple=True, metavar="NAME=DIR", help="Folder of one part of the model."),
        option("--revision", metavar="REV", help="Revision of the weights on the hub."),
        option("--download", is_flag=True, help="Download what is missing."),
        option("--trust-remote-code", is_flag=True, help="Run the pipeline code of the model's authors."),
        option("--allow-pickle", is_flag=True, help="Read weights in pickles (.bin, .pth), too."),
    )


def runtime_options(command: Command) -> Command:
    """Where and how a model runs."""
    return with_options(
        command,
        option("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda, ...  [default: auto]"),
        option("--dtype", default="auto", metavar="TYPE", help="auto, float32, float16, bfloat16."),
        option("--offload", default="none", metavar="HOW", help="none, model or sequential: less GPU memory."),
        option("--slicing", is_flag=True, help="Attention in slices: less memory, slower."),
    )


def places_of(flags: Mapping[str, Any], folder: Path | None) -> Places:
    """What the flags of `weights_options` say; `folder`: where --model was one."""
    from meshopt.generate.weights import Places

    given = flags["weights"]
    if folder is not None and given is not None:
        raise InputError(
            f"--model {folder} is a folder of weights, and --weights {given} another: expected one of them."
        )
    return Places(
        folder=folder if given is None else Path(given).expanduser(),
        parts=dict(_part(text) for text in flags["parts"]),
        revision=flags["revision"],
        download=flags["download"],
        trust_code=flags["trust_remote_code"],
        pickles=flags["allow_pickle"],
    )


def _part(text: str) -> tuple[str, Path]:
    name, sign, folder = text.partition("=")
    if not sign or not name or not folder:
        raise InputError(f"--part {text!r}: expected NAME=DIR, such as controlnet=weights/controlnet.")
    return name.strip(), Path(folder).expanduser()


def runtime_of(flags: Mapping[str, Any]) -> RuntimeOptions:
    """What the flags of `runtime_options` say."""
    from meshopt.generate.runtime import RuntimeOptions

    return RuntimeOptions(**{name: flags[name] for name in ("device", "dtype", "offload", "slicing")})


def show_models(models: Mapping[str, Any]) -> None:
    """The models, a line each."""
    for name, model in models.items():
        licences = ", ".join(dict.fromkeys(part.licence for part in model.card.parts))
        code = "; runs its authors' code" if model.card.code else ""
        colours = "" if model.card.normals else "; no normals"
        text = "; draws what a text says" if getattr(model, "framing", True) is None else ""
        click.echo(f"{name:<18}{model.card.title} (weights: {licences}{code}{colours}{text})")


def show_weights(out: Console, card: Card, places: Places, ask: bool) -> None:
    """Each part: where it is, how large, under which licence. `ask`: of what may be downloaded, sizes from the hub."""
    from meshopt.generate.hub import size_on_hub
    from meshopt.generate.libraries import require_diffusers
    from meshopt.generate.weights import CODE, locate

    if not card.parts:
        return
    require_diffusers()
    line(out, f"{card.title}:")
    for found in locate(card, places):
        size = found.size
        if ask and size is None and places.download and found.part.name != CODE:
            size = size_on_hub(found.part.hub, found.revision, found.part.inside, found.part.files)
        line(out, f"  {_described(found, size, places)}")


def _described(found: Located, size: int | None, places: Places) -> str:
    from meshopt.generate.weights import CODE

    words = [f"{found.part.name}: {found.origin}"]
    if found.folder is None:
        words.append("would be downloaded" if places.download else "--download fetches it")
    if found.part.name == CODE:
        trusted = "allowed by --trust-remote-code" if places.trust_code else "runs only with --trust-remote-code"
        return ", ".join([*words, f"code of the authors, {trusted}"])
    words.append("size not known" if size is None else _size(size))
    return ", ".join([*words, f"licence {found.licence} ({found.part.source})"])


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
