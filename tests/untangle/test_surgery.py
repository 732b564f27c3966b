"""Cutting out and closing: sound for every choice of faces."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meshopt.initial.tetrahedra import marching_tetrahedra
from meshopt.topology import Topology, topology
from meshopt.untangle import surgery
from meshopt.untangle.tangle import Tangle


def tangle(surface: tuple[torch.Tensor, torch.Tensor], wrong: list[int]) -> Tangle:
    vertices, faces = surface
    work = Tangle(vertices.double().numpy(), faces.numpy().astype(np.int32), np.dtype(np.float32))
    work.wrong = np.array(wrong, np.int32), np.empty(0, np.int32)
    return work


def kind(work: Tangle) -> Topology:
    return topology(torch.from_numpy(work.points), torch.from_numpy(work.faces))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 30), resisted=st.integers(0, 3))
def test_closed_and_manifold_whatever_is_cut(seed: int, count: int, resisted: int) -> None:
    random = np.random.default_rng(seed)
    axis = np.linspace(-1, 1, 16)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    points, faces = marching_tetrahedra(0.25 - np.hypot(np.hypot(x, y) - 0.65, z), [-1.0] * 3, axis[1] - axis[0])
    work = tangle((torch.from_numpy(points), torch.from_numpy(faces)), random.integers(0, len(faces), count).tolist())
    work.resisted[:] = resisted
    result = surgery.cut_out(work)
    if result is not None:
        found = kind(result)
        assert (found.closed, found.manifold, found.oriented) == (True, True, True)
        assert found.genus <= 1
        assert np.isfinite(result.points).all()
        assert result.points.shape == result.original.shape


def test_a_hole_in_a_sphere_is_closed_smoothly(shapes: SimpleNamespace) -> None:
    surface = shapes.sphere(4)
    work = tangle(surface, [0])
    work.resisted[:] = 2  # four edges around
    result = surgery.cut_out(work)
    assert result is not None
    found = kind(result)
    assert (found.euler, found.components) == (2, 1)
    assert found.volume == pytest.approx(topology(*surface).volume, rel=0.01)
    assert found.flipped_faces == found.self_intersecting_faces == 0
    assert result.resisted.max() == 3
    assert result.resisted.min() == 2


def test_each_cut_of_the_same_place_goes_twice_as_far(shapes: SimpleNamespace) -> None:
    surface = shapes.sphere(4)
    holes = []
    for resisted in range(4):
        work = tangle(surface, [0])
        work.resisted[:] = resisted
        result = surgery.cut_out(work)
        assert result is not None
        old = {tuple(p) for p in surface[0].double().tolist()}
        holes.append(len(surface[0]) - sum(tuple(p) in old for p in result.points.tolist()))
    assert holes[0] == 3
    assert all(3 * small < large for small, large in pairwise(holes[1:]))


def test_all_of_it_is_none(shapes: SimpleNamespace) -> None:
    surface = shapes.sphere(1)
    assert surgery.cut_out(tangle(surface, list(range(len(surface[1]))))) is None


@pytest.mark.parametrize("size", range(3, 40))
def test_discs_fill_loops(size: int) -> None:
    """A disc has V - E + F = 1, each edge of the loop once, in its direction, and each other edge in both."""
    faces, new = surgery._disc(list(range(size)), size)
    edges = {(int(face[k]), int(face[(k + 1) % 3])) for face in faces for k in range(3)}
    assert len(edges) == 3 * len(faces)
    assert {edge for edge in edges if edge[::-1] not in edges} == {(k, (k + 1) % size) for k in range(size)}
    undirected = {tuple(sorted(edge)) for edge in edges}
    assert size + new - len(undirected) + len(faces) == 1


def test_what_lies_inside_of_something_else_is_misplaced(shapes: SimpleNamespace) -> None:
    one, two = shapes.sphere(3), shapes.sphere(2, (0.2, 0.0, 0.0), 0.5)
    work = tangle(shapes.together(one, two), [])
    outer, inner = np.arange(len(one[1])), len(one[1]) + np.arange(len(two[1]))
    assert surgery._misplaced(work, inner)
    assert not surgery._misplaced(work, outer)
    assert surgery._misplaced(tangle(shapes.inside_out(two), []), np.arange(len(two[1])))


def test_specks_go_and_what_is_wrong_keeps_its_place(shapes: SimpleNamespace) -> None:
    speck, body = shapes.sphere(0, (0.0, 0.0, 3.0), 1e-5), shapes.sphere(2)
    count = len(speck[1])
    work = tangle(shapes.together(speck, body), [0, count, count + 7])
    result = surgery.without_specks(work)
    assert result.wrong[0].tolist() == [0, 7]
    assert np.array_equal(result.faces, body[1].numpy())
    assert surgery.without_specks(result) is result
