"""Normals that are written otherwise: every sign and exchange of axes is found, with the matrix that undoes it."""

from __future__ import annotations

import numpy as np
import pytest

from meshopt.config import CheckConfig
from meshopt.consistency.corrections import Turned
from meshopt.consistency.orientation import SIGNED, orientations

READING = CheckConfig().reading
SWAP = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])
AXES = {"flip x": np.diag([-1.0, 1, 1]), "flip y": np.diag([1.0, -1, 1]), "flip z": np.diag([1.0, 1, -1])}
WRONG = {**AXES, "swap xy": SWAP, "swap yz": SWAP[::-1][:, ::-1], "cycle": np.roll(np.eye(3), 1, 0)}


@pytest.mark.parametrize("rig", ["unique3d", "wonder3d", "zero123plus"])
def test_clean_views_are_read_rightly(small, rig: str) -> None:
    for found in orientations(small(rig)):
        assert found.lead < 0.5 * READING
        assert 0.0 <= found.score <= 1.0


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize(("rig", "place", "frame"), [("wonder3d", 1, "world"), ("zero123plus", 4, "camera")])
def test_what_is_wrong_is_undone(small, what: str, rig: str, place: int, frame: str) -> None:
    views = small(rig)
    turn = views.cameras[place].rotation
    matrix = WRONG[what] if frame == "world" else turn.T @ WRONG[what] @ turn
    found = orientations(Turned(place, matrix).apply(views))
    assert found[place].lead > READING
    assert found[place].best.matrix @ matrix == pytest.approx(np.eye(3), abs=1e-6)
    assert all(other.lead < 0.5 * READING for v, other in enumerate(found) if v != place)


def test_axes_are_named(small) -> None:
    views = small("wonder3d")
    found = orientations(Turned(1, AXES["flip y"]).apply(views))[1].best
    assert found.axes == "+x -y +z"
    assert found.picture_of is None


def test_normals_of_another_camera_are_named(small) -> None:
    """Front's and left's pictures exchanged, their normals left in the world's frame."""
    views = small("wonder3d")
    turn = views.cameras[2].rotation.T @ views.cameras[3].rotation
    found = orientations(Turned(2, turn.T).apply(views))[2]
    assert found.lead > READING
    assert found.best.picture_of == 3
    assert found.best.matrix == pytest.approx(turn)


def test_all_signs_and_orders_are_tried_once() -> None:
    keys = {tuple(matrix.reshape(-1)) for matrix in SIGNED}
    assert len(keys) == len(SIGNED) == 48
    for matrix in SIGNED:
        assert matrix @ matrix.T == pytest.approx(np.eye(3))
