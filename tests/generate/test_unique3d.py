"""Unique3D: meshopt's pipelines over the real component classes, their attention against a slow twin."""

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
from meshopt.generate.models import unique3d
from meshopt.generate.models.unique3d import ADAPTER
from meshopt.generate.preparation import Framing, cut_out, frame
from meshopt.generate.writing import write_views
from meshopt.views import LoadOptions, load_views

Made = Callable[..., Any]
OPTIONS = {"local_files_only": True, "use_safetensors": None}


@pytest.fixture(scope="module")
def weights(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny weights."""
    return tiny.unique3d(tmp_path_factory.mktemp("unique3d"))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of a quarter of their sides."""
    monkeypatch.setattr(unique3d, "DRAWN", 64)
    monkeypatch.setattr(unique3d, "SIZE", 128)
    monkeypatch.setattr(unique3d.Unique3D, "framing", Framing(128, 1.0, 1.0))


@pytest.fixture
def copied(weights: Path, tmp_path: Path) -> Path:
    """Weights that a test may change."""
    return Path(shutil.copytree(weights, tmp_path / "weights"))


def loaded(weights: Path, part: str) -> Any:
    from meshopt.generate.pipelines.unique3d import load_normals, load_views

    load = load_views if part == "img2mvimg" else load_normals
    pipeline = load(weights / part, torch.float32, OPTIONS)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def draw(pipeline: Any, guidance: float = 1.5, seed: int = 0, images: int = 1, steps: int = 2) -> torch.Tensor:
    given = [np.random.default_rng(i).integers(0, 255, (64, 64, 3), dtype=np.uint8) for i in range(images)]
    generator = torch.Generator().manual_seed(seed)
    pictures = [Image.fromarray(pixels) for pixels in given]
    return pipeline(pictures, size=64, steps=steps, guidance=guidance, generator=generator)


def masked(layer: Any, queries: torch.Tensor, keys: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
    """Attention over one list of all tokens [N, C], of which each sees those that `allowed` [N, N] says."""
    q, k, v = (
        to(x).unflatten(-1, (layer.heads, -1))
        for to, x in ((layer.to_q, queries), (layer.to_k, keys), (layer.to_v, keys))
    )
    scores = torch.einsum("ihc,jhc->hij", q, k) / q.shape[-1] ** 0.5
    weight = scores.masked_fill(~allowed, -torch.inf).softmax(-1)
    return layer.to_out[0](torch.einsum("hij,jhc->ihc", weight, v).flatten(1))


def test_each_view_sees_all_views(tiny: Any) -> None:
    from meshopt.generate.pipelines.multiview import VIEWS_ALONE, MultiviewBlock, with_views

    torch.manual_seed(0)
    unet = with_views(tiny.unet(8), 4, VIEWS_ALONE).double()
    block = next(module for module in unet.modules() if isinstance(module, MultiviewBlock))
    tokens = torch.randn(8, 4, block.norm1.normalized_shape[0], dtype=torch.float64)  # 2 entries x 4 views
    words = torch.randn(8, 2, tiny.WIDTH, dtype=torch.float64)
    entry = torch.arange(32) // 16
    with torch.no_grad():
        normed = block.norm1(tokens).flatten(0, 1)
        x = tokens + masked(block.attn1, normed, normed, entry[:, None] == entry).view_as(tokens)
        own = torch.arange(32)[:, None] // 4 == torch.arange(16) // 2  # each view has two words
        x = x + masked(block.attn2, block.norm2(x).flatten(0, 1), words.flatten(0, 1), own).view_as(x)
        x = x + block.ff(block.norm3(x))
        torch.testing.assert_close(block(tokens, encoder_hidden_states=words), x)


def test_each_token_sees_its_own_of_the_reference() -> None:
    """As attention with queries and keys, whose weights the published model has: with one key they are without use."""
    from diffusers.models.attention_processor import Attention

    from meshopt.generate.pipelines.reference import Referring, Remembering

    torch.manual_seed(0)
    own, other = (Attention(16, heads=2, dim_head=8).double() for _ in range(2))
    cross = Attention(16, heads=2, dim_head=8, bias=True).double()
    seen: dict[str, torch.Tensor] = {}
    there, here = Remembering(other, "a", seen), Referring(own, 16, "a", seen).double()
    here.to_v.load_state_dict(cross.to_v.state_dict())
    here.to_out.load_state_dict(cross.to_out[0].state_dict())
    tokens, reference = torch.randn(2, 3, 5, 16, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(there(reference), other(reference))
        added = masked(cross, tokens.flatten(0, 1), reference.flatten(0, 1), torch.eye(15, dtype=torch.bool))
        torch.testing.assert_close(here(tokens), own(tokens) + added.view_as(tokens))
    assert not seen


def test_guidance_and_seeds(weights: Path) -> None:
    """Up to 1 is none, as published; a little more changes little."""
    for part, images in (("img2mvimg", 1), ("image2normal", 4)):
        pipeline = loaded(weights, part)
        plain = draw(pipeline, 1.0, images=images)
        assert plain.shape == (4, 3, 64, 64)
        assert torch.equal(plain, draw(pipeline, 0.5, images=images))
        assert not torch.equal(plain, draw(pipeline, 1.0, seed=1, images=images))
        assert (draw(pipeline, 1.0001, images=images) - plain).abs().max() < 1e-2
        assert (draw(pipeline, 4.0, images=images) - plain).abs().max() > 2e-2


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("img2mvimg", ("unet.class_embedding", "attn1.to_v", "attn2.to_v")),
        ("image2normal", ("unet.conv_in", "attn1.attention.to_v", "attn1.to_v", "attn1.to_out", "ref_unet.conv_in")),
    ],
)
def test_every_part_matters(weights: Path, part: str, names: tuple[str, ...]) -> None:
    pipeline = loaded(weights, part)
    before = draw(pipeline, steps=1)
    for name in names:
        changed = [values for key, values in pipeline.unet.named_parameters() if name in key and "weight" in key]
        assert changed, name
        for values in changed:
            values.data.mul_(-1)
        assert not torch.allclose(before, draw(pipeline, steps=1), atol=1e-5), name
        for values in changed:
            values.data.mul_(-1)


def test_the_normals_of_each_view_are_its_own(weights: Path) -> None:
    """What is drawn of one picture does not depend on the others."""
    pipeline = loaded(weights, "image2normal")
    torch.testing.assert_close(draw(pipeline, images=2, steps=1)[:1], draw(pipeline, steps=1), atol=1e-4, rtol=0)


def test_the_command(
    weights: Path, picture: Path, tmp_path: Path, small: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (weights, weights / "img2mvimg"):
        assert registry.choose(str(folder), registry.view_models()) == (ADAPTER, weights)
    command = ["generate", str(picture), "--model", "unique3d", "--weights", str(weights), "--allow-pickle"]
    command += ["--device", "cpu", "--steps", "1"]
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        assert run([*command, "-o", str(tmp_path / name), "--seed", seed]) == 0
    said = capsys.readouterr()
    assert "normals: " in said.out
    assert "licence MIT of the code (https://github.com/AiuniAI/Unique3D, LICENSE" in said.out
    assert "Wrote 4 views and normals" in said.out
    files = [{p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.*")} for n in "abc"]
    assert len(files[0]) == 10
    assert files[0] == files[1]
    assert files[0][Path("normals/000.png")] != files[2][Path("normals/000.png")]
    assert files[0][Path("rgb/002.png")] != files[2][Path("rgb/002.png")]
    colours = [np.asarray(Image.open(tmp_path / "a" / "rgb" / f"00{i}.png")) for i in range(4)]
    assert {view.shape for view in colours} == {(128, 128, 3)}
    np.testing.assert_array_equal(colours[0], np.asarray(Image.open(tmp_path / "a" / "input.png"))[..., :3])
    record = json.loads((tmp_path / "a" / "cameras.json").read_text())
    assert (record["rig"], record["normal_frame"]) == ("unique3d", "camera")
    assert [part["part"] for part in record["generated"]["weights"]] == ["views", "normals"]
    assert record["generated"]["guidance"] == 1.5
    views = load_views(tmp_path / "a", options=LoadOptions(matting="none"))  # noise has no background
    assert [camera.name for camera in views.cameras] == ["front", "right", "back", "left"]


def test_other_types_and_no_guidance(weights: Path, picture: Path, tmp_path: Path, small: None) -> None:
    more = ["--steps", "1", "--dtype", "bfloat16", "--guidance", "1", "--slicing", "--device", "cpu", "-q"]
    command = ["generate", str(picture), "--model", str(weights), "--allow-pickle", "-o", str(tmp_path / "a"), *more]
    assert run(command) == 0
    record = json.loads((tmp_path / "a" / "cameras.json").read_text())["generated"]
    assert record["runtime"] == {"device": "cpu", "dtype": "bfloat16"}
    assert np.asarray(Image.open(tmp_path / "a" / "normals" / "002.png")).std() > 1


def test_the_picture_is_as_the_authors_prepare_it(picture: Path) -> None:
    """scripts/utils.py, simple_preprocess: the object's box is as large as the picture, on white."""
    assert (unique3d.DRAWN, unique3d.SIZE) == (256, 512)
    framed = frame(cut_out(picture), ADAPTER.framing)
    assert framed.rgb.shape == (512, 512, 3)
    np.testing.assert_allclose(framed.rgb[0, 0], 1)
    assert (framed.alpha > 0.5).any(axis=1).sum() == pytest.approx(512, abs=6)


def test_decoded_pictures_are_right(rendered: Made, tmp_path: Path) -> None:
    """Rendered views, as the models would draw them on white, come back as the world's normals."""
    truth = rendered("unique3d").decode(0.0)
    assert truth.normals is not None
    cover = (truth.normals > -0.999).any(-1)[..., None]  # the made-up model paints a black background
    maps = []
    for quarter, stored in enumerate(truth.normals):  # of the front camera, whose axes are the world's
        cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter]
        right, back = np.array([cosine, 0, -sine]), np.array([sine, 0, cosine])
        maps.append(np.stack([stored @ right, stored[..., 1], stored @ back], -1))
    drawn = np.where(cover, np.stack(maps), 1.0)
    views = [Image.fromarray(np.round(view * 255).astype(np.uint8)) for view in truth.rgb]
    output = (views, torch.from_numpy((drawn + 1) / 2).permute(0, 3, 1, 2))
    found = ADAPTER.decode(output)
    write_views(found, None, {}, tmp_path / "a")
    write_views(truth, None, {}, tmp_path / "b")
    a, b = (load_views(tmp_path / name) for name in "ab")
    inside = (a.masks > 0.999) & (b.masks > 0.999)
    assert inside.float().mean() > 0.1
    cosines = (a.normals * b.normals).sum(-1)[inside]
    assert torch.rad2deg(torch.acos(cosines.clamp(-1, 1))).max() < 1.0  # 8 bits
    with pytest.raises(InputError, match="the model gave NaN: --dtype float16 is too coarse"):
        ADAPTER.decode((views, torch.full((4, 3, 8, 8), torch.nan)))


def changed_config(folder: Path, **changes: Any) -> None:
    path = folder / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("part", "changes", "words"),
    [
        ("img2mvimg", {"in_channels": 4}, r"config\.json says in_channels: 4, expected 8: another model's weights"),
        ("image2normal", {"num_class_embeds": 8}, "says num_class_embeds: 8, expected None"),
        ("img2mvimg", {"block_out_channels": [32, 128]}, "holds tensors of other sizes than its configs say"),
        ("image2normal", {"layers_per_block": 2}, r"are not those of its config \(\d+ are missing, such as "),
    ],
)
def test_weights_of_another_model(
    copied: Path,
    picture: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    part: str,
    changes: dict[str, Any],
    words: str,
) -> None:
    changed_config(copied / part, **changes)
    command = ["generate", str(picture), "--model", str(copied), "-o", str(tmp_path / "o"), "--device", "cpu"]
    assert run([*command, "--allow-pickle"]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(f"Error: .*{words}.*\n", said), said


def test_what_is_missing(
    copied: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    command = ["generate", str(picture), "--model", "unique3d", "--weights", str(copied), "-o", str(tmp_path / "o")]
    assert run(command) == 2
    assert re.search(r"img2mvimg holds its weights as a pickle \(unet_state_dict\.pth\)", capsys.readouterr().err)
    state = copied / "image2normal" / "unet_state_dict.pth"
    whole = torch.load(state)
    torch.save({key: value for key, value in whole.items() if "ref_unet" not in key}, state)
    assert run([*command, "--allow-pickle", "--device", "cpu"]) == 2
    assert re.search(r"\(\d+ are missing, such as ref_unet\.", capsys.readouterr().err)
    state.unlink()
    assert run([*command, "--allow-pickle"]) == 2
    assert "image2normal holds no unet_state_dict.pth" in capsys.readouterr().err
    shutil.rmtree(copied / "image2normal")
    assert run([*command, "--allow-pickle"]) == 2
    assert "normals of unique3d (spaces/Wuvin/Unique3D) is not on this machine" in capsys.readouterr().err


def test_safe_files_in_place_of_the_pickles(copied: Path) -> None:
    """They need no --allow-pickle; what they lack is taken from unet/, as the published code does."""
    from safetensors.torch import save_file

    from meshopt.generate.folders import check_tensors
    from meshopt.generate.pipelines.unique3d import load_views

    folder = copied / "img2mvimg"
    before = load_views(folder, torch.float32, OPTIONS).unet.state_dict()
    changed = {key: value + 1 for key, value in torch.load(folder / "unet_state_dict.pth").items() if "attn1" in key}
    save_file(changed, folder / "unet_state_dict.safetensors")
    check_tensors(folder, False, ("unet_state_dict.pth",))
    after = load_views(folder, torch.float32, OPTIONS).unet.state_dict()
    assert changed
    for key, value in before.items():
        torch.testing.assert_close(after[key], value + 1 if "attn1" in key else value)
