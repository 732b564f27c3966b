import math

import pytest
import torch

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.mesh import face_cross
from meshopt.optimize.sizing import bending, edge_lengths
from meshopt.optimize.targets import Targets

SIZE = 96


def target_of(normals, coverage, camera):
    """One view's target."""
    image = torch.cat([normals * coverage[..., None], coverage[..., None]], -1)[None]
    matrix = torch.tensor(camera.clip_matrix(), dtype=torch.float32)[None]
    return Targets(image, torch.ones_like(image[..., 0]), matrix)


def ball(radius, camera):
    """Normals of a ball in the middle of an orthographic view from the front."""
    x = (2 * torch.arange(SIZE) + 1) / SIZE - 1
    x, y = torch.meshgrid(x, -x, indexing="xy")
    inside = x**2 + y**2 < radius**2
    z = (radius**2 - x**2 - y**2).clamp_min(0).sqrt()
    return target_of(torch.stack([x, y, z], -1) / radius, inside.float(), camera)


@pytest.mark.parametrize("radius", [0.5, 0.9])
def test_normals_of_a_sphere_turn_by_one_over_its_radius_in_each_direction(radius):
    camera = Camera.orbit("front", 0)
    found = bending(ball(radius, camera))[0]
    middle = found[SIZE // 3 : -SIZE // 3, SIZE // 3 : -SIZE // 3]
    scale = camera.half_extent[0]  # scene units from the middle to the image's edge
    assert float(middle.median()) == pytest.approx(math.sqrt(2) / (radius * scale), rel=0.1)
    assert found.isnan().float().mean() == pytest.approx(1 - math.pi * radius**2 / 4, abs=0.05)


def test_flat_views_do_not_bend_and_creases_do():
    camera, normals = Camera.orbit("front", 0), torch.zeros(SIZE, SIZE, 3)
    normals[..., 2] = 1.0
    assert not bending(target_of(normals, torch.ones(SIZE, SIZE), camera)).any()
    normals[:, 48:] = torch.tensor([0.6, 0.0, 0.8])
    found = bending(target_of(normals, torch.ones(SIZE, SIZE), camera))[0]
    assert (found > 0).sum() == 2 * SIZE
    assert (found[:, 47:49] > 0).all()


def test_edges_are_short_where_normals_bend_and_as_many_triangles_in_all(sphere):
    mesh = sphere(0.8, 4)
    camera = Camera.orbit("front", 0)
    clip = raster.transform(mesh.vertices, torch.tensor(camera.clip_matrix())[None].float())
    face = raster.get("cpu").rasterize(clip, mesh.faces, (SIZE, SIZE)).face
    bent = torch.where(torch.arange(SIZE) < SIZE // 2, 8.0, 0.5).expand(1, SIZE, SIZE)
    lengths = edge_lengths(bent, face, mesh.vertices, mesh.faces, 0.1, 3.0)
    front = mesh.vertices[:, 2] > 0.3
    left, right = (lengths[front & side].mean() for side in (mesh.vertices[:, 0] < -0.2, mesh.vertices[:, 0] > 0.2))
    assert 1.8 < float(right / left) < 3.0  # 16^(1/3), smoothed
    area = torch.zeros(len(mesh.vertices))
    for k in range(3):
        area = area.index_add(0, mesh.faces[:, k].long(), face_cross(mesh.vertices, mesh.faces).norm(dim=-1))
    assert float((area / lengths.square()).sum()) == pytest.approx(float(area.sum() / 0.1**2), rel=1e-4)


def test_without_spread_all_edges_are_alike(sphere):
    mesh = sphere(0.8, 2)
    face, bent = torch.zeros(1, 8, 8, dtype=torch.int32), torch.rand(1, 8, 8)
    assert torch.equal(
        edge_lengths(bent, face, mesh.vertices, mesh.faces, 0.1, 1.0), torch.full((len(mesh.vertices),), 0.1)
    )


def test_views_that_tell_nothing_leave_edges_alike(sphere):
    mesh = sphere(0.8, 2)
    face, bent = torch.full((1, 8, 8), -1, dtype=torch.int32), torch.full((1, 8, 8), torch.nan)
    lengths = edge_lengths(bent, face, mesh.vertices, mesh.faces, 0.1, 3.0)
    assert torch.allclose(lengths, torch.full_like(lengths, 0.1), rtol=1e-4)
