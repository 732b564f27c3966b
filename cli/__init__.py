"""The command line: arguments in, messages out. `main` is the `meshopt` command."""

from .main import main, run

__all__ = ["main", "run"]
