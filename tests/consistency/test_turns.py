"""Rotations of views' normals: the angle and the view that were put in, and the algebra that adds up the evidence."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from meshopt.config import CheckConfig
from meshopt.consistency.corrections import Turned
from meshopt.consistency.observation import observe
from meshopt.consistency.surface import CLEAR, SharedPoints
from meshopt.consistency.turn_evidence import (
    LEAST_AGREEMENT,
    TILES,
    Agreement,
    Equations,
    integrability,
    parts,
    rim,
    robust,
    turned,
)
from meshopt.consistency.turns import Turn, estimate_turns, gaussian, rotation, vector_of
from meshopt.views import ViewSet

THRESHOLD = CheckConfig().rotation
AXES = [(0.0, 1.0, 0.0), (0.6, -0.5, 0.62), (-0.7, 0.1, 0.7)]


def estimated(shapes: SimpleNamespace, views: ViewSet) -> list[Turn]:
    return estimate_turns(observe(views), shapes.compared(views)[2])


def unit(vector: tuple[float, ...]) -> np.ndarray:
    return np.array(vector) / np.linalg.norm(vector)


def equations(random: np.random.Generator, count: int, size: int) -> Equations:
    return Equations(
        random.standard_normal(count),
        random.standard_normal((count, size)),
        random.uniform(0.1, 2.0, count),
        random.integers(0, 5, count),
    )


@pytest.mark.parametrize("rig", ["unique3d", "wonder3d", "zero123plus"])
def test_clean_views_are_not_turned(shapes: SimpleNamespace, small, rig: str) -> None:
    for turn in estimated(shapes, small(rig)):
        assert turn.degrees < 0.3 * THRESHOLD
        assert 0.1 < turn.uncertainty < THRESHOLD


@pytest.mark.parametrize(
    ("rig", "place", "axis", "degrees"),
    [("unique3d", 1, AXES[0], 5.0), ("wonder3d", 5, AXES[1], 12.0), ("zero123plus", 3, AXES[2], 25.0)],
)
def test_a_rotation_is_found_in_its_view(
    shapes: SimpleNamespace, small, rig: str, place: int, axis: tuple[float, float, float], degrees: float
) -> None:
    vector = np.radians(degrees) * unit(axis)
    views = Turned(place, rotation(vector)).apply(small(rig))
    turns = estimated(shapes, views)
    assert np.degrees(np.linalg.norm(turns[place].vector + vector)) < 1.0
    assert all(turn.degrees < 0.5 * THRESHOLD for v, turn in enumerate(turns) if v != place)


def test_a_common_turn_is_nobody_s(shapes: SimpleNamespace, small) -> None:
    """And what one view has beyond it is that view's."""
    common, own = np.radians(6.0) * unit((1, 0.3, 0)), np.radians(9.0) * unit((0, 1, 0.2))
    views = small("wonder3d")
    for v in range(len(views)):
        views = Turned(v, rotation(common)).apply(views)
    assert max(turn.degrees for turn in estimated(shapes, views)) < THRESHOLD
    turns = estimated(shapes, Turned(2, rotation(own)).apply(views))
    assert [v for v, turn in enumerate(turns) if turn.degrees > THRESHOLD] == [2]
    assert np.degrees(np.linalg.norm(turns[2].vector + own)) < 2.0


def test_a_view_by_itself_tells_its_turn(small) -> None:
    """Without points that others share: by curl and outline."""
    vector = np.radians(10.0) * unit((0.2, 0.3, 0.9))
    views = small("unique3d")
    seen = observe(Turned(0, rotation(vector)).apply(views))[:1]
    (turn,) = estimate_turns(seen, None)
    assert np.degrees(np.linalg.norm(turn.vector + vector)) < 2.0


def test_rotation_vectors_and_matrices() -> None:
    vector = np.array([0.3, -0.2, 0.5])
    assert vector_of(rotation(vector)) == pytest.approx(vector)
    assert rotation(vector) @ rotation(vector).T == pytest.approx(np.eye(3))
    assert rotation(np.array([0, 0, np.pi / 2])) @ [1, 0, 0] == pytest.approx([0, 1, 0])
    turn = Turn(np.radians([0.0, 4.0, 0.0]), np.diag(np.radians([1.0, 2.0, 3.0]) ** 2))
    assert (turn.degrees, turn.uncertainty) == (pytest.approx(4.0), pytest.approx(2.0))
    assert turn.matrix == pytest.approx(rotation(turn.vector))


def test_sums_of_equations_are_the_dense_ones() -> None:
    random = np.random.default_rng(0)
    given = equations(random, 50, 3)
    jacobian, weight = given.jacobian, np.diag(given.weight)
    assert len(given) == 50
    assert given.normal_matrix == pytest.approx(jacobian.T @ weight @ jacobian)
    assert given.right_side == pytest.approx(-jacobian.T @ weight @ given.residual)
    solution = random.standard_normal(3)
    expected = np.zeros((3, 3))
    for part in range(5):
        k = given.part == part
        score = jacobian[k].T @ weight[k][:, k] @ (given.residual[k] + jacobian[k] @ solution)
        expected += np.outer(score, score)
    assert given.scatter(solution) == pytest.approx(expected)
    least = np.linalg.lstsq(np.sqrt(weight) @ jacobian, -np.sqrt(given.weight) * given.residual, rcond=None)[0]
    assert gaussian(given, (3.0, 0.01))[1] == pytest.approx(least, rel=1e-4)


def test_too_few_equations_say_nothing() -> None:
    information, mean = gaussian(equations(np.random.default_rng(0), 19, 3), (3.0, 0.01))
    assert not information.any()
    assert not mean.any()


