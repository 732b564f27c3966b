"""`meshopt config`: the resolved settings."""

from __future__ import annotations

import click

from .commands import command, option
from .messages import consoles, messages


@command(
    examples=(
        "meshopt config > mine.yaml",
        "meshopt config --config era3d --set optimize.fine_steps=80",
        "meshopt config --config old/config.yaml > new.yaml",
        "meshopt config --schema > meshopt.schema.json",
    ),
    codes=(0, 1, 2),
)
@option("--config", "source", metavar="FILE|PRESET", help="Settings over the defaults.")
@option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="One setting; may be repeated.")
@option("--schema", is_flag=True, help="Print the JSON schema of such files, for editors.")
def config(source: str | None, overrides: tuple[str, ...], schema: bool) -> None:
    """Print every setting with its documentation, as YAML.

    Files that an older meshopt wrote are brought to today's form.
    """
    from meshopt.config import dump_config, load_config, settings_schema

    if schema:
        click.echo(settings_schema(), nl=False)
        return
    _, err = consoles(quiet=False)
    with messages(err, 0):
        click.echo(dump_config(load_config(source, overrides)), nl=False)
