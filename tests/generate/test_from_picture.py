"""`meshopt reconstruct IMAGE`: a model makes the views, and the mesh is made of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from meshopt.cli import run
from meshopt.generate import registry
from meshopt.io.meshes import load_mesh

Made = Callable[..., Any]
QUICK = ["--quality", "fast", "--faces", "2000", "--texture", "none", "--no-html", "--device", "cpu"]


@pytest.fixture
def model(rendered: Made, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The made-up model, in the list of models."""
    made = rendered(size=96)
    monkeypatch.setattr(registry, "view_models", lambda: {"rendered": made})
    return made


@pytest.mark.slow
def test_a_mesh_of_one_picture(model: Any, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    command = ["reconstruct", str(picture), "--model", "rendered", "-o", str(out), "--seed", "3", *QUICK]
    assert run(command) == 0
    said = capsys.readouterr()
    assert f"Wrote 6 generated views to {out / 'views'}." in said.out
    assert "closed, 2-manifold" in said.out
    assert model.given[0][1].seed == 3
    assert (out / "views" / "rgb" / "rgb_000_front.png").is_file()
    vertices = load_mesh(out / "mesh.glb").vertices.double().numpy()
    radii, middle = np.array([0.5, 0.75, 0.4]), np.array([0.08, -0.05, 0.1])
    assert np.abs(np.linalg.norm((vertices - middle) / radii, axis=1) - 1).mean() < 0.03
    before = (out / "mesh.glb").read_bytes()
    for file in (file for file in out.iterdir() if file.is_file()):
        file.unlink()
    assert run([*command, "--resume"]) == 0
    assert "are those of this picture: they are not made again." in capsys.readouterr().out
    assert len(model.given) == 1
    assert (out / "mesh.glb").read_bytes() == before
    assert run([*command, "--resume", "--seed", "4"]) == 2
    assert "views: already holds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "is one picture: --model NAME (see meshopt generate --list) makes views of it, or --views takes a folder"),
        (["--model", "render"], "--model 'render' is no model and no folder (did you mean rendered?)"),
        (["--views", "somewhere"], "IMAGE is one picture to make views of: it goes without '--views' and '--normals'"),
        (["--model", "rendered", "--set", "generate.steps=0"], "generate.steps"),
        (["--model", "rendered", "--set", "generate.prompt=a cat"], "--prompt 'a cat': rendered reads no text"),
    ],
)
def test_one_sentence_and_nothing_written(
    model: Any, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert run(["reconstruct", str(picture), "-o", str(tmp_path / "out"), *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried"),
            "the memory of cpu is full: --dtype bfloat16, then --",
        ),
        (
            NotImplementedError("\"x\" not implemented for 'BFloat16'"),
            "cpu cannot compute all of this model in",
        ),
    ],
)
@pytest.mark.parametrize("command", ["generate", "reconstruct"])
def test_what_the_machine_cannot_do_is_a_sentence(
    model: Any, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    failure: Exception, words: str, command: str,
) -> None:  # fmt: skip
    def fail(*given: Any) -> None:
        raise failure

    monkeypatch.setattr(model, "run", fail)
    out = tmp_path / "out"
    assert run([command, str(picture), "--model", "rendered", "-o", str(out), "--device", "cpu"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith(f"Error: {words}")
    assert not any("Traceback" in line for line in said)
    assert not (out / "views" / "cameras.json").exists()
    assert not (out / "cameras.json").exists()


@pytest.mark.slow
def test_a_model_without_normals(
    tiny: Any, model: Any, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Normals are estimated; where what estimates them is missing, that is said before anything is generated."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    model.card = replace(model.card, normals=False)
    model.with_normals = False
    command = ["reconstruct", str(picture), "--model", "rendered", *QUICK]
    assert run([*command, "-o", str(tmp_path / "none")]) == 2
    assert "part pipeline of marigold (prs-eth/marigold-normals-v1-1) is not on this" in capsys.readouterr().err
    assert not model.given
    out = tmp_path / "out"
    weights = tiny.marigold(tmp_path / "weights")
    assert run([*command, "-o", str(out), "--set", f"generate.normals={weights}"]) == 0
    said = capsys.readouterr().out
    assert f"Wrote their normals, estimated by Marigold normals v1.1, to {out / 'views'}." in said
    assert "closed, 2-manifold, consistently oriented" in said
    record = json.loads((out / "views" / "cameras.json").read_text())
    assert record["generated"]["model"] == "rendered"
    assert record["estimated"]["model"] == "marigold"
    assert record["normal_frame"] == "camera"
    assert load_mesh(out / "mesh.glb").faces.shape[0] > 100


def test_settings_are_heard(model: Any, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.yaml").write_text(
        "generate: {model: rendered, steps: 9, guidance: 2, fill: 0.6, upscale: 2}\nseed: 8\nviews: {matting: rembg}\n"
    )
    command = ["reconstruct", str(picture), "--config", str(tmp_path / "own.yaml"), "-o", str(tmp_path / "out")]
    assert run([*command, "--device", "cpu"]) == 2  # when the views are read: rembg has no model
    assert "--matting rembg needs --matting-model" in capsys.readouterr().err
    ((seen, request),) = model.given
    assert (request.steps, request.guidance, request.seed, seen.framing.fill) == (9, 2.0, 8, 0.6)
    assert Image.open(tmp_path / "out" / "views" / "rgb" / "rgb_000_front.png").size == (192, 192)
    assert run([*command, "--device", "cpu"]) == 2
    assert "already holds a result" in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_way_with_tiny_weights(
    tiny: Any, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Real classes with random weights, from a picture to a mesh: what they draw is noise, and the mesh is sound."""
    folder = tiny.wonder3d(tmp_path / "weights")
    more = ["--set", "generate.steps=1", "--set", "views.matting=none", "--resolution", "64"]
    out = tmp_path / "out"
    assert run(["reconstruct", str(picture), "--model", str(folder), "-o", str(out), *QUICK, *more]) == 0
    said = capsys.readouterr().out
    assert "Wonder3D v1.0:" in said
    assert "licence AGPL-3.0" in said
    assert "closed, 2-manifold, consistently oriented" in said
    assert "Consistency: inconsistent" in said
    assert (out / "mesh.glb").is_file()
