"""Zero123++: its adapter over the real component classes with random weights, and over pictures that are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from meshopt.cli import run
from meshopt.errors import InputError
from meshopt.generate import registry
from meshopt.generate.models.zero123plus import ADAPTER, CONTROL
from meshopt.generate.preparation import cut_out, frame
from meshopt.generate.writing import write_views
from meshopt.views import load_views

Made = Callable[..., Any]


@pytest.fixture(scope="module")
def weights(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny weights, with pipeline code."""
    return tiny.zero123plus(tmp_path_factory.mktemp("zero123plus"))


def command(picture: Path, weights: Path, out: Path, *more: str) -> list[str]:
    given = ["--model", str(weights), "--device", "cpu", "--steps", "2", "--trust-remote-code"]
    return ["generate", str(picture), *given, "-o", str(out), *more]


def test_it_is_found_and_told_by_its_folder(weights: Path) -> None:
    assert registry.choose(str(weights), registry.view_models()) == (ADAPTER, weights)


@pytest.mark.slow
def test_the_command(weights: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole way, from a picture to a folder that is read; the same seed gives the same bytes."""
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        assert run(command(picture, weights, tmp_path / name, "--seed", seed)) == 0
    said = capsys.readouterr()
    assert f"pipeline: {weights}, " in said.out
    assert "licence CC-BY-NC-4.0 (https://github.com/SUDO-AI-3D/zero123plus, README, License)" in said.out
    assert "code of the authors, allowed by --trust-remote-code" in said.out
    assert f"Wrote 6 views and normals to {tmp_path / 'c'}" in said.out
    assert f"Next: meshopt reconstruct --views {tmp_path / 'c'} -o ..." in said.out
    assert "views ...\nnormals ...\n" in said.err
    files = [{p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.*")} for n in "abc"]
    assert sorted(map(str, files[0])) == ["cameras.json", "input.png", "normals/normals.png", "rgb/colors.png"]
    assert files[0] == files[1]
    assert files[0][Path("rgb/colors.png")] != files[2][Path("rgb/colors.png")]
    assert Image.open(tmp_path / "a" / "rgb" / "colors.png").size == (640, 960)
    record = json.loads((tmp_path / "a" / "cameras.json").read_text())
    assert (record["rig"], record["sheet"], record["normal_frame"]) == ("zero123plus", [3, 2], "camera")
    made = record["generated"]
    assert (made["seed"], made["steps"], made["guidance"]) == (5, 2, 4.0)
    assert [entry["part"] for entry in made["weights"]] == ["pipeline", "controlnet", "code"]
    assert len(made["weights"][2]["sha256"]) == 64
    views = load_views(tmp_path / "a", None, options=_whole())
    assert [round(camera.azimuth) for camera in views.cameras] == [30, 90, 150, 210, 270, 330]


def _whole() -> Any:
    from meshopt.views import LoadOptions

    return LoadOptions(matting="none")  # noise has no background


@pytest.mark.slow
def test_the_normals_follow_the_colours(weights: Path, picture: Path, tmp_path: Path) -> None:
    """Another controlnet changes the normals and leaves the colours: it is added when they are drawn."""
    import shutil

    import torch
    from diffusers import ControlNetModel

    other = tmp_path / "other"
    shutil.copytree(weights, other)
    control = ControlNetModel.from_pretrained(other / "controlnet")
    for block in control.controlnet_down_blocks:
        torch.nn.init.constant_(block.weight, 0.05)
    control.save_pretrained(other / "controlnet")
    for name, folder in (("a", weights), ("b", other)):
        assert run(command(picture, folder, tmp_path / name, "-q")) == 0
    colours, normals = ([(tmp_path / n / f).read_bytes() for n in "ab"] for f in ("rgb/colors.png",
                                                                                "normals/normals.png"))  # fmt: skip
    assert colours[0] == colours[1]
    assert normals[0] != normals[1]


def test_the_picture_is_as_the_authors_prepare_it(picture: Path) -> None:
    """examples/normal_gen.py: 95 % of the picture; diffusers-support/pipeline.py: onto the grey 127."""
    framed = frame(cut_out(picture), ADAPTER.framing)
    assert framed.rgb.shape == (512, 512, 3)
    np.testing.assert_allclose(framed.rgb[0, 0] * 255, 127, atol=0.5)
    rows = np.flatnonzero((framed.alpha > 0.5).any(axis=1))
    assert len(rows) == pytest.approx(0.95 * 512, abs=3)


def test_decoded_sheets_are_right(rendered: Made, tmp_path: Path) -> None:
    """Sheets of rendered views, as the model would draw them, come back as the normals that were drawn."""
    truth = rendered("zero123plus").decode(0.0)
    sheets = []
    for layer in (truth.rgb, (truth.normals + 1) / 2):
        grid = np.floor(layer * 255 + 0.5).astype(np.uint8).reshape(3, 2, 128, 128, 3)
        sheets.append(Image.fromarray(grid.transpose(0, 2, 1, 3, 4).reshape(384, 256, 3)))
    views = ADAPTER.decode(sheets)
    np.testing.assert_allclose(views.rgb, truth.rgb, atol=0.51 / 255)
    assert views.normals is not None
    np.testing.assert_allclose(views.normals, truth.normals, atol=1.01 / 255)
    write_views(views, None, {}, tmp_path / "a")
    write_views(truth, None, {}, tmp_path / "b")
    a, b = load_views(tmp_path / "a"), load_views(tmp_path / "b")
    assert a.normals.equal(b.normals)
    with pytest.raises(InputError, match="gave a picture of 256 x 383 pixels, expected 2 x 3 square views"):
        ADAPTER.decode([sheet.crop((0, 0, 256, 383)) for sheet in sheets])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--trust-remote-code"], r"zero123plus runs code of its authors, .*pipeline\.py: read it, and allow it with"),
        (["controlnet"], r"part controlnet of zero123plus \(sudo-ai/controlnet-zp12-normal-gen-v1\) is not on this"),
        (["pipeline.py"], r"zero123plus runs code of its authors, sudo-ai/zero123plus-pipeline on the hub"),
        (["vae"], r"its model_index\.json names vae, but there is no such folder"),
    ],
)
def test_what_is_missing(
    weights: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], change: list[str], words: str,
) -> None:  # fmt: skip
    import re
    import shutil

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "weights"
    shutil.copytree(weights, folder, ignore=shutil.ignore_patterns(*change))
    arguments = [word for word in command(picture, folder, tmp_path / "out") if word not in change]
    if change == ["pipeline.py"]:
        arguments.remove("--trust-remote-code")
    assert run(arguments) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(f"Error: .*{words}.*\n", said), said
    assert not (tmp_path / "out").exists()


def test_a_dry_run_loads_nothing(
    weights: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(type(ADAPTER), "load", lambda self, *given: pytest.fail("loaded"))
    assert run(command(picture, weights, tmp_path / "out", "--dry-run")) == 0
    said = capsys.readouterr().out
    assert f"pipeline: {weights}, " in said
    assert " MB, licence CC-BY-NC-4.0" in said
    assert f"controlnet: {weights / 'controlnet'}, " in said
    assert "Picture: 512 x 512 pixels, of which the object takes 95%; mask from its alpha." in said
    assert "2 steps, guidance 4, seed 0." in said
    assert "6 views of rig zero123plus would be written to" in said
    assert not (tmp_path / "out").exists()


def test_a_dry_run_without_weights(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tiny: Any
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("meshopt.generate.hub.size_on_hub", lambda *given: 5_300_000_000)
    plain = ["generate", str(picture), "--model", "zero123plus", "-o", str(tmp_path / "out"), "--dry-run"]
    assert run(plain) == 0
    said = capsys.readouterr().out
    assert "pipeline: sudo-ai/zero123plus-v1.2 on the hub, not on this machine, --download fetches it, size not" in said
    assert "runs only with --trust-remote-code" in said
    assert run([*plain, "--download"]) == 0
    assert "would be downloaded, 5.3 GB, licence CC-BY-NC-4.0" in capsys.readouterr().out


@pytest.mark.slow
def test_the_older_version_draws_colours_alone(weights: Path, picture: Path, tmp_path: Path) -> None:
    """v1.1: of the same classes, told by its name, with other cameras and no ControlNet; normals can be estimated."""
    arguments = command(picture, weights, tmp_path / "a", "--weights", str(weights), "-q")
    arguments[arguments.index("--model") + 1] = "zero123plus-v1.1"
    assert run(arguments) == 0
    record = json.loads((tmp_path / "a" / "cameras.json").read_text())
    assert (record["rig"], record["generated"]["model"]) == ("zero123plus-v1.1", "zero123plus-v1.1")
    assert [entry["part"] for entry in record["generated"]["weights"]] == ["pipeline", "code"]
    assert not (tmp_path / "a" / "normals").exists()
    views = load_views(tmp_path / "a", options=_whole(), normal_maps="none")
    assert [round(camera.elevation) for camera in views.cameras] == [30, -20] * 3


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", "--list"]) == 0
    said = capsys.readouterr().out
    assert "zero123plus       Zero123++ v1.2 (weights: CC-BY-NC-4.0; runs its authors' code)" in said
    assert "zero123plus-v1.1  Zero123++ v1.1 (weights: CC-BY-NC-4.0; runs its authors' code; no normals)" in said
    assert run(["normals", "--list"]) == 0
    assert "marigold          Marigold normals v1.1 (weights: RAIL++-M)" in capsys.readouterr().out
    assert CONTROL.folder == "controlnet"
