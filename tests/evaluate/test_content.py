"""The front repeated elsewhere, and colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from meshopt.evaluate import corrupt
from meshopt.evaluate.content import fitted, side_views
from meshopt.evaluate.corruptions import _pictures


def test_janus_shows_the_mirrored_front_on_the_back(egg, index, in_camera, degrees) -> None:
    found = corrupt(egg, "janus")
    assert found.truth.views == ("back",)
    assert found.truth.parameters["back"] == {"picture_of": "front", "mirrored": True}
    i = index(found)
    assert torch.equal(found.views.masks, egg.masks)
    mirrored = in_camera(egg, 0)[:, ::-1] * (-1, 1, 1)  # opposite silhouettes fit as they are
    inside = (egg.masks[i] > 0.99).numpy()
    assert degrees(in_camera(found.views, i), mirrored)[inside].max() < 1
    assert (found.views.rgb[i] - egg.rgb[0].flip(1)).abs().numpy()[inside].max() < 0.01
    assert found.truth.effect > 0.1


def test_janus_of_what_is_the_same_from_front_and_back_is_nothing(sphere) -> None:
    assert corrupt(sphere, "janus").truth.effect < 0.01


def test_janus_without_an_exact_back_takes_the_most_opposite_view(eggs, index, in_camera, degrees) -> None:
    found = corrupt(eggs, "janus")
    (name,) = found.truth.views
    front = next(c for c in eggs.cameras if c.name == found.truth.parameters[name]["picture_of"])
    facing = {c.name: float(c.rotation[2] @ front.rotation[2]) for c in eggs.cameras}
    assert facing[name] == min(facing.values()) < -0.7
    source = [c.name for c in eggs.cameras].index(front.name)
    shown, mirrored = in_camera(found.views, index(found)), in_camera(eggs, source)[:, ::-1] * (-1, 1, 1)
    assert degrees(shown.sum((0, 1)), mirrored.sum((0, 1))) < 5


def test_janus_side_takes_a_side(egg, sphere, index, in_camera, degrees) -> None:
    names = {corrupt(egg, "janus_side", seed=s).truth.views for s in range(10)}
    assert names == {("right",), ("left",)}
    found = corrupt(sphere, "janus_side")
    inside = (sphere.masks[index(found)] > 0.99).numpy()
    assert degrees(in_camera(found.views, index(found)), in_camera(sphere, 0))[inside].max() < 1
    assert found.truth.effect < 0.01


def test_a_rig_without_sides_has_a_most_sideward_view(egg) -> None:
    pictures = _pictures(egg)
    assert side_views((pictures[0], pictures[1], pictures[3])) == [1]


def test_fitting_stretches_the_silhouette(egg) -> None:
    """A ball's front fitted into an ellipsoid: at the rim its normals look sideways, in the middle ahead."""
    source = _pictures(egg)[0]
    target = replace(_pictures(egg)[2])
    local = fitted(source, target).camera_normals
    across = np.flatnonzero(target.solid.any(1))
    row = across[len(across) // 2]
    columns = np.flatnonzero(target.solid[row])
    assert local[row, columns[0], 0] < -0.5
    assert local[row, columns[-1], 0] > 0.5


@pytest.mark.parametrize("seed", range(3))
def test_colours_are_multiplied_per_channel(egg, index, seed) -> None:
    found = corrupt(egg, "color", 10, seed=seed)
    i = index(found)
    (parameters,) = found.truth.parameters.values()
    gains = np.array(parameters["gains"])
    assert np.abs(gains - 1).max() == pytest.approx(0.1)
    expected = np.clip(egg.rgb[i].numpy() * gains, 0, 1)
    np.testing.assert_allclose(found.views.rgb[i].numpy(), expected, atol=1e-6)
    assert torch.equal(found.views.normals, egg.normals)
