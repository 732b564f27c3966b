"""`meshopt ablate`: the same reconstruction from true, generated and damaged normals, under several settings."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import click

from .commands import argument, command, option
from .messages import consoles, line, messages
from .options import (
    READING,
    config_options,
    flag_overrides,
    input_options,
    loudness_options,
    output_options,
    reading_options,
    require_input,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from meshopt.ablation.ablation import Ablation, Plan
    from meshopt.ablation.objects import ViewFiles
    from meshopt.ablation.plan import Variant
    from meshopt.config import Config
    from meshopt.workers import Outcome

FLAGS = {  # each flag is a setting
    **READING,
    "quality": "quality",
    "texture": "texture.kind",
    "faces": "output.faces",
    "device": "device",
    "backend": "backend",
    "align": "evaluate.align",
    "samples": "evaluate.samples",
}
COMPILE_SECONDS = 80  # of all kernels, on one core
INTERRUPTED = 130


@command(
    examples=(
        "meshopt ablate a.glb b.glb --rig wonder3d --corrupt noise=5,10 -o out/",
        "meshopt ablate --views rgb/ --normals normals/ --gt-mesh true.obj -o out/",
        "meshopt ablate a.glb --rig era3d --toggle robust --vary seed=1,2 -o out/",
    ),
    short_help="Measure what imperfect normals cost.",
)
@argument("objects", metavar="[OBJECT]...", nargs=-1)
@input_options
@option("--gt-normals", metavar="DIR|SHEET", help="The true normal maps of the same views.")
@option("--gt-mesh", metavar="MESH", help="The true mesh; without --gt-normals they are rendered from it.")
@output_options
@option(
    "--corrupt",
    multiple=True,
    metavar="KIND=S,S,...",
    help="Damage true normals, by strength; repeatable; ? lists kinds.",
)
@option("--seeds", type=click.IntRange(1, 1000), default=1, metavar="N", help="Of each damage.  [default: 1]")
@option("--vary", multiple=True, metavar="KEY=V,V,...", help="Compare values of a setting; repeatable.")
@option("--toggle", multiple=True, metavar="NAME", help="Compare on and off: corrections, robust; repeatable.")
@option("--jobs", type=click.IntRange(1, 1024), metavar="N", help="Runs at once.  [default: one per core]")
@option("--dry-run", is_flag=True, help="Say what would be run, and stop.")
@option("--fit", default="none", metavar="HOW", help="Move and scale OBJECTs: none, box, sphere.  [default: none]")
@reading_options
@option("--quality", metavar="HOW", help="fast, default or best.")
@option("--faces", type=int, metavar="N", help="Number of faces of each mesh.")
@option("--texture", default="vertex", metavar="KIND", help="atlas, vertex or none.  [default: vertex]")
@option("--align", metavar="HOW", help="Lay meshes on the true one first: none, bbox, icp.  [default: none]")
@option("--samples", type=int, metavar="N", help="Points on each surface.  [default: 100000]")
@option("--device", metavar="DEVICE", help="auto, cpu, cuda, ...  [default: auto]")
@option("--backend", metavar="NAME", help="Rasteriser: auto, cpu, ...  [default: auto]")
@config_options
@loudness_options
def ablate(objects: tuple[str, ...], output: str, overwrite: bool, quiet: bool, verbose: int, **flags: Any) -> int:
    """Reconstruct from true, generated and damaged normals, and say what the difference costs.

    OBJECTs are meshes, whose views are rendered with --rig, and folders of views; or one object is given with --views,
    --normals, --gt-normals and --gt-mesh. Every run is kept: the same command goes on where it was stopped, and does
    only what is new; --overwrite begins anew.
    """
    began = time.monotonic()
    out, err = consoles(quiet)
    with messages(err, verbose):
        from .ablations import show_ablation, show_plan

        config, variants = _settings(flags)
        plan = _plan(objects, output, overwrite, variants, flags)
        processes = min(flags["jobs"] or _processes(variants), max(1, len(plan.left)))
        show_plan(out, plan, processes)
        if flags["dry_run"]:
            return 0
        try:
            done, bugs = _run(plan, output, processes, (err, quiet))
        except KeyboardInterrupt:
            line(err, "Interrupted: finished runs are kept, and the same command goes on.")
            return INTERRUPTED
        from meshopt.report.ablations import write_ablation

        files = write_ablation(done, config)
        show_ablation(out, done, files, time.monotonic() - began)
        for trace in bugs if verbose else ():
            line(err, trace)
    return _exit_code(done, bugs)


def _settings(flags: dict[str, Any]) -> tuple[Config, list[Variant]]:
    """What all runs have in common, and the variants to compare."""
    from meshopt.ablation.plan import parse_variation, toggled, variants
    from meshopt.config import load_config

    given = [*flag_overrides({name: flags[name] for name in FLAGS}, FLAGS), *flags["overrides"]]
    base = load_config(flags["source"], given)
    variations = [parse_variation(text) for text in flags["vary"]]
    variations += [toggled(name.strip(), base) for text in flags["toggle"] for name in text.split(",")]
    return base, variants(flags["source"], given, variations)


def _plan(
    objects: tuple[str, ...], output: str, overwrite: bool, variants: Sequence[Variant], flags: dict[str, Any]
) -> Plan:
    from meshopt.ablation.ablation import make_plan
    from meshopt.ablation.plan import corrupted, parse_damages
    from meshopt.report.targets import check_ablation_folder

    check_ablation_folder(output, overwrite)
    chains = [chain for text in flags["corrupt"] for chain in parse_damages(text)]
    damages = corrupted(chains, flags["seeds"])
    with tempfile.TemporaryDirectory() as scratch:  # a dry run leaves nothing behind
        sources = _objects(objects, scratch if flags["dry_run"] else output, variants[0].config, flags)
        return make_plan(sources, damages, variants, output, anew=overwrite)


def _objects(objects: tuple[str, ...], folder: str, config: Config, flags: dict[str, Any]) -> list[ViewFiles]:
    """What was named; OBJECTs, or the one of --views."""
    from meshopt.ablation.objects import ObjectOptions, ViewFiles, named_objects
    from meshopt.io.folders import object_name
    from meshopt.views import LoadOptions

    reading, limits = LoadOptions(**config.views.model_dump(exclude={"rig"})), config.meshes.limits
    single = {name: flags[name] for name in ("views", "normals", "gt_normals", "gt_mesh")}
    if objects and any(single.values()):
        raise click.UsageError("OBJECTs and --views, --normals, --gt-normals, --gt-mesh exclude each other.")
    if objects:
        return named_objects(objects, folder, ObjectOptions(config.views.rig, reading, flags["fit"], limits))
    require_input(flags["views"], flags["normals"])
    name = object_name(Path(flags["views"] or flags["normals"]).expanduser())
    return [ViewFiles(name, **single, rig=config.views.rig, options=reading, limits=limits)]


def _processes(variants: Sequence[Variant]) -> int:
    from meshopt.ablation.ablation import default_processes

    return default_processes(variants)


def _run(plan: Plan, output: str, processes: int, progress: tuple[Console, bool]) -> tuple[Ablation, list[str]]:
    """Does what is left, with progress on the console; and the traces of errors that are bugs."""
    from meshopt.ablation.ablation import ablate as run

    from .progress import compiling, display

    said: set[str] = set()
    bugs: list[str] = []
    with compiling(*progress, COMPILE_SECONDS), display(*progress) as on_progress:

        def on_run(outcome: Outcome[Any], done: int, total: int) -> None:
            for warning in set(outcome.warnings) - said:
                line(progress[0], f"Warning: {warning}")
            said.update(outcome.warnings)
            bugs.extend([outcome.trace] if outcome.trace else [])
            on_progress(SimpleNamespace(stage="runs", step=done, total=total, info={}))

        if plan.left:
            on_progress(SimpleNamespace(stage="runs", step=0, total=len(plan.left), info={}))
        return run(plan, output, processes, on_run), bugs


def _exit_code(done: Ablation, bugs: Sequence[str]) -> int:
    """Of a bug where there was one; of bad input where every run has failed."""
    from .main import BAD_INPUT, BUG, OK

    return BUG if bugs else OK if done.sound else BAD_INPUT
