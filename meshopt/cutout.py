"""Masks by a neural network: rembg, an optional package."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from meshopt.errors import InputError


def mask_from_rembg(image: Float[np.ndarray, "H W 3"], model: str | None) -> Float[np.ndarray, "H W"]:
    """The object by rembg with a named model, or with an ONNX file of U2-Net's kind, which needs no network.

    Raises InputError where rembg is not installed, no model is named, or the file does not exist.
    """
    session = _rembg_session(model)
    import rembg

    picture = np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    mask = np.asarray(rembg.remove(picture, session=session, only_mask=True), np.float32) / 255
    return mask if mask.ndim == 2 else mask[..., 0]


_SESSIONS: dict[str, Any] = {}  # loading one takes seconds


def _rembg_session(model: str | None) -> Any:
    if model is None:
        raise InputError(
            "--matting rembg needs --matting-model: a path to a local .onnx file, or the name of a rembg "
            "model such as isnet-general-use, which rembg downloads on first use."
        )
    local = model.lower().endswith(".onnx") or os.sep in model
    if local and not Path(model).is_file():
        raise InputError(f"--matting-model {model} does not exist: expected an .onnx file or a rembg model's name.")
    if importlib.util.find_spec("rembg") is None:
        raise InputError("--matting rembg needs the package rembg: pip install 'meshopt3d[matting]'.")
    key = str(Path(model).resolve()) if local else model
    if key not in _SESSIONS:
        _SESSIONS[key] = _new_session(key, local)
    return _SESSIONS[key]


def _new_session(model: str, local: bool) -> Any:
    import rembg

    try:
        if not local:
            return rembg.new_session(model)
        with _environment("REMBG_HOME", str(Path(model).parent)):  # rembg takes local files from its home only
            return rembg.new_session("u2net_custom", model_path=model)
    except Exception as error:  # onnxruntime and the download raise many kinds
        raise InputError(f"--matting-model {model} cannot be loaded by rembg: {error}.") from error


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """An environment variable, set for a while."""
    previous = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if previous is None:
            del os.environ[name]
        else:
            os.environ[name] = previous
