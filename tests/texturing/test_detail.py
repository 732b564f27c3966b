"""Points of a coarse mesh find their places on a fine one."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch
import trimesh

from meshopt.mesh import Mesh
from meshopt.shading import creased
from meshopt.texturing.detail import onto
from meshopt.texturing.lattice import Lattice, make_lattice

STEP = 0.05


def _lattice(scenes: ModuleType, mesh: Mesh, longest: float = 0.05) -> Lattice:
    return make_lattice(mesh, scenes.face_atlas(mesh), longest)


@pytest.mark.parametrize("coarse", [0, 1, 2])
def test_points_come_to_lie_on_the_fine_sphere(scenes: ModuleType, coarse: int) -> None:
    lattice = _lattice(scenes, scenes.sphere(coarse))
    before = np.linalg.norm(lattice.points, axis=1)
    fine = scenes.sphere(4)
    found = onto(lattice, fine, STEP)
    radius = np.linalg.norm(found.points, axis=1)
    a, b = fine.vertices[fine.faces[:, 0].long()], fine.vertices[fine.faces[:, 1].long()]
    edge = float(torch.linalg.vector_norm(a - b, dim=1).max())
    assert np.abs(radius - 0.8).max() < edge**2 / (2 * 0.8)  # from a tangent plane, an edge away from where it touches
    assert np.abs(before - 0.8).max() > 5 * np.abs(radius - 0.8).max()
    outward = found.points / radius[:, None]
    assert (found.normals * outward).sum(1).min() > np.cos(np.radians(2))
    assert np.abs(np.linalg.norm(found.normals, axis=1) - 1).max() < 1e-6
    # along the normal, nearly: no point goes elsewhere
    aside = (outward * lattice.points / before[:, None]).sum(1)
    assert aside.min() > np.cos(np.radians(3))


def test_nothing_else_changes(scenes: ModuleType) -> None:
    lattice = _lattice(scenes, scenes.sphere(1))
    found = onto(lattice, scenes.sphere(3), STEP)
    for name in ("faces", "uv", "uv_faces", "point_of"):
        assert getattr(found, name) is getattr(lattice, name)
    assert found.points.dtype == np.float64
    again = onto(lattice, scenes.sphere(3), STEP)
    assert again.points.tobytes() == found.points.tobytes()


def test_points_on_the_mesh_stay(scenes: ModuleType) -> None:
    """A plane's own points, and vertices of any mesh: their own tangent plane counts most."""
    mesh = scenes.box()
    lattice = _lattice(scenes, mesh, 0.1)
    fine = Mesh(torch.from_numpy(lattice.points).float(), torch.from_numpy(lattice.faces).int())
    middle = (np.abs(lattice.points) < 0.35).sum(1) == 2  # far from edges
    found = onto(lattice, fine, STEP)
    assert middle.sum() > 50
    assert np.abs(found.points - lattice.points)[middle].max() < 1e-6
    assert np.abs(found.points - lattice.points).max() < 0.03


def test_points_of_a_thin_plate_keep_their_side(scenes: ModuleType) -> None:
    """The other side is nearer than the next vertices of this one."""
    plate = scenes.box((1.2, 1.2, 0.01))
    lattice = _lattice(scenes, plate, 0.11)
    moved = Mesh(
        torch.from_numpy(lattice.points).float() + torch.tensor([0.03, 0.02, 0.0]), torch.from_numpy(lattice.faces)
    )
    found = onto(lattice, moved, STEP)
    inner = np.abs(lattice.points[:, :2]).max(1) < 0.4
    assert inner.sum() > 50
    assert np.abs(found.points - lattice.points)[inner].max() < 1e-5
    assert (np.sign(found.points[inner, 2]) == np.sign(lattice.points[inner, 2])).all()
    assert (found.normals * lattice.normals).sum(1)[inner].min() > 0.99


def test_meshes_with_few_vertices_and_with_unused_ones(scenes: ModuleType) -> None:
    lattice = _lattice(scenes, scenes.sphere(1, 0.4))
    triangle = Mesh(torch.tensor([[-1.0, -1, 0.4], [1, -1, 0.4], [0, 1, 0.4]]), torch.tensor([[0, 1, 2]]).int())
    one = Mesh(triangle.vertices[:1], torch.tensor([[0, 0, 0]]).int())
    fine = scenes.sphere(3, 0.4)
    unused = Mesh(torch.cat([fine.vertices, fine.vertices[:50] * 0.99]), fine.faces)
    for detail in (triangle, one, unused):
        found = onto(lattice, detail, STEP)
        assert np.isfinite(found.points).all()
        assert np.isfinite(found.normals).all()
    assert np.abs(np.linalg.norm(onto(lattice, fine, STEP).points, axis=1) - 0.4).max() < 0.003
    assert np.abs(np.linalg.norm(onto(lattice, unused, STEP).points, axis=1) - 0.4).max() < 0.01


def test_large_flat_faces_are_flat(scenes: ModuleType) -> None:
    """A box of twelve faces with creases, told from one that is a little smaller, turned a little, or faceted."""
    box = scenes.box((1.0, 0.8, 0.6))
    sharp = replace(box, shading=creased(box.vertices, box.faces))
    half = np.array([0.5, 0.4, 0.3])
    turn = trimesh.transformations.rotation_matrix(0.05, [1, 2, 3])[:3, :3]
    for scale, rotation in ((0.97, np.eye(3)), (1.0, turn)):
        near = Mesh((scale * box.vertices.double() @ torch.from_numpy(rotation)).float(), box.faces)
        lattice = _lattice(scenes, near, 0.05)
        found = onto(lattice, sharp, 0.05)
        off = np.abs(found.points) / half
        inner = np.sort(np.abs(lattice.points) / half, axis=1)[:, 1] < 0.8  # far from edges
        assert inner.sum() > 300
        assert np.abs(off.max(1) - 1)[inner].max() < 1e-3
        assert np.abs(found.normals).max(1)[inner].min() > 0.9999
