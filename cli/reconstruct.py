"""`meshopt reconstruct`: views and normals in, a folder with the mesh out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from .commands import argument, command, option
from .options import (
    MAKING,
    config_options,
    exit_code,
    input_options,
    loudness_options,
    making_options,
    output_options,
    read_views,
    require_input,
    settings,
)

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from meshopt.checkpoints import Checkpoint, CheckpointFile
    from meshopt.config import Config
    from meshopt.pipeline import Reconstruction
    from meshopt.views import ViewSet

FLAGS = {**MAKING, "model": "generate.model"}  # each flag is a setting
COMPILE_SECONDS = 50  # of all kernels, on one core


@command(
    examples=(
        "meshopt reconstruct --views rgb/ --normals normals/ -o out/",
        "meshopt reconstruct --views views/ -o out/ --quality best --format glb,obj",
        "meshopt reconstruct --views rgb/ --normals normals/ -o out/ --resume",
        "meshopt reconstruct cat.png --model wonder3d --allow-pickle -o out/",
    ),
    codes=(0, 1, 2, 3, 130),
    short_help="Make a textured mesh from views and their normals.",
)
@argument("image", required=False, metavar="[IMAGE]")
@input_options
@output_options
@option("--model", metavar="NAME|DIR", help="For IMAGE: the model that makes views of it, or its weights.")
@option("--download", is_flag=True, help="For IMAGE: download the model's weights where they are missing.")
@option("--trust-remote-code", is_flag=True, help="For IMAGE: run the pipeline code of the model's authors.")
@option("--allow-pickle", is_flag=True, help="For IMAGE: read weights in .bin files, too.")
@making_options
@config_options
@option("--resume", is_flag=True, help="Go on from the checkpoint that an interrupted run left in the output.")
@option("--plot", is_flag=True, help="Draw the losses of every step: curves.png (needs matplotlib).")
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
    resume: bool,
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
    from .messages import consoles, line, messages

    if image is None:
        require_input(views, normals)
    elif views is not None or normals is not None:
        raise click.UsageError("IMAGE is one picture to make views of: it goes without '--views' and '--normals'.")
    began = time.monotonic()
    out, err = consoles(quiet)
    with messages(err, verbose):
        config = settings(source, overrides, flags, FLAGS)
        from meshopt.report.folder import check_result_folder

        check_result_folder(output, overwrite or resume)
        if plot:
            from meshopt.report.plot import require_matplotlib

            require_matplotlib()
        if image is not None:
            from .generate import views_of

            allowed = {"download": download, "trust_remote_code": trust_remote_code, "allow_pickle": allow_pickle}
            views = views_of(image, config, output, overwrite, allowed, out, err, quiet, resume)
        from .summary import show_result, show_sources

        loaded = read_views(views, normals, config)
        show_sources(out, loaded)
        run = _Run(loaded, config, output, overwrite, plot)
        if resume:
            done = run.resumed(out)
            if done is not None:
                line(out, f"{output} holds the result of this run: nothing is left to do.")
                return exit_code(done, config)
        try:
            result, files = run.work(err, quiet)
        except KeyboardInterrupt:
            return interrupted(err, run.kept)
        show_result(out, result.report, result.views.notes, files, time.monotonic() - began)
    return exit_code(result.report, config)


class _Run:
    """A reconstruction and the folder that it goes to."""

    def __init__(self, views: ViewSet, config: Config, folder: str, overwrite: bool, plot: bool) -> None:
        from meshopt.checkpoints import CheckpointFile

        self.views, self.config, self.folder, self.overwrite, self.plot = views, config, folder, overwrite, plot
        self.kept = CheckpointFile(folder)
        self.start: Checkpoint | None = None

    def resumed(self, out: Console) -> dict[str, Any] | None:
        """Takes up the checkpoint, if there is one, and says so; the report of the result, where that is there already.

        Raises InputError where the checkpoint cannot be read or is of another run, or the folder holds another result.
        """
        from pathlib import Path

        from meshopt.errors import InputError
        from meshopt.io.files import remove_leftovers
        from meshopt.pipeline import run_fingerprint
        from meshopt.report.folder import check_result_folder, finished_report

        from .messages import line

        if Path(self.folder).is_dir():
            remove_leftovers(Path(self.folder))
        identity = run_fingerprint(self.views, self.config)
        report = finished_report(self.folder, identity)
        if report is not None:
            self.kept.remove()
            return report
        self.start = self.kept.load()
        if self.start is None:
            check_result_folder(self.folder, self.overwrite)
            line(out, f"No checkpoint in {self.folder}: the run begins at the start.")
        elif self.start.fingerprint != identity:
            raise InputError(
                f"{self.kept.path}: is of a run of other views, settings or versions; without --resume it is replaced"
            )
        else:
            line(out, f"Going on from the checkpoint: {self.start.line}.")
        return None

    def work(self, err: Console, quiet: bool) -> tuple[Reconstruction, tuple[Path, ...]]:
        """The result, and its files."""
        from meshopt.errors import InputError
        from meshopt.pipeline import reconstruct
        from meshopt.report.folder import write_result

        from .progress import compiling, display

        try:
            with compiling(err, quiet, COMPILE_SECONDS), display(err, quiet) as on_progress:
                result = reconstruct(self.views, self.config, on_progress, keep=self.kept.save, start=self.start)
            files = write_result(result, self.folder, self.overwrite or self.start is not None, self.plot)
        except InputError:
            if self.start is None:
                self.kept.remove()  # it would end there again
            raise
        self.kept.remove()
        return result, files


def interrupted(err: Console, kept: CheckpointFile) -> int:
    """What Ctrl-C leaves, and its exit code."""
    from .main import INTERRUPTED
    from .messages import line

    if not kept.path.exists():
        raise KeyboardInterrupt
    line(err, f"Interrupted: the same command with --resume goes on from {kept.path}.")
    return INTERRUPTED
