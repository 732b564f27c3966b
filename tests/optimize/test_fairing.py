import pytest
import torch

from meshopt.mesh import vertex_normals
from meshopt.optimize.fairing import RATE, SWEEPS, faired, plain_faired
from meshopt.optimize.regularizers import neighbour_mean


@pytest.fixture
def ball(sphere):
    """Rough; its lower half is not seen."""
    mesh = sphere(1.0, 4)
    generator = torch.Generator().manual_seed(0)
    bumps = 1 + 0.02 * torch.randn(len(mesh.vertices), 1, generator=generator)
    return mesh.vertices * bumps, mesh.faces, mesh.vertices[:, 1] > 0, generator


def roughness(vertices, faces, chosen):
    normal = vertex_normals(vertices, faces)
    return float(((neighbour_mean(vertices, faces) - vertices) * normal).sum(-1)[chosen].std())


def test_compiled_and_plain_agree(ball):
    vertices, faces, seen, generator = ball
    move = 0.01 * torch.randn(len(vertices), 3, generator=generator)
    for mask in (seen, torch.rand(len(seen), generator=generator) > 0.1, torch.zeros_like(seen)):
        fast = faired(move, vertices, faces, mask)
        assert torch.allclose(fast.double(), plain_faired(move.double(), vertices.double(), faces, mask), atol=1e-6)
        assert torch.equal(fast[mask], move[mask])
    assert faired(move, vertices, faces, torch.ones_like(seen)) is move


def test_roughness_fades_and_the_shape_stays(ball):
    vertices, faces, seen, _ = ball
    deep = vertices[:, 1] < -0.3
    rough, still = roughness(vertices, faces, deep), torch.zeros_like(vertices)
    x = vertices
    for _ in range(60):
        x = x + faired(still, x, faces, seen)
    assert roughness(x, faces, deep) < 0.2 * rough
    assert torch.equal(x[seen], vertices[seen])
    assert float((x[deep].norm(dim=1) - 1).abs().mean()) < 0.01


def test_flat_unseen_side_stays_flat(sphere):
    """However the sides that are seen bend around it."""
    mesh = sphere(1.0, 4)
    flat = mesh.vertices.clone()
    flat[:, 1].clamp_(min=-0.5)
    side = flat[:, 1] == -0.5
    x = flat
    for _ in range(60):
        x = x + faired(torch.zeros_like(x), x, mesh.faces, ~side)
    assert float((x[side, 1] + 0.5).abs().max()) < 0.02
    middle = side & (flat[:, [0, 2]].norm(dim=1) < 0.4)
    assert float((x[middle, 1] + 0.5).abs().max()) < 1e-3


def test_unseen_vertices_follow_the_seen_ones(sphere):
    mesh = sphere(1.0, 4)
    seen = mesh.vertices[:, 1] > 0
    move = torch.full_like(mesh.vertices, 7.0)
    move[:] = torch.tensor([0.0, 0.1, 0.0])
    smooth = faired(torch.zeros_like(move), mesh.vertices, mesh.faces, seen)
    carried = (faired(move, mesh.vertices, mesh.faces, seen) - smooth)[:, 1]
    assert float(carried.min()) > -1e-6
    assert float(carried.max()) < 0.1 + 1e-6
    near = ~seen & (neighbour_mean(seen[:, None].float(), mesh.faces)[:, 0] > 0)
    assert float(carried[near].min()) > 0.03
    far = mesh.vertices[:, 1] < -0.2 * SWEEPS * 0.7
    assert float(carried[far].abs().max()) < 1e-6


def test_flow_fades_at_any_wavelength():
    """The largest eigenvalue of the squared umbrella operator is 4."""
    assert 0 < RATE < 0.5