def test_no_gaussian_is_narrower_than_its_floor() -> None:
    random = np.random.default_rng(1)
    exact = replace(equations(random, 4000, 3), residual=np.zeros(4000))
    information, _ = gaussian(exact, (3.0, 0.02))
    assert np.sqrt(np.linalg.inv(information).diagonal()) == pytest.approx([0.02] * 3, rel=1e-3)


def points(count: int = 60, views: int = 4) -> SharedPoints:
    random = np.random.default_rng(2)
    normals = random.standard_normal((views, count, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    place = random.uniform(-1, 1, (count, 3))
    return SharedPoints(place, normals[0], normals, random.uniform(0, 1, (views, count)))


def dense(shared: SharedPoints, turns: list[np.ndarray]) -> Equations:
    """Every pair's equations as rows of one wide matrix."""
    count, (residual, jacobian, weight, part) = len(turns), ([], [], [], [])
    cell = ((shared.points + 1.1) / 2.2 * TILES).astype(int)
    for i, j in combinations(range(count), 2):
        sure = np.minimum(shared.weight[i], shared.weight[j])
        k = np.flatnonzero(sure > CLEAR)
        a, b = shared.normals[i][k] @ turns[i].T, shared.normals[j][k] @ turns[j].T
        strength = sure[k] * robust(np.linalg.norm(a - b, axis=-1), LEAST_AGREEMENT, 2.0)
        for row in range(len(k)):
            for c in range(3):
                line = np.zeros(3 * count)
                line[3 * i : 3 * i + 3] = np.cross(np.eye(3), a[row])[:, c]
                line[3 * j : 3 * j + 3] = -np.cross(np.eye(3), b[row])[:, c]
                jacobian.append(line)
                residual.append((a - b)[row, c])
                weight.append(strength[row])
                part.append(cell[k[row]] @ [TILES * TILES, TILES, 1])
    return Equations(np.array(residual), np.stack(jacobian), np.array(weight), np.array(part))


def test_agreement_is_as_the_dense_equations() -> None:
    shared = points()
    turns = [rotation(0.1 * np.array([v, 1.0, -v])) for v in range(4)]
    found, expected = Agreement(shared, turns), dense(shared, turns)
    assert len(found) == len(expected)
    assert found.normal_matrix == pytest.approx(expected.normal_matrix)
    assert found.right_side == pytest.approx(expected.right_side)
    solution = np.random.default_rng(3).standard_normal(12)
    assert found.scatter(solution) == pytest.approx(expected.scatter(solution))


def test_agreement_says_nothing_of_a_common_turn() -> None:
    """The same normals in all views: a rotation of all leaves them equal."""
    shared = points()
    same = replace(shared, normals=np.broadcast_to(shared.normals[:1], shared.normals.shape).copy())
    found = Agreement(same, [np.eye(3)] * 4)
    for axis in np.eye(3):
        assert found.normal_matrix @ np.tile(axis, 4) == pytest.approx(np.zeros(12), abs=1e-6 * 1e5)
    assert found.right_side == pytest.approx(np.zeros(12), abs=1e-9)


def test_views_that_share_no_point_have_no_equations() -> None:
    shared = points()
    apart = replace(shared, weight=np.where(np.arange(60) % 4 == np.arange(4)[:, None], 1.0, 0.0))
    found = Agreement(apart, [np.eye(3)] * 4)
    assert len(found) == 0
    assert not found.normal_matrix.any()
    assert not gaussian(found, (3.0, 0.01))[0].any()


@pytest.mark.parametrize("axis", range(3))
def test_derivatives_are_finite_differences(small, axis: int) -> None:
    """Of normals, curl and outline, by a small rotation of the camera-frame normals."""
    step = 1e-5
    some = np.random.default_rng(4).standard_normal((20, 3))
    little, back = rotation(step * np.eye(3)[axis]), rotation(-step * np.eye(3)[axis])
    assert turned(some, axis) == pytest.approx((some @ little.T - some @ back.T) / (2 * step), abs=1e-8)
    view = observe(small("zero123plus"))[0]
    view = replace(view, normals=view.normals.astype(np.float64))
    for kind in (integrability, rim):
        here = kind(view, view.normals)
        there, before = (kind(view, view.normals @ turn.T).residual for turn in (little, back))
        slope = (there - before) / (2 * step)
        use = slice(0, len(here) // 2) if kind is rim else slice(None)  # the rest is relative to its median
        assert here.jacobian[use, axis] == pytest.approx(slope[use], abs=1e-5)


def test_parts_are_tiles_of_equal_side() -> None:
    place = parts((64, 128))
    assert place.shape == (64, 128)
    labels, counts = np.unique(place, return_counts=True)
    assert len(labels) == TILES * TILES // 2
    assert set(counts) == {16 * 16}


def test_weights_fall_off_and_stay_finite() -> None:
    residual = np.array([0.0, 0.01, 0.1, 10.0])
    weight = robust(residual, 0.05, 1.0)
    assert (np.diff(weight) < 0).all()
    assert robust(np.zeros(5), 0.05, 2.0) == pytest.approx(np.full(5, 1 / 0.05**2))
    assert len(robust(np.zeros(0), 0.05, 1.0)) == 0


def test_views_without_normals(small) -> None:
    views = small("unique3d")
    blank = replace(views, normals=torch.zeros_like(views.normals))
    turns = estimate_turns(observe(blank), None)
    assert all(turn.degrees == pytest.approx(0.0, abs=1e-9) for turn in turns)
