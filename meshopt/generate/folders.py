"""Folders of weights, as diffusers saves them: whether they hold what they should, how large, under which licence."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from meshopt.errors import InputError
from meshopt.io.files import read_bytes, read_json

INDEXES = ("model_index.json", "config.json")  # of a pipeline, of a single model
TENSORS = (".safetensors",)
PICKLES = (".bin", ".pt", ".pth", ".ckpt")  # they can run code when they are read
WITHOUT_TENSORS = ("Tokenizer", "Processor", "Extractor", "Scheduler")  # ends and parts of such components' classes


def holds(folder: Path, file: str | None = None) -> bool:
    """Whether a folder is a saved pipeline or model, or holds `file`."""
    return any((folder / name).is_file() for name in ((file,) if file else INDEXES))


def check_folder(folder: Path, what: str, file: str | None) -> None:
    """Raises InputError where a folder is not what it should be; `what` names it in the sentence."""
    wanted = file or " or ".join(INDEXES)
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{what} {found}, expected a folder with {wanted}.")
    if not holds(folder, file):
        held = sorted(entry.name for entry in folder.iterdir())[:3]
        found = f"found {', '.join(held)}" if held else "it is empty"
        raise InputError(f"{what} holds no {wanted} ({found}): expected a folder as diffusers saves it.")


def components(folder: Path) -> Iterator[Path]:
    """The folders of a saved pipeline's components that have tensors; of a single model the folder itself."""
    index = folder / "model_index.json"
    if not index.is_file():
        yield folder
        return
    try:
        entries = read_json(index).items()
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{index} cannot be read as a pipeline's index: {error}.") from error
    for name, value in entries:
        if not isinstance(value, list) or len(value) != 2 or not isinstance(value[1], str):
            continue
        if "/" in name or "\\" in name or name in ("", ".", ".."):
            raise InputError(f"{index} names the component {name[:80]!r}, expected the name of a folder beside it.")
        if not any(word in value[1] for word in WITHOUT_TENSORS):
            yield folder / name


def file_of(folder: Path, name: str) -> Path | None:
    """The file of weights by this name, or the .safetensors in its place; None where there is neither."""
    safe = (folder / name).with_suffix(TENSORS[0])
    return next((file for file in (safe, folder / name) if file.is_file()), None)


def check_tensors(folder: Path, pickles: bool, files: tuple[str, ...] = ()) -> None:
    """Raises InputError where a component has no tensors, or has them in pickles alone and these are not allowed.

    So it does for `files`, which lie beside the components.
    """
    for component in components(folder):
        if not component.is_dir():
            raise InputError(f"{folder}: its model_index.json names {component.name}, but there is no such folder.")
        suffixes = {file.suffix for file in component.iterdir()}
        if suffixes & set(TENSORS):
            continue
        held = sorted(file.name for file in component.iterdir() if file.suffix in PICKLES)
        if not held:
            raise InputError(f"{component} holds no weights: expected a .safetensors file.")
        if not pickles:
            raise _pickled(component, held[0])
    for name in files:
        file = file_of(folder, name)
        if file is None:
            raise InputError(f"{folder} holds no {name}, in which this model's authors publish weights.")
        if file.suffix in PICKLES and not pickles:
            raise _pickled(folder, name)


def _pickled(folder: Path, name: str) -> InputError:
    return InputError(
        f"{folder} holds its weights as a pickle ({name}), which can run code when it is read: expected "
        ".safetensors; --allow-pickle reads it with torch's reader of weights alone."
    )


def complete(folder: Path, file: str | None = None, files: tuple[str, ...] = ()) -> bool:
    """Whether a folder holds `file`, or all components of a saved pipeline: a download may have been broken off."""
    if file is not None or not holds(folder):
        return holds(folder, file)
    try:
        check_tensors(folder, True, files)
    except InputError:
        return False
    return True


def size(folder: Path, without: tuple[str, ...] = (), files: tuple[str, ...] = ()) -> int:
    """Bytes of the tensors that would be read, those of inner folders `without` left out."""
    beside = [file_of(folder, name) for name in files]
    total = sum(file.stat().st_size for file in beside if file is not None)
    for component in components(folder):
        if component.is_dir() and component.name not in without:
            held = [file for file in component.iterdir() if file.suffix in (*TENSORS, *PICKLES)]
            safe = [file for file in held if file.suffix in TENSORS]
            plain = [file for file in safe or held if ".fp16." not in file.name]
            total += sum(file.stat().st_size for file in plain or safe or held)
    return total


def stated_licence(folder: Path) -> str | None:
    """What the head of the folder's README.md says, as model cards do."""
    try:
        text = read_bytes(folder / "README.md").decode("utf-8")
        head = yaml.safe_load(text.split("---")[1]) if text.startswith("---") else None
    except (OSError, ValueError, LookupError, TypeError, RecursionError, yaml.YAMLError):
        return None
    if not isinstance(head, dict):
        return None
    found = head.get("license_name") or head.get("license")
    return str(found) if isinstance(found, str) else None


def check_imports(file: Path) -> None:
    """Raises InputError where a file of code imports packages that are not installed."""
    try:
        tree = ast.parse(read_bytes(file))
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise InputError(f"{file} cannot be read as Python code: {error}.") from error
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    missing = sorted(name for name in names if name not in sys.modules and importlib.util.find_spec(name) is None)
    if missing:
        matching = " in the version that matches torch's" if "torchvision" in missing else ""
        raise InputError(
            f"{file} imports {' and '.join(missing)}, which is not installed: pip install {' '.join(missing)}"
            f"{matching}."
        )
