"""Zoom and shift from silhouettes: what is put in is found, in its view, and what cannot be seen is said."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from meshopt.cameras import Camera
from meshopt.consistency.extents import FARTHEST, Placement, estimate_placements
from meshopt.rigs import load_rig
from meshopt.views import ViewSet

PARALLEL, PERSPECTIVE = 0.15, 0.3  # pixels that placements err in the two projections
RIGS = [("unique3d", PARALLEL), ("wonder3d", PARALLEL), ("zero123plus", PERSPECTIVE)]


def pixels(found: Placement, size: int) -> np.ndarray:
    """By how much the picture is too large (at half its side), too far right and too far down."""
    return np.array([(1 / found.zoom - 1) * size / 2, -found.right, -found.down])


@pytest.mark.parametrize(("rig", "error"), RIGS)
def test_clean_views_stand_where_they_should(small, rig: str, error: float) -> None:
    for found in estimate_placements(small(rig)):
        assert np.abs(pixels(found, small(rig).resolution[1])).max() < error / 2
        assert found.pixels == pytest.approx(np.hypot(found.right, found.down))


@pytest.mark.parametrize(("rig", "error"), RIGS)
@pytest.mark.parametrize(
    ("solids", "place", "percent", "right", "down"), [("FIGURE", 2, 4.0, 3.0, -2.0), ("EGG", 3, -3.0, 1.5, 1.0)]
)
def test_zoom_and_shift_are_found(
    shapes: SimpleNamespace,
    rig: str,
    error: float,
    solids: str,
    place: int,
    percent: float,
    right: float,
    down: float,
) -> None:
    """Of the object's place and size in the picture: a zoom is about the image's centre."""
    views = shapes.damaged(rig, getattr(shapes, solids), place, 1 + percent / 100, right, down)
    size = views.resolution[1]
    for v, found in enumerate(estimate_placements(views)):
        expected = np.array([percent / 100 * size / 2, right, down]) if v == place else np.zeros(3)
        # a shift is estimated as one after the mending zoom
        scale = np.array([1.0, found.zoom, found.zoom])
        assert pixels(found, size) == pytest.approx(expected * scale, abs=error)


def test_one_that_is_right_is_not_moved_for_one_that_is_not(shapes: SimpleNamespace) -> None:
    """The heavy-tailed prior: the error is one view's, not shared out."""
    views = shapes.damaged("unique3d", shapes.FIGURE, 1, right=6.0)
    found = estimate_placements(views)
    assert max(p.pixels for k, p in enumerate(found) if k != 1) < 0.02 * found[1].pixels


def test_opposite_views_see_mirrored_outlines(shapes: SimpleNamespace) -> None:
    """Front and back alone: two shifts and a zoom from outlines in all directions."""
    front, back = Camera.orbit("front", 0), Camera.orbit("back", 180)
    believed = (front, back)
    drawn = (front, shapes.misplaced(back, 1.03, 2 * 2.0 / shapes.SMALL, 2 * 3.0 / shapes.SMALL))
    views = replace(shapes.of(drawn, shapes.FIGURE), cameras=believed)
    one, other = estimate_placements(views)
    assert np.abs(pixels(one, shapes.SMALL)).max() < PARALLEL
    assert pixels(other, shapes.SMALL) == pytest.approx([0.03 * 64, 2.0 / 1.03, -3.0 / 1.03], abs=PARALLEL)
    assert one.unseen is None
    assert other.unseen is None


def test_direction_that_silhouettes_do_not_tell(small) -> None:
    """A view at 45 degrees without an opposite one may slide along its horizon; it alone."""
    found = dict(zip((c.name for c in small("wonder3d").cameras), estimate_placements(small("wonder3d")), strict=True))
    for name, placement in found.items():
        if name in ("front_right", "front_left"):
            assert placement.unseen is not None
            assert np.abs(placement.unseen) == pytest.approx([1.0, 0.0], abs=1e-6)
        else:
            assert placement.unseen is None
    for rig in ("unique3d", "zero123plus"):
        assert all(p.unseen is None for p in estimate_placements(small(rig)))


def test_unseen_slide_stays_unseen(shapes: SimpleNamespace) -> None:
    views = shapes.damaged("wonder3d", shapes.FIGURE, 5, right=4.0, down=2.0)
    found = estimate_placements(views)[5]
    assert found.unseen is not None
    assert found.right == pytest.approx(0.0, abs=PARALLEL)
    assert found.down == pytest.approx(-2.0, abs=PARALLEL)
    assert found.covariance[1, 1] > 10 * found.covariance[2, 2]  # nothing is known of it
    assert replace(found, right=5.0, down=0.0).uncertainty > 3 * replace(found, right=0.0, down=5.0).uncertainty


def test_uncertainty_is_the_covariance_along_the_shift() -> None:
    covariance = np.diag([1.0, 0.25, 4.0])
    assert Placement(1.0, 3.0, 0.0, covariance).uncertainty == pytest.approx(0.5)
    assert Placement(1.0, 0.0, -3.0, covariance).uncertainty == pytest.approx(2.0)
    assert Placement(1.0, 3.0, 4.0, covariance).pixels == 5.0


def test_views_that_have_no_object_in_common_are_left(shapes: SimpleNamespace) -> None:
    """A shift beyond the bound is another finding's business; below it, it is found."""
    masks = torch.zeros(2, 80, 80)
    masks[:, 30:50, 30:50] = 1.0
    cameras = (Camera.orbit("front", 0), Camera.orbit("right", 90))
    for down, farther in ((round(0.8 * FARTHEST * 80), False), (round(1.5 * FARTHEST * 80), True)):
        moved = masks.clone()
        moved[1] = moved[1].roll(down, 0)
        found = estimate_placements(ViewSet(cameras, torch.zeros(2, 80, 80, 3), moved))
        if farther:
            assert all((p.zoom, p.right, p.down) == (1.0, 0.0, 0.0) for p in found)
        else:
            assert found[1].down == pytest.approx(-down, abs=0.5)
            assert found[0].pixels < 0.5


def test_shift_by_the_result_mends(shapes: SimpleNamespace) -> None:
    """A second estimate, of the views as mended, finds nothing."""
    from meshopt.consistency.corrections import Placed

    views = shapes.damaged("unique3d", shapes.FIGURE, 2, 1.05, 4.0, -3.0)
    size = views.resolution[1]
    for v, p in enumerate(estimate_placements(views)):
        views = Placed(v, p.zoom, 2 * p.right / size, -2 * p.down / size).apply(views)
    for found in estimate_placements(views):
        assert np.abs(pixels(found, size)).max() < PARALLEL


def test_a_single_view_is_where_it_is(shapes: SimpleNamespace) -> None:
    views = shapes.of(load_rig("unique3d").cameras()[:1], shapes.EGG)
    (found,) = estimate_placements(views)
    assert (found.zoom, found.right, found.down) == (1.0, 0.0, 0.0)
