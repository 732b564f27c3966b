"""Super-resolution: the filter against a larger picture of the same, an ONNX model, and diffusers' upscaler."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from meshopt.errors import InputError
from meshopt.generate.runtime import RuntimeOptions, start
from meshopt.generate.stage import GenerateOptions, generate
from meshopt.generate.upscaling import UpscaleOptions, lanczos, upscale
from meshopt.generate.weights import Places
from meshopt.views import load_views

Made = Callable[..., Any]


def enlarged(views: Any, factor: int, model: str | None = None) -> Any:
    return upscale(views, UpscaleOptions(factor, model), start(RuntimeOptions(device="cpu")), seed=0)


@pytest.mark.parametrize("factor", [2, 3])
def test_the_filter_gives_the_larger_picture(rendered: Made, factor: int) -> None:
    """Of smooth views: nearly what they would be, drawn as large at once."""
    small, large = (rendered(size=size).decode(0.0) for size in (64, 64 * factor))
    found = enlarged(small, factor)
    for name in ("rgb", "normals"):
        a, b = getattr(found, name), getattr(large, name)
        assert a.shape == b.shape
        assert a.dtype == np.float32
        assert np.abs(a - b).mean() < 0.01
    assert found.normals.min() >= -1
    assert found.rgb.min() >= 0
    assert found.rgb.max() <= 1


def test_the_filter_moves_nothing() -> None:
    x = (np.arange(32, dtype=np.float32) + 0.5) / 32
    ramp = np.broadcast_to(x, (32, 32))
    fine = (np.arange(96) + 0.5) / 96
    np.testing.assert_allclose(lanczos(ramp, 96)[40, 12:-12], fine[12:-12], atol=2e-3)
    assert lanczos(ramp, 32).shape == (32, 32)


def test_once_is_as_it_is(rendered: Made) -> None:
    views = rendered(size=32).decode(0.0)
    assert enlarged(views, 1) is views


def test_an_onnx_model_enlarges_colours(rendered: Made, onnx: ModuleType, tmp_path: Path) -> None:
    """A model that repeats pixels; twice is its own factor, 3 is made of it by the filter."""
    views = rendered(size=32).decode(0.0)
    model = str(onnx.enlarging(tmp_path / "two.onnx"))
    found = enlarged(views, 2, model)
    np.testing.assert_array_equal(found.rgb, views.rgb.repeat(2, axis=1).repeat(2, axis=2))
    np.testing.assert_array_equal(found.normals, enlarged(views, 2).normals)
    assert enlarged(views, 3, model).rgb.shape == (6, 96, 96, 3)


@pytest.mark.slow
def test_diffusers_upscaler(tiny: Any, rendered: Made, tmp_path: Path) -> None:
    """StableDiffusionUpscalePipeline's real classes with random weights: four times, the same bytes for a seed."""
    folder = tiny.upscaler(tmp_path / "upscaler")
    views = rendered(size=8).decode(0.0)
    views = replace(views, rgb=views.rgb[:1], normals=None)
    a, b = (enlarged(views, 4, str(folder)) for _ in range(2))
    assert a.rgb.shape == (1, 32, 32, 3)
    assert np.array_equal(a.rgb, b.rgb)
    assert not np.allclose(a.rgb, enlarged(views, 4).rgb, atol=0.05)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "Other"}))
    with pytest.raises(InputError, match="is a Other, expected a StableDiffusionUpscalePipeline or a"):
        UpscaleOptions(4, str(folder)).check()


def test_a_folder_of_larger_views(rendered: Made, onnx: ModuleType, picture: Path, tmp_path: Path) -> None:
    model = onnx.enlarging(tmp_path / "two.onnx")
    options = GenerateOptions(upscale=UpscaleOptions(2, str(model)))
    told: list[str] = []
    generate(
        rendered(size=64), picture, Places(), options, tmp_path / "out", on_step=lambda *step: told.append(step[0])
    )
    assert told == ["views"] * 3 + ["upscale"] * 6
    assert load_views(tmp_path / "out").resolution == (128, 128)
    record = json.loads((tmp_path / "out" / "cameras.json").read_text())
    assert record["generated"]["upscale"] == {"factor": 2, "model": "two.onnx"}


def test_what_cannot_be(rendered: Made, onnx: ModuleType, tmp_path: Path) -> None:
    views = rendered(size=16).decode(0.0)
    with pytest.raises(InputError, match="--upscale 9 is out of range, expected 1 to 8 times"):
        UpscaleOptions(9)
    with pytest.raises(InputError, match="--upscale N, how many times, is missing"):
        UpscaleOptions(1, "a.onnx")
    with pytest.raises(InputError, match=r"--upscaler .*gone\.onnx does not exist"):
        UpscaleOptions(2, str(tmp_path / "gone.onnx")).check()
    with pytest.raises(InputError, match=r"--upscaler .*gone does not exist, expected a folder with model_index\.json"):
        UpscaleOptions(2, str(tmp_path / "gone")).check()
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(InputError, match=r"bad\.onnx cannot be loaded by onnxruntime"):
        enlarged(views, 2, str(tmp_path / "bad.onnx"))
    with pytest.raises(InputError, match=r"made an array of shape .* expected a larger square picture"):
        enlarged(views, 2, str(onnx.brightness(tmp_path / "grey.onnx")))


def test_without_onnxruntime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.onnx").write_bytes(b"")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs the package onnxruntime for \.onnx files: pip install onnxruntime"):
        UpscaleOptions(2, str(tmp_path / "a.onnx")).check()
