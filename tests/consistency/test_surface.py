"""The rough surface, what views show on it, and how far they are apart."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from meshopt.cameras import Camera
from meshopt.consistency.surface import (
    CLEAR,
    FAR,
    SharedPoints,
    disagreement,
    reduced,
    reduced_colours,
    rough_surface,
)
from meshopt.consistency.turns import rotation
from meshopt.rigs import load_rig
from meshopt.topology import topology
from meshopt.views import ViewSet


def test_rough_surface_is_the_egg(shapes: SimpleNamespace) -> None:
    """Points lie on the ellipsoid, normals are its, within a voxel."""
    views = shapes.of(load_rig("wonder3d").cameras(), shapes.EGG, 96)
    small, surface, shared = shapes.compared(views)
    assert topology(surface.vertices, surface.faces).closed
    ((centre, axes),) = shapes.EGG
    place = (shared.points - centre) / np.array(axes)
    assert np.quantile(np.abs(np.linalg.norm(place, axis=-1) - 1), 0.9) < 2 / 40 / min(axes)
    truth = place / np.array(axes)
    truth /= np.linalg.norm(truth, axis=-1, keepdims=True)
    seen = shared.weight > CLEAR
    assert seen.any(axis=0).mean() > 0.85
    for v in range(len(small)):
        cosine = (shared.normals[v] * truth).sum(-1)[seen[v]]
        assert np.degrees(np.arccos(np.median(cosine))) < 4.0
        facing = shared.outward @ small.cameras[v].rotation[2]
        assert (facing[seen[v]] > 0).all()
        assert (shared.weight[v] <= 1.0 + 1e-6).all()


def test_no_common_volume_is_no_surface() -> None:
    masks = torch.zeros(2, 48, 48)
    masks[0, 2:12] = masks[1, -12:-2] = 1.0
    normals = torch.zeros(2, 48, 48, 3)
    normals[..., 2] = masks
    assert rough_surface(ViewSet((Camera.orbit("a", 0), Camera.orbit("b", 90)), normals, masks), 32) is None


def test_reduced_keeps_coverage_and_directions(small) -> None:
    views = small("unique3d")
    half = reduced(views, 64)
    assert half.resolution == (64, 64)
    assert half.rgb is None
    assert float(half.masks.mean()) == pytest.approx(float(views.masks.mean()), abs=1e-6)
    length = half.normals.norm(dim=-1)
    assert torch.allclose(length[half.masks > 0.9], torch.ones(()), atol=1e-5)
    block = (views.normals * views.masks[..., None])[1, 62:64, 62:64].sum((0, 1))
    assert torch.allclose(half.normals[1, 31, 31], block / block.norm(), atol=1e-5)
    for larger in (128, 500):
        assert torch.equal(reduced(views, larger).masks, views.masks)


def test_reduced_takes_any_type_and_long_images(small) -> None:
    views = small("unique3d")
    wide = replace(views, normals=views.normals[:, 40:70], masks=views.masks[:, 40:70], rgb=None)
    for dtype in (torch.float16, torch.float64):
        found = reduced(wide.to("cpu", dtype), 64)
        assert found.resolution == (15, 64)
        assert found.normals.dtype == found.masks.dtype == torch.float32


def test_reduced_colours_are_not_mixed_with_the_background(small) -> None:
    views = small("unique3d")
    red = torch.tensor([0.8, 0.3, 0.1])
    painted = replace(views, rgb=red.expand_as(views.normals) * (views.masks[..., None] > 0))
    found = reduced_colours(painted, (32, 32))
    assert torch.allclose(found[reduced(views, 32).masks > 0.05], red, atol=1e-4)


def points(degrees: float, count: int = 30) -> SharedPoints:
    """Three views that see all points, one of them turned about the normals' common perpendicular."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    normals = np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1)
    turned = normals @ rotation(np.array([0, 0, np.radians(degrees)])).T
    return SharedPoints(normals, normals, np.stack([normals, normals, turned]), np.ones((3, count)))


@pytest.mark.parametrize("degrees", [0.0, 12.0, 80.0])
def test_disagreement_is_the_mean_angle_of_pairs(degrees: float) -> None:
    """Two of three pairs are that far apart, at most FAR; of the turned view both are."""
    found, apart = disagreement(points(degrees)), min(degrees, FAR)
    assert found.mean == pytest.approx(apart * 2 / 3, abs=1e-5)
    assert found.views == pytest.approx([apart / 2, apart / 2, apart], abs=1e-5)


def test_disagreement_counts_what_two_see_well() -> None:
    shared = points(20.0)
    unseen = replace(shared, weight=shared.weight * np.array([[1.0], [1.0], [0.9 * CLEAR]]))
    assert disagreement(unseen).mean == pytest.approx(0.0, abs=1e-5)
    alone = SharedPoints(shared.points, shared.outward, shared.normals[:1], shared.weight[:1])
    assert disagreement(alone).mean == 0.0
