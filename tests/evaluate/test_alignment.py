"""Alignment recovers similarities that are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from meshopt.evaluate.alignment import Similarity, align
from meshopt.evaluate.surfaces import Surface


def _known(degrees: float = 12.0, scale: float = 0.9) -> Similarity:
    turn = Rotation.from_rotvec(np.radians(degrees) * np.array([2, -1, 2]) / 3).as_matrix()
    return Similarity(scale, turn, np.array([0.05, -0.08, 0.1]))


def _moved(surface: Surface, by: Similarity) -> Surface:
    return Surface(by.of(surface.triangles.reshape(-1, 3)).reshape(-1, 3, 3))


def test_similarity_undoes_itself_and_is_its_matrix(shapes: Any) -> None:
    known, points = _known(), np.random.default_rng(0).normal(size=(20, 3))
    there = known.of(points)
    assert np.allclose(known.undone(there), points)
    assert np.allclose(np.c_[points, np.ones(20)] @ known.matrix[:3].T, there)
    assert known.degrees == pytest.approx(12)
    mesh = shapes.mesh_of(shapes.lump())
    assert np.allclose(known.of_mesh(mesh).vertices.numpy(), known.of(mesh.vertices.numpy()))


def test_one_after_the_other() -> None:
    first, second = _known(), _known(100.0, 3.0)
    assert np.allclose(second.after(first).matrix, second.matrix @ first.matrix)


def test_none_changes_nothing(shapes: Any) -> None:
    assert np.array_equal(
        align(shapes.surface_of(shapes.lump()), shapes.surface_of(shapes.lump()), "none").matrix, np.eye(4)
    )


def test_boxes_are_laid_on_each_other(shapes: Any) -> None:
    truth = shapes.surface_of(shapes.lump())
    pose = align(Surface(40 * truth.triangles + [7, 8, 9]), truth, "bbox")
    assert pose.scale == pytest.approx(1 / 40)
    assert pose.degrees == 0
    assert np.allclose(pose.of(np.array([[7.0, 8, 9]])), 0)


@pytest.mark.parametrize("farther", [1.0, 250.0])
def test_icp_recovers_a_known_similarity(shapes: Any, farther: float) -> None:
    """From where the mesh lies, and from far off in another unit."""
    truth, known = shapes.surface_of(shapes.lump()), _known()
    known = Similarity(known.scale / farther, known.rotation, known.translation)
    found = _moved(
        truth, Similarity(1 / known.scale, known.rotation.T, -known.rotation.T @ known.translation / known.scale)
    )
    pose = align(found, truth, "icp")
    corners = found.triangles.reshape(-1, 3)
    off = np.linalg.norm(pose.of(corners) - truth.triangles.reshape(-1, 3), axis=1)
    assert off.max() < 2e-3 * truth.diagonal
    assert pose.scale == pytest.approx(known.scale, rel=1e-3)
    assert np.array_equal(align(found, truth, "icp").matrix, pose.matrix)


def test_icp_leaves_what_fits_where_it_is_although_a_part_is_missing(shapes: Any) -> None:
    truth = shapes.surface_of(shapes.lump())
    part = Surface(truth.triangles[truth.triangles[:, :, 1].mean(1) < 0.6])
    off = align(part, truth, "icp").of(part.triangles.reshape(-1, 3)) - part.triangles.reshape(-1, 3)
    assert np.linalg.norm(off, axis=1).max() < 0.01 * truth.diagonal
