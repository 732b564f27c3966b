"""Blurred, coarse and compressed pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from meshopt.evaluate import corrupt


@pytest.fixture(scope="module")
def rough(egg):
    """The ellipsoid with a fine pattern in its normals and colours."""
    stripes = 0.4 * torch.cos(torch.arange(egg.resolution[1]) * 1.5)[None, None, :, None]
    normals = egg.normals + stripes * torch.tensor([0.0, 1.0, 0.0])
    normals = torch.nn.functional.normalize(normals, dim=-1) * (egg.masks > 0)[..., None]
    return replace(egg, normals=normals, rgb=(egg.rgb + stripes * (egg.masks > 0)[..., None]).clamp(0, 1))


def ripple(image: torch.Tensor, mask: torch.Tensor) -> float:
    """Mean squared second difference along rows, away from the outline."""
    inside = (mask[:, 4:-4] > 0.99) & (mask[:, :-8] > 0.99) & (mask[:, 8:] > 0.99)
    return float(((image[:, 3:-5] + image[:, 5:-3] - 2 * image[:, 4:-4]) ** 2).sum(-1)[inside].mean())


@pytest.mark.parametrize(("kind", "strength"), [("blur", 16), ("lowres", 16)])
def test_detail_is_lost_and_the_mask_kept(rough, egg, index, degrees, kind, strength) -> None:
    found = corrupt(rough, kind, strength)
    i = index(found)
    assert torch.equal(found.views.masks, rough.masks)
    for what in ("normals", "rgb"):
        before, after = getattr(rough, what)[i], getattr(found.views, what)[i]
        assert ripple(after, rough.masks[i]) < 0.02 * ripple(before, rough.masks[i])
    inside = (egg.masks[i] > 0.99).numpy()
    assert np.median(degrees(found.views.normals[i].numpy(), egg.normals[i].numpy())[inside]) < 6


def test_low_resolution_above_the_images_changes_nothing(egg, index) -> None:
    found = corrupt(egg, "lowres", 4096)
    assert torch.allclose(found.views.normals, egg.normals, atol=1e-5)


def test_jpeg_damages_all_views_less_at_higher_quality(egg) -> None:
    low, high = corrupt(egg, "jpeg", 10), corrupt(egg, "jpeg", 95)
    assert len(low.truth.views) == len(egg)
    assert torch.equal(low.views.masks, egg.masks)
    inside = (egg.masks > 0.99).numpy()
    assert np.median(high.truth.degrees[inside]) < 3 < np.median(low.truth.degrees[inside])
    assert (high.views.rgb - egg.rgb).abs().numpy()[inside].mean() < 0.03
