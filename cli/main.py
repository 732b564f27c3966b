"""The `meshopt` command, and how its failures become one sentence and an exit code."""

from __future__ import annotations

import io
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

import click

from meshopt.errors import InputError

from .ablate import ablate
from .batch import batch
from .check import check
from .commands import EXIT_CODES, Group
from .config import config
from .doctor import doctor
from .evaluate import evaluate
from .generate import generate
from .normals import normals
from .reconstruct import reconstruct
from .render import render
from .shells import completion
from .texture import texture
from .version import version_option
from .view import view

OK, BUG, BAD_INPUT, INCONSISTENT, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 4, 130


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    examples=(
        "meshopt reconstruct --views rgb/ --normals normals/ -o out/",
        "meshopt view out/",
        "meshopt reconstruct --help",
    ),
    codes=EXIT_CODES,
)
@version_option
def meshopt() -> None:
    """Multi-view RGB and normal maps in, a clean closed triangle mesh out."""


meshopt.add_command(reconstruct)
meshopt.add_command(batch)
meshopt.add_command(texture)
meshopt.add_command(generate)
meshopt.add_command(normals)
meshopt.add_command(check)
meshopt.add_command(render)
meshopt.add_command(evaluate)
meshopt.add_command(ablate)
meshopt.add_command(view)
meshopt.add_command(config)
meshopt.add_command(doctor)
meshopt.add_command(completion)


def main() -> None:
    """The console script."""
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):  # names of files are bytes, which no encoding need have
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command and gives its exit code: its own, 1 for a bug, 2 for bad input, 130 when interrupted."""
    try:
        code = meshopt.main(args=list(arguments), prog_name="meshopt", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _say("Interrupted: nothing was written.", INTERRUPTED)
    except InputError as error:
        return _say(f"Error: {error}", BAD_INPUT)
    except MemoryError:
        return _say(
            "Error: the memory is full; a smaller --resolution, --faces or --texture-size needs less.", BAD_INPUT
        )
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _say(f"Error: {place}{error.strerror or error}; nothing was written.", BAD_INPUT)
    except Exception as error:
        return _bug(error, arguments)
    return code if isinstance(code, int) else OK


def _say(message: str, code: int) -> int:
    click.echo(message, err=True)
    return code


def _bug(error: Exception, arguments: Sequence[str]) -> int:
    verbose = any(a == "--verbose" or (a.startswith("-v") and not a.startswith("--")) for a in arguments)
    if verbose:
        traceback.print_exception(error)
    text = " ".join(str(error).split()) or "no message"
    hint = "" if verbose else "; -v shows where"
    return _say(f"Error: {type(error).__name__}: {text}. This is a bug in meshopt{hint}.", BUG)


def _terminate(number: int, frame: FrameType | None) -> None:
    """SIGTERM unwinds like any other end, so that temporary files go."""
    raise SystemExit(128 + number)
