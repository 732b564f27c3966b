"""Turned and bent normals, measured back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.spatial.transform import Rotation

from meshopt.evaluate import corrupt
from meshopt.evaluate.bending import NOISE_SIGMA
from meshopt.frames import front_view


def measured_turn(before, after, i: int) -> np.ndarray:
    """The rotation vector, in degrees, that takes one view's normals to the others."""
    inside = (before.masks[i] > 0).numpy()
    turn, residual = Rotation.align_vectors(after.normals[i].numpy()[inside], before.normals[i].numpy()[inside])
    assert residual < 1e-3 * inside.sum()
    return turn.as_rotvec(degrees=True)


@pytest.mark.parametrize("angle", [0.5, 10, 120])
def test_rotation_has_the_axis_and_angle_of_the_truth(eggs, index, angle) -> None:
    found = corrupt(eggs, "rotate", angle, seed=7)
    (parameters,) = found.truth.parameters.values()
    expected = np.array(parameters["axis"]) * angle
    np.testing.assert_allclose(measured_turn(eggs, found.views, index(found)), expected, atol=0.01)
    assert torch.equal(found.views.masks, eggs.masks)
    assert found.truth.degrees.max() <= angle + 0.01


def test_every_view_turns_its_own_way(egg) -> None:
    found = corrupt(egg, "rotate_all", 10)
    assert found.truth.views == tuple(c.name for c in egg.cameras[1:])
    turns = [measured_turn(egg, found.views, i) for i in range(1, len(egg))]
    np.testing.assert_allclose([np.linalg.norm(t) for t in turns], 10, atol=0.01)
    assert np.linalg.matrix_rank(np.array(turns), tol=1) == 3
    for camera, turn in zip(egg.cameras[1:], turns, strict=True):
        np.testing.assert_allclose(found.truth.parameters[camera.name]["axis"], turn / 10, atol=1e-3)


def test_noise_has_its_strength_and_smoothness_in_every_view(egg) -> None:
    found = corrupt(egg, "noise", 8)
    assert len(found.truth.views) == len(egg)
    for i in range(len(egg)):
        weights = egg.masks[i].numpy()
        rms = np.sqrt((weights * found.truth.degrees[i] ** 2).sum() / weights.sum())
        assert rms == pytest.approx(8, rel=1e-3)
    moved = (found.views.normals - egg.normals).numpy()
    inside = (egg.masks > 0.99).numpy()
    size = egg.resolution[0]

    def correlation(pixels: int) -> float:
        a, b = moved[:, :, pixels:], moved[:, :, :-pixels]
        both = inside[:, :, pixels:] & inside[:, :, :-pixels]
        return float((a[both] * b[both]).sum() / (moved[inside] ** 2).sum() * inside.sum() / both.sum())

    assert correlation(1) > 0.9
    assert correlation(round(2 * NOISE_SIGMA * size)) == pytest.approx(np.exp(-1), abs=0.2)
    assert abs(correlation(round(8 * NOISE_SIGMA * size))) < 0.25


@pytest.mark.parametrize("seed", range(4))
def test_bending_is_of_low_frequency_and_turns_nothing_on_average(sphere, index, seed) -> None:
    found = corrupt(sphere, "bend", 10, seed=seed)
    i = index(found)
    weights = sphere.masks[i].numpy()
    assert np.sqrt((weights * found.truth.degrees[i] ** 2).sum() / weights.sum()) == pytest.approx(10, rel=1e-3)
    inside = weights > 0.99
    turn, _ = Rotation.align_vectors(found.views.normals[i].numpy()[inside], sphere.normals[i].numpy()[inside])
    assert turn.magnitude() < np.radians(7)
    moved = (found.views.normals[i] - sphere.normals[i]).numpy()
    step = np.linalg.norm(np.diff(moved, axis=1), axis=2)[inside[:, 1:] & inside[:, :-1]]
    assert step.max() < np.radians(40) * 2 * np.pi / sphere.resolution[1]


@pytest.mark.parametrize(("seed", "area"), [(0, 10), (1, 10), (2, 8), (3, 30), (4, 3)])
def test_patch_is_connected_and_as_large_and_bent_as_asked(egg, index, seed, area) -> None:
    found = corrupt(egg, "patch", 25, seed=seed, area=area)
    i = index(found)
    changed = found.truth.degrees[i] > 0.5
    assert ndimage.label(changed)[1] == 1
    solid = float((egg.masks[i] >= 0.5).sum())
    (parameters,) = found.truth.parameters.values()
    assert parameters["area_percent"] == pytest.approx(area, abs=0.5)
    assert area / 2 < 100 * changed.sum() / solid < area + 6
    assert found.truth.degrees[i].max() == pytest.approx(25, abs=1)
    assert torch.equal(found.views.masks, egg.masks)
    border = np.abs(np.diff(found.truth.degrees[i], axis=1))[:, :][(egg.masks[i] > 0).numpy()[:, 1:]]
    assert border.max() < 25  # it fades out


def test_patch_covers_the_whole_object_at_most(egg, index) -> None:
    found = corrupt(egg, "patch", 25, area=100)
    assert found.truth.changed[index(found)][(egg.masks[index(found)] >= 0.5).numpy()].mean() > 0.95


@pytest.mark.parametrize("seed", range(5))
def test_flipped_signs_are_those_of_the_truth(eggs, index, in_camera, seed) -> None:
    found = corrupt(eggs, "flipped", seed=seed)
    i = index(found)
    (parameters,) = found.truth.parameters.values()
    signs = np.array(parameters["signs"])
    assert signs[2] == 1
    assert signs.min() == -1
    np.testing.assert_allclose(in_camera(found.views, i), in_camera(eggs, i) * signs, atol=1e-6)
    assert torch.equal(found.views.masks, eggs.masks)


@pytest.mark.parametrize("seed", range(5))
def test_world_flipped_signs_are_those_of_the_front_camera(eggs, index, seed) -> None:
    found = corrupt(eggs, "world_flipped", seed=seed)
    i = index(found)
    (parameters,) = found.truth.parameters.values()
    front = eggs.cameras[front_view(eggs.cameras)].rotation.T
    before, after = (v.normals[i].numpy() @ front for v in (eggs, found.views))
    assert sorted(parameters["signs"]) == [-1, 1, 1]
    np.testing.assert_allclose(after, before * np.array(parameters["signs"]), atol=1e-6)
    assert found.views.cameras == eggs.cameras
