"""Slides that silhouettes do not tell: the normals do."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from meshopt.consistency.extents import Placement
from meshopt.consistency.registration import Alignment, aligned, joined, slide
from meshopt.consistency.surface import reduced

PIXEL = 128 / 512  # of the views here, in a view of 512


@pytest.mark.parametrize("pixels", [0.0, 2.0, -3.0])
def test_sideways_shift_is_recovered(shapes: SimpleNamespace, pixels: float) -> None:
    """Of wonder3d's front_left, within a pixel of 512."""
    views = shapes.damaged("wonder3d", shapes.FIGURE, 5, right=pixels)
    (found,) = aligned(reduced(views), [5])
    assert found is not None
    assert found.right == pytest.approx(-pixels, abs=PIXEL)
    assert found.down == pytest.approx(0.0, abs=PIXEL)


def test_uncertainty_covers_the_error(shapes: SimpleNamespace) -> None:
    views = shapes.damaged("wonder3d", shapes.FIGURE, 1, right=2.0, down=1.0)
    (found,) = aligned(reduced(views), [1])
    assert found is not None
    error = np.array([found.right + 2.0, found.down + 1.0])
    assert error @ np.linalg.inv(found.covariance) @ error < 9.0
    assert np.sqrt(np.linalg.eigvalsh(found.covariance)).max() < 2.0


def test_what_slides_is_no_evidence_for_what_else_slides(shapes: SimpleNamespace) -> None:
    """front_left's error is not front_right's; of few views, each has all others."""
    views = shapes.damaged("wonder3d", shapes.FIGURE, 5, right=4.0)
    small = reduced(views)
    right, left = aligned(small, [1, 5])
    assert right is not None
    assert left is not None
    assert right.right == pytest.approx(0.0, abs=PIXEL)
    assert left.right == pytest.approx(-4.0, abs=PIXEL)
    few = aligned(small, [0, 1, 2])
    alone = [found for v in (0, 1, 2) for found in aligned(small, [v])]
    assert [found and found.right for found in few] == [found and found.right for found in alone]


def test_where_others_show_nothing_there_is_none(small) -> None:
    """Silhouettes without a common volume, and normals that are not known."""
    views = small("wonder3d")
    masks = views.masks.clone()
    masks[1:3] = 0
    masks[1, :20, :20] = masks[2, -20:, -20:] = 1
    assert aligned(replace(views, masks=masks, rgb=None), [0]) == [None]
    blank = replace(views, normals=torch.zeros_like(views.normals), masks=views.masks * 0, rgb=None)
    assert aligned(blank, [0, 1]) == [None, None]


def test_slide_keeps_to_the_unseen_direction() -> None:
    along = np.array([0.6, 0.8])
    covariance = np.diag([1.0, 4.0, 9.0])
    placement = Placement(1.1, 5.0, 6.0, covariance, along)
    slid = slide(placement, Alignment(1.0, 2.0, np.diag([0.1, 0.2])), 4.0)
    assert (slid.zoom, slid.right, slid.down) == (1.0, pytest.approx(4 * 2.2 * 0.6), pytest.approx(4 * 2.2 * 0.8))
    assert slid.uncertainty**2 == pytest.approx(16 * (0.36 * 0.1 + 0.64 * 0.2))
    for nothing in (slide(placement, None, 4.0), slide(replace(placement, unseen=None), Alignment(1, 2, np.eye(2)), 4)):
        assert (nothing.zoom, nothing.right, nothing.down) == (1.0, 0.0, 0.0)


def test_joined_is_one_after_the_other() -> None:
    """Uncertainty along the slide is the slide's, across it the placement's."""
    along = np.array([1.0, 0.0])
    placement = Placement(1.1, 0.0, 6.0, np.diag([1.0, 100.0, 9.0]), along)
    slid = slide(placement, Alignment(3.0, 0.0, 0.25 * np.eye(2)), 2.0)
    both = joined(placement, slid)
    assert (both.zoom, both.right, both.down) == (1.1, 6.0, 6.0)
    assert both.covariance[1:, 1:] == pytest.approx(np.diag([1.0, 9.0]))
    assert both.covariance[0, 0] == 1.0
