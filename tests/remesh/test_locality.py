"""Meshes scattered in memory are put in order, and it does not change what they are."""

from __future__ import annotations

import numpy as np
import torch
import trimesh

from meshopt.remesh import locality, remesh, state


def ball(subdivisions: int, seed: int | None = None) -> state.Arrays:
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions)
    points, faces = torch.tensor(np.asarray(mesh.vertices)), torch.tensor(np.asarray(mesh.faces))
    if seed is not None:
        order = torch.randperm(len(points), generator=torch.Generator().manual_seed(seed))
        points, faces = points[order.argsort()], order[faces]
    return state.to_arrays(points, faces, None, points[:, :2].clone())


def test_morton_code_interleaves_the_bits():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [1023, 1023, 1023]], float)
    assert locality.morton(points).tolist() == [0, 1, 2, 4, 7, 2**30 - 1]
    assert (locality.morton(np.ones((3, 3))) == 0).all()


def test_gathering_renumbers_only():
    arrays = ball(5, seed=0)
    assert locality.scattered(arrays)
    found = locality.gathered(arrays)
    assert not locality.scattered(found)

    def corners(a: state.Arrays) -> np.ndarray:
        rows = np.concatenate([a.data[:, :3], a.extra], axis=1)[a.faces].reshape(len(a.faces), -1)
        return rows[np.lexsort(rows.T)]

    assert np.array_equal(corners(arrays), corners(found))


def test_order_lasts_over_passes():
    arrays = ball(5, seed=0)
    points, faces = torch.from_numpy(arrays.data[:, :3]), torch.from_numpy(arrays.faces)
    for step in range(6):
        length = torch.full((len(points),), 0.03 if step % 2 else 0.04)
        result = remesh(points, faces, length)
        points, faces = result.vertices, result.faces
        assert not locality.scattered(state.to_arrays(points, faces, None, None))


def test_small_meshes_stay_in_order():
    assert not locality.scattered(ball(3, seed=0))
