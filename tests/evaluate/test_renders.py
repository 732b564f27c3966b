"""Pictures to measure: against the views of solids by formula, and simple shapes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from meshopt.cameras import Camera
from meshopt.evaluate.renders import in_scene, render, supersampled
from meshopt.evaluate.shading import shaded
from meshopt.mesh import Mesh, Texture, face_normals
from meshopt.views import ViewSet


def test_sphere_looks_as_its_formula_says(shapes: Any, sphere: ViewSet) -> None:
    found = supersampled(shapes.mesh_of(shapes.ball(0.7, 5)), sphere)
    core = (found.masks > 0.999) & (sphere.masks > 0.999)
    cosine = (found.normals * sphere.normals).sum(-1)[core]
    assert float(torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))).mean()) < 0.3
    assert float((found.masks - sphere.masks).abs().mean()) < 2e-3
    assert found.rgb is None


def test_scene_is_the_users_units_undone(sphere: ViewSet) -> None:
    views = replace(sphere, scale=4.0, offset=(1.0, 2.0, 3.0))
    mesh = Mesh(torch.tensor([[1.0, 2, 3], [5, 2, 3], [1, 6, 3]]), torch.tensor([[0, 1, 2]], dtype=torch.int32))
    assert torch.equal(in_scene(mesh, views).vertices, torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]))


@pytest.mark.parametrize("camera", [Camera.orbit("o", 30, 20), Camera.orbit("p", 30, 20, fov=40.0)])
def test_inner_sides_are_turned_to_the_viewer(shapes: Any, camera: Camera) -> None:
    inverted = shapes.ball(0.7, 4)
    inverted.invert()
    outer = render(shapes.mesh_of(shapes.ball(0.7, 4)), camera, (32, 32))
    inner = render(shapes.mesh_of(inverted), camera, (32, 32))
    assert torch.allclose(outer, inner, atol=1e-5)


def test_coverage_counts_samples_and_fine_pictures_take_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A square over 10.5 x 10.5 pixels of an orthographic picture of 32."""
    half = 10.5 / 32
    points = torch.tensor([[-half, -half, 0], [half, -half, 0], [half, half, 0], [-half, half, 0]])
    mesh = Mesh(points, torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32))
    camera = Camera.orbit("front", 0)
    views = ViewSet((camera,), torch.zeros(1, 32, 32, 3), torch.ones(1, 32, 32))
    assert float(supersampled(mesh, views).masks.sum()) == pytest.approx(10.5**2, rel=0.03)
    monkeypatch.setattr("meshopt.evaluate.renders.FINEST", 32)
    assert set(supersampled(mesh, views).masks.unique().tolist()) == {0.0, 1.0}


def test_colours_of_vertices_and_textures(sphere: ViewSet) -> None:
    points = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
    ramp = torch.cat([(points[:, :2] + 1) / 2, torch.zeros(4, 1)], -1)
    views = replace(sphere, cameras=sphere.cameras[:1])
    shown = supersampled(Mesh(points, faces, ramp), views).rgb
    assert shown is not None
    rows, columns = np.mgrid[:80, :80]
    wanted = np.stack([(columns + 0.5) / 80, 1 - (rows + 0.5) / 80, 0 * rows], -1)
    half = (sphere.cameras[0].half_extent[0], sphere.cameras[0].half_extent[1])
    assert half == (1, 1)
    assert np.allclose(shown[0].numpy(), wanted, atol=1e-5)
    texels = torch.randint(0, 256, (8, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    uv = torch.tensor([[0.0, 1], [1, 1], [1, 0], [0, 0]])
    shown = supersampled(Mesh(points, faces, texture=Texture(uv, faces, texels)), views).rgb
    assert shown is not None
    means = shown[0].reshape(8, 10, 8, 10, 3)[:, 4:6, :, 4:6].mean((1, 3))
    assert torch.allclose(means, texels / 255, atol=0.06)  # near the texels' centres


def test_box_is_shaded_flat_and_sphere_smooth(shapes: Any) -> None:
    box = shapes.mesh_of(trimesh.creation.box((1, 1, 1)))
    apart, normals = shaded(box)
    assert torch.allclose(normals, face_normals(box.vertices, box.faces).repeat_interleave(3, 0))
    assert torch.equal(apart.vertices[apart.faces.long()], box.vertices[box.faces.long()])
    _, blended = shaded(box, 180.0)
    assert torch.allclose(blended, torch.nn.functional.normalize(apart.vertices, dim=-1), atol=1e-6)  # by symmetry
    ball = shapes.mesh_of(shapes.ball(1.0, 3))
    apart, normals = shaded(ball)
    assert float((apart.vertices * normals).sum(-1).min()) > 0.9995


def test_shading_keeps_colours_and_bears_anything() -> None:
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [2, 0, 0]])
    faces = torch.tensor([[0, 1, 2], [0, 1, 3], [1, 0, 2], [0, 1, 4]], dtype=torch.int32)  # three at an edge, one flat
    apart, normals = shaded(Mesh(points, faces, points / 2))
    assert apart.colors is not None
    assert torch.equal(apart.colors, apart.vertices / 2)
    length = normals.norm(dim=-1)
    assert torch.allclose(length[:9], torch.ones(9))
    assert not length[9:].any()
