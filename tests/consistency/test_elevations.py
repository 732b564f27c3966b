"""Elevation: views made at another one than their cameras', and views with other errors, which are no elevation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from meshopt.config import CheckConfig
from meshopt.consistency import reports
from meshopt.consistency.corrections import Tilted
from meshopt.consistency.elevations import Elevation, estimate_elevation
from meshopt.evaluate.corruptions import corrupt


@pytest.mark.parametrize("degrees", [9.0, -6.0])
def test_elevation_is_found(small, degrees: float) -> None:
    with torch.no_grad():
        found = estimate_elevation(corrupt(small("wonder3d"), "elevation", degrees).views)
    assert found is not None
    assert found.degrees == pytest.approx(degrees, abs=2.0)
    assert found.correction.carried
    assert found.apart[1] < found.apart[0]


def test_views_at_their_place_have_none(small) -> None:
    with torch.no_grad():
        assert estimate_elevation(small("wonder3d")) is None
        assert estimate_elevation(corrupt(small("wonder3d"), "rotate", 20, seed=1).views) is None


def test_tilted_cameras_undo_the_damage(small) -> None:
    views = small("unique3d")
    mended = Tilted(7.0, carried=True).apply(corrupt(views, "elevation", 7.0).views)
    for one, other in zip(mended.cameras, views.cameras, strict=True):
        assert np.allclose(one.world_to_camera, other.world_to_camera, atol=1e-9)
    assert torch.allclose(mended.normals, views.normals, atol=1e-5)


def test_raised_cameras_stand_higher(small) -> None:
    views = small("unique3d")
    raised = Tilted(10.0, carried=False).apply(views)
    assert torch.equal(raised.normals, views.normals)
    for one, other in zip(raised.cameras, views.cameras, strict=True):
        assert one.rotation[2, 1] > other.rotation[2, 1] + 0.1  # the axis to the camera points further up


def test_sentence_says_how_much_and_which_way() -> None:
    settings = CheckConfig()
    finding = reports.of_elevation(Elevation(Tilted(-8.0, carried=True), 1.5, (20.0, 9.0)), settings)
    assert "8 ± 2 degrees lower" in finding.message
    assert (finding.severity, finding.value, finding.threshold) == ("inconsistent", -8.0, settings.elevation)
