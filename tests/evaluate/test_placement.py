"""Pictures scaled, shifted, mirrored and exchanged, measured back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from meshopt.evaluate import corrupt


def extent(mask: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Width and height of a silhouette, and its centre (right, down), in pixels, to a fraction of one."""
    m = mask.double().numpy()
    columns, rows = m.max(0), m.max(1)
    total = m.sum()
    y, x = np.mgrid[: m.shape[0], : m.shape[1]]
    return np.array([columns.sum(), rows.sum()]), np.array([(m * x).sum(), (m * y).sum()]) / total


@pytest.mark.parametrize("seed", range(4))
def test_zoom_is_that_of_the_silhouette(eggs, index, seed) -> None:
    found = corrupt(eggs, "zoom", 10, seed=seed)
    i = index(found)
    (parameters,) = found.truth.parameters.values()
    assert abs(parameters["zoom"] - 1) == pytest.approx(0.1)
    (size, centre), (old_size, old_centre) = extent(found.views.masks[i]), extent(eggs.masks[i])
    np.testing.assert_allclose(size / old_size, parameters["zoom"], atol=0.03)
    area = float(found.views.masks[i].sum() / eggs.masks[i].sum())
    assert area == pytest.approx(parameters["zoom"] ** 2, rel=0.005)
    middle = (eggs.resolution[0] - 1) / 2
    np.testing.assert_allclose(centre - middle, (old_centre - middle) * parameters["zoom"], atol=0.05)


def test_zoom_goes_both_ways(egg) -> None:
    factors = {corrupt(egg, "zoom", 4, seed=s).truth.parameters.popitem()[1]["zoom"] for s in range(8)}
    assert sorted(factors) == pytest.approx([0.96, 1.04])


@pytest.mark.parametrize("seed", range(4))
def test_shift_is_that_of_the_silhouette_and_of_the_normals(eggs, index, degrees, seed) -> None:
    found = corrupt(eggs, "shift", 5, seed=seed)
    i = index(found)
    (parameters,) = found.truth.parameters.values()
    shift = np.array(parameters["shift"])
    assert np.linalg.norm(shift) == pytest.approx(0.05 * eggs.resolution[0])
    (size, centre), (old_size, old_centre) = extent(found.views.masks[i]), extent(eggs.masks[i])
    np.testing.assert_allclose(centre - old_centre, shift, atol=0.05)
    np.testing.assert_allclose(size, old_size, atol=1.5)
    dx, dy = np.rint(shift).astype(int)
    back = torch.roll(found.views.normals[i], (-int(dy), -int(dx)), (0, 1))
    inner = (eggs.masks[i] > 0.99).numpy()
    assert np.median(degrees(back.numpy(), eggs.normals[i].numpy())[inner]) < 2


def test_misplaced_views_are_zoomed_and_shifted(egg) -> None:
    found = corrupt(egg, "misplaced", 4)
    assert found.truth.views == tuple(c.name for c in egg.cameras[1:])
    pixels = 6 * egg.resolution[0] / 512
    for i, values in enumerate(found.truth.parameters.values(), 1):
        assert abs(values["zoom"] - 1) == pytest.approx(0.04)
        assert np.hypot(*values["shift"]) == pytest.approx(pixels)
        middle = (egg.resolution[0] - 1) / 2
        expected = middle + values["zoom"] * (extent(egg.masks[i])[1] - middle) + values["shift"]
        np.testing.assert_allclose(extent(found.views.masks[i])[1], expected, atol=0.05)
    assert len({tuple(v["shift"]) for v in found.truth.parameters.values()}) == len(egg) - 1


def test_mirrored_pixels_and_normals(eggs, index, in_camera) -> None:
    found = corrupt(eggs, "mirrored")
    i = index(found)
    assert torch.equal(found.views.masks[i], eggs.masks[i].flip(1))
    assert torch.equal(found.views.rgb[i], eggs.rgb[i].flip(1))
    np.testing.assert_allclose(in_camera(found.views, i), in_camera(eggs, i)[:, ::-1] * (-1, 1, 1), atol=1e-6)
    again = corrupt(found.views, "mirrored", view=found.truth.views[0])
    assert torch.allclose(again.views.normals, eggs.normals, atol=1e-6)


def test_only_the_mirrored_view_of_an_asymmetric_object_counts(sphere, egg) -> None:
    assert corrupt(sphere, "mirrored").truth.effect < 1e-3
    assert corrupt(egg, "mirrored").truth.effect > 0.1


def test_swapped_files_of_the_front_frame_keep_their_world_normals(eggs) -> None:
    found = corrupt(eggs, "swapped", seed=1)
    names = [c.name for c in eggs.cameras]
    assert len(found.truth.views) == 2
    assert found.views.cameras == eggs.cameras
    for name, parameters in found.truth.parameters.items():
        to, source = names.index(name), names.index(parameters["picture_of"])
        assert to != source
        for what in ("normals", "masks", "rgb"):
            assert torch.equal(getattr(found.views, what)[to], getattr(eggs, what)[source])
    again = corrupt(found.views, "swapped", seed=1)
    assert torch.equal(again.views.normals, eggs.normals)


def test_swapped_files_of_the_camera_frame_keep_their_camera_normals(eggs, in_camera) -> None:
    found = corrupt(eggs, "swapped_camera", seed=1)
    names = [c.name for c in eggs.cameras]
    assert len(found.truth.views) == 2
    for name, parameters in found.truth.parameters.items():
        to, source = names.index(name), names.index(parameters["picture_of"])
        np.testing.assert_allclose(in_camera(found.views, to), in_camera(eggs, source), atol=1e-6)
        assert torch.equal(found.views.masks[to], eggs.masks[source])


def test_swapping_sphere_views_of_the_camera_frame_changes_nothing(sphere) -> None:
    assert corrupt(sphere, "swapped_camera").truth.effect < 1e-3
    assert corrupt(sphere, "swapped").truth.effect > 0.3


def test_the_first_view_is_swapped_only_if_named(egg) -> None:
    assert all("front" not in corrupt(egg, "swapped", seed=s).truth.views for s in range(10))
    assert "front" in corrupt(egg, "swapped", view="front").truth.views


def test_order_moves_every_picture_by_one_place(egg, in_camera) -> None:
    found = corrupt(egg, "order")
    names = [c.name for c in egg.cameras]
    assert [p["picture_of"] for p in found.truth.parameters.values()] == [*names[1:], names[0]]
    for i in range(len(egg)):
        np.testing.assert_allclose(in_camera(found.views, i), in_camera(egg, (i + 1) % len(egg)), atol=1e-6)


def test_elevation_tilts_cameras_below_pictures(eggs, in_camera) -> None:
    found = corrupt(eggs, "elevation", 7)
    assert torch.equal(found.views.masks, eggs.masks)
    for i, (new, old) in enumerate(zip(found.views.cameras, eggs.cameras, strict=True)):
        assert new.elevation == pytest.approx(old.elevation - 7)
        assert abs((new.azimuth - old.azimuth + 180) % 360 - 180) < 1e-6
        np.testing.assert_allclose(new.rotation @ new.rotation.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(new.project(np.zeros((1, 3)))[0], old.project(np.zeros((1, 3)))[0], atol=1e-12)
        np.testing.assert_allclose(in_camera(found.views, i), in_camera(eggs, i), atol=1e-6)
    assert found.truth.degrees.max() == pytest.approx(7, abs=0.02)
