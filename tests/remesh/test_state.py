"""Connectivity against a dictionary twin; what is refused, in one sentence."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from meshopt.errors import InputError
from meshopt.remesh import remesh, state
from meshopt.remesh.halfedge_kernels import after


def half_of(surface, length=0.1):
    vertices, faces = surface
    return state.connected(state.to_arrays(vertices, faces, torch.full((len(vertices),), length), None))


def slow_twins(faces: np.ndarray) -> dict[int, int]:
    """Twin of each half-edge by looking the reversed edge up in a dictionary."""
    where = {(int(f[k]), int(f[(k + 1) % 3])): 3 * i + k for i, f in enumerate(faces) for k in range(3)}
    return {h: where[b, a] for (a, b), h in where.items()}


@pytest.mark.parametrize("name", ["sphere", "torus", "cube", "two_tetrahedra"])
def test_twins_agree_with_the_dictionary(name, request):
    surface = request.getfixturevalue(name)
    half = half_of(surface)
    faces = surface[1].numpy()
    assert dict(enumerate(half.twin.tolist())) == slow_twins(faces)
    assert (half.corner[half.out] == np.arange(len(half.out))).all()
    assert (half.valence == np.bincount(faces.reshape(-1), minlength=len(half.out))).all()
    assert [after(h) for h in range(6)] == [1, 2, 0, 4, 5, 3]


def test_vertices_without_faces_are_dropped(two_tetrahedra):
    vertices, faces = two_tetrahedra
    padded = torch.cat([torch.full((2, 3), 9.0), vertices])
    half = state.compacted(half_of((padded, faces + 2)))
    assert np.array_equal(half.corner.reshape(-1, 3), faces.numpy())
    assert np.array_equal(half.data[:, :3], vertices.numpy())


def bad_meshes() -> dict[str, tuple[list[list[int]], str]]:
    tet = [[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]
    other = [[0, 5, 4], [0, 4, 6], [4, 5, 6], [0, 6, 5]]
    return {
        "open": (tet[:3], "one side only"),
        "turned": ([[0, 1, 2], *tet[1:]], "same direction|one side only"),
        "fin": ([*tet, [0, 1, 4], [1, 0, 4]], "same direction"),
        "bow tie": (tet + other, "separate sheets touch"),
        "pillow": ([[0, 1, 2], [2, 1, 0]], "same three vertices"),
        "repeated": ([*tet, [4, 4, 5]], "names a vertex twice"),
        "index": ([*tet[:3], [0, 3, 9]], "there are 7"),
        "negative": ([*tet[:3], [0, 3, -1]], "-1 to 3"),
        "empty": ([], "no faces"),
    }


@pytest.mark.parametrize("name", bad_meshes())
def test_bad_topology_is_refused(name):
    rows, message = bad_meshes()[name]
    vertices = torch.rand(7, 3, generator=torch.Generator().manual_seed(0))
    faces = torch.tensor(rows, dtype=torch.int32).reshape(-1, 3)
    with pytest.raises(InputError, match=message):
        remesh(vertices, faces, torch.full((7,), 0.1))


@pytest.mark.parametrize(
    ("position", "length", "message"),
    [
        (float("nan"), 0.1, "not finite"),
        (float("inf"), 0.1, "not finite"),
        (0.0, float("nan"), "not finite"),
        (0.0, 0.0, "positive"),
        (0.0, -1.0, "positive"),
    ],
)
def test_bad_numbers_are_refused(two_tetrahedra, position, length, message):
    vertices, faces = two_tetrahedra
    vertices = vertices.clone()
    vertices[0, 0] = position
    lengths = torch.full((len(vertices),), 0.1)
    lengths[1] = length
    with pytest.raises(InputError, match=message):
        remesh(vertices, faces, lengths)
