"""Tangent frames: the conventions on a square, MikkTSpace's definition on anything."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from meshopt.shading import shading_normals
from meshopt.tangents import tangents

CORNERS = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])  # counter-clockwise from the lower left
SQUARE = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
UPRIGHT = torch.tensor([[0.0, 1], [1, 1], [1, 0], [0, 0]])  # v runs down


def _ball(uv_seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A sphere, and a uv map at random with rows of its own for every third face; faces lie in it either way round."""
    shape = trimesh.creation.icosphere(subdivisions=2)
    random = np.random.default_rng(uv_seed)
    faces = torch.tensor(shape.faces, dtype=torch.int32)
    rows = faces.clone()
    count = len(shape.vertices)
    for face in range(0, len(faces), 3):
        rows[face] = torch.arange(count, count + 3)
        count += 3
    vertices = torch.tensor(shape.vertices * [1, 2, 0.5])
    return vertices, faces, torch.tensor(random.random((count, 2))), rows


def _frame(vertices: Tensor, faces: Tensor, uv: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Tangent, bitangent and normal at the rows of uv, as glTF 2.0 has them."""
    normals = shading_normals(vertices, faces)
    found = tangents(vertices, normals, faces, uv, rows)
    at_rows = torch.zeros(len(uv), 3, dtype=torch.float64)
    at_rows[rows.reshape(-1).long()] = normals[faces.reshape(-1).long()]
    return found[:, :3], torch.linalg.cross(at_rows, found[:, :3]) * found[:, 3:], at_rows


def _mikktspace(vertices: Tensor, faces: Tensor, uv: Tensor, rows: Tensor, row: int) -> list[float]:
    """One row's tangent by the definition, corner by corner; v is turned up first, as Mikkelsen has it."""
    normals = shading_normals(vertices, faces).numpy()
    sums, angles = {1: np.zeros(3), -1: np.zeros(3)}, {1: 0.0, -1: 0.0}
    for corners, places in zip(faces.tolist(), rows.tolist(), strict=True):
        for k in range(3):
            if places[k] != row:
                continue
            n = normals[corners[k]]
            p, q, r = (vertices[corners[(k + i) % 3]].numpy() for i in range(3))
            (s0, t0), (s1, t1), (s2, t2) = (
                (uv[places[(k + i) % 3]] * torch.tensor([1, -1])).tolist() for i in range(3)
            )
            area = (s1 - s0) * (t2 - t0) - (t1 - t0) * (s2 - s0)
            along = ((t2 - t0) * (q - p) - (t1 - t0) * (r - p)) / area  # dP/ds
            flat = [v - n * (v @ n) for v in (along, q - p, r - p)]
            along, e, f = (v / np.linalg.norm(v) for v in flat)
            angle = math.acos(e @ f)
            sums[int(np.sign(area))] += angle * along
            angles[int(np.sign(area))] += angle
    side = 1 if angles[1] >= angles[-1] else -1
    return [*(sums[side] / np.linalg.norm(sums[side])), side]


def test_in_an_upright_square_x_points_right_and_y_up() -> None:
    x, y, z = _frame(CORNERS, SQUARE, UPRIGHT, SQUARE)
    assert torch.allclose(x, torch.tensor([1.0, 0, 0], dtype=torch.float64))
    assert torch.allclose(y, torch.tensor([0.0, 1, 0], dtype=torch.float64))
    assert torch.allclose(z, torch.tensor([0.0, 0, 1], dtype=torch.float64))


@pytest.mark.parametrize(
    ("moved", "right", "up", "side"),
    [
        (lambda u, v: (1 - u, v), (-1, 0, 0), (0, 1, 0), -1.0),  # mirrored
        (lambda u, v: (u, 1 - v), (1, 0, 0), (0, -1, 0), -1.0),  # upside down in a mirror
        (lambda u, v: (v, 1 - u), (0, -1, 0), (1, 0, 0), 1.0),  # a quarter turn
        (lambda u, v: (0.2 + u / 9, 0.7 + v / 3), (1, 0, 0), (0, 1, 0), 1.0),  # stretched
    ],
)
def test_x_and_y_are_where_the_image_has_right_and_up(moved, right, up, side) -> None:  # type: ignore[no-untyped-def]
    uv = torch.stack(moved(UPRIGHT[:, 0], UPRIGHT[:, 1]), 1)
    x, y, z = _frame(CORNERS, SQUARE, uv, SQUARE)
    assert torch.allclose(x, torch.tensor(right, dtype=torch.float64).expand(4, 3), atol=1e-6)
    assert torch.allclose(y, torch.tensor(up, dtype=torch.float64).expand(4, 3), atol=1e-6)
    assert (tangents(CORNERS, z, SQUARE, uv, SQUARE)[:, 3] == side).all()


@pytest.mark.parametrize("seed", range(3))
def test_as_mikktspace_defines_them(seed: int) -> None:
    vertices, faces, uv, rows = _ball(seed)
    found = tangents(vertices, shading_normals(vertices, faces), faces, uv, rows)
    for row in range(0, len(uv), 7):
        assert found[row].tolist() == pytest.approx(_mikktspace(vertices, faces, uv, rows, row), abs=1e-9)


def test_unit_and_orthogonal_whatever_the_uv_map() -> None:
    vertices, faces, uv, rows = _ball(0)
    uv[rows[0].long()] = 0.5  # a face on a point
    uv[rows[3].long(), 1] = 0.1  # on a line
    uv[rows[6].long()] = torch.tensor([[0.0, 0], [1e-9, 0], [0, 1e-9]], dtype=torch.float64)
    vertices[faces[9, 0]] = vertices[faces[9, 1]]  # without area
    used = rows.unique().long()
    for places in (uv, torch.zeros_like(uv)):
        x, y, z = (axis[used] for axis in _frame(vertices, faces, places, rows))
        assert torch.allclose(x.norm(dim=1), torch.ones(len(x), dtype=torch.float64), atol=1e-12)
        assert torch.allclose(y.norm(dim=1), torch.ones(len(x), dtype=torch.float64), atol=1e-9)
        assert (x * z).sum(1).abs().max() < 1e-9


def test_every_row_has_a_tangent_even_without_faces() -> None:
    found = tangents(CORNERS, torch.eye(3)[[2, 2, 2, 2]], SQUARE[:1], UPRIGHT, SQUARE[:1])
    assert found[3, :3].norm() == pytest.approx(1)
    assert found[3, 3] == 1


def test_shading_normals_are_unit_and_up_where_there_are_none() -> None:
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 0, 1], [9, 9, 9], [1e-7, 0, 0], [0, 1e-9, 0]])
    faces = torch.tensor([[0, 1, 2], [0, 4, 5]], dtype=torch.int32)
    normals = shading_normals(vertices, faces)
    assert normals.dtype == torch.float64
    assert torch.allclose(normals.norm(dim=1), torch.ones(6, dtype=torch.float64))
    assert normals[3].tolist() == [0, 1, 0]
    assert normals[4].tolist() == pytest.approx([0, 0, 1])  # a thin triangle, whose area float32 could not hold
