"""Normals of colour views: by a made-up model that knows them, and by Marigold's real classes with random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from meshopt.cli import run
from meshopt.errors import InputError
from meshopt.generate import registry
from meshopt.generate.adapters import Card, Part, Request
from meshopt.generate.estimation import EstimateOptions, estimate, write_estimated
from meshopt.generate.estimators.marigold import ADAPTER as MARIGOLD
from meshopt.generate.runtime import Runtime, RuntimeOptions, start
from meshopt.generate.stage import GenerateOptions, generate
from meshopt.generate.weights import Places, Weights
from meshopt.views import ViewSet, load_views

Made = Callable[..., Any]
OPTIONS = EstimateOptions(runtime=RuntimeOptions(device="cpu"))


class Known:
    """Reads the normals out of the colours, which the made-up views paint with them: 0.5 + 0.35 n."""

    def __init__(self, views: ViewSet) -> None:
        self.turns = iter([camera.rotation for camera in views.cameras])
        self.card = Card("known", "Known", (), ("Known",), 3, 0.0, "this test")

    def load(self, weights: Weights, runtime: Runtime) -> object:
        return object()

    def run(self, pipeline: object, picture: np.ndarray, request: Request, runtime: Runtime) -> np.ndarray:
        for step in range(request.steps):
            runtime.on_step("normals", step + 1, request.steps)
        world = (picture - 0.5) / 0.35
        return (world @ next(self.turns).T).astype(np.float32)


@pytest.fixture
def coloured(rendered: Made, picture: Path, tmp_path: Path) -> Path:
    """A folder of colour views."""
    generate(rendered(with_normals=False, size=64), picture, Places(), GenerateOptions(), tmp_path / "views")
    return tmp_path / "views"


@pytest.mark.parametrize("rig", ["wonder3d", "zero123plus", "unique3d", "imagedream"])
def test_normals_come_back_in_the_right_frame(rendered: Made, picture: Path, tmp_path: Path, rig: str) -> None:
    generate(rendered(rig), picture, Places(), GenerateOptions(), tmp_path / "a")
    truth = load_views(tmp_path / "a")
    views = load_views(tmp_path / "a", normal_maps="none")
    model, told = Known(views), []
    done = estimate(model, views, Places(), OPTIONS, lambda *step: told.append(step))
    assert told[-1] == ("normals", 3 * len(views), 3 * len(views))
    assert [step[1] for step in told] == list(range(1, 3 * len(views) + 1))
    write_estimated(done, model, OPTIONS, tmp_path / "b")
    found = load_views(tmp_path / "b")
    assert json.loads((tmp_path / "b" / "cameras.json").read_text())["normal_frame"] == "camera"
    inside = (truth.masks == 1) & (found.masks == 1)
    cosine = (truth.normals * found.normals).sum(-1)[inside]
    assert torch.rad2deg(torch.acos(cosine.clamp(-1, 1))).mean() < 2
    assert found.rgb is not None
    assert views.rgb is not None
    assert (found.rgb - views.rgb)[inside].abs().max() < 1 / 255
    assert torch.equal(found.normals[found.masks == 0], torch.zeros_like(found.normals[found.masks == 0]))


def test_cameras_in_units_of_their_own(rendered: Made, picture: Path, tmp_path: Path) -> None:
    """Views that were moved and scaled into the scene are written with the cameras that they came with."""
    generate(rendered("unique3d"), picture, Places(), GenerateOptions(), tmp_path / "a")
    record = json.loads((tmp_path / "a" / "cameras.json").read_text())
    for view in record["views"]:
        pose = np.array(view["world_to_camera"])
        pose[:3, 3] = 10 * (pose[:3, 3] - pose[:3, :3] @ [1, 2, 3])
        view |= {"world_to_camera": pose.tolist(), "half": [10 * h for h in view["half"]]}
    (tmp_path / "a" / "cameras.json").write_text(json.dumps(record))
    views = load_views(tmp_path / "a", normal_maps="none")
    assert views.scale > 2
    model = Known(views)
    write_estimated(estimate(model, views, Places(), OPTIONS), model, OPTIONS, tmp_path / "b")
    again = json.loads((tmp_path / "b" / "cameras.json").read_text())
    for old, new in zip(record["views"], again["views"], strict=True):
        np.testing.assert_allclose(new["world_to_camera"], old["world_to_camera"], atol=1e-5)
        np.testing.assert_allclose(new["half"], old["half"])


def test_views_without_colours(coloured: Path) -> None:
    views = load_views(coloured, normal_maps="none")
    with pytest.raises(InputError, match="the views have no colours"):
        estimate(Known(views), replace(views, rgb=None), Places(), OPTIONS)


def test_marigold_is_found() -> None:
    assert registry.normal_models()["marigold"] is MARIGOLD


def test_marigold_of_random_weights(tiny: Any, coloured: Path, tmp_path: Path) -> None:
    """The real classes: unit normals in the camera's frame; what it gives is what the pipeline gives by itself."""
    folder = tiny.marigold(tmp_path / "weights")
    views = load_views(coloured, normal_maps="none")
    told: list[tuple[str, int, int]] = []
    done = estimate(MARIGOLD, views, Places(folder), OPTIONS, lambda *step: told.append(step))
    assert told == [("normals", n, 24) for n in range(1, 25)]  # 6 views of 4 steps
    inside = done.views.masks > 0
    np.testing.assert_allclose(done.views.normals[inside].norm(dim=-1), 1, atol=1e-5)

    from diffusers import MarigoldNormalsPipeline

    pipeline = MarigoldNormalsPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    assert views.rgb is not None
    alpha = views.masks[2][..., None]
    seen = (views.rgb[2] * alpha + (1 - alpha)).numpy()
    expected = pipeline(seen, num_inference_steps=4, generator=torch.Generator().manual_seed(0)).prediction[0]
    in_camera = done.views.normals[2].numpy() @ views.cameras[2].rotation.T.astype(np.float32)
    np.testing.assert_allclose(in_camera[inside[2]], expected[inside[2]], atol=1e-4)


