"""A given mesh is left alone if it is sound, repaired if that is possible, and refused otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from meshopt.errors import InputError
from meshopt.initial import given_mesh
from meshopt.mesh import Mesh
from meshopt.topology import topology

RADIUS = 0.6


def tensors(shape: trimesh.Trimesh) -> Mesh:
    return Mesh(
        torch.tensor(np.array(shape.vertices), dtype=torch.float32),
        torch.tensor(np.array(shape.faces), dtype=torch.int32),
    )


@pytest.fixture
def ball() -> Mesh:
    return tensors(trimesh.creation.icosphere(subdivisions=3, radius=RADIUS))


def test_sound_mesh_is_left_alone(ball: Mesh) -> None:
    ball = Mesh(ball.vertices, ball.faces, torch.rand(len(ball.vertices), 3))
    mesh, notes = given_mesh(ball)
    assert notes == ()
    assert torch.equal(mesh.vertices, ball.vertices)
    assert torch.equal(mesh.faces, ball.faces)
    assert mesh.colors is not None
    assert torch.equal(mesh.colors, ball.colors)


def test_duplicated_vertices_are_welded(ball: Mesh, sound) -> None:
    """As a file has them along seams of its texture; here along all edges."""
    corners = ball.faces.long().reshape(-1)
    loose = ball.vertices[corners]
    split = Mesh(loose, torch.arange(len(corners), dtype=torch.int32).reshape(-1, 3), loose + 0.5)
    assert not topology(split.vertices, split.faces).closed
    mesh, notes = given_mesh(split)
    found = sound(mesh)
    assert notes == ()
    assert (found.vertices, found.faces) == (len(ball.vertices), len(ball.faces))
    assert mesh.colors is not None
    assert torch.equal(mesh.colors, mesh.vertices + 0.5)


def test_inside_out_mesh_is_turned(ball: Mesh, sound) -> None:
    mesh, notes = given_mesh(Mesh(ball.vertices, ball.faces.flip(1)))
    assert sound(mesh).volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.02)
    assert "inside out" in notes[0]


@pytest.mark.parametrize("holes", [1, 3])
def test_small_holes_are_filled(ball: Mesh, sound, holes: int) -> None:
    kept = torch.ones(len(ball.faces), dtype=torch.bool)
    kept[:: len(ball.faces) // holes] = False
    mesh, notes = given_mesh(Mesh(ball.vertices, ball.faces[kept]), 48)
    found = sound(mesh)
    assert "not closed" in notes[0]
    assert (found.components, found.genus) == (1, 0)
    assert found.volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.03)


def test_shared_edge_is_resolved(sound) -> None:
    """Two boxes that touch in an edge: closed, but four faces meet there."""
    boxes = [trimesh.creation.box((0.6, 0.6, 0.6)) for _ in range(2)]
    boxes[1].apply_translation((0.6, 0.6, 0.0))
    mesh, notes = given_mesh(tensors(trimesh.util.concatenate(boxes)), 48)
    assert "2-manifold" in notes[0]
    assert sound(mesh).volume == pytest.approx(2 * 0.6**3, rel=0.05)


@pytest.mark.parametrize("faces", ["half", "one"])
def test_mesh_without_an_inside_is_refused(ball: Mesh, faces: str) -> None:
    if faces == "half":
        kept = ball.vertices[ball.faces.long()].mean(dim=1)[:, 2] > 0
        left = ball.faces[kept]
    else:
        left = ball.faces[:1]
    with pytest.raises(InputError, match=r"--init.* not closed"):
        given_mesh(Mesh(ball.vertices, left), 48)


def test_mesh_elsewhere_is_refused(ball: Mesh) -> None:
    with pytest.raises(InputError, match=r"--init.* reaches to 60 .*frame and units"):
        given_mesh(ball.with_vertices(100 * ball.vertices))


def test_mesh_without_faces_or_numbers_is_refused(ball: Mesh) -> None:
    with pytest.raises(InputError, match="no faces"):
        given_mesh(Mesh(ball.vertices, ball.faces[:0]))
    broken = ball.vertices.clone()
    broken[7, 1] = float("nan")
    with pytest.raises(InputError, match="not numbers"):
        given_mesh(ball.with_vertices(broken))
