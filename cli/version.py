"""`meshopt --version`: of meshopt, and of what computes for it."""

from __future__ import annotations

import platform

import click

from .commands import option


def _show(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    for name, version in versions():
        click.echo(f"{name} {version}")
    context.exit()


version_option = option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show,
    help="Show the versions of meshopt and of what it computes with, and exit.",
)  # fmt: skip


def versions() -> list[tuple[str, str]]:
    """Name and version of meshopt, Python, and the packages that compute; none of them is imported."""
    from meshopt import __version__, packages
    from meshopt.diagnosis import INSTALL

    found = [("meshopt", __version__), ("python", platform.python_version())]
    for name in ("torch", "numba", "numpy"):
        found.append((name, packages.version(name) or "not installed"))
    build = packages.torch_build()
    if build is not None:
        found[2] = ("torch", f"{found[2][1]} ({build} build)")
    found.append(("rasteriser cpu", __version__))
    return found + [(f"rasteriser {name}", packages.version(name) or "not installed") for name in INSTALL]
