"""Consoles, and where the library's log and warnings go."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from meshopt.errors import MeshoptWarning

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 120  # columns where there is no terminal


def consoles(quiet: bool) -> tuple[Console, Console]:
    """Standard output, which --quiet closes, and standard error."""
    from rich.console import Console  # here, so that what needs no console starts without it

    out, err = Console(quiet=quiet), Console(stderr=True)
    for console in (out, err):
        if not console.is_terminal:
            console.width = PLAIN_WIDTH
    return out, err


@contextlib.contextmanager
def messages(console: Console, verbose: int) -> Iterator[None]:
    """Within it, meshopt's warnings and log appear on `console`, a line each."""
    logger = logging.getLogger("meshopt")
    handler = _Handler(console)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel([logging.WARNING, logging.INFO, logging.DEBUG][min(verbose, 2)])

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, MeshoptWarning) or verbose:
            line(console, f"Warning: {message}")

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default", MeshoptWarning)
            warnings.showwarning = show
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def counted(number: int, noun: str) -> str:
    """As `3 runs`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


class _Handler(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "Warning: " if record.levelno >= logging.WARNING else ""
        line(self._console, prefix + self.format(record))


def line(console: Console, text: str) -> None:
    """As it is, however long."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)
