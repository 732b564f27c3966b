"""Era3D: meshopt's pipeline over the real component classes, its row-wise attention against a slow twin."""

from __future__ import annotations

import json
import re
import shutil
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
from meshopt.generate.models import era3d
from meshopt.generate.models.era3d import ADAPTER
from meshopt.generate.preparation import Framing, cut_out, frame
from meshopt.generate.writing import write_views
from meshopt.views import LoadOptions, load_views

Made = Callable[..., Any]
OPTIONS = {"local_files_only": True, "use_safetensors": True}
VIEWS = ["front", "front_right", "right", "back", "left", "front_left"]


@pytest.fixture(scope="module")
def weights(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny weights."""
    return tiny.era3d(tmp_path_factory.mktemp("era3d"))


@pytest.fixture(scope="module")
def pipeline(weights: Path) -> Any:
    from meshopt.generate.pipelines.era3d import load_pipeline

    found = load_pipeline(weights, torch.float32, OPTIONS)
    found.set_progress_bar_config(disable=True)
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of 64 pixels, to be quick."""
    monkeypatch.setattr(era3d, "ADAPTER", replace(ADAPTER, framing=Framing(64, 420 / 512, 1.0)))


def draw(pipeline: Any, guidance: float = 1.0, seed: int = 0) -> torch.Tensor:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8))
    generator = torch.Generator().manual_seed(seed)
    return pipeline(image, steps=2, guidance=guidance, eta=1.0, generator=generator)


def test_a_block_is_what_the_paper_says(tiny: Any, attention: Made) -> None:
    """Each token sees all of its own view in both domains; then its row in all views of its domain and entry."""
    from meshopt.generate.pipelines.multiview import DOMAINS_AND_ROWS, MultiviewBlock, with_views

    torch.manual_seed(0)
    unet = with_views(tiny.unet(8), 3, DOMAINS_AND_ROWS).double()
    block = next(module for module in unet.modules() if isinstance(module, MultiviewBlock))
    width = block.norm1.normalized_shape[0]
    tokens = torch.randn(12, 4, width, dtype=torch.float64)  # 2 domains x 2 entries x 3 views, 2 rows x 2 columns
    words = torch.randn(12, 2, tiny.WIDTH, dtype=torch.float64)
    with torch.no_grad():
        found = block(tokens, encoder_hidden_states=words)
        normed = block.norm1(tokens)
        x = tokens + torch.stack(
            [attention(block.attn1, normed[i], torch.cat([normed[i % 6], normed[i % 6 + 6]])) for i in range(12)]
        )
        normed = block.norm_mv(x)
        rows = torch.zeros_like(x)
        for picture in range(12):
            for row in (slice(0, 2), slice(2, 4)):
                first = picture // 3 * 3
                seen = torch.cat([normed[view, row] for view in range(first, first + 3)])
                rows[picture, row] = attention(block.attn_mv, normed[picture, row], seen)
        x = x + rows
        x = x + torch.stack([attention(block.attn2, block.norm2(x)[i], words[i]) for i in range(12)])
        x = x + block.ff(block.norm3(x))
    torch.testing.assert_close(found, x)


def test_one_camera_is_estimated_for_the_picture(pipeline: Any) -> None:
    """The same for all views and domains of an entry; entries (without guidance and with it) have their own."""
    torch.manual_seed(0)
    values = torch.randn(24, 64, 2, 2)
    with torch.no_grad():
        found = pipeline.unet.camera(values)
    entries = found.reshape(2, 2, 6, 4)  # domains, entries, views
    assert torch.equal(entries, entries[:1, :, :1].expand_as(entries))
    assert not torch.equal(entries[0, 0], entries[0, 1])
    torch.testing.assert_close(found[:, :2] ** 2 + found[:, 2:] ** 2, torch.ones(24, 2))
    values[[6, 18]] += 1  # of one view of the second entry
    with torch.no_grad():
        other = pipeline.unet.camera(values).reshape(2, 2, 6, 4)
    torch.testing.assert_close(other[:, 0], entries[:, 0])
    assert not torch.allclose(other[:, 1], entries[:, 1], atol=1e-6)


