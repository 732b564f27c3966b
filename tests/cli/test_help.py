"""The help: it fits 80 columns, its examples parse, its exit codes are known; what shells complete."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from click.shell_completion import ShellComplete

from meshopt.ablation.plan import TOGGLES, parse_damages, parse_variation
from meshopt.cli import run
from meshopt.cli.commands import EXIT_CODES, GROUPS
from meshopt.cli.completion import LISTS, WORDS
from meshopt.cli.main import BAD_INPUT, BUG, INCONSISTENT, INTERRUPTED, OK, SOME_FAILED, meshopt
from meshopt.cli.reconstruct import FLAGS
from meshopt.config import Config, MeshFormat, configs_folder, load_config, presets
from meshopt.generate.registry import normal_models, view_models
from meshopt.raster import BACKENDS

COMMANDS: dict[str, Any] = {"": meshopt, **meshopt.commands}
EXAMPLES = [example for command in COMMANDS.values() for example in command.examples]


def _help(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*name.split(), "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_a_terminal_and_has_all_parts(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = _help(name, capsys, monkeypatch)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    titles = [line[:-1] for line in lines if re.fullmatch(r"\S[\w ]*:", line)]
    assert set(titles) <= {"Commands", *GROUPS, "Examples", "Exit codes"}
    assert titles[-2:] == ["Examples", "Exit codes"]
    assert len(titles) == len(set(titles))
    assert not any(line.rstrip().endswith("...") for line in text.partition("Commands:")[2].splitlines()[:14])


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_parse(example: str) -> None:
    words = shlex.split(example, comments=True)
    found = re.fullmatch(r'eval "\$\((.*?)\)".*', example)
    words = shlex.split(found[1]) if found else words[: words.index(">")] if ">" in words else words
    assert words[0] == "meshopt"
    name, *rest = words[1:]
    command = meshopt.commands[name]
    eager = {"--list", "--help"} & set(rest)
    context = command.make_context(name, rest, resilient_parsing=bool(eager))
    given = context.params
    assert set(given) == {p.name for p in command.params if p.expose_value}
    load_config(given.get("source") if given.get("source") in presets() else None, given.get("overrides") or ())
    damages = [damage for text in given.get("corrupt", ()) for damage in parse_damages(text)]
    assert len(damages) >= len(given.get("corrupt", ()))
    for text in given.get("vary", ()):
        parse_variation(text)
    assert "/" in (given.get("model") or "/") or given["model"] in {*view_models(), *normal_models()}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_have_examples_and_codes(name: str) -> None:
    command = COMMANDS[name]
    assert 1 <= len(command.examples) <= 4
    assert set(command.codes) <= set(EXIT_CODES)
    assert {0, 2} <= set(command.codes)
    own = [example for example in command.examples if f"meshopt {name}".strip() in example]
    assert len(own) == len(command.examples)


def test_groups_and_words_are_of_parameters() -> None:
    names = {p.name for command in COMMANDS.values() for p in command.params}
    assert {name for group in GROUPS.values() for name in group} <= names
    assert set(WORDS) | set(LISTS) <= names


def test_words_are_those_of_the_settings() -> None:
    for flag, key in FLAGS.items():
        section, _, name = key.rpartition(".")
        model = type(getattr(Config(), section)) if section else Config
        kind = model.model_fields[name].annotation
        if get_origin(kind) is Literal:
            assert set(WORDS[flag]) == set(get_args(kind)), flag
    assert set(WORDS["backend"]) == {"auto", *BACKENDS} - {"reference"}  # for tests
    assert set(WORDS["toggle"]) == set(TOGGLES)
    assert set(LISTS["formats"]) == set(get_args(MeshFormat))


def _completed(*words: str) -> list[str]:
    shell = ShellComplete(meshopt, {}, "meshopt", "_MESHOPT_COMPLETE")
    return [
        item.value if item.type == "plain" else item.type for item in shell.get_completions(list(words[:-1]), words[-1])
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rec"], ["reconstruct"]),
        (["reconstruct", "--normal-f"], ["--normal-frame"]),
        (["reconstruct", "--rig", "wond"], ["wonder3d"]),
        (["reconstruct", "--rig", "./cam"], ["file"]),
        (["reconstruct", "--config", "era"], ["era3d"]),
        (["reconstruct", "--set", "output.f"], ["output.faces=", "output.formats="]),
        (["reconstruct", "--quality", ""], ["fast", "default", "best"]),
        (["reconstruct", "--format", "glb,p"], ["glb,ply"]),
        (["reconstruct", "--views", "r"], ["file"]),
        (["generate", "--weights", "w"], ["dir"]),
        (["reconstruct", "-o", "o"], ["dir"]),
        (["generate", "--model", "zero123"], ["zero123plus", "zero123plus-v1.1"]),
        (["evaluate", "mesh"], ["file"]),
        (["view", ""], ["file"]),
        (["completion", "z"], ["zsh"]),
    ],
)
def test_completion(words: list[str], expected: list[str]) -> None:
    assert _completed(*words) == expected


def test_rigs_and_presets_are_completed_wholly() -> None:
    assert set(_completed("check", "--config", "")) == set(presets())
    files = {file.stem for file in (configs_folder() / "rigs").glob("*.yaml")}
    assert set(_completed("check", "--rig", "")) == files | {"auto", "turntable:"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert f"_MESHOPT_COMPLETE={shell}_complete" in capsys.readouterr().out


def test_shells_are_answered_without_heavy_packages(tmp_path: Path) -> None:
    """Through the command itself, as bash calls it; rigs, presets and words need not even pydantic."""
    code = (
        "import atexit, os, sys; from meshopt.cli import main;"
        "heavy = ('torch', 'numba', 'numpy', 'scipy', 'cv2', 'pydantic', 'rich');"
        "atexit.register(lambda: [m in sys.modules for m in heavy].count(True) and os._exit(9));"
        "sys.argv = ['meshopt']; main()"
    )
    asked = {"_MESHOPT_COMPLETE": "bash_complete", "COMP_WORDS": "meshopt check --rig er", "COMP_CWORD": "3"}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "plain,era3d\n"), done.stderr


def test_codes_are_those_of_the_command() -> None:
    assert set(EXIT_CODES) == {OK, BUG, BAD_INPUT, INCONSISTENT, SOME_FAILED, INTERRUPTED}
