"""Faces that overlap are found, and only these."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meshopt.texturing.atlas import Atlas, overlapping
from meshopt.texturing.overlap import overlapping_pairs


def clipped_area(one: np.ndarray, two: np.ndarray) -> float:
    """Area that two triangles share, one cut along the edges of the other (Sutherland and Hodgman 1974)."""

    def area(shape: list[np.ndarray]) -> float:
        x, y = np.array(shape).T
        return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2

    if area(list(two)) < 0:
        two = two[::-1]
    shape = list(one)
    for a, b in zip(two, np.roll(two, -1, axis=0), strict=True):
        side = [float((b - a)[0] * (p - a)[1] - (b - a)[1] * (p - a)[0]) for p in shape]
        cut: list[np.ndarray] = []
        for k in range(len(shape)):
            p, q, s, t = shape[k - 1], shape[k], side[k - 1], side[k]
            if s * t < 0:
                cut.append(p + (q - p) * s / (s - t))
            if t >= 0:
                cut.append(q)
        shape = cut
        if not shape:
            return 0.0
    return abs(area(shape))


@given(st.integers(0, 2**32 - 1), st.integers(2, 25), st.sampled_from([0.05, 0.3, 1.0]), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_as_by_clipping(seed: int, count: int, size: float, groups: int) -> None:
    generator = np.random.default_rng(seed)
    corners = generator.uniform(0, 1, (count, 1, 2)) + size * generator.uniform(-1, 1, (count, 3, 2))
    group = generator.integers(0, groups, count)
    found = {tuple(pair) for pair in overlapping_pairs(corners, group, 1e-9).tolist()}
    for i in range(count):
        for j in range(i + 1, count):
            shared = clipped_area(corners[i], corners[j]) if group[i] == group[j] else 0.0
            if shared > 1e-7:
                assert (i, j) in found
            elif shared == 0:
                assert (i, j) not in found


def grid(n: int) -> tuple[np.ndarray, np.ndarray]:
    """A square of 2 n^2 faces."""
    axis = np.linspace(0, 1, n + 1)
    uv = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    k = (np.arange(n)[:, None] * (n + 1) + np.arange(n)).ravel()
    return uv, np.concatenate([np.stack([k, k + 1, k + n + 2], 1), np.stack([k, k + n + 2, k + n + 1], 1)])


def atlas_of(uv: np.ndarray, faces: np.ndarray) -> Atlas:
    return Atlas(
        torch.tensor(uv, dtype=torch.float32),
        torch.tensor(faces, dtype=torch.int32),
        torch.arange(len(uv)),
        torch.zeros(len(faces), dtype=torch.int32),
        "box",
    )


def test_neighbours_do_not_overlap_and_folds_do() -> None:
    uv, faces = grid(100)
    assert len(overlapping(atlas_of(uv, faces))) == 0
    uv[5050] += [0.015, 0]  # one vertex pushed over the faces on its right
    pairs = overlapping(atlas_of(uv, faces))
    assert len(pairs) > 0
    assert (uv[faces[pairs.unique()]] - uv[5050]).max() < 0.05


@pytest.mark.parametrize("shape", ["same", "inside", "crossing", "sliver"])
def test_every_way_of_overlapping(shape: str) -> None:
    one = np.array([[0, 0], [1, 0], [0, 1]], float)
    two = {
        "same": one,
        "inside": 0.1 * one + 0.2,
        "crossing": np.array([[-1, 0.3], [1, 0.2], [1, 0.3]]),
        "sliver": np.array([[-1, 0.3], [1, 0.3], [1, 0.301]]),
    }[shape]
    assert overlapping_pairs(np.stack([one, two]), np.zeros(2, np.int64), 1e-6).tolist() == [[0, 1]]
    assert overlapping_pairs(np.stack([one, two[::-1]]), np.zeros(2, np.int64), 1e-6).tolist() == [[0, 1]]
    assert not len(overlapping_pairs(np.stack([one, two]), np.arange(2), 1e-6))


def test_faces_without_area_overlap_nothing() -> None:
    one = np.array([[0, 0], [1, 0], [0, 1]], float)
    line, point = np.array([[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]), np.full((3, 2), 0.2)
    assert not len(overlapping_pairs(np.stack([one, line, point]), np.zeros(3, np.int64), 1e-9))
