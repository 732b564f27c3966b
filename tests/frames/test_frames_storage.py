"""Reading stored vectors from pictures: backgrounds, blending, rounding, bad numbers."""

import numpy as np
import pytest

from meshopt.errors import InputError
from meshopt.frames import Storage, inspect, to_vectors

SIZE = 96


def ball() -> tuple[np.ndarray, np.ndarray]:
    """Unit normals of a sphere (extended past its outline) and its antialiased alpha."""
    c = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    x, y = np.meshgrid(c, -c)
    r = np.hypot(x, y) / 0.8
    scale = np.where(r > 0.999, 0.999 / np.maximum(r, 1e-9), 1.0) / 0.8
    n = np.stack([x * scale, y * scale, np.zeros_like(x)], axis=-1)
    n[..., 2] = np.sqrt(np.maximum(1 - n[..., 0] ** 2 - n[..., 1] ** 2, 0))
    alpha = np.clip((0.8 - np.hypot(x, y)) * SIZE / 4 + 0.5, 0, 1)
    return n, np.round(alpha * 255) / 255


def rounded(x: np.ndarray) -> np.ndarray:
    return (np.floor(x * 255 + 0.5) / 255).astype(np.float32)


def truncated(x: np.ndarray) -> np.ndarray:
    return (np.floor(x * 255) / 255).astype(np.float32)


def angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a = a / np.maximum(np.linalg.norm(a, axis=-1, keepdims=True), 1e-9)
    return np.degrees(np.arccos(np.clip((a * b).sum(axis=-1), -1, 1)))


def test_straight_colours_read_as_they_are() -> None:
    n, alpha = ball()
    image = rounded(n / 2 + 0.5)
    assert inspect(image, alpha) == Storage(coded=True)
    assert inspect(image, alpha).sentence == ""
    vectors = to_vectors(image, alpha)
    assert vectors.dtype == np.float32
    assert angle(vectors, n)[alpha > 0].max() < 0.5
    assert not vectors[alpha == 0].any()


@pytest.mark.parametrize(("name", "value"), [("black", 0.0), ("grey", 0.5), ("white", 1.0)])
def test_blending_with_the_background_is_seen_and_undone(name: str, value: float) -> None:
    n, alpha = ball()
    image = rounded((n / 2 + 0.5) * alpha[..., None] + value * (1 - alpha[..., None]))
    how = inspect(image, alpha)
    assert how == Storage(True, blend=name)
    assert name in how.sentence
    edge = (alpha > 0.2) & (alpha < 0.9)
    assert angle(to_vectors(image, alpha), n)[edge].max() < 3
    if name != "grey":  # mixing with the zero vector keeps the direction
        assert np.median(angle(to_vectors(image, alpha, Storage(True)), n)[edge]) > 10


def test_truncated_bytes_are_seen_and_corrected() -> None:
    n, alpha = ball()
    image = truncated(n / 2 + 0.5)
    how = inspect(image, alpha)
    assert how == Storage(True, truncated=True)
    assert "truncated" in how.sentence
    solid = alpha == 1
    bias = (to_vectors(image, alpha)[solid] - n[solid]).mean(axis=0)
    plain = (to_vectors(image, alpha, Storage(True))[solid] - n[solid]).mean(axis=0)
    assert np.abs(bias).max() < 0.001 < 0.003 < np.abs(plain).max()


def test_blending_is_seen_through_noise() -> None:
    n, alpha = ball()
    noise = np.random.default_rng(2).normal(0, 0.04, n.shape)
    image = rounded(np.clip((n / 2 + 0.5 + noise) * alpha[..., None], 0, 1))
    assert inspect(image, alpha) == Storage(True, blend="black")


@pytest.mark.parametrize("turn", range(6))
def test_rounded_bytes_are_never_taken_for_truncated_ones(turn: int) -> None:
    n, alpha = ball()
    order = [(0, 1, 2), (1, 2, 0), (2, 0, 1)][turn % 3]
    turned = n[..., order] * ((1, -1, 1) if turn > 2 else (1, 1, 1))
    assert not inspect(rounded(turned / 2 + 0.5), alpha).truncated
    assert inspect(truncated(turned / 2 + 0.5), alpha).truncated


def test_premultiplied_and_truncated_as_one_generator_writes_them() -> None:
    n, alpha = ball()
    image = truncated((n / 2 + 0.5) * alpha[..., None])
    assert inspect(image, alpha) == Storage(True, blend="black", truncated=True)
    assert angle(to_vectors(image, alpha), n)[alpha > 0.2].max() < 3


def test_short_noisy_vectors_are_not_taken_for_truncated_or_blended() -> None:
    n, alpha = ball()
    rng = np.random.default_rng(0)
    image = rounded(np.clip(0.8 * n + rng.normal(0, 0.05, n.shape), -1, 1) / 2 + 0.5)
    assert inspect(image, alpha) == Storage(True)


@pytest.mark.parametrize("background", [0.0, 0.5, 1.0])
def test_without_alpha_plain_backgrounds_become_zero_vectors(background: float) -> None:
    n, alpha = ball()
    image = np.where(alpha[..., None] > 0.5, rounded(n / 2 + 0.5), np.float32(background))
    length = np.linalg.norm(to_vectors(image), axis=-1)
    np.testing.assert_array_equal(length > 0, alpha > 0.5)


def test_float_vectors_pass_through() -> None:
    n, alpha = ball()
    vectors = (0.7 * n * (alpha > 0.5)[..., None]).astype(np.float32)
    assert not inspect(vectors).coded
    np.testing.assert_array_equal(to_vectors(vectors), vectors)


def test_numbers_that_are_no_numbers_are_refused_inside_only() -> None:
    n, alpha = ball()
    n = n.astype(np.float32)
    outside = np.where((alpha == 0)[..., None], np.nan, n)
    assert np.isfinite(to_vectors(outside, alpha)).all()
    with pytest.raises(InputError, match="NaN"):
        to_vectors(outside)
    n[SIZE // 2, SIZE // 2, 1] = np.inf
    with pytest.raises(InputError, match="1 pixels that are NaN or infinite"):
        to_vectors(n, alpha)


def test_bytes_that_were_not_scaled_are_refused() -> None:
    n, alpha = ball()
    with pytest.raises(InputError, match=r"values from .* to .*: expected"):
        to_vectors(((n / 2 + 0.5) * 255).astype(np.float32), alpha)
