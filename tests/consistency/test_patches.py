"""Bent patches on a surface whose normals are known: found where they are; clean ones leave no trace."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from meshopt.cameras import Camera
from meshopt.config import CheckConfig
from meshopt.consistency.bent_borders import fitted_to_jumps
from meshopt.consistency.bent_regions import curl_responses, discs, matrix, overlap, turned_part
from meshopt.consistency.normal_fields import normal_field
from meshopt.consistency.observation import Observation
from meshopt.consistency.patches import Patch, find_patches, patch_findings

SIZE = 200
AXES = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, -1.0, 0.2)]


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


def bent(
    view: Observation, degrees: float, axis: tuple[float, float, float], axes: tuple[int, int] = (30, 20)
) -> tuple[Observation, np.ndarray]:
    """The view with an ellipse of its normals turned, softly at the border, and that ellipse."""
    truth = np.zeros((SIZE, SIZE), np.uint8)
    cv2.ellipse(truth, (120, 90), axes, 20, 0, 360, 1, -1)
    share = cv2.GaussianBlur(truth.astype(np.float64), (0, 0), 0.8)[..., None]
    turn = matrix(np.radians(degrees) * np.asarray(axis) / np.linalg.norm(axis))
    normals = view.normals * (1 - share) + view.normals @ turn.T * share
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    return Observation(0, view.camera, normals, view.mask, None), truth > 0


def test_a_surface_has_no_curl():
    field, _ = normal_field(bumpy_ball())
    curl = np.abs(field.residuals(field.normals).curl)
    assert np.median(curl) < 0.01
    bent_field, _ = normal_field(bent(bumpy_ball(), 25.0, AXES[2])[0])
    assert np.abs(bent_field.residuals(bent_field.normals).curl).sum() > 1.5 * curl.sum()


def test_the_curl_has_the_derivatives_it_says():
    field, _ = normal_field(bumpy_ball())
    change = np.random.default_rng(0).standard_normal(field.normals.shape)
    now = field.residuals(field.normals)
    expected = (now.slope * change.reshape(-1, 3)[field.plaquettes]).sum(axis=(0, -1))
    step = 1e-4
    ahead, behind = (field.residuals(field.normals + s * step * change).curl for s in (1, -1))
    assert np.allclose((ahead - behind) / (2 * step), expected, atol=1e-7)


def test_the_best_disc_lies_on_the_patch_and_takes_away_what_it_would_alone():
    view, truth = bent(bumpy_ball(), 25.0, AXES[0])
    field, place = normal_field(view)
    small = cv2.resize(truth[place].astype(np.float32), field.inside.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5
    responses = curl_responses(field)
    gain, disc = discs(field, responses)[0]
    assert overlap(disc.inside, small) > 0.5
    alone, part = turned_part(disc.inside, responses)
    assert alone == pytest.approx(gain, rel=0.15)
    assert np.linalg.norm(part.rotation - disc.rotation) < 0.2 * np.linalg.norm(disc.rotation)


def test_jumps_give_their_rotation_though_a_third_are_creases():
    random = np.random.default_rng(1)
    inner, other = (n / np.linalg.norm(n, axis=-1, keepdims=True) for n in random.standard_normal((2, 60, 3)))
    vector = np.array([0.3, -0.2, 0.1])
    outer = inner @ matrix(vector).T
    outer[:20] = other[:20]
    assert np.allclose(fitted_to_jumps(inner, outer, 0.8 * vector), matrix(vector), atol=0.02)


def test_clean_normals_have_no_patch():
    assert find_patches([bumpy_ball()]) == []


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize(("degrees", "axes"), [(18.0, (30, 20)), (25.0, (30, 20)), (45.0, (30, 20)), (25.0, (48, 34))])
def test_a_bent_patch_is_found_where_it_is(
    degrees: float, axes: tuple[int, int], axis: tuple[float, float, float]
) -> None:
    view, truth = bent(bumpy_ball(), degrees, axis, axes)
    patches = find_patches([view])
    assert len(patches) == 1
    patch = patches[0]
    assert overlap(patch.mask, truth) > 0.65
    assert patch.share == pytest.approx(truth.sum() / (view.mask > 0.5).sum(), rel=0.3)
    assert abs(patch.degrees - degrees) < max(4 * patch.uncertainty, 0.25 * degrees)
    assert -(patch.rotation @ np.asarray(axis)) / np.linalg.norm(patch.rotation) / np.linalg.norm(axis) > 0.9


def test_what_other_views_confirm_is_less_likely_a_patch():
    view, truth = bent(bumpy_ball(), 25.0, AXES[2])
    shown = np.where(truth, 24.0, 1.0)[None]
    contradicted, alone, confirmed = (find_patches([view], degrees) for degrees in (shown, None, np.ones_like(shown)))
    assert contradicted[0].significance > alone[0].significance
    assert not confirmed or confirmed[0].significance < alone[0].significance
    assert find_patches([view], shown[:, ::2, ::2])[0].significance == alone[0].significance  # not its resolution


def test_findings_say_where_and_how_much():
    mask = np.zeros((100, 200), bool)
    mask[10:30, 20:60] = True
    patch = Patch(1, mask, 25.2, 1.3, 0.12, 4.0, np.array([0.4, 0.0, 0.0]))
    (finding,) = patch_findings([patch], ["front", "left"], CheckConfig())
    assert (finding.code, finding.severity, finding.views) == ("bent_patch", "suspect", ("left",))
    assert finding.details["box"] == [0.1, 0.1, 0.3, 0.3]
    assert "12 % of the object, upper left of the image" in finding.message
    large = Patch(1, mask, 25.2, 1.3, 0.2, 4.0, np.array([0.4, 0.0, 0.0]))
    assert patch_findings([large], ["front", "left"], CheckConfig())[0].severity == "inconsistent"


def test_an_empty_view_has_no_patch():
    view = bumpy_ball()
    empty = Observation(0, view.camera, np.zeros_like(view.normals), np.zeros_like(view.mask), None)
    assert find_patches([empty]) == []
