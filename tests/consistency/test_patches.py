"""Bent patches on a surface whose normals are known: found where they are; clean ones leave no trace."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from meshopt.cameras import Camera
from meshopt.consistency.bent_regions import matrix
from meshopt.consistency.integrability import normal_field
from meshopt.consistency.observation import Observation
from meshopt.consistency.patches import find_patches

SIZE = 200


def bumpy_ball() -> Observation:
    """A ball with low hills: its normals are the exact ones of a height field."""
    y, x = (1 - (2 * a + 1) / SIZE for a in np.mgrid[:SIZE, :SIZE])
    x = -x
    radius = np.hypot(x, y) / 0.8
    depth = np.sqrt(np.maximum(0.64 - x**2 - y**2, 1e-4))
    across = x / depth - 0.25 * np.cos(9 * x) * np.cos(8 * y)
    along = y / depth + 0.25 * np.sin(9 * x) * np.sin(8 * y) * 8 / 9
    normals = np.stack([across, along, np.ones_like(x)], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    mask = np.clip((1 - radius) * SIZE * 0.4, 0, 1).astype(np.float32)
    return Observation(0, Camera.orbit("front", 0.0), np.where(mask[..., None] > 0.5, normals, 0.0), mask, None)


def bent(view: Observation, degrees: float, axis: tuple[float, float, float]) -> tuple[Observation, np.ndarray]:
    """The view with an ellipse of its normals turned, softly at the border, and that ellipse."""
    truth = np.zeros((SIZE, SIZE), np.uint8)
    cv2.ellipse(truth, (120, 90), (30, 20), 20, 0, 360, 1, -1)
    share = cv2.GaussianBlur(truth.astype(np.float64), (0, 0), 0.8)[..., None]
    turn = matrix(np.radians(degrees) * np.asarray(axis) / np.linalg.norm(axis))
    normals = view.normals * (1 - share) + view.normals @ turn.T * share
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    return Observation(0, view.camera, normals, view.mask, None), truth > 0


def test_a_surface_has_no_curl():
    field, _ = normal_field(bumpy_ball())
    curl = np.abs(field.residuals(field.normals).curl)
    assert np.median(curl) < 0.004
    bent_field, _ = normal_field(bent(bumpy_ball(), 25.0, (1.0, 0.5, 0.0))[0])
    assert np.abs(bent_field.residuals(bent_field.normals).curl).sum() > 2 * curl.sum()


def test_the_curl_has_the_derivatives_it_says():
    field, _ = normal_field(bumpy_ball())
    change = np.random.default_rng(0).standard_normal(field.normals.shape)
    now = field.residuals(field.normals)
    expected = (now.slope * change.reshape(-1, 3)[field.plaquettes]).sum(axis=(0, -1))
    step = 1e-4
    ahead, behind = (field.residuals(field.normals + s * step * change).curl for s in (1, -1))
    assert np.allclose((ahead - behind) / (2 * step), expected, atol=1e-7)


def test_clean_normals_have_no_patch():
    assert find_patches([bumpy_ball()]) == []


@pytest.mark.parametrize("axis", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, -1.0, 0.2)])
def test_a_bent_patch_is_found_where_it_is(axis: tuple[float, float, float]):
    view, truth = bent(bumpy_ball(), 25.0, axis)
    patches = find_patches([view])
    assert len(patches) == 1
    patch = patches[0]
    assert (patch.mask & truth).sum() / (patch.mask | truth).sum() > 0.7
    assert patch.share == pytest.approx(truth.sum() / (view.mask > 0.5).sum(), rel=0.25)
    turn = np.degrees(np.linalg.norm(patch.rotation))
    assert 12 < turn < 32  # the robust norm shrinks the angle
    assert -(patch.rotation @ np.asarray(axis)) / np.linalg.norm(patch.rotation) / np.linalg.norm(axis) > 0.9
    assert (patch.degrees[~patch.mask] == 0).all()


def test_an_empty_view_has_no_patch():
    view = bumpy_ball()
    empty = Observation(0, view.camera, np.zeros_like(view.normals), np.zeros_like(view.mask), None)
    assert find_patches([empty]) == []