def test_the_command(tiny: Any, coloured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tiny.marigold(tmp_path / "weights")
    command = ["normals", str(coloured), "--model", str(folder), "--device", "cpu", "--steps", "1", "--no-check"]
    assert run([*command, "-o", str(tmp_path / "plan"), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"pipeline: {folder}, " in said
    assert "licence RAIL++-M (https://github.com/prs-eth/Marigold" in said
    assert "6 views would be seen, 1 steps each" in said
    assert not (tmp_path / "plan").exists()
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        assert run([*command, "-o", str(tmp_path / name), "--seed", seed]) == 0
    assert f"Next: meshopt reconstruct --views {tmp_path / 'c'}" in capsys.readouterr().out
    files = [{p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.*")} for n in "abc"]
    assert files[0] == files[1]
    assert files[0] != files[2]
    assert len(files[0]) == 13
    record = json.loads((tmp_path / "a" / "cameras.json").read_text())
    assert record["estimated"] == {
        "model": "marigold", "seed": 5, "steps": 1,
        "weights": [{"part": "pipeline", "folder": "weights", "licence": "RAIL++-M"}],
    }  # fmt: skip
    assert load_views(tmp_path / "a").has_normals
    assert run([*command, "-o", str(tmp_path / "a")]) == 2
    assert "already holds a result" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_checks(tiny: Any, coloured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Normals of random weights contradict each other, and that is said."""
    folder = tiny.marigold(tmp_path / "weights")
    command = ["normals", str(coloured), "--weights", str(folder), "--device", "cpu", "--steps", "1"]
    assert run([*command, "-o", str(tmp_path / "a")]) == 0
    assert "inconsistent" in capsys.readouterr().out.lower()


def test_weights_that_are_not_marigolds(tiny: Any, coloured: Path, tmp_path: Path) -> None:
    folder = tiny.marigold(tmp_path / "weights")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"unet": ["diffusers", "NoSuchModel"]}))
    with pytest.raises(InputError, match=r"weights cannot be loaded as the model's weights: .*NoSuchModel"):
        estimate(MARIGOLD, load_views(coloured, normal_maps="none"), Places(folder), OPTIONS)


def test_normals_that_are_no_numbers(tiny: Any, tmp_path: Path) -> None:
    runtime = start(RuntimeOptions(device="cpu"))
    folder = tiny.marigold(tmp_path / "weights")
    pipeline = MARIGOLD.load(Weights({"pipeline": folder}), runtime)
    picture = np.full((32, 32, 3), np.nan, np.float32)
    pipeline.vae.decoder.conv_out.bias.data[:] = np.nan
    with pytest.raises(InputError, match=r"or with NaN, expected \(32, 32, 3\)"):
        MARIGOLD.run(pipeline, np.nan_to_num(picture), Request(0, 1, 0.0), runtime)


def test_a_type_that_the_device_cannot_compute_in(tiny: Any, coloured: Path, tmp_path: Path) -> None:
    """Marigold's resampling has no bfloat16 on the CPU."""
    folder = tiny.marigold(tmp_path / "weights")
    options = EstimateOptions(steps=1, runtime=RuntimeOptions(device="cpu", dtype="bfloat16"))
    with pytest.raises(InputError, match="cpu cannot compute all of this model in bfloat16: use --dtype float32"):
        estimate(MARIGOLD, load_views(coloured, normal_maps="none"), Places(folder), options)


def test_nothing_of_the_hub_is_asked_for_a_folder(tiny: Any, coloured: Path, tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    folder = tiny.marigold(tmp_path / "weights")
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *given, **more: pytest.fail("asked the hub"))
    estimate(MARIGOLD, load_views(coloured, normal_maps="none"), Places(folder), OPTIONS)
    assert isinstance(MARIGOLD.card.parts[0], Part)
