"""Normals that a mesh is lit with: smooth, creased, given."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from meshopt.mesh import Mesh, Shading, distinct_corners, face_normals
from meshopt.shading import corner_shading, creased, shading, shading_normals


def _prism(sides: int) -> tuple[Tensor, Tensor]:
    shape = trimesh.creation.cylinder(radius=1.0, height=2.0, sections=sides)
    return torch.tensor(shape.vertices), torch.tensor(shape.faces, dtype=torch.int32)


def _corners(found: Shading) -> Tensor:
    return found.normals[found.faces.long()]


def _plain(vertices: Tensor, faces: Tensor, degrees: float) -> np.ndarray:
    """Corner by corner."""
    points, index = vertices.double().numpy(), faces.numpy()
    normals = face_normals(vertices.double(), faces).numpy()
    result = np.zeros((len(index), 3, 3))
    for face, corners in enumerate(index):
        for k, vertex in enumerate(corners):
            for other, j in np.argwhere(index == vertex):
                if normals[face] @ normals[other] >= math.cos(math.radians(degrees)):
                    here, after, before = (points[index[other][(j + i) % 3]] for i in range(3))
                    one, two = after - here, before - here
                    angle = math.acos(np.clip(one @ two / np.linalg.norm(one) / np.linalg.norm(two), -1, 1))
                    result[face, k] += angle * normals[other]
    return result / np.linalg.norm(result, axis=-1, keepdims=True)


@pytest.mark.parametrize("degrees", [10.0, 50.0, 100.0])
@pytest.mark.parametrize("sides", [5, 7, 12])
def test_creased_is_the_mean_over_faces_that_turn_little(sides: int, degrees: float) -> None:
    vertices, faces = _prism(sides)
    assert np.allclose(_corners(creased(vertices, faces, degrees)).numpy(), _plain(vertices, faces, degrees), atol=1e-9)


def test_a_cylinder_is_round_and_its_ends_are_flat() -> None:
    vertices, faces = _prism(24)
    found = creased(vertices, faces)
    up = face_normals(vertices, faces)[:, 2].abs() > 0.5
    assert torch.allclose(_corners(found)[up].abs(), torch.tensor([0.0, 0, 1]).double().expand(int(up.sum()), 3, 3))
    radial = vertices[faces.long()][~up] * torch.tensor([1.0, 1, 0])
    assert torch.allclose(_corners(found)[~up], radial, atol=1e-6)
    rim = 2 * 24  # each of its vertices has one normal on the side and one on the end
    assert len(found.normals) == 2 * rim + 2


def test_no_crease_where_nothing_is_sharp() -> None:
    ball = trimesh.creation.icosphere(subdivisions=2)
    vertices, faces = torch.tensor(ball.vertices), torch.tensor(ball.faces, dtype=torch.int32)
    found = creased(vertices, faces)
    assert len(found.normals) == len(vertices)
    assert (_corners(found) * vertices[faces.long()]).sum(-1).min() > 0.999


def test_a_mesh_is_smooth_unless_it_says_otherwise() -> None:
    vertices, faces = _prism(8)
    mesh = Mesh(vertices.float(), faces)
    assert torch.equal(shading(mesh).normals, shading_normals(mesh.vertices, faces))
    assert shading(mesh).faces is faces
    own = creased(vertices, faces)
    sharp = Mesh(mesh.vertices, faces, shading=own)
    assert shading(sharp) is own
    assert sharp.with_vertices(2 * mesh.vertices).shading is None
    moved = sharp.to("meta").shading
    assert moved is not None
    assert moved.normals.device.type == "meta"


def test_equal_normals_at_a_vertex_are_one_row_and_no_direction_is_smooth() -> None:
    vertices, faces = _prism(6)
    given = face_normals(vertices, faces)[:, None].expand(-1, 3, -1).clone() * 3.0
    found = corner_shading(vertices, faces, given)
    assert torch.allclose(_corners(found), given / 3)
    assert len(found.normals) == 3 * 2 * 6 + 2  # an end and two sides at every vertex of the rim; the middles
    assert len(np.unique(found.faces.numpy())) == len(found.normals)
    given[0], given[1, 2] = 0.0, torch.nan
    mended, smooth = _corners(corner_shading(vertices, faces, given)), shading_normals(vertices, faces)
    assert torch.allclose(mended[0], smooth[faces[0].long()])
    assert torch.allclose(mended[1, 2], smooth[int(faces[1, 2])])
    assert torch.allclose(mended[2:], given[2:] / 3)


def test_nothing_needs_faces() -> None:
    empty = creased(torch.zeros(3, 3), torch.zeros(0, 3, dtype=torch.int32))
    assert empty.normals.shape == (0, 3)
    assert empty.faces.shape == (0, 3)


def test_distinct_corners_are_the_combinations_in_order() -> None:
    random = np.random.default_rng(0)
    tables = tuple(random.integers(0, size, (40, 3)).astype(np.int32) for size in (5, 7, 3))
    columns, faces = distinct_corners(*tables)
    for column, table in zip(columns, tables, strict=True):
        assert (column[faces] == table).all()
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    assert rows == sorted(set(rows))
