"""`meshopt view`: a result's report, or a mesh in 3D, in the browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from .commands import argument, command, option
from .options import config_options, settings


@command(
    examples=(
        "meshopt view out/",
        "meshopt view scan.ply",
        "meshopt view out/ --print-path",
    ),
    codes=(0, 1, 2),
)
@argument("out", metavar="OUT")
@option("--print-path", is_flag=True, help="Print the page's path and open nothing.")
@config_options
def view(out: str, print_path: bool, source: str | None, overrides: tuple[str, ...]) -> None:
    """Open OUT in the browser.

    OUT is the folder of a result, a check or an ablation, whose page is opened, or such a page, or a mesh file (glb,
    gltf, obj, ply, stl, off), which is shown in 3D by a page in the system's folder for temporary files.
    """
    from meshopt.report.viewing import page_for

    from .messages import consoles, messages

    _, err = consoles(quiet=False)
    with messages(err, 0):
        page = page_for(Path(out).expanduser(), settings(source, overrides, {}).meshes.limits)
    if print_path:
        click.echo(page)
    elif _opened(page):
        click.echo(f"Opened {page}.")
    else:
        click.echo(f"No browser could be started here. The page is one file, for any browser: {page}")


def _opened(page: Path) -> bool:
    """Whether a browser has taken the page. Without a display there may be one for the terminal, which is not asked."""
    import webbrowser

    shown = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in shown):
        return False
    try:
        return webbrowser.open(page.as_uri())
    except webbrowser.Error:
        return False
