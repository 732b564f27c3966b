"""`meshopt completion`: the script that lets a shell complete the command line."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .commands import command

SHELLS = ("bash", "zsh", "fish")


@command(
    examples=(
        'eval "$(meshopt completion bash)"    # in ~/.bashrc; of bash 4.4 and newer',
        'eval "$(meshopt completion zsh)"     # in ~/.zshrc, after compinit',
        "meshopt completion fish > ~/.config/fish/completions/meshopt.fish",
    ),
    codes=(0, 2),
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that makes a shell complete meshopt.

    It completes commands, options, rigs, presets, models, settings and files.
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click has all of SHELLS
    script = kind(click.get_current_context().find_root().command, {}, "meshopt", "_MESHOPT_COMPLETE")
    click.echo(script.source_template % script.source_vars())