def test_the_conditions_are_the_published_ones(pipeline: Any, tiny: Any) -> None:
    from meshopt.generate.pipelines.era3d import prompts

    assert prompts()[1] == "a rendering image of 3D models, front_right view, normal map."
    assert prompts()[6:] == [f"a rendering image of 3D models, {name} view, color map." for name in VIEWS]
    assert pipeline._words().shape == (12, 77, tiny.WIDTH)
    image = Image.new("RGB", (32, 32), "red")
    with torch.no_grad():
        labels = pipeline._embedding(image, torch.Generator().manual_seed(0))
        pixels = pipeline.feature_extractor(images=image, return_tensors="pt").pixel_values
        clean = pipeline.image_encoder(pixels).image_embeds
        off = (labels[:, : tiny.WIDTH] - clean) / pipeline.image_normalizer.std
    half = torch.ones(tiny.WIDTH // 2)
    torch.testing.assert_close(labels[:, tiny.WIDTH :], torch.cat([half, 0 * half]).expand(12, -1))  # level 0
    share = float(1 - pipeline.image_noising_scheduler.alphas_cumprod[0]) ** 0.5
    assert float(off.std()) == pytest.approx(share, rel=0.2)  # noise, even so, of each picture's own
    assert not torch.allclose(off[0], off[1], atol=share / 10)


def test_every_part_matters(pipeline: Any) -> None:
    """Changing what only one part says changes what is drawn; guidance of almost 1 is almost none."""
    before = draw(pipeline)
    assert before.shape == (12, 3, 32, 32)
    assert torch.equal(before, draw(pipeline))
    assert not torch.equal(before, draw(pipeline, seed=1))
    assert (draw(pipeline, 1.0001) - before).abs().max() < 1e-3
    assert (draw(pipeline, 3.0) - before).abs().max() > 1e-2
    parts = ("attn_mv.to_v", "attn1.to_v", "attn2.to_v", "class_embedding", "elevation_regressor.linear_in",
             "focal_regressor.linear_in", "camera_embedding.linear_1")  # fmt: skip
    for name in parts:
        values = [v for key, v in pipeline.unet.named_parameters() if name in key and key.endswith("weight")]
        for value in values:
            value.mul_(-1)
        assert not torch.allclose(before, draw(pipeline), atol=1e-6), name
        for value in values:
            value.mul_(-1)


def test_the_command(
    weights: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], small: None
) -> None:
    assert registry.choose(str(weights), registry.view_models()) == (era3d.ADAPTER, weights)
    command = ["generate", str(picture), "--model", str(weights), "--device", "cpu", "--steps", "1"]
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        assert run([*command, "-o", str(tmp_path / name), "--seed", seed]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "licence Apache-2.0 by its model card, AGPL-3.0 by its code's README" in said
    assert "Wrote 6 views and normals" in said
    files = [{p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.*")} for n in "abc"]
    pictures = {Path(f"{a}/{b}_{view}_masked.png") for a, b in (("rgb", "color"), ("normals",) * 2) for view in VIEWS}
    assert set(files[0]) == pictures | {Path("cameras.json"), Path("input.png")}
    assert files[0] == files[1]
    assert files[0][Path("rgb/color_back_masked.png")] != files[2][Path("rgb/color_back_masked.png")]
    record = json.loads((tmp_path / "a" / "cameras.json").read_text())
    assert (record["rig"], record["normal_frame"]) == ("era3d", "front")
    assert (record["generated"]["steps"], record["generated"]["guidance"]) == (1, 3.0)
    views = load_views(tmp_path / "a", options=LoadOptions(matting="none"))  # noise has no background
    assert [camera.name for camera in views.cameras] == VIEWS
    assert views.resolution == (64, 64)


def test_other_types_and_no_guidance(weights: Path, picture: Path, tmp_path: Path, small: None) -> None:
    more = ["--steps", "1", "--dtype", "bfloat16", "--guidance", "1", "--slicing", "--device", "cpu", "-q"]
    assert run(["generate", str(picture), "--model", str(weights), "-o", str(tmp_path / "a"), *more]) == 0
    record = json.loads((tmp_path / "a" / "cameras.json").read_text())["generated"]
    assert record["runtime"] == {"device": "cpu", "dtype": "bfloat16"}
    assert np.asarray(Image.open(tmp_path / "a" / "rgb" / "color_back_masked.png")).std() > 1


def test_weights_that_estimate_no_camera(tiny: Any, pipeline: Any, tmp_path: Path) -> None:
    from meshopt.generate.pipelines.era3d import load_pipeline

    found = load_pipeline(tiny.era3d(tmp_path / "ortho", estimates=False), torch.float32, OPTIONS)
    found.set_progress_bar_config(disable=True)
    assert not any("regressor" in name for name in found.unet.state_dict())
    assert draw(found).shape == (12, 3, 32, 32)


def test_the_model_is_diffusers_but_for_the_camera(pipeline: Any) -> None:
    """With a camera that says nothing, the forward pass is that of the class it extends."""
    from diffusers import UNet2DConditionModel

    unet = pipeline.unet
    torch.manual_seed(0)
    words, labels = torch.randn(12, 7, 32), torch.randn(12, 64)
    given = (torch.randn(12, 8, 4, 4), torch.tensor(7), words, labels)
    last = unet.camera_embedding.linear_2
    kept = [value.clone() for value in (last.weight, last.bias)]
    with torch.no_grad():
        before = unet(*given).sample
        last.weight.zero_()
        last.bias.zero_()
        found, plain = unet(*given).sample, UNet2DConditionModel.forward(unet, *given).sample
        last.weight.copy_(kept[0])
        last.bias.copy_(kept[1])
    torch.testing.assert_close(found, plain)
    assert not torch.allclose(before, plain, atol=1e-5)


def test_the_picture_is_as_the_authors_prepare_it(picture: Path) -> None:
    """configs/test_unclip-512-6view.yaml: crop_size 420 of 512, white."""
    framed = frame(cut_out(picture), ADAPTER.framing)
    assert framed.rgb.shape == (512, 512, 3)
    assert (framed.rgb[0, 0] == 1).all()
    assert (framed.alpha > 0.5).any(axis=1).sum() == pytest.approx(420, abs=2)


def test_decoded_pictures_are_right(rendered: Made, tmp_path: Path) -> None:
    """Rendered views, as the model would draw them (normals, too, before white), come back as what was drawn."""
    truth = rendered("era3d", size=64, around=1.0).decode(0.0)
    assert truth.normals is not None
    output = np.concatenate([(truth.normals + 1) / 2, truth.rgb]).transpose(0, 3, 1, 2)
    views = ADAPTER.decode(torch.from_numpy(output))
    assert (views.rig.name, views.frame) == ("era3d", "front")
    np.testing.assert_allclose(views.normals, truth.normals, atol=1e-6)
    write_views(views, None, {}, tmp_path / "a")
    found = load_views(tmp_path / "a")
    inside = (found.masks > 0.99).numpy()
    assert 0.1 < inside.mean() < 0.5
    expected = truth.normals[inside]
    cosine = (found.normals.numpy()[inside] * expected).sum(-1) / np.linalg.norm(expected, axis=-1)
    assert np.quantile(cosine, 0.02) > np.cos(np.radians(1))
    back = VIEWS.index("back")
    assert found.normals[back].numpy()[inside[back]][:, 2].mean() < -0.5  # in the world, away from the front camera


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_views": 7}, r"config\.json says num_views: 7, expected 6: another model's weights"),
        ({"selfattn_block": "rowwise"}, "says selfattn_block: rowwise, expected self_rowwise"),
        ({"mvcd_attention": False}, "says mvcd_attention: False, expected True"),
        ({"block_out_channels": [32, 128]}, "holds tensors of other sizes than its configs say"),
        ({"num_regress_blocks": 4}, r"\(8 are missing and 0 left over, such as elevation_regressor\.blocks\.3"),
        ({"regress_elevation": False}, r"\(0 are missing and \d+ left over, such as camera_embedding"),
    ],
)
def test_weights_of_another_model(
    weights: Path,
    picture: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    words: str,
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(weights, folder)
    path = folder / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    refused(folder, picture, tmp_path, capsys, words)


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("text_encoder", r"its model_index\.json names text_encoder, but there is no such folder"),
        ("image_normalizer/diffusion_pytorch_model.safetensors", "image_normalizer holds no weights"),
        ("unet/config.json", r"cannot be loaded as the model's weights: .*unet.config\.json"),
        ("tokenizer", "tokenizer knows 2 words, expected the text encoder's 54: files are missing"),
        ("scheduler", "cannot be loaded as the model's weights: .*scheduler"),
    ],
)
def test_missing_files(
    weights: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], missing: str, words: str
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(weights, folder)
    path = folder / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    refused(folder, picture, tmp_path, capsys, words)


def refused(folder: Path, picture: Path, out: Path, capsys: pytest.CaptureFixture[str], words: str) -> None:
    """The command says one sentence."""
    assert run(["generate", str(picture), "--model", str(folder), "-o", str(out / "o"), "--device", "cpu"]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(f"Error: .*{words}.*\n", said), said
