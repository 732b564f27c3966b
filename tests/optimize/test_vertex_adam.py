import torch

from meshopt.optimize.vertex_adam import Moments, vertex_step


def test_first_step_has_unit_length_against_the_gradient():
    gradient = torch.tensor([[3e-4, 0.0, 0.0], [0.0, -3e-4, 0.0]])
    step, moments = vertex_step(gradient, Moments.zeros(gradient))
    assert torch.allclose(step, torch.tensor([[-1.0, 0, 0], [0, 1.0, 0]]) / 1.1, atol=1e-3)
    assert moments.packed[:, 4].eq(1).all()


def test_does_not_depend_on_the_scale_of_the_gradient_or_the_axes():
    generator = torch.Generator().manual_seed(1)
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=generator)).Q
    plain, scaled, turned = (Moments.zeros(torch.zeros(20, 3)) for _ in range(3))
    for _ in range(5):
        gradient = torch.randn(20, 3, generator=generator)
        a, plain = vertex_step(gradient, plain)
        b, scaled = vertex_step(1e3 * gradient, scaled)
        c, turned = vertex_step(gradient @ rotation, turned)
        assert torch.allclose(a, b, atol=1e-4)
        assert torch.allclose(a @ rotation, c, atol=1e-4)
        assert float(a.norm(dim=-1).max()) <= 1.05


def test_vertices_with_hardly_a_gradient_hardly_move():
    gradient = torch.ones(100, 3)
    gradient[0] = 1e-6
    step, _ = vertex_step(gradient, Moments.zeros(gradient))
    assert float(step[0].norm()) < 1e-3 < float(step[1].norm())


def test_no_gradient_at_all_is_no_step():
    step, _ = vertex_step(torch.zeros(4, 3), Moments.zeros(torch.zeros(4, 3)))
    assert torch.equal(step, torch.zeros(4, 3))
