"""The mesh value and the normals of known shapes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from meshopt.mesh import Mesh, face_cross, face_normals, vertex_normals


def sphere() -> tuple[torch.Tensor, torch.Tensor]:
    mesh = trimesh.creation.icosphere(subdivisions=3)
    faces = torch.tensor(np.asarray(mesh.faces), dtype=torch.int32)
    return torch.tensor(np.asarray(mesh.vertices), dtype=torch.float32), faces


def test_normals_of_a_sphere_point_outwards():
    vertices, faces = sphere()
    assert torch.allclose(vertex_normals(vertices, faces), vertices, atol=0.02)
    centre = vertices[faces.long()].mean(dim=1)
    assert (face_normals(vertices, faces) * torch.nn.functional.normalize(centre)).sum(dim=1).min() > 0.9999
    assert face_cross(vertices, faces).norm(dim=1).sum() / 2 == pytest.approx(4 * np.pi, rel=0.01)


def test_normals_turn_with_the_faces():
    vertices, faces = sphere()
    there = face_normals(vertices, faces.flip(1))
    assert torch.allclose(there, -face_normals(vertices, faces), atol=1e-5)


def test_no_area_gives_zero_normals():
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 5, 5]])
    faces = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    assert torch.equal(face_normals(vertices, faces), torch.zeros(1, 3))
    assert torch.equal(vertex_normals(vertices, faces), torch.zeros(4, 3))


def test_vertex_normals_are_differentiable():
    generator = torch.Generator().manual_seed(0)
    vertices = torch.randn(4, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    faces = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]], dtype=torch.int32)
    assert torch.autograd.gradcheck(lambda v: vertex_normals(v, faces), (vertices,))


def test_mesh_is_a_value():
    vertices, faces = sphere()
    mesh = Mesh(vertices, faces, vertices.abs())
    moved = mesh.with_vertices(vertices + 1)
    assert torch.equal(mesh.vertices, vertices)
    assert torch.equal(moved.vertices, vertices + 1)
    assert moved.faces is faces
    there = mesh.to("cpu")
    assert there.colors is not None
    assert torch.equal(there.colors, vertices.abs())
    assert Mesh(vertices, faces).to("cpu").colors is None
