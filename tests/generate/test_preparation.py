"""The picture as a generator expects it: place, size, background and coverage, measured in the result."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from meshopt.errors import InputError
from meshopt.generate.preparation import Cutout, Framing, as_bytes, cut_out, frame


def disc(height: int, width: int, middle: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    """Coverage of an ellipse, edges soft over a pixel."""
    y, x = np.mgrid[:height, :width] + 0.5
    distance = np.hypot((x - middle[0]) / radii[0], (y - middle[1]) / radii[1])
    return np.clip((1 - distance) * min(radii) + 0.5, 0, 1).astype(np.float32)


def save(path: Path, image: np.ndarray) -> Path:
    Image.fromarray(np.round(image * 255).astype(np.uint8)).save(path)
    return path


def extent(alpha: np.ndarray, axis: int) -> tuple[float, float]:
    """Middle and length of what is covered along an axis, in pixels: from the coverage through the middle."""
    profile = alpha.max(axis=axis).astype(float)
    position = np.arange(len(profile)) + 0.5
    return float((profile * position).sum() / profile.sum()), float(profile.sum())


@pytest.mark.parametrize("fill", [0.75, 0.82, 0.95, 1.0])
@pytest.mark.parametrize("size", [64, 256, 640])
def test_the_object_stands_in_the_middle_and_fills_its_share(fill: float, size: int) -> None:
    alpha = disc(150, 220, (140.3, 60.7), (60, 35))
    rgb = np.full((150, 220, 3), (0.8, 0.4, 0.2), np.float32)
    framed = frame(Cutout(rgb, alpha, "its alpha"), Framing(size, fill, 1.0))
    assert framed.rgb.shape == (size, size, 3)
    middle, length = extent(framed.alpha, axis=0)
    assert middle == pytest.approx(size / 2, abs=size * 0.005)
    assert length == pytest.approx(fill * size, rel=0.03)
    middle, length = extent(framed.alpha, axis=1)
    assert middle == pytest.approx(size / 2, abs=size * 0.01)
    assert length == pytest.approx(fill * size * 35 / 60, rel=0.05)


@pytest.mark.parametrize("background", [0.0, 0.5, 1.0])
def test_background_and_colours(background: float) -> None:
    alpha = disc(100, 100, (50, 50), (40, 40))
    rgb = np.full((100, 100, 3), (0.8, 0.4, 0.2), np.float32)
    rgb[alpha == 0] = (0.0, 1.0, 0.0)  # what is under transparent pixels never shows
    framed = frame(Cutout(rgb, alpha, ""), Framing(64, 0.8, background))
    np.testing.assert_allclose(framed.rgb[0], background, atol=0.01)
    np.testing.assert_allclose(framed.rgb[32, 32], (0.8, 0.4, 0.2), atol=0.01)
    mixed = framed.alpha[..., None] * (0.8, 0.4, 0.2) + (1 - framed.alpha[..., None]) * background
    np.testing.assert_allclose(framed.rgb, mixed, atol=0.02)  # at the edge, too: no halo of the hidden green
    assert as_bytes(framed).dtype == np.uint8


def test_a_solid_background_is_found_and_taken_away(tmp_path: Path) -> None:
    alpha = disc(120, 120, (60, 60), (40, 25))[..., None]
    path = save(tmp_path / "a.png", alpha * (0.9, 0.1, 0.1) + (1 - alpha) * (0.2, 0.3, 0.9))
    found = cut_out(path)
    assert found.source == "its solid background"
    assert np.abs(found.alpha - alpha[..., 0]).mean() < 0.01
    framed = frame(found, Framing(96, 0.75, 1.0))
    assert framed.rgb[..., 2].min() > 0.05  # the object's own
    assert (framed.rgb[..., 0] - framed.rgb[..., 2]).min() > -0.06  # and no blue rim


def test_all_of_the_picture(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = save(tmp_path / "a.png", rng.random((64, 64, 3)))
    framed = frame(cut_out(path, "none"), Framing(64, 1.0, 1.0))
    np.testing.assert_allclose(framed.rgb * 255, np.asarray(Image.open(path)), atol=0.51)
    assert (framed.alpha == 1).all()


def test_notes(tmp_path: Path) -> None:
    alpha = disc(100, 100, (50, 0), (30, 50))
    path = save(tmp_path / "a.png", np.dstack([np.full((100, 100, 3), 0.5), alpha]))
    found = cut_out(path)
    assert found.notes == ("the picture cuts the object off at its top: generators expect all of it.",)
    framed = frame(found, Framing(512, 0.75, 1.0))
    assert any(f"the object is 60 pixels large, and the model's picture of it {384}" in note for note in framed.notes)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("auto", "neither alpha nor a solid background was found; cut the object out"),
        ("alpha", "no alpha channel was found"),
        ("background", "its border shows no solid background"),
        ("rembg", "--matting rembg needs --matting-model"),
    ],
)
def test_no_mask(tmp_path: Path, how: str, words: str) -> None:
    path = save(tmp_path / "a.png", np.random.default_rng(0).random((64, 64, 3)))
    with pytest.raises(InputError, match=words):
        cut_out(path, how)


def test_what_is_no_object(tmp_path: Path) -> None:
    empty = save(tmp_path / "a.png", np.zeros((64, 64, 4)))
    with pytest.raises(InputError, match=r"a\.png: its alpha covers nothing"):
        cut_out(empty)
    (tmp_path / "b.txt").write_text("no")
    with pytest.raises(InputError, match=r"b\.txt is no picture: expected one of \.png"):
        cut_out(tmp_path / "b.txt")
    with pytest.raises(InputError, match="is not a file"):
        cut_out(tmp_path / "gone.png")
    speck = Cutout(np.ones((64, 64, 3), np.float32), disc(64, 64, (32, 32), (2.5, 2)), "")
    with pytest.raises(InputError, match="the object is 6 pixels large, expected 8 at least"):
        frame(speck, Framing(64, 0.75, 1.0))


def test_a_matting_model(tmp_path: Path, onnx: ModuleType) -> None:
    """A tiny ONNX model by rembg, through its real code: the bright object, before a background that is not solid."""
    pytest.importorskip("rembg")
    alpha = disc(160, 160, (90, 70), (50, 35))[..., None]
    noise = np.random.default_rng(0).random((160, 160, 3)) * 0.4
    path = save(tmp_path / "a.png", alpha * (0.95, 0.9, 1.0) + (1 - alpha) * noise)
    with pytest.raises(InputError, match="neither alpha nor a solid background was found"):
        cut_out(path)
    model = str(onnx.brightness(tmp_path / "bright.onnx"))
    for how in ("rembg", "auto"):
        found = cut_out(path, how, model)
        assert found.source == "rembg"
        mask = found.alpha > 0.5
        assert (mask & (alpha[..., 0] > 0.5)).sum() / (mask | (alpha[..., 0] > 0.5)).sum() > 0.97
