"""ImageDream and MVDream: meshopt's pipeline over the published names of tensors, against a slow twin."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from meshopt.cli import run
from meshopt.errors import InputError
from meshopt.generate import registry
from meshopt.generate.models.imagedream import ADAPTER as IMAGEDREAM
from meshopt.generate.models.mvdream import ADAPTER as MVDREAM
from meshopt.generate.preparation import cut_out, frame
from meshopt.generate.writing import write_views
from meshopt.rigs import load_rig
from meshopt.views import LoadOptions, load_views

Made = Callable[..., Any]
OPTIONS = {"local_files_only": True, "use_safetensors": True}
ADAPTERS = {True: IMAGEDREAM, False: MVDREAM}


@pytest.fixture(scope="module")
def folders(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Folders of tiny weights: ImageDream's (True) and MVDream's."""
    return {pictures: tiny.mvdream(tmp_path_factory.mktemp("weights"), pictures) for pictures in (True, False)}


@pytest.fixture(scope="module")
def pipelines(folders: dict[bool, Path]) -> dict[bool, Any]:
    from meshopt.generate.pipelines.mvdream import load_pipeline

    found = {pictures: load_pipeline(folder, torch.float32, OPTIONS, pictures) for pictures, folder in folders.items()}
    for pipeline in found.values():
        pipeline.set_progress_bar_config(disable=True)
    return found


def noise(size: int = 64) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (size, size, 3), dtype=np.uint8))


def draw(
    pipeline: Any, prompt: str = "", image: Image.Image | None = None, guidance: float = 5.0, seed: int = 0
) -> torch.Tensor:
    return pipeline(prompt, image, steps=2, guidance=guidance, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("pictures", [True, False])
def test_the_model_is_what_the_papers_say(tiny: Any, folders: dict[bool, Path], pictures: bool) -> None:
    """With the published names of tensors, and a function that is written out."""
    from meshopt.generate.pipelines.mvdream_unet import load_unet

    x, t, text, camera, frames, features = tiny.twin_input(pictures, torch.float64)
    twin = tiny.beside("mvdream_twin.py").Twin(tiny.WIDTH if pictures else 0)
    unet, resampler = load_unet(folders[pictures] / "unet", torch.float64, False, frames, pictures)
    with torch.no_grad():
        expected = twin(x, t, text, camera, frames, features)
        seen = text if features is None else torch.cat([text, resampler(features)], dim=1)
        found = unet(x, t, encoder_hidden_states=seen, class_labels=camera).sample
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_cameras_are_the_published_ones() -> None:
    """get_camera(4, elevation=0): the position follows the angle, and each camera looks at the middle, +Z up."""
    pytest.importorskip("diffusers")
    from meshopt.generate.pipelines.mvdream import camera_matrices

    matrices = camera_matrices().double().reshape(4, 4, 4).numpy()
    for k, (matrix, camera) in enumerate(zip(matrices, load_rig("imagedream").cameras(), strict=True)):
        angle = np.radians(90 * k)
        position = np.array([np.sin(angle), -np.cos(angle), 0])
        forward, right = -position, np.cross(-position, [0, 0, 1])
        expected = np.eye(4)
        expected[:3] = np.stack([right, np.cross(right, forward), -forward, position], axis=1)
        np.testing.assert_allclose(matrix, expected, atol=1e-6)
        turn = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])  # the front is +X there and +Z here, up +Z and +Y
        np.testing.assert_allclose((turn @ matrix[:3, :3]).T, camera.rotation, atol=1e-6)


@pytest.mark.parametrize("pictures", [True, False])
def test_the_picture_is_a_frame_that_stays(pipelines: dict[bool, Any], pictures: bool) -> None:
    """What the model is given: entries without and with guidance, the picture's latents in the last frame of each."""
    pipeline, calls = pipelines[pictures], []
    forward = pipeline.unet.forward

    def noted(x: torch.Tensor, t: Any, **more: Any) -> Any:
        calls.append((x.clone(), more))
        return forward(x, t, **more)

    pipeline.unet.forward = noted
    try:
        guided = draw(pipeline, "ab", noise() if pictures else None)
        plain = draw(pipeline, "ab", noise() if pictures else None, guidance=1.0)
    finally:
        pipeline.unet.forward = forward
    size = 64 if pictures else 256
    assert guided.shape == plain.shape == (4, 3, size, size)
    assert not torch.equal(guided, plain)
    (x, more), (later, _), (single, _), _ = calls
    frames = 5 if pictures else 4
    assert (len(x), len(single)) == (2 * frames, frames)
    cameras, seen = more["class_labels"], more["encoder_hidden_states"]
    assert torch.equal(cameras[:frames], cameras[frames:])
    assert torch.equal(x[:4], x[frames : frames + 4])
    assert torch.equal(seen[:frames], seen[:1].expand(frames, -1, -1))
    assert not torch.equal(seen[0], seen[frames])
    if pictures:
        assert (cameras[4] == 0).all()
        assert (x[4] == 0).all()  # of no picture
        assert torch.equal(x[9], later[9])
        assert x[9].abs().max() > 0


