"""rembg is asked for in the right way, and what is missing is named. The package is not needed here."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from meshopt.cutout import mask_from_rembg
from meshopt.errors import InputError


def test_rembg_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.zeros((4, 4, 3), np.float32)
    with pytest.raises(InputError, match=r"needs --matting-model: a path to a local \.onnx file"):
        mask_from_rembg(image, None)
    with pytest.raises(InputError, match=r"--matting-model .*no\.onnx does not exist"):
        mask_from_rembg(image, str(tmp_path / "no.onnx"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs the package rembg: pip install 'meshopt3d\[matting\]'"):
        mask_from_rembg(image, "u2net")


def test_rembg_is_given_the_local_file_and_its_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the package: the session, the environment while it loads, and the mask's scale."""
    calls = []

    def new_session(name: str, **options: str) -> str:
        calls.append((name, options, os.environ.get("REMBG_HOME")))
        return "session"

    def remove(picture: np.ndarray, session: str, only_mask: bool) -> np.ndarray:
        assert (session, only_mask, picture.dtype) == ("session", True, np.uint8)
        return np.full(picture.shape[:2], 51, np.uint8)

    stand_in = types.ModuleType("rembg")
    stand_in.new_session, stand_in.remove = new_session, remove  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rembg", stand_in)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: stand_in)
    monkeypatch.delenv("REMBG_HOME", raising=False)
    model = tmp_path / "own.onnx"
    model.write_bytes(b"")
    for _ in range(2):  # the session is kept
        mask = mask_from_rembg(np.zeros((4, 6, 3), np.float32), str(model))
    np.testing.assert_allclose(mask, 0.2)
    assert calls == [("u2net_custom", {"model_path": str(model)}, str(tmp_path))]
    assert "REMBG_HOME" not in os.environ

    def broken(name: str, **options: str) -> str:
        raise RuntimeError("no such graph")

    stand_in.new_session = broken  # type: ignore[attr-defined]
    with pytest.raises(InputError, match=r"u2netp cannot be loaded by rembg: no such graph"):
        mask_from_rembg(np.zeros((4, 6, 3), np.float32), "u2netp")
