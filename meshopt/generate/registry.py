"""The models that there are: every file in `models/` and `estimators/` that has an `ADAPTER`."""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from meshopt.errors import InputError
from meshopt.generate import estimators, models
from meshopt.generate.adapters import NormalModel, ViewModel
from meshopt.io.files import read_json

INDEX = "model_index.json"


def view_models() -> dict[str, ViewModel]:
    """The multi-view models, by name."""
    return _adapters(models)


def normal_models() -> dict[str, NormalModel]:
    """The estimators of normals, by name."""
    return _adapters(estimators)


def _adapters(package: Any) -> dict[str, Any]:
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    found = [getattr(import_module(f"{package.__name__}.{name}"), "ADAPTER", None) for name in names]
    return {adapter.card.name: adapter for adapter in found if adapter is not None}


def choose(word: str, known: Mapping[str, Any], flag: str = "--model") -> tuple[Any, Path | None]:
    """A model by its name, or by a folder of its weights (given back, too). Raises InputError with what there is.

    A folder is told by the class in its model_index.json, or in that of the model's first part inside it, and by its
    components where several models are of one class.
    """
    if word.strip().lower() in known:
        return known[word.strip().lower()], None
    folder = Path(word).expanduser()
    names = ", ".join(known) or "none"
    if folder.is_dir():
        for model in known.values():
            first = _first(model)
            if first and (folder / first / INDEX).is_file() and _kind(folder / first, flag)[0] in model.card.kinds:
                return model, folder
        kind, components = _kind(folder, flag)
        for model in known.values():
            if kind in model.card.kinds and components >= set(model.card.components):
                return model, folder.parent if folder.name == _first(model) else folder
        kinds = ", ".join(name for model in known.values() for name in model.card.kinds)
        raise InputError(
            f"{flag} {word}: its model_index.json names the class {kind}, which no model here has ({kinds}); where it "
            f"is one of {names} nonetheless, say {flag} NAME --weights {word}."
        )
    close = difflib.get_close_matches(word.lower(), list(known), n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    raise InputError(f"{flag} {word!r} is no model and no folder{hint}: expected {names}, or a folder of weights.")


def _first(model: Any) -> str:
    """Where the first part lies in a local folder of the whole model."""
    return next((part.folder for part in model.card.parts), "")


def _kind(folder: Path, flag: str) -> tuple[str, set[str]]:
    """The class of a saved pipeline, and the names of the components that it has."""
    path = folder / INDEX
    try:
        index = read_json(path)
        return str(index["_class_name"])[:80], {name for name, value in index.items() if value != [None, None]}
    except FileNotFoundError:
        held = sorted(entry.name for entry in folder.iterdir())[:3]
        found = f"found {', '.join(held)}" if held else "it is empty"
        raise InputError(
            f"{flag} {folder}: holds no model_index.json ({found}), expected a folder as diffusers saves pipelines."
        ) from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{path} cannot be read as a pipeline's index with a _class_name: {error}.") from error
