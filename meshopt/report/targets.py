"""Where findings and figures are to be written; looked at before anything is computed, so nothing heavy is imported
here.
"""

from __future__ import annotations

import os
from pathlib import Path

from meshopt.errors import InputError
from meshopt.io.files import check_folder

CHECK_FILES = ("report.html", "check.json", "check.png")
ABLATION_FILES = ("ablation.html", "ablation.csv", "ablation.json")
EVALUATION_FILES = ("evaluation.json", "evaluation.png")


def check_output_folder(folder: str | Path, names: tuple[str, ...], overwrite: bool = False) -> None:
    """Raises InputError where files of these names cannot be written there; changes nothing."""
    if not str(folder).strip():
        raise InputError("--output is an empty text, expected a folder (. is the current one)")
    folder = Path(folder)
    if folder.suffix.lower() in (".html", ".json", ".png") and not folder.is_dir():
        raise InputError(f"--output {folder}: names a file, expected a folder for {names[0]}; --json takes a file")
    check_folder(folder, names, overwrite)


def check_ablation_folder(folder: str | Path, overwrite: bool = False) -> None:
    """Raises InputError where an ablation cannot be kept there; changes nothing. One that is there may go on."""
    goes_on = all((Path(folder) / name).is_file() for name in ABLATION_FILES)
    check_output_folder(folder, ABLATION_FILES, overwrite or goes_on)


def check_json_file(file: str | Path, overwrite: bool = False) -> None:
    """Raises InputError where a JSON file cannot be written there; changes nothing. An empty file may be replaced."""
    if not str(file).strip():
        raise InputError("--json is an empty text, expected a file, or - for standard output")
    file = Path(file)
    if file.is_dir():
        raise InputError(f"--json {file}: is a folder, expected a file; --output takes a folder")
    if file.exists() and not file.is_file():
        raise InputError(f"--json {file}: is no ordinary file; - stands for standard output")
    if file.is_file() and file.stat().st_size and not overwrite:
        raise InputError(f"--json {file}: is already there; choose another name or replace it with --overwrite")
    parent = next(place for place in file.absolute().parents if place.exists())
    if not parent.is_dir():
        raise InputError(f"--json {file}: {parent} is a file, expected a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"--json {file}: cannot write into {parent}")
