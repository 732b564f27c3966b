"""`meshopt config`: the resolved settings."""

from __future__ import annotations

import click


@click.command()
@click.option("--config", "source", metavar="FILE|PRESET", help="Settings over the defaults.")
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="One setting; may be repeated.")
def config(source: str | None, overrides: tuple[str, ...]) -> None:
    """Print every setting with its documentation, as YAML."""
    from meshopt.config import dump_config, load_config

    click.echo(dump_config(load_config(source, overrides)), nl=False)
