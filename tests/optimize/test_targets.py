from dataclasses import replace

import numpy as np
import torch

from meshopt import raster
from meshopt.optimize.targets import make_targets, resample


def test_window_shows_the_same_pixels_as_the_full_image(views):
    targets = make_targets(views, 96, torch.ones(4), 0.0)
    point = torch.tensor([[0.1, 0.2, -0.05]])
    for v, camera in enumerate(views.cameras):
        (u, up), _ = camera.project(point.numpy().astype(float))[0][0], None
        clip = raster.transform(point, targets.matrices)[v, 0]
        h, w = targets.image.shape[1:3]
        column, row = (float(clip[0]) + 1) / 2 * w - 0.5, (float(clip[1]) + 1) / 2 * h - 0.5
        full = np.array([(u + 1) / 2 * 96 - 0.5, (1 - up) / 2 * 96 - 0.5])
        shift = full - [column, row]
        assert np.allclose(shift, np.round(shift), atol=1e-3)
        y, x = round(float(shift[1])), round(float(shift[0]))
        assert torch.equal(targets.image[v], resample(views, (96, 96))[v, y : y + h, x : x + w])


def test_window_holds_the_whole_object(views):
    targets = make_targets(views, 96, torch.ones(4), 0.0)
    assert torch.isclose(targets.image[..., 3].sum(), views.masks.sum())
    assert targets.image.shape[1] * targets.image.shape[2] < 0.8 * 96 * 96


def test_averaging_down_keeps_coverage_and_unit_normals(views):
    half = resample(views, (48, 48))
    assert torch.isclose(half[..., 3].sum() * 4, views.masks.sum(), rtol=1e-5)
    inside = half[..., 3] > 0
    assert torch.allclose(half[..., :3].norm(dim=-1)[inside], half[..., 3][inside], atol=1e-5)


def test_weights_follow_the_view_and_the_angle(views):
    targets = make_targets(views, 96, torch.tensor([1.0, 0.5, 0.0, 2.0]), 2.0)
    peak = targets.weight.flatten(1).max(1).values
    assert torch.allclose(peak, torch.tensor([1.0, 0.5, 0.0, 2.0]), atol=0.01)
    rim = targets.weight[0][(targets.image[0, ..., 3] > 0) & (targets.image[0, ..., 3] < 0.5)]
    assert float(rim.max()) < 0.4


def test_unknown_normals_leave_the_silhouette_its_weight(views):
    views = replace(views, normals=views.normals.clone())
    views.normals[1, 40:50] = 0.0
    targets = make_targets(views, 96, torch.ones(4), 2.0)
    unknown = (targets.image[1, ..., :3].norm(dim=-1) == 0) & (targets.image[1, ..., 3] > 0)
    assert unknown.any()
    assert bool((targets.weight[1][unknown] == 1).all())
