"""Single operations: the connectivity kept in place equals one built anew, and guards refuse what they
must."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from meshopt.remesh import guard_kernels, halfedge_kernels, relax_kernels, state, sweep_kernels

FREE = (-2.0, 0.0, 1e100)  # limits that allow any turn, quality and length


def half_of(surface, length=0.1):
    vertices, faces = surface
    half = state.connected(state.to_arrays(vertices, faces, torch.full((len(vertices),), length), None))
    return state.with_room(half, 0)


def assert_consistent(half) -> None:
    """twin, out and valence of the living faces are what `connect` would find."""
    left = state.compacted(half)
    faces = left.corner.reshape(-1, 3)
    anew = state.connected(state.Arrays(left.data, left.extra, faces))
    assert np.array_equal(left.twin, anew.twin)
    assert np.array_equal(left.valence, anew.valence)
    assert np.array_equal(left.out, anew.out)
    alive = half.corner.reshape(-1, 3)[:, 0] >= 0
    half_index = np.repeat(np.cumsum(alive) - 1, 3) * 3 + np.tile(np.arange(3), len(alive))
    living = np.repeat(alive, 3)
    assert np.array_equal(half_index[half.twin[living]], anew.twin)
    kept = half.out >= 0
    assert np.array_equal(half.valence[kept], anew.valence)
    assert np.array_equal(half.corner[half.out[kept]], np.flatnonzero(kept))
    assert np.unique(np.sort(faces, axis=1), axis=0).shape == faces.shape


@pytest.mark.parametrize("name", ["sphere", "torus", "cube"])
def test_connectivity_stays_right_in_place(name, request):
    half = half_of(request.getfixturevalue(name), 0.12)
    long = state.outside(half, -1.0, 0.8)
    assert len(long)
    half, _ = state.split(half, long)
    assert_consistent(half)
    sweep_kernels.flip(half, -2.0, 1.0)
    assert_consistent(half)
    mark = np.full(len(half.out), -1, np.int32)
    short = state.outside(half, 0.5, np.inf)
    assert sweep_kernels.collapse(half, short, 0.5, 0.001, FREE, mark) > 0
    assert (mark == -1).all()
    assert_consistent(half)


def test_tetrahedron_keeps_all_its_edges(two_tetrahedra):
    half = half_of(two_tetrahedra, 100.0)
    mark = np.full(len(half.out), -1, np.int32)
    edges = state.outside(half, 1.0, np.inf)
    assert len(edges) == 12
    assert sweep_kernels.collapse(half, edges, 1.0, 0.001, FREE, mark) == 0
    assert sweep_kernels.flip(half, -2.0, 1.0) == 0


def test_link_condition_refuses_to_pinch_a_thin_ring():
    """A triangular prism ring: three quads around, closed into a torus of 3 x 3 vertices; every edge is
    essential."""
    corner = [(i, k) for i in range(3) for k in range(3)]
    number = {c: n for n, c in enumerate(corner)}
    faces = []
    for i, k in corner:
        a, b = number[i, k], number[(i + 1) % 3, k]
        c, d = number[(i + 1) % 3, (k + 1) % 3], number[i, (k + 1) % 3]
        faces += [[a, b, c], [a, c, d]]
    angle = [2 * math.pi * n / 3 for n in range(3)]
    points = [
        [
            (2 + math.cos(angle[k])) * math.cos(angle[i]),
            (2 + math.cos(angle[k])) * math.sin(angle[i]),
            math.sin(angle[k]),
        ]
        for i, k in corner
    ]
    half = half_of((torch.tensor(points), torch.tensor(faces, dtype=torch.int32)), 100.0)
    edges = state.outside(half, 1.0, np.inf)
    assert len(edges) == 27
    mark = np.full(len(half.out), -1, np.int32)
    allowed = [h for h in edges if halfedge_kernels.linked(half, h, mark)]
    for h in allowed:  # the twin: exactly two common neighbours
        a, b = half.corner[h], half.corner[halfedge_kernels.after(h)]
        near = [{int(v) for f in faces if x in f for v in f} - {a, b} for x in (a, b)]
        assert len(near[0] & near[1]) == 2
    assert len(allowed) < 27


def test_quadric_minimum_finds_a_corner():
    """Three planes meet in one point; with planes missing, the pull decides along what is free."""
    quadric = (1.0, 0.0, 0.0, 1.0, 0.0, 1.0, -0.1, -0.2, -0.3)
    assert guard_kernels.lowest(quadric, 1.0, 1.0, 1.0, 1e-6) == pytest.approx((0.1, 0.2, 0.3), abs=1e-4)
    crease = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, -0.1, -0.2, 0.0)
    assert guard_kernels.lowest(crease, 1.0, 1.0, 1.0, 1e-6) == pytest.approx((0.1, 0.2, 1.0), abs=1e-4)
    assert guard_kernels.lowest((0.0,) * 9, 1.0, 2.0, 3.0, 1e-3) == (1.0, 2.0, 3.0)


def test_triangle_quality_and_smallest_angle():
    data = np.zeros((3, 4))
    data[:, :3] = [[0, 0, 0], [1, 0, 0], [0.5, math.sqrt(3) / 2, 0]]
    nx, ny, nz, size, quality = guard_kernels.triangle(data, 0.0, 0.0, 0.0, 1, 2)
    assert (nx, ny, nz) == pytest.approx((0, 0, math.sqrt(3) / 2))
    assert size == pytest.approx(math.sqrt(3) / 2)
    assert quality == pytest.approx(1)
    assert guard_kernels.smallest_angle(data, 0, 1, 2) == pytest.approx(0.5)
    data[2, 1] = 0
    assert guard_kernels.triangle(data, 0.0, 0.0, 0.0, 1, 2)[4] == 0
    data[2] = data[0]
    assert guard_kernels.smallest_angle(data, 0, 1, 2) == 1


def box() -> tuple[torch.Tensor, torch.Tensor]:
    points = torch.tensor([[x, y, z] for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)])
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = [t for a, b, c, d in quads for t in ([a, b, c], [a, c, d])]
    return points, torch.tensor(faces, dtype=torch.int32)


RIGHT = (math.cos(math.radians(35)), 0.02)  # dihedral and offset


def test_flip_spares_a_ridge():
    """The ridge of a roof stays although its faces are flat and wide; without the limits it goes."""
    points = torch.tensor([[0.0, -1, 0], [0, 1, 0], [0.2, 0, -0.2], [-0.2, 0, -0.2], [0, 0, -1]])
    faces = [[0, 2, 1], [0, 1, 3], [2, 0, 4], [1, 2, 4], [3, 1, 4], [0, 3, 4]]
    half = half_of((points, torch.tensor(faces, dtype=torch.int32)))
    before = half.corner.copy()
    assert sweep_kernels.flip(half, *RIGHT) == 0
    assert np.array_equal(half.corner, before)
    assert sweep_kernels.flip(half, -2.0, 0.0) == 1
    assert_consistent(half)


@pytest.mark.parametrize("tilt", [0.0, 0.01, -0.01])
def test_flip_mends_a_cap(tilt):
    """A thin cap over a crease is flipped away, even where its own normal points anywhere."""
    half = half_of(box())
    rows = half.corner.reshape(-1, 3).tolist()
    h = next(3 * f + k for f, c in enumerate(rows) for k in range(3) if (c[k], c[(k + 1) % 3]) == (0, 3))
    half, _ = state.split(half, np.array([h], np.int32))
    half.data[8, :3] = [tilt, 0.002, 0.5]  # vertices 0 and 1 are at z = 0 and 1
    worst = min_quality(half)
    assert worst < 0.03
    assert sweep_kernels.flip(half, *RIGHT) > 0
    assert_consistent(half)
    assert min_quality(half) > 10 * worst


def min_quality(half) -> float:
    faces = half.corner.reshape(-1, 3)
    return min(guard_kernels.triangle(half.data, *half.data[a, :3], b, c)[4] for a, b, c in faces)


def test_relaxation_slides_in_planes_and_along_creases_only():
    """Vertices of a finely cut box that start on its surface stay on it, its corners where they are."""
    points, faces = box()
    half = half_of((points, faces), 0.3)
    for _ in range(3):
        half, _ = state.split(half, state.outside(half, -1.0, 1.0))
    noise = np.random.default_rng(0).uniform(-0.03, 0.03, (len(half.data), 3))
    half.data[:, :3] += np.where(np.abs(half.data[:, :3] - 0.5) < 0.49, noise, 0)  # slid in sides and along edges
    before = half.data.copy()
    relax_kernels.relax(half, 0.5, 1e-3, (0.5, 0.05, 100.0), state.relax_scratch(half))
    assert np.abs(half.data[:8, :3] - before[:8, :3]).max() < 1e-4
    assert np.abs(half.data - before).max() > 0.02
    sides = np.abs(half.data[:, :3] - 0.5).max(axis=1)
    assert np.abs(sides - 0.5).max() < 1e-3
