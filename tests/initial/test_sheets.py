"""Depth maps of both sides of a sheet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from meshopt.errors import InputError
from meshopt.initial import carving
from meshopt.initial.construction import Sizes, _observations, _outlines
from meshopt.initial.depth import DepthMap
from meshopt.initial.sheets import REACH, THICKNESS, kept_apart


@pytest.fixture
def plate(studio):
    """The depth maps of a flat disc, from the front and the back, as if it stood in the plane z = 0."""
    views = studio.views(studio.turntable(0, 180), type(studio.ellipsoid)((0.6, 0.6, 0.01)))
    maps = []
    for seen in _observations(views, _outlines(views), Sizes(48, 48)):
        middle = -float(seen.camera.camera.world_to_camera[2, 3])
        depth = np.where(seen.mask, middle, np.inf)
        maps.append(DepthMap(seen, depth, np.ones_like(depth)))
    return maps


def thickness(maps) -> np.ndarray:
    """Of what is between the maps of opposite views, pixels."""
    camera = maps[0].view.camera
    together = 2 * -float(camera.camera.world_to_camera[2, 3]) - maps[0].depth - maps[1].depth[:, ::-1]
    return together[np.isfinite(together)] / camera.pitch


def moved(maps, pixels: float):
    """Both sides away from their viewers: the sheet gets thinner by twice as much."""
    return [replace(m, depth=m.depth + pixels * m.view.camera.pitch) for m in maps]


def test_sides_that_pass_through_each_other_are_parted(plate) -> None:
    torn = moved(plate, 1.0)
    assert thickness(torn).max() < -1.9
    assert thickness(kept_apart(torn)).min() > 0.9 * THICKNESS


def test_what_is_thick_or_contradicts_by_more_stays(plate) -> None:
    for pixels in (-2.0, REACH):
        maps = moved(plate, pixels)
        for before, after in zip(maps, kept_apart(maps), strict=True):
            np.testing.assert_array_equal(before.depth, after.depth)


def test_thin_disc_survives_carving(studio, sound, overlap, monkeypatch) -> None:
    """1.4 voxels thick, and no view sees it frontally: carving leaves nothing of it."""
    views = studio.views(studio.turntable(20, 110, 200, 290), type(studio.ellipsoid)((0.6, 0.5, 0.03)))
    kept = studio.made(views)
    found = sound(kept.mesh)
    assert (found.components, found.genus) == (1, 0)
    assert overlap(kept.mesh, views).min() > 0.65
    monkeypatch.setattr(carving, "kept_apart", lambda maps: maps)
    with pytest.raises(InputError, match="nothing is left"):
        studio.made(views)
