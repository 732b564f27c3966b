"""Bitten, holed and swollen masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from meshopt.evaluate import corrupt


def holes(mask: np.ndarray) -> int:
    """Parts of the background that do not reach the image's border."""
    labels, count = ndimage.label(mask < 0.5)
    border = set(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])) - {0}
    return count - len(border)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("kind", "strength"), [("mask_bite", 5), ("mask_bite", 15), ("mask_hole", 3)])
def test_a_part_is_missing(egg, index, kind, strength, seed) -> None:
    found = corrupt(egg, kind, strength, seed=seed)
    i = index(found)
    old, new = egg.masks[i].numpy(), found.views.masks[i].numpy()
    assert (new <= old).all()
    lost = float((old - new).sum() / old.sum())
    assert lost == pytest.approx(strength / 100, rel=0.15)
    assert ndimage.label(old - new > 0.5)[1] == 1
    assert holes(new) == (kind == "mask_hole")
    kept = torch.from_numpy(new > 0)
    assert torch.equal(found.views.normals[i][kept], egg.normals[i][kept])
    assert not found.views.rgb[i][~kept].any()


@pytest.mark.parametrize("seed", range(4))
def test_a_part_is_added_without_a_seam(egg, index, degrees, seed) -> None:
    found = corrupt(egg, "mask_extra", 6, seed=seed)
    i = index(found)
    old, new = egg.masks[i].numpy(), found.views.masks[i].numpy()
    assert (new >= old).all()
    assert float((new - old).sum() / old.sum()) == pytest.approx(0.06, rel=0.15)
    assert ndimage.label(new >= 0.5)[1] == 1
    assert holes(new) == 0
    added = (new > 0) & (old == 0)
    rows, columns = ndimage.distance_transform_edt(old < 0.5, return_distances=False, return_indices=True)
    expected = egg.normals[i].numpy()[rows, columns]
    assert degrees(found.views.normals[i].numpy(), expected)[added].max() < 0.01


def test_fringe_is_as_wide_as_asked_and_white(egg, index) -> None:
    pixels = 3 * egg.resolution[0] / 512 * 8
    found = corrupt(egg, "fringe", 24)
    i = index(found)
    old, new = egg.masks[i].numpy(), found.views.masks[i].numpy()
    away = ndimage.distance_transform_edt(old < 0.5)
    assert (new[(away > 0) & (away <= pixels - 0.5)] > 0.99).all()
    assert not new[away > pixels + 0.5].any()
    fringe = (new > 0) & (old == 0)
    np.testing.assert_array_equal(found.views.rgb[i].numpy()[fringe], 1)
    inner = torch.from_numpy(old == 1)
    assert torch.equal(found.views.rgb[i][inner], egg.rgb[i][inner])
    assert torch.equal(found.views.normals[i][inner], egg.normals[i][inner])
