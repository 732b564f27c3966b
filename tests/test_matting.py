"""Masks against coverage that is known exactly."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from meshopt import matting

SIZE = 96
BACKGROUNDS = {"black": 0.0, "grey": 0.5, "white": 1.0}


def coverage(hole: bool = True, fine: int = 4) -> np.ndarray:
    """A disc (with a hole that does not touch the border) and a thin bar, averaged over fine x fine
    samples.
    """
    n = SIZE * fine
    y, x = (np.mgrid[:n, :n] + 0.5) / n * 2 - 1
    r = np.hypot(x + 0.1, y)
    shape = (r < 0.6) & ((np.hypot(x + 0.25, y - 0.1) > 0.2) if hole else True)
    shape |= (np.abs(y - 0.55) < 0.06) & (x > -0.1) & (x < 0.8)
    return shape.reshape(SIZE, fine, SIZE, fine).mean((1, 3)).astype(np.float32)


def unit_normals() -> np.ndarray:
    """A field of unit vectors that turn everywhere."""
    y, x = (np.mgrid[:SIZE, :SIZE] + 0.5) / SIZE * 2 - 1
    n = np.stack([0.7 * x, -0.7 * y, np.ones_like(x)], -1)
    return (n / np.linalg.norm(n, axis=-1, keepdims=True)).astype(np.float32)


def colours() -> np.ndarray:
    y, x = (np.mgrid[:SIZE, :SIZE] + 0.5) / SIZE * 2 - 1
    return np.stack([0.3 + 0.1 * x, 0.25 + 0.1 * y, 0.65 - 0.1 * x], -1).astype(np.float32)


def before(image: np.ndarray, alpha: np.ndarray, level: float) -> np.ndarray:
    return (image * alpha[..., None] + level * (1 - alpha[..., None])).astype(np.float32)


def eight_bits(image: np.ndarray) -> np.ndarray:
    return (np.round(image * 255) / 255).astype(np.float32)


def jpeg(image: np.ndarray, quality: int = 80) -> np.ndarray:
    _, data = cv2.imencode(".jpg", np.round(image[..., ::-1] * 255).astype(np.uint8), [1, quality])
    return (cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1] / np.float32(255)).astype(np.float32)


@pytest.mark.parametrize("level", BACKGROUNDS.values(), ids=BACKGROUNDS)
def test_normal_map_on_a_plain_background(level: float) -> None:
    """Edges to a few percent, holes found although nothing connects them to the border."""
    alpha = coverage()
    stored = 2 * eight_bits(before(unit_normals() * 0.5 + 0.5, alpha, level)) - 1
    mask = matting.mask_from_vectors(stored)
    assert mask is not None
    edge = (alpha > 0) & (alpha < 1)
    assert np.abs(mask - alpha)[edge].mean() < 0.05
    assert np.abs(mask - alpha)[~edge].mean() < 0.002
    assert mask[57, 36] == 0  # in the hole
    assert mask[74, 80] == 1  # in the bar


def test_normal_map_as_floats() -> None:
    alpha = coverage()
    mask = matting.mask_from_vectors((unit_normals() * alpha[..., None]).astype(np.float32))
    assert mask is not None
    np.testing.assert_allclose(mask, alpha, atol=0.2)
    assert np.abs(mask - alpha).mean() < 0.002


def test_another_solid_background_hides_no_normals() -> None:
    """The background's colour may be that of a normal: only what touches the border goes."""
    alpha = coverage(hole=False)
    field = unit_normals()
    sideways = np.array([-1, 0, 0], np.float32)
    field[40:50, 30:60] = sideways
    stored = field * alpha[..., None] + sideways * (1 - alpha[..., None])
    mask = matting.mask_from_vectors(stored.astype(np.float32))
    assert mask is not None
    assert (mask[40:50, 30:60] == 1).all()


