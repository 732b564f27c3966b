"""diffusers and transformers: whether they are there, quiet, and their failures in one sentence."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError

from meshopt.errors import InputError

PACKAGES = ("diffusers", "transformers", "accelerate")
_BROKEN = (
    OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, SyntaxError, EOFError,
)  # fmt: skip


def require_diffusers() -> None:
    """Raises InputError where the packages that models need are not installed."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"models need {' and '.join(missing)}: pip install 'meshopt3d[generate]'.")


@contextlib.contextmanager
def loading(folder: Path) -> Iterator[None]:
    """Turns what goes wrong while a folder is loaded into an InputError that names it."""
    from safetensors import SafetensorError

    try:
        with quiet_libraries():
            yield
    except RuntimeError as error:
        if "PytorchStreamReader" in str(error):  # a .bin file that was cut off
            raise InputError(f"{folder} cannot be loaded as the model's weights: {_reason(error)}.") from error
        if "size mismatch" not in str(error):
            raise
        raise InputError(
            f"{folder} holds tensors of other sizes than its configs say: another model's weights."
        ) from error
    except UnpicklingError as error:
        raise InputError(
            f"{folder} holds a pickle that is broken or holds more than tensors: torch's reader of weights alone "
            "refuses it."
        ) from error
    except (*_BROKEN, SafetensorError) as error:
        raise InputError(f"{folder} cannot be loaded as the model's weights: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Within it, diffusers and transformers draw no bars and say nothing: what fails is raised."""
    import diffusers.utils.logging as of_diffusers
    import transformers.utils.logging as of_transformers

    levels = [(module, module.get_verbosity()) for module in (of_diffusers, of_transformers)]
    bars = [(module, module.is_progress_bar_enabled()) for module in (of_diffusers, of_transformers)]
    for module, _ in levels:
        module.set_verbosity(logging.CRITICAL)  # that there are no .safetensors, diffusers logs as an error
        module.disable_progress_bar()
    try:
        yield
    finally:
        for module, level in levels:
            module.set_verbosity(level)
        for module, shown in bars:
            if shown:
                module.enable_progress_bar()
