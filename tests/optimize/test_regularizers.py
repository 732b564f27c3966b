import pytest
import torch

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.mesh import vertex_normals
from meshopt.optimize.facets import sums_over_pixels
from meshopt.optimize.regularizers import inside_out, laplacian_energy, neighbour_mean


def test_neighbour_mean_is_the_loop_over_neighbours(sphere):
    mesh = sphere(1.0, 1)
    neighbours = [set() for _ in mesh.vertices]
    for a, b, c in mesh.faces.tolist():
        for i, j in ((a, b), (b, c), (c, a)):
            neighbours[i].add(j)
            neighbours[j].add(i)
    slow = torch.stack([mesh.vertices[sorted(n)].mean(0) for n in neighbours])
    assert torch.allclose(neighbour_mean(mesh.vertices, mesh.faces), slow, atol=1e-6)


def test_gradient_on_a_sphere_points_along_the_normal(sphere):
    mesh = sphere(0.8, 3)
    x = mesh.vertices.clone().requires_grad_()
    laplacian_energy(x, mesh.faces, torch.ones(len(x))).backward()
    along = (x.grad * vertex_normals(mesh.vertices, mesh.faces)).sum(-1)
    assert float(along.mean()) > 0  # descending it shrinks the sphere


def test_energy_falls_with_the_edge_length(sphere):
    coarse, fine = sphere(1.0, 3), sphere(1.0, 4)
    energies = [float(laplacian_energy(m.vertices, m.faces, torch.ones(len(m.vertices)))) for m in (coarse, fine)]
    assert 2.0 < energies[0] / energies[1] < 5.0  # 4 where all triangles are alike


@pytest.mark.parametrize("camera", [Camera.orbit("front", 0), Camera.orbit("near", 0, fov=60.0)])
def test_inside_that_shows_is_pushed_away_from_the_viewer(sphere, camera):
    ball = sphere(0.6, 3)
    eyes = torch.tensor(camera.eye, dtype=torch.float32)[None]
    clip = raster.transform(ball.vertices, torch.tensor(camera.clip_matrix())[None].float())
    for faces, outside in ((ball.faces, True), (ball.faces.flip(1), False)):
        fragments = raster.get("cpu").rasterize(clip, faces, (64, 64))
        x = ball.vertices.clone().requires_grad_()
        pixels = sums_over_pixels(fragments.face, torch.zeros(1, 0, 64, 64), len(faces))[..., 0]
        energy = inside_out(pixels, x, faces, eyes)
        if outside:
            assert float(energy.detach()) == 0.0
            continue
        energy.backward()
        toward = torch.nn.functional.normalize(eyes[:, :3] - eyes[:, 3:] * ball.vertices, dim=-1)
        along = (x.grad * toward).sum(-1)
        assert float(along.min()) >= 0.0  # descending moves away from the viewer
        assert float(along.sum()) == pytest.approx(int((fragments.face >= 0).sum()), rel=1e-3)
