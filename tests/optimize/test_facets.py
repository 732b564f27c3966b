import numpy as np
import pytest
import torch

from meshopt import parallel
from meshopt.mesh import face_normals
from meshopt.optimize import facets
from meshopt.optimize.facets import facet_loss, sums_over_pixels


def test_sums_over_pixels_are_the_plain_loop():
    generator = torch.Generator().manual_seed(0)
    face = torch.randint(-1, 5, (2, 7, 9), generator=generator, dtype=torch.int32)
    images = torch.randn(2, 3, 7, 9, generator=generator)
    slow = np.zeros((2, 6, 4))
    for v, row, column in np.ndindex(*face.shape):
        if face[v, row, column] >= 0:
            slow[v, face[v, row, column]] += [*images[v, :, row, column].tolist(), 1.0]
    assert np.allclose(sums_over_pixels(face, images, 6), slow, atol=1e-5)
    assert np.allclose(facets._scattered(face, images, 6), slow, atol=1e-5)


def test_the_same_bytes_for_any_number_of_threads():
    face, images = torch.randint(-1, 4, (3, 20, 20), dtype=torch.int32), torch.randn(3, 2, 20, 20)
    results = []
    for threads in (1, 2, 3):
        with parallel.limit(threads):
            results.append(sums_over_pixels(face, images, 4))
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_faces_that_agree_with_their_pixels_cost_nothing(sphere):
    mesh = sphere(1.0, 2)
    pixels = torch.arange(len(mesh.faces)) % 5
    normals = face_normals(mesh.vertices, mesh.faces)
    loss = facet_loss(mesh.vertices, mesh.faces, normals * pixels[:, None], pixels.float())
    assert float(loss) == pytest.approx(0.0, abs=1e-3)
    turned = facet_loss(mesh.vertices, mesh.faces, -normals * pixels[:, None], pixels.float())
    assert float(turned) == pytest.approx(2.0 * float(pixels.sum()), rel=1e-5)


def test_descent_smooths_a_zigzag_that_vertex_normals_do_not_show():
    """A strip folded like an accordion whose pixels say that it is flat."""
    n = 12
    grid = torch.tensor([[i, j, 0.2 * (-1) ** i] for i in range(n) for j in range(2)], dtype=torch.float32)
    quads = [(2 * i, 2 * i + 2, 2 * i + 3, 2 * i + 1) for i in range(n - 1)]
    faces = torch.tensor([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], dtype=torch.int32)
    up = torch.tensor([0.0, 0.0, 1.0]).expand(len(faces), 3)
    x = grid.clone()
    for _ in range(200):
        x = x.detach().requires_grad_()
        facet_loss(x, faces, up, torch.ones(len(faces))).backward()
        x = x - 0.05 * x.grad * torch.tensor([0.0, 0.0, 1.0])
    assert float(x.detach()[:, 2].std()) < 0.1 * float(grid[:, 2].std())
