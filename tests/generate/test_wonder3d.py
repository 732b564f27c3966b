"""Wonder3D: meshopt's pipeline over the real component classes, its attention against a slow twin."""

from __future__ import annotations

import json
import math
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
from meshopt.generate.models.wonder3d import ADAPTER
from meshopt.generate.preparation import cut_out, frame
from meshopt.generate.writing import write_views
from meshopt.views import LoadOptions, load_views

Made = Callable[..., Any]


@pytest.fixture(scope="module")
def weights(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny weights."""
    return tiny.wonder3d(tmp_path_factory.mktemp("wonder3d"))


@pytest.fixture(scope="module")
def pipeline(weights: Path) -> Any:
    from meshopt.generate.pipelines.wonder3d import load_pipeline

    found = load_pipeline(weights, torch.float32, {"local_files_only": True, "use_safetensors": True})
    found.set_progress_bar_config(disable=True)
    return found


def draw(pipeline: Any, guidance: float = 1.0, seed: int = 0, steps: int = 2) -> torch.Tensor:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    generator = torch.Generator().manual_seed(seed)
    return pipeline(image, steps=steps, guidance=guidance, eta=1.0, generator=generator)


def test_a_block_is_what_the_paper_says(tiny: Any, attention: Made) -> None:
    """Each view sees the keys of all views of its domain and entry; then those of its own view in both domains."""
    from meshopt.generate.pipelines.multiview import MultiviewBlock, with_views

    torch.manual_seed(0)
    unet = with_views(tiny.unet(8), 3).double()
    block = next(module for module in unet.modules() if isinstance(module, MultiviewBlock))
    width = block.norm1.normalized_shape[0]
    tokens = torch.randn(12, 4, width, dtype=torch.float64)  # 2 domains x 2 entries x 3 views
    words = torch.randn(12, 2, tiny.WIDTH, dtype=torch.float64)
    with torch.no_grad():
        found = block(tokens, encoder_hidden_states=words)
        normed = block.norm1(tokens)
        x = tokens + torch.stack(
            [attention(block.attn1, normed[i], torch.cat([*normed[i // 3 * 3 : i // 3 * 3 + 3]])) for i in range(12)]
        )
        normed = block.norm_joint_mid(x)
        x = x + torch.stack(
            [
                attention(block.attn_joint_mid, normed[i], torch.cat([normed[i % 6], normed[i % 6 + 6]]))
                for i in range(12)
            ]
        )
        x = x + torch.stack([attention(block.attn2, block.norm2(x)[i], words[i]) for i in range(12)])
        x = x + block.ff(block.norm3(x))
    torch.testing.assert_close(found, x)


def test_guidance_pairs_normals_with_colours(pipeline: Any) -> None:
    """With guidance, the halves of the batch stay the domains; guidance of almost 1 is almost none."""
    from meshopt.generate.pipelines import joint

    rows = torch.arange(12.0)[:, None]
    doubled = joint.doubled(rows, empty=False)
    assert doubled[:, 0].tolist() == [*range(6), *range(6), *range(6, 12), *range(6, 12)]
    assert [half[:, 0].tolist() for half in joint.separated(doubled)] == [list(range(12))] * 2
    empty = joint.doubled(rows + 1, empty=True)
    assert (empty[:6] == 0).all()
    assert (empty[12:18] == 0).all()
    near, far = draw(pipeline, 1.0001), draw(pipeline, 3.0)
    plain = draw(pipeline, 1.0)
    assert (near - plain).abs().max() < 1e-2  # guidance 1 is the guided prediction alone
    assert (far - plain).abs().max() > 2e-2


def test_the_embedding_is_the_published_one() -> None:
    pytest.importorskip("diffusers")
    from meshopt.generate.pipelines.wonder3d import camera_embedding

    table = camera_embedding()
    assert table.shape == (12, 10)
    angles = torch.atan2(table[:, 2], table[:, 7]).rad2deg() % 360
    nominal = torch.tensor([0.0, 45, 90, 180, 270, 315]).repeat(2)
    assert ((angles - nominal + 180) % 360 - 180).abs().max() < 8  # its fixed poses are a little off their names
    torch.testing.assert_close(table[:6, 3], torch.full((6,), math.sin(1.0)))
    torch.testing.assert_close(table[6:, 3], torch.zeros(6))
    torch.testing.assert_close(table[6:, 4], torch.full((6,), math.sin(1.0)))


def test_every_part_matters(tiny: Any, weights: Path, tmp_path: Path) -> None:
    """Changing what only one domain's embedding, or attention over domains, says changes what is drawn."""
    from meshopt.generate.pipelines.wonder3d import load_pipeline

    options = {"local_files_only": True, "use_safetensors": True}
    pipeline = load_pipeline(weights, torch.float32, options)
    pipeline.set_progress_bar_config(disable=True)
    before = draw(pipeline)
    assert before.shape == (12, 3, 64, 64)
    assert torch.equal(before, draw(pipeline))
    assert not torch.equal(before, draw(pipeline, seed=1))
    for name in ("attn_joint_mid.to_v", "attn1.to_v", "attn2.to_v", "class_embedding"):
        changed = load_pipeline(weights, torch.float32, options)
        changed.set_progress_bar_config(disable=True)
        for key, values in changed.unet.named_parameters():
            if name in key and key.endswith("weight"):
                values.data.mul_(-1)
        assert not torch.allclose(before, draw(changed), atol=1e-5), name


@pytest.mark.slow
def test_the_command(weights: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert registry.choose(str(weights), registry.view_models()) == (ADAPTER, weights)
    command = ["generate", str(picture), "--model", str(weights), "--device", "cpu", "--steps", "1"]
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        assert run([*command, "-o", str(tmp_path / name), "--seed", seed]) == 0
    said = capsys.readouterr()
    assert "licence AGPL-3.0 (https://huggingface.co/flamehaze1115/wonder3d-v1.0, model card)" in said.out
    assert "Wrote 6 views and normals" in said.out
    files = [{p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.*")} for n in "abc"]
    assert len(files[0]) == 14
    assert files[0] == files[1]
    assert files[0][Path("rgb/rgb_000_back.png")] != files[2][Path("rgb/rgb_000_back.png")]
    assert Image.open(tmp_path / "a" / "rgb" / "rgb_000_back.png").size == (256, 256)
    record = json.loads((tmp_path / "a" / "cameras.json").read_text())
    assert (record["rig"], record["normal_frame"]) == ("wonder3d", "front")
    assert (record["generated"]["steps"], record["generated"]["guidance"]) == (1, 1.0)
    views = load_views(tmp_path / "a", options=LoadOptions(matting="none"))  # noise has no background
    assert [camera.name for camera in views.cameras][:3] == ["front", "front_right", "right"]


def test_other_types_and_guidance(weights: Path, picture: Path, tmp_path: Path) -> None:
    more = ["--steps", "1", "--dtype", "bfloat16", "--guidance", "2", "--slicing", "--device", "cpu", "-q"]
    assert run(["generate", str(picture), "--model", str(weights), "-o", str(tmp_path / "a"), *more]) == 0
    record = json.loads((tmp_path / "a" / "cameras.json").read_text())["generated"]
    assert record["runtime"] == {"device": "cpu", "dtype": "bfloat16"}
    assert np.asarray(Image.open(tmp_path / "a" / "rgb" / "rgb_000_back.png")).std() > 1


def test_the_picture_is_as_the_authors_prepare_it(picture: Path) -> None:
    """configs/mvdiffusion-joint-ortho-6views.yaml: crop_size 192 of 256, white."""
    framed = frame(cut_out(picture), ADAPTER.framing)
    assert framed.rgb.shape == (256, 256, 3)
    assert (framed.rgb[0, 0] == 1).all()
    assert (framed.alpha > 0.5).any(axis=1).sum() == pytest.approx(192, abs=2)


def test_decoded_pictures_are_right(rendered: Made, tmp_path: Path) -> None:
    """Rendered views, as the model would draw them, come back as the normals that were drawn."""
    truth = rendered("wonder3d").decode(0.0)
    assert truth.normals is not None
    output = np.concatenate([(truth.normals + 1) / 2, truth.rgb]).transpose(0, 3, 1, 2)
    views = ADAPTER.decode(torch.from_numpy(output))
    np.testing.assert_allclose(views.normals, truth.normals, atol=1e-6)
    write_views(views, None, {}, tmp_path / "a")
    write_views(truth, None, {}, tmp_path / "b")
    torch.testing.assert_close(load_views(tmp_path / "a").normals, load_views(tmp_path / "b").normals)
    output[3] = np.nan
    with pytest.raises(InputError, match="the model gave NaN: --dtype float16 is too coarse"):
        ADAPTER.decode(torch.from_numpy(output))


def changed_config(folder: Path, **changes: Any) -> None:
    path = folder / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_views": 4}, r"config\.json says num_views: 4, expected 6: another model's weights"),
        ({"cd_attention_last": True}, "says cd_attention_last: True, expected False"),
        ({"block_out_channels": [32, 128]}, "holds tensors of other sizes than its configs say"),
        (
            {"transformer_layers_per_block": 2},
            r"are not those of its config \(\d+ are missing and 0 left over, such as",
        ),
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
    changed_config(folder, **changes)
    assert run(["generate", str(picture), "--model", str(folder), "-o", str(tmp_path / "o"), "--device", "cpu"]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(f"Error: .*{words}.*\n", said), said


def test_pickled_weights(weights: Path, tmp_path: Path, picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from safetensors.torch import load_file

    folder = tmp_path / "weights"
    shutil.copytree(weights, folder)
    for tensors in list(folder.glob("*/*.safetensors")):  # as they are published
        name = "pytorch_model.bin" if tensors.stem == "model" else f"{tensors.stem}.bin"
        torch.save(load_file(tensors), tensors.with_name(name))
        tensors.unlink()
    command = ["generate", str(picture), "--model", str(folder), "--device", "cpu", "--steps", "1"]
    assert run([*command, "-o", str(tmp_path / "a")]) == 2
    assert "holds its weights as a pickle (pytorch_model.bin)" in capsys.readouterr().err
    assert run([*command, "-o", str(tmp_path / "a"), "--allow-pickle"]) == 0
    assert run([*command[:2], "--model", str(weights), *command[4:], "-o", str(tmp_path / "b")]) == 0
    a, b = (np.asarray(Image.open(tmp_path / n / "rgb" / "rgb_000_left.png")).astype(int) for n in "ab")
    assert np.abs(a - b).max() <= 1  # where tensors lie in memory changes last bits
