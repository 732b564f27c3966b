"""The compiled surface terms against their slow twins in torch: values and gradients."""

import pytest
import torch

from meshopt import mesh
from meshopt.optimize import facets, regularizers, surface


@pytest.fixture
def bumpy(sphere):
    ball = sphere(1.0, 2)
    generator = torch.Generator().manual_seed(0)
    scale = 1 + 0.2 * torch.rand(len(ball.vertices), 1, generator=generator)
    return ball.vertices * scale, ball.faces, generator


def compare(fast, slow, vertices, weights=1.0):
    x, y = vertices.clone().requires_grad_(), vertices.double().requires_grad_()
    a, b = fast(x), slow(y)
    assert torch.allclose(a.double(), b, rtol=1e-5, atol=1e-6)
    (a * weights).sum().backward()
    (b * weights).sum().backward()
    assert float(y.grad.abs().max()) > 0
    assert torch.allclose(x.grad.double(), y.grad, rtol=1e-4, atol=1e-5 * float(y.grad.abs().max()))


def test_vertex_normals(bumpy):
    vertices, faces, generator = bumpy
    weights = torch.randn(len(vertices), 3, generator=generator)
    compare(lambda x: surface.vertex_normals(x, faces), lambda x: mesh.vertex_normals(x, faces), vertices, weights)


def test_laplacian_energy(bumpy):
    vertices, faces, generator = bumpy
    weight = torch.rand(len(vertices), generator=generator)
    compare(
        lambda x: surface.laplacian_energy(x, faces, weight),
        lambda x: regularizers.plain_laplacian_energy(x, faces, weight.to(x)),
        vertices,
        3.0,
    )


def test_facet_loss(bumpy):
    vertices, faces, generator = bumpy
    weight = torch.randint(0, 4, (len(faces),), generator=generator).float()
    normals = torch.nn.functional.normalize(torch.randn(len(faces), 3, generator=generator), dim=1)
    normals = normals * (weight * torch.rand(len(faces), generator=generator))[:, None]
    compare(
        lambda x: surface.facet_loss(x, faces, normals, weight, 10.0),
        lambda x: facets.plain_facet_loss(x, faces, normals.to(x), weight.to(x)),
        vertices,
    )


def test_vertices_without_faces_and_faces_without_area_do_no_harm():
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [5, 5, 5], [0.5, 0, 0]])
    faces = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2], [0, 1, 5]], dtype=torch.int32)
    x = vertices.requires_grad_()
    normals = surface.vertex_normals(x, faces)
    flat = surface.facet_loss(x, faces, torch.ones(5, 3), torch.full((5,), 2.0), 10.0)
    (normals.sum() + flat).backward()
    assert torch.isfinite(normals).all()
    assert not normals[4].any()
    assert torch.isfinite(x.grad[:5]).all()
