"""The benchmarks' families of objects: closed, the same for a seed, and coloured alike from everywhere."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import creatures
import machines
import numpy as np
import objects
import paints
import pytest
import solids
import torch
import trimesh
from PIL import Image

from meshopt.cameras import Camera
from meshopt.mesh import Mesh
from meshopt.topology import topology

COARSE = 48  # samples per axis
MAKERS = {"creature": creatures.creature, "machine": machines.machine}
NAMES = [f"creature:{seed}" for seed in range(4)] + [f"machine:{seed}" for seed in range(6)]
SIZE = 96


@cache
def made(name: str) -> paints.Model:
    family, seed = name.split(":")
    return MAKERS[family](int(seed), COARSE).placed(objects.SIDE, objects.RADIUS)


@pytest.mark.parametrize("name", NAMES)
def test_one_closed_manifold_surface(name: str) -> None:
    mesh = made(name).mesh
    shape = topology(mesh.vertices, mesh.faces)
    assert shape.components == 1
    assert shape.volume > 0
    assert shape.boundary_edges == shape.nonmanifold_edges == shape.nonmanifold_vertices == 0
    assert shape.inconsistent_edges == 0
    extent = mesh.vertices.amax(0) - mesh.vertices.amin(0)
    assert float(extent.max()) <= objects.SIDE + 1e-4
    assert float(mesh.vertices.norm(dim=1).max()) <= objects.RADIUS + 1e-4


@pytest.mark.parametrize("name", ["creature:1", "machine:5"])
def test_a_seed_names_one_object(name: str) -> None:
    family, seed = name.split(":")
    first, again = made(name), MAKERS[family](int(seed), COARSE).placed(objects.SIDE, objects.RADIUS)
    points = first.mesh.vertices.numpy()
    assert torch.equal(first.mesh.vertices, again.mesh.vertices)
    assert torch.equal(first.mesh.faces, again.mesh.faces)
    assert np.array_equal(first.paint(points), again.paint(points))
    other = MAKERS[family](int(seed) + 12, COARSE).placed(objects.SIDE, objects.RADIUS)
    assert other.mesh.vertices.shape != points.shape or not np.allclose(other.mesh.vertices, points, atol=0.01)


@pytest.mark.parametrize("place", [(0.0, 0.0), (130.0, 0.0), (250.0, 35.0)])
def test_colour_is_of_the_place_and_not_of_the_view(place: tuple[float, float]) -> None:
    """A ball's surface under a pixel is known: what is shown there is its paint under a light that stands still."""
    ball = trimesh.creation.icosphere(5, radius=0.8)
    mesh = Mesh(torch.tensor(np.array(ball.vertices)).float(), torch.tensor(np.array(ball.faces)).int())
    haze = paints.clouds(paints.stream("ball"), 2.0)
    paint = lambda points: 0.5 + 0.3 * haze(points)[:, None] * [1, -1, 0.5]  # noqa: E731
    camera = Camera.orbit("view", *place)
    image = paints.picture(mesh, mesh.vertices / 0.8, camera, (SIZE, SIZE), paint)
    across = (2 * np.arange(SIZE) + 1) / SIZE - 1
    u, v = np.meshgrid(across, -across)
    inside = np.hypot(u, v) < 0.7
    seen = np.stack([u, v, np.sqrt(np.maximum(0.64 - u**2 - v**2, 0))], -1)[inside] @ camera.rotation
    light = paints.AMBIENT + (1 - paints.AMBIENT) * (seen / 0.8) @ (paints.LIGHT / np.linalg.norm(paints.LIGHT))
    assert np.abs(image[inside] - paint(seen) * light[:, None]).max() < 0.01
    assert (image[np.hypot(u, v) > 0.83] == 0).all()


def test_front_and_back_are_told_apart(tmp_path: Path) -> None:
    """Mirrored, the back is not the front; colours and normals have one outline."""
    model = made("creature:3")
    objects.write_views(model.mesh, tmp_path, "unique3d", SIZE, model.paint)
    read = [np.asarray(Image.open(tmp_path / "rgb" / f"{i:03d}.png")) / 255 for i in range(4)]
    for i, image in enumerate(read):
        normals = np.asarray(Image.open(tmp_path / "normals" / f"{i:03d}.png")) / 255
        assert np.array_equal(image[..., 3], normals[..., 3])
    front, back = read[0], read[2][:, ::-1]
    solid = (front[..., 3] == 1) & (back[..., 3] == 1)
    assert solid.mean() > 0.1
    assert np.abs(front - back)[solid][:, :3].mean() > 0.1


def test_distances_are_exact_where_they_should_be() -> None:
    points = np.random.default_rng(1).uniform(-1, 1, (500, 3))
    turn = solids.turned(0.4, -0.7, 1.1)
    moved = points @ turn.T + [0.1, 0.2, -0.3]
    corner = np.maximum(np.abs(points) - [0.3, 0.2, 0.4], 0)
    outside = corner.max(1) > 0
    sharp = solids.box((0.1, 0.2, -0.3), (0.3, 0.2, 0.4), turn, rounding=0.0)(moved)
    assert np.allclose(sharp[outside], np.linalg.norm(corner[outside], axis=1))
    assert (sharp[~outside] <= 1e-12).all()
    assert np.allclose(solids.capsule((0, 0, 0), (0, 1e-9, 0), 0.3)(points), np.linalg.norm(points, axis=1) - 0.3)
    wide = np.hypot(np.hypot(points[:, 0], points[:, 2]) - 0.5, points[:, 1])
    assert np.allclose(solids.ring((0, 0, 0), 0.5, 0.1)(points), wide - 0.1)
    upright = solids.cylinder((0, 0, 0), 0.4, 0.3, rounding=0.0)(points)
    assert np.array_equal(upright < 0, (np.hypot(points[:, 0], points[:, 2]) < 0.4) & (np.abs(points[:, 1]) < 0.3))


def test_members_of_families_are_chosen_by_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(objects.FAMILIES, "creature", lambda seed: machines.machine(6 * seed + 5))
    chosen = objects.sources("blob,creature:2", [])
    assert list(chosen) == ["blob", "creature2"]
    assert torch.equal(chosen["creature2"]().mesh.vertices, objects.named("machine:17")().mesh.vertices)
