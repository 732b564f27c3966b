"""The fused image loss against rendering, antialiasing and comparing images with the same backend."""

import math

import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from meshopt import parallel, raster
from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.mesh import vertex_normals
from meshopt.optimize.images import image_loss, normal_loss, render_normals

CPU = raster.get("cpu")
FACTORS = 1.3, 0.7, 0.3


class Scene:
    """A bumpy sphere in front of random targets."""

    def __init__(self, seed, size=(61, 47), fov=None, subdivisions=3, views=2, radius=0.7):
        noise = torch.Generator().manual_seed(seed)
        ball = trimesh.creation.icosphere(subdivisions)
        scale = radius * (1 + 0.4 * (torch.rand(len(ball.vertices), 1, generator=noise) - 0.5))
        self.vertices = torch.tensor(ball.vertices, dtype=torch.float32) * scale
        self.faces = torch.tensor(ball.faces, dtype=torch.int32)
        cameras = [Camera.orbit("", 70.0 * v + seed, 10.0 * v, fov=fov) for v in range(views)]
        self.matrices = torch.stack([torch.tensor(c.clip_matrix(), dtype=torch.float32) for c in cameras])
        self.size = size
        self.target = 2 * torch.rand(views, *size, 4, generator=noise) - 1
        self.weight = torch.rand(views, *size, generator=noise)

    def gradients(self, loss, of_normal=1.0, of_silhouette=1.0):
        x, n = self.vertices.clone().requires_grad_(), vertex_normals(self.vertices, self.faces).requires_grad_()
        normal, silhouette, face = loss(x, n)
        (of_normal * normal + of_silhouette * silhouette).backward()
        return normal.item(), silhouette.item(), x.grad, n.grad, face

    def fused(self, x, n, backend=CPU):
        found = normal_loss(backend, x, n, self.faces, self.matrices, self.target, self.weight, FACTORS)
        return found.normal, found.silhouette, found.face

    def composed(self, x, n):
        image, fragments = render_normals(CPU, x, n, self.faces, self.matrices, self.size)
        return *image_loss(image, self.target, self.weight, FACTORS), fragments.face


def close(found, expected, tolerance=2e-4):
    return float((found - expected).norm()) <= tolerance * float(expected.norm())


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    size=st.sampled_from([(61, 47), (16, 90), (40, 9), (1, 33)]),
    fov=st.sampled_from([None, 40.0]),
    subdivisions=st.integers(1, 3),
)
def test_losses_and_gradients_are_those_of_the_images(seed, size, fov, subdivisions):
    scene = Scene(seed, size, fov, subdivisions)
    found, expected = scene.gradients(scene.fused), scene.gradients(scene.composed)
    assert found[:2] == pytest.approx(expected[:2], rel=1e-3)
    # where snapping shows a pixel that lies outside a thin face, images clamp its weights, and the fused loss does not
    for gradient, other in ((found[2], expected[2]), (found[3], expected[3])):
        assert close(gradient, other, 0.03)
        apart = (gradient - other).norm(dim=1) > 1e-3 * (other.norm(dim=1) + other.norm(dim=1).mean())
        assert apart.sum() <= max(6, 0.02 * len(apart))
    assert torch.equal(found[4], expected[4])


def test_the_two_losses_can_be_weighted_afterwards():
    scene = Scene(3)
    found, expected = scene.gradients(scene.fused, 0.3, 2.5), scene.gradients(scene.composed, 0.3, 2.5)
    assert close(found[2], expected[2])
    assert close(found[3], expected[3])
    alone = scene.gradients(scene.fused, 1.0, 0.0), scene.gradients(scene.fused, 0.0, 1.0)
    assert not close(alone[0][2], alone[1][2], 0.1)


def test_a_silhouette_that_is_too_small_grows():
    """d(loss)/d(radius) of a disc of radius r inside a target that is covered all over: minus its growing area."""
    scene = Scene(0, size=(256, 256), subdivisions=4, views=1)
    ball = trimesh.creation.icosphere(4)
    scene.vertices = 0.6 * torch.tensor(ball.vertices, dtype=torch.float32)
    scene.target, scene.weight = torch.zeros(1, 256, 256, 4), torch.ones(1, 256, 256)
    scene.target[..., 3] = 1
    x = scene.vertices.clone().requires_grad_()
    found = normal_loss(CPU, x, x.detach(), scene.faces, scene.matrices, scene.target, scene.weight, (0.0, 1.0, 0.3))
    found.silhouette.backward()
    slope = float((x.grad * x.detach() / 0.6).sum())
    assert slope == pytest.approx(-2 * math.pi * 0.6 * 128**2, rel=0.01)


@pytest.mark.parametrize("views", [1, 4])
def test_the_same_bytes_for_any_number_of_threads(views):
    scene = Scene(5, size=(150, 130), views=views)
    results = []
    for count in (1, 2, 3):
        with parallel.limit(count):
            results.append(scene.gradients(scene.fused))
    for other in results[1:]:
        assert other[:2] == results[0][:2]
        assert all(torch.equal(a, b) for a, b in zip(other[2:], results[0][2:], strict=True))


def test_faces_that_cannot_be_drawn_do_no_harm():
    scene = Scene(1)
    expected = scene.gradients(scene.fused)
    count = len(scene.vertices)
    bad = torch.tensor([[0, 1, count], [2, 2, 3], [0, count, count]], dtype=torch.int32)
    scene.faces = torch.cat([bad, scene.faces])
    normals = vertex_normals(scene.vertices, scene.faces[3:])
    scene.vertices = torch.cat([scene.vertices, torch.full((1, 3), torch.nan)])
    x = scene.vertices.clone().requires_grad_()
    n = torch.cat([normals, torch.zeros(1, 3)]).requires_grad_()
    normal, silhouette, face = scene.fused(x, n)
    (normal + silhouette).backward()
    assert torch.equal(face, torch.where(expected[4] < 0, -1, expected[4] + 3))
    assert torch.isfinite(x.grad[:count]).all()
    assert close(x.grad[:count], expected[2], 0.05)


def test_without_faces_the_losses_are_those_of_empty_images():
    scene = Scene(2)
    scene.faces = scene.faces[:0]
    found, expected = scene.fused(scene.vertices, scene.vertices), scene.composed(scene.vertices, scene.vertices)
    assert found[0].item() == pytest.approx(expected[0].item(), rel=1e-5)
    assert found[1].item() == pytest.approx(expected[1].item(), rel=1e-5)
    assert (found[2] == -1).all()


def test_faces_out_of_range_are_refused():
    scene = Scene(2)
    with pytest.raises(InputError, match="faces index vertices"):
        scene.fused(scene.vertices[:10], scene.vertices[:10])
