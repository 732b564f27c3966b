import pytest
import torch

from meshopt.optimize.images import image_loss, shade


@pytest.fixture
def pictures():
    generator = torch.Generator().manual_seed(0)
    normals = torch.randn(2, 9, 13, 3, generator=generator)
    face = torch.randint(-1, 3, (2, 9, 13), generator=generator, dtype=torch.int32)
    target = torch.randn(2, 9, 13, 4, generator=generator)
    weight = torch.rand(2, 9, 13, generator=generator)
    return normals, face, target, weight


def slow_shade(normals, face):
    covered = (face >= 0)[..., None].to(normals)
    unit = normals / normals.norm(dim=-1, keepdim=True)
    return torch.cat([unit * covered, covered], -1)


def slow_loss(image, target, weight, factors):
    d = image - target
    root = (d[..., :3].square().sum(-1) + factors[2] ** 2).sqrt()
    normal = factors[0] * factors[2] * (weight * (root - factors[2])).sum()
    return normal, factors[1] * (weight * d[..., 3] ** 2).sum()


def test_shading_equals_the_plain_formula(pictures):
    normals, face, target, _ = pictures
    fast, slow = normals.clone().requires_grad_(), normals.double().requires_grad_()
    a, b = shade(fast, face), slow_shade(slow, face)
    assert torch.allclose(a.double(), b, atol=1e-6)
    (a * target).sum().backward()
    (b * target.double()).sum().backward()
    assert torch.allclose(fast.grad.double(), slow.grad, atol=1e-5)


@pytest.mark.parametrize("factors", [(2.0, 1.0, 0.3), (0.0, 1.0, 1.0), (1.5, 0.25, 0.05)])
def test_loss_equals_the_plain_formula(pictures, factors):
    normals, face, target, weight = pictures
    image = slow_shade(normals, face)
    fast, slow = image.clone().requires_grad_(), image.double().requires_grad_()
    a, b = image_loss(fast, target, weight, factors), slow_loss(slow, target.double(), weight.double(), factors)
    for x, y in zip(a, b, strict=True):
        assert x.item() == pytest.approx(y.item(), rel=1e-5)
    (a[0] + a[1]).backward()
    (b[0] + b[1]).backward()
    assert torch.allclose(fast.grad.double(), slow.grad, atol=1e-6)


def test_perfect_match_costs_nothing(pictures):
    normals, face, _, weight = pictures
    image = slow_shade(normals, face).requires_grad_()
    normal, coverage = image_loss(image, image.detach(), weight, (1.0, 1.0, 0.3))
    (normal + coverage).backward()
    assert normal.item() == coverage.item() == 0.0
    assert not image.grad.any()
