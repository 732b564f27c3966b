"""Commands whose help has its options in groups, examples, and exit codes; parameters that shells can complete."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import click
from click.shell_completion import CompletionItem

from .completion import complete

EXIT_CODES = {
    0: "done",
    1: "a bug in meshopt; -v shows where",
    2: "the input, an argument or the disk: one sentence says what",
    3: "the views are inconsistent",
    4: "some assets have failed, the others are done",
    130: "interrupted",
}
USUAL = (0, 1, 2, 130)
OWN, GENERAL = "Options", "General"
GROUPS = {  # in the help, and what is in them; OWN has the rest
    "Views": ("views", "normals", "rig", "normal_frame", "normal_axes", "matting", "matting_model", "resolution"),
    "Output": ("output", "overwrite", "record", "faces", "formats", "html", "plot"),
    OWN: (),
    "Model": ("model", "weights", "parts", "revision", "download", "trust_remote_code", "allow_pickle"),
    "Texture": ("texture", "texture_size", "bake", "bake_normals"),
    "Device": ("device", "backend", "dtype", "offload", "slicing"),
    "Settings": ("source", "overrides"),
    GENERAL: ("quiet", "verbose", "version"),
}


class Option(click.Option):
    """`group`: in the help, where `GROUPS` does not say it."""

    def __init__(self, *names: Any, group: str | None = None, **more: Any) -> None:
        super().__init__(*names, **more)
        self.group = group

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        return complete(self.name, self.metavar, incomplete)


class Argument(click.Argument):
    """One that shells can complete."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        return complete(self.name, self.metavar, incomplete)


option = partial(click.option, cls=Option)
argument = partial(click.argument, cls=Argument)


class _Command(click.Command):
    """`examples`: command lines; `codes`: those of EXIT_CODES that it ends with."""

    def __init__(self, *given: Any, examples: Sequence[str] = (), codes: Sequence[int] = USUAL, **more: Any) -> None:
        super().__init__(*given, **more)
        self.examples, self.codes = examples, codes

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {title: [] for title in GROUPS}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if row is not None:
                groups[_group(parameter)].append(row)
        for title, rows in groups.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), EXIT_CODES[code]) for code in self.codes])


class Group(_Command, click.Group):
    """Its commands stand in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)


def command(examples: Sequence[str], codes: Sequence[int] = USUAL, **more: Any) -> Any:
    """`click.command` with examples and exit codes."""
    return click.command(cls=_Command, examples=examples, codes=codes, **more)


def _group(parameter: click.Parameter) -> str:
    given = GENERAL if "--help" in parameter.opts else getattr(parameter, "group", None)
    return given or next((title for title, names in GROUPS.items() if parameter.name in names), OWN)