def test_every_part_matters(pipelines: dict[bool, Any]) -> None:
    pipeline = pipelines[True]
    before = draw(pipeline, "ab", noise())
    assert torch.equal(before, draw(pipeline, "ab", noise()))
    assert not torch.equal(before, draw(pipeline, "ab", noise(), seed=1))
    assert not torch.equal(before, draw(pipeline, "cd", noise()))
    assert not torch.equal(before, draw(pipeline, "ab", noise().rotate(90)))
    for name in ("attn1.to_v", "attn2.to_v.", "attn2.to_v_ip", "class_embedding.linear_2"):
        values = [v for key, v in pipeline.unet.named_parameters() if name in key and key.endswith("weight")]
        assert values
        for value in values:
            value.data.neg_()
        changed = draw(pipeline, "ab", noise())
        for value in values:
            value.data.neg_()
        assert not torch.allclose(before, changed, atol=1e-5), name


@pytest.mark.slow
@pytest.mark.parametrize("pictures", [True, False])
def test_the_command(
    folders: dict[bool, Path], picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], pictures: bool
) -> None:
    """The whole way to a folder that is read; the same seed gives the same bytes."""
    folder, adapter = folders[pictures], ADAPTERS[pictures]
    assert registry.choose(str(folder), registry.view_models()) == (adapter, folder)
    given = [str(picture)] if pictures else ["--prompt", " a cat "]
    command = ["generate", *given, "--model", str(folder), "--device", "cpu", "--steps", "1"]
    assert run([*command, "-o", str(tmp_path / "plan"), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "licence openrail (https://huggingface.co/ashawkey/" in said
    assert ("Picture: 256 x 256 pixels, of which the object takes 80%; mask from its alpha." in said) == pictures
    assert ("Text: a cat\n" in said) != pictures
    assert "1 steps, guidance 5, seed 0." in said
    assert "4 views of rig imagedream would be written to" in said
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        assert run([*command, "-o", str(tmp_path / name), "--seed", seed]) == 0
    said = capsys.readouterr().out
    assert f"Wrote 4 views without normals to {tmp_path / 'c'}" in said
    assert f"Next: meshopt normals {tmp_path / 'c'} -o ..." in said
    files = [{p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.*")} for n in "abc"]
    extra = ["input.png"] if pictures else []
    assert sorted(map(str, files[0])) == ["cameras.json", *extra, *(f"rgb/{i:03d}.png" for i in range(4))]
    assert files[0] == files[1]
    assert files[0][Path("rgb/001.png")] != files[2][Path("rgb/001.png")]
    record = json.loads((tmp_path / "a" / "cameras.json").read_text())
    made = record["generated"]
    assert (record["rig"], made["model"]) == ("imagedream", adapter.card.name)
    assert (made["seed"], made["steps"], made["guidance"], made.get("prompt")) == (
        (5, 1, 5.0, None) if pictures else (5, 1, 5.0, "a cat")
    )
    assert ("image" in made) == pictures
    views = load_views(tmp_path / "a", options=LoadOptions(matting="none"), normal_maps="none")  # noise
    assert [(c.name, round(c.azimuth) % 360) for c in views.cameras] == [
        ("left", 270), ("front", 0), ("right", 90), ("back", 180),
    ]  # fmt: skip
    assert views.resolution == (256, 256)


def test_other_types(folders: dict[bool, Path], picture: Path, tmp_path: Path) -> None:
    more = ["--steps", "1", "--dtype", "bfloat16", "--slicing", "--device", "cpu", "-q", "--prompt", "cat"]
    assert run(["generate", str(picture), "--model", str(folders[True]), "-o", str(tmp_path / "a"), *more]) == 0
    record = json.loads((tmp_path / "a" / "cameras.json").read_text())["generated"]
    assert record["runtime"] == {"device": "cpu", "dtype": "bfloat16"}
    assert record["prompt"] == "cat"
    assert np.asarray(Image.open(tmp_path / "a" / "rgb" / "002.png")).std() > 1


@pytest.mark.parametrize(
    ("model", "given", "words"),
    [
        ("mvdream", ["PICTURE", "--prompt", "cat"], r"mvdream draws what a text says .*, and takes no picture"),
        ("mvdream", [], "mvdream draws what a text says: --prompt TEXT is missing"),
        ("mvdream", ["--prompt", "  "], "--prompt TEXT is missing"),
        ("mvdream", ["--prompt", "cat", "--fill", "0.5"], "--fill and --matting are for pictures, and mvdream takes"),
        ("imagedream", ["--prompt", "cat"], "imagedream draws the object in a picture: IMAGE is missing"),
        (
            "wonder3d",
            ["PICTURE", "--prompt", "cat"],
            "--prompt 'cat': wonder3d reads no text, expected a picture",
        ),
    ],
)
@pytest.mark.parametrize("dry", [True, False])
def test_pictures_and_texts_where_they_belong(
    tiny: Any, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    model: str, given: list[str], words: str, dry: bool,
) -> None:  # fmt: skip
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    command = ["generate", *(str(picture) if word == "PICTURE" else word for word in given), "--model", model]
    assert run([*command, "-o", str(tmp_path / "out"), *(["--dry-run"] if dry else [])]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(f"Error: .*{words}.*\n", said), said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("pictures", [True, False])
def test_weights_of_the_other_model(
    folders: dict[bool, Path], picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], pictures: bool
) -> None:
    given = [str(picture)] if pictures else ["--prompt", "cat"]
    command = ["generate", *given, "--model", ADAPTERS[pictures].card.name, "--weights", str(folders[not pictures])]
    assert run([*command, "--device", "cpu", "-o", str(tmp_path / "out")]) == 2
    kind = "MVDream's, which draw what a text says" if pictures else "ImageDream's, which draw what is in a picture"
    assert f"says ip_dim: {0 if pictures else 3}: these weights are {kind}." in capsys.readouterr().err


def test_weights_that_are_not_of_their_config(
    folders: dict[bool, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(folders[False], folder)
    path = folder / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"attention_resolutions": [1, 2]}))
    command = ["generate", "--prompt", "cat", "--model", str(folder), "--device", "cpu", "-o", str(tmp_path / "out")]
    assert run(command) == 2
    assert re.search(r"are not those of its config \(\d+ are missing", capsys.readouterr().err)


@pytest.mark.parametrize("component", ["unet", "text_encoder"])
def test_a_download_that_was_broken_off(
    folders: dict[bool, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], component: str
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(folders[False], folder)
    (file,) = (folder / component).glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-1000])
    command = ["generate", "--prompt", "cat", "--model", str(folder), "--device", "cpu", "-o", str(tmp_path / "out")]
    assert run(command) == 2
    assert f"Error: {folder} cannot be loaded as the model's weights: " in capsys.readouterr().err


def test_the_picture_is_as_it_is_published(picture: Path) -> None:
    """3DTopia/LGM, infer.py: border_ratio 0.2, before white; 256 pixels."""
    framed = frame(cut_out(picture), IMAGEDREAM.framing)
    assert framed.rgb.shape == (256, 256, 3)
    assert (framed.rgb[0, 0] == 1).all()
    assert (framed.alpha > 0.5).any(axis=1).sum() == pytest.approx(0.8 * 256, abs=2)


def test_decoded_pictures_are_right(rendered: Made, tmp_path: Path) -> None:
    """Rendered views, as the model would draw them, come back as they were drawn."""
    truth = rendered("imagedream", with_normals=False).decode(0.0)
    views = IMAGEDREAM.decode(torch.from_numpy(truth.rgb.transpose(0, 3, 1, 2)))
    write_views(views, None, {}, tmp_path / "a")
    write_views(truth, None, {}, tmp_path / "b")
    a, b = (load_views(tmp_path / n, normal_maps="none") for n in "ab")
    assert a.rgb is not None
    assert b.rgb is not None
    torch.testing.assert_close(a.rgb, b.rgb)
    output = np.full((4, 3, 8, 8), np.nan, np.float32)
    with pytest.raises(InputError, match="the model gave NaN: --dtype float16 is too coarse"):
        MVDREAM.decode(output)
