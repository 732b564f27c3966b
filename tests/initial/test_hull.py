"""The hull of exact silhouettes is the intersection of their cylinders; a damaged silhouette is found."""

from __future__ import annotations

import numpy as np
import pytest

from meshopt.errors import InputError
from meshopt.initial.hull import visual_hull
from meshopt.initial.silhouettes import Outline

STEPS = 48


def outlines(views) -> list[Outline]:
    pairs = zip(views.cameras, views.masks.numpy(), strict=True)
    return [Outline.of(number, camera, mask) for number, (camera, mask) in enumerate(pairs)]


def samples(field) -> np.ndarray:
    """Where the field's samples stand [X, Y, Z, 3]."""
    return field.points(np.moveaxis(np.indices(field.values.shape), 0, -1))


def test_orthographic_hull_is_the_intersection_of_cylinders(studio) -> None:
    field = visual_hull(outlines(studio.four(studio.ellipsoid)), STEPS).field
    assert field.spacing == pytest.approx(2 / STEPS)
    x, y, z = np.moveaxis((samples(field) - studio.ellipsoid.centre) / studio.ellipsoid.axes, -1, 0)
    level = 1 - np.maximum(np.hypot(x, y), np.hypot(z, y))  # about the distance over the half axes
    sure = np.abs(level) > 0.03
    assert sure.mean() > 0.8
    assert np.array_equal(field.inside[sure], level[sure] > 0)


def test_perspective_hull_holds_the_object(studio) -> None:
    found = visual_hull(outlines(studio.views(studio.oblique(), studio.ellipsoid)), STEPS)
    level = np.linalg.norm((samples(found.field) - studio.ellipsoid.centre) / studio.ellipsoid.axes, axis=-1)
    assert found.notes == ()
    assert found.field.inside[level < 0.97].all()
    assert not found.field.inside[level > 1.35].any()


def test_more_views_never_add(studio) -> None:
    views = studio.views(studio.oblique(), studio.ellipsoid)
    volumes = []
    for count in (2, 4, 6):
        field = visual_hull(outlines(views)[:count], STEPS).field
        volumes.append(field.inside.sum() * field.spacing**3)
    assert volumes[0] > volumes[1] > volumes[2] > 0.98 * studio.ellipsoid.volume


def test_damaged_mask_is_left_out_and_named(studio) -> None:
    views = studio.views(studio.oblique(), studio.ellipsoid)
    half = slice(0, views.resolution[0] // 2)
    found = visual_hull(outlines(studio.without(views, 2, half, half)), STEPS)
    assert [outline.name for outline in found.outlines] == ["at30", "at90", "at210", "at270", "at330"]
    assert len(found.notes) == 1
    assert "view at150 " in found.notes[0]


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_damaged_mask_is_found_where_one_view_shows_the_gap(studio, number: int) -> None:
    """Of a turntable's four views only the opposite one sees what is missing: it is not to be blamed."""
    views = studio.four(studio.ellipsoid)
    half = slice(0, views.resolution[0] // 2)
    found = visual_hull(outlines(studio.without(views, number, half, half)), STEPS)
    assert f"view {views.cameras[number].name} " in found.notes[0]
    assert len(found.outlines) == 3


def test_disjoint_masks_are_refused_by_name(studio) -> None:
    views = studio.four(studio.ball)
    middle = views.resolution[0] // 2
    broken = studio.without(views, 0, slice(0, middle + 4), slice(None))
    broken = studio.without(broken, 1, slice(middle, None), slice(None))
    with pytest.raises(InputError, match=r"at0 and at90 share no volume.*--rig.*--matting"):
        visual_hull(outlines(broken), STEPS)


def test_too_many_views_are_refused(studio) -> None:
    one = outlines(studio.four(studio.ball))[:1]
    with pytest.raises(InputError, match=r"128 views .*127"):
        visual_hull(128 * one, STEPS)