def test_short_normals_inside_stay() -> None:
    """Real maps are not of unit length: islands of short vectors are no holes unless they are background."""
    alpha = coverage(hole=False)
    field = unit_normals()
    field[40:44, 40:60] *= 0.3
    mask = matting.mask_from_vectors((field * alpha[..., None]).astype(np.float32))
    assert mask is not None
    assert (mask[40:44, 40:60] == 1).all()


@pytest.mark.parametrize("level", BACKGROUNDS.values(), ids=BACKGROUNDS)
@pytest.mark.parametrize("compressed", [False, True])
def test_solid_colour_background(level: float, compressed: bool) -> None:
    alpha = coverage(hole=False)
    image = before(colours(), alpha, level)
    mask = matting.mask_from_background(jpeg(image) if compressed else eight_bits(image))
    assert mask is not None
    edge = (alpha > 0) & (alpha < 1)
    assert matting.iou(mask, alpha) > (0.95 if compressed else 0.985)
    assert np.abs(mask - alpha)[edge].mean() < (0.25 if compressed else 0.08)


def test_background_colour_inside_the_object_stays() -> None:
    alpha = coverage(hole=False)
    image = before(colours(), alpha, 1.0)
    image[40:50, 40:50] = 1.0
    mask = matting.mask_from_background(image)
    assert mask is not None
    assert (mask[40:50, 40:50] == 1).all()


def test_noise_specks_and_frame_lines_are_no_object() -> None:
    alpha = coverage(hole=False)
    image = before(colours(), alpha, 1.0)
    image[3, 5] = 0
    mask = matting.mask_from_background(image)
    assert mask is not None
    assert mask[3, 5] == 0


def test_object_that_touches_the_border() -> None:
    image = np.ones((60, 60, 3), np.float32)
    image[20:, 10:40] = 0.2
    mask = matting.mask_from_background(image)
    assert mask is not None
    assert mask[20:, 10:40].min() > 0.99
    assert mask.sum() == pytest.approx(40 * 30, rel=0.01)


def test_no_background_no_mask() -> None:
    busy = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    assert matting.mask_from_background(busy) is None
    assert matting.mask_from_vectors(2 * busy - 1) is None


def test_border_colour_is_robust() -> None:
    image = np.full((50, 50, 3), 0.7, np.float32)
    image[:20, 0] = 0.1
    found = matting.border_background(image)
    np.testing.assert_allclose(found.colour, 0.7, atol=1e-6)
    assert found.share == pytest.approx(1 - 20 / 196)


@pytest.mark.parametrize("level", BACKGROUNDS.values(), ids=BACKGROUNDS)
def test_halo_of_background_is_cut_off(level: float) -> None:
    """An alpha that is two pixels too wide, over background pixels; a right alpha is left as it is."""
    alpha = (coverage() > 0.5).astype(np.float32)
    stored = 2 * before(unit_normals() * 0.5 + 0.5, alpha, level) - 1
    wide = cv2.dilate(alpha, np.ones((3, 3), np.uint8))
    np.testing.assert_array_equal(matting.without_halo(wide, stored), alpha)
    np.testing.assert_array_equal(matting.without_halo(alpha, stored), alpha)


def test_hole_that_alpha_misses() -> None:
    """White and black are no normals: where the map shows them the object has a hole, although alpha is 1."""
    alpha, whole = (coverage() > 0.5).astype(np.float32), (coverage(hole=False) > 0.5).astype(np.float32)
    for level in (0.0, 1.0):
        stored = 2 * before(unit_normals() * 0.5 + 0.5, alpha, level) - 1
        np.testing.assert_array_equal(matting.without_halo(whole, stored), alpha)


def test_unmixing_gives_back_the_colour() -> None:
    alpha = coverage()
    image = before(colours(), alpha, 1.0)
    pure = matting.unmix(image, alpha, np.ones(3, np.float32))
    part = alpha > 0.3
    np.testing.assert_allclose(pure[part], colours()[part], atol=1e-5)


def test_iou() -> None:
    a = coverage()
    assert matting.iou(a, a) == 1
    assert matting.iou(a, np.zeros_like(a)) == 0
    assert matting.iou(np.zeros_like(a), np.zeros_like(a)) == 1
