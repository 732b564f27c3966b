"""What the page's viewer gets: the mesh as it is, to within its quanta; errors where they are; fewer faces of many."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from meshopt.cameras import Camera
from meshopt.mesh import Mesh, Shading, Texture, face_normals
from meshopt.report.page.angles import vertex_degrees
from meshopt.report.page.reduction import reduced
from meshopt.report.page.scene import Surface, scene_blocks, surface_of


def _ball(subdivisions: int, radius: float = 0.6) -> Mesh:
    ball = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    vertices = torch.from_numpy(np.asarray(ball.vertices)).float()
    return Mesh(vertices, torch.from_numpy(np.asarray(ball.faces)).int(), vertices / 2 + 0.5)


def _read(surface: Surface, cameras: tuple[Camera, ...] = ()) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """As viewer.js does."""
    blocks = dict(re.findall(r'<script type="[^"]*" id="([^"]*)">([^<]*)</script>', scene_blocks(surface, cameras)))
    header = json.loads(blocks["scene"])
    content = base64.b64decode(blocks["scene-data"])
    arrays = {
        name: np.frombuffer(content, entry["type"], entry["length"], entry["offset"])
        for name, entry in header["arrays"].items()
    }
    assert all(entry["offset"] % 4 == 0 for entry in header["arrays"].values())
    return header, arrays


def test_arrays_are_the_mesh() -> None:
    mesh = _ball(3)
    degrees = np.linspace(0, 60, len(mesh.vertices))
    degrees[::7] = np.nan
    header, arrays = _read(surface_of(mesh, degrees))
    low, high = np.array(header["low"]), np.array(header["high"])
    points = low + arrays["points"].reshape(-1, 3) / 65535 * (high - low)
    assert np.abs(points - mesh.vertices.numpy()).max() < 2e-5
    assert np.array_equal(arrays["faces"].reshape(-1, 3), mesh.faces.numpy())
    assert np.abs(arrays["normals"].reshape(-1, 3) / 127 - mesh.vertices.numpy() / 0.6).max() < 0.03
    assert np.abs(arrays["colors"].reshape(-1, 3) / 255 - mesh.colors.numpy()).max() < 0.003
    level, known = arrays["errors"].reshape(-1, 2).T
    assert np.array_equal(known == 255, np.isfinite(degrees))
    seen = np.isfinite(degrees)
    assert np.abs(level[seen] / 255 * 45 - np.minimum(degrees[seen], 45)).max() < 0.1
    assert header["faces"] == len(mesh.faces)
    assert len(base64.b64decode(header["ramp"])) == 256 * 3


def test_points_are_split_where_charts_end() -> None:
    """Two triangles that share an edge on the mesh and none on the texture."""
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
    uv = torch.rand(6, 2, generator=torch.Generator().manual_seed(0))
    texture = Texture(uv, torch.arange(6, dtype=torch.int32).reshape(2, 3), torch.zeros(8, 8, 3, dtype=torch.uint8))
    _, arrays = _read(surface_of(Mesh(vertices, faces, texture=texture), np.arange(4.0)))
    index = arrays["faces"].reshape(-1, 3)
    points = arrays["points"].reshape(-1, 3) / 65535
    assert np.allclose(points[index][..., :2], vertices[faces.long()][..., :2], atol=1e-4)
    assert np.allclose(arrays["uv"].reshape(-1, 2)[index] / 65535, uv[texture.faces.long()], atol=1e-4)
    assert "colors" not in arrays
    assert np.allclose(arrays["errors"].reshape(-1, 2)[index, 0] / 255 * 45, faces, atol=0.1)


def test_creases_are_kept() -> None:
    """A ball whose faces have normals of their own."""
    ball = _ball(1)
    corners = torch.arange(ball.faces.numel(), dtype=torch.int32).reshape(-1, 3)
    flat = face_normals(ball.vertices, ball.faces)
    _, arrays = _read(surface_of(replace(ball, shading=Shading(flat.repeat_interleave(3, 0), corners))))
    normals = arrays["normals"].reshape(-1, 3)[arrays["faces"].reshape(-1, 3)] / 127
    assert np.abs(normals - flat.numpy()[:, None]).max() < 0.006
    points = arrays["points"].reshape(-1, 3)[arrays["faces"].reshape(-1, 3)] / 65535 * 1.2 - 0.6
    assert np.abs(points - ball.vertices[ball.faces.long()].numpy()).max() < 2e-2
    assert "colors" in arrays


def test_cameras_stand_where_they_look_from() -> None:
    cameras = (Camera.orbit("right", 90), Camera.orbit("above", 0, 60, fov=30))
    header, _ = _read(surface_of(_ball(1)), cameras)
    first, second = header["cameras"]
    assert np.allclose(first["towards"], [1, 0, 0], atol=1e-6)
    assert np.allclose(second["towards"], [0, 3**0.5 / 2, 0.5], atol=1e-6)
    assert (first["perspective"], second["perspective"]) == (False, True)
    assert np.allclose(first["axes"], [[0, 0, -1], [0, 1, 0], [1, 0, 0]], atol=1e-6)


def test_errors_lie_where_views_see_them(result: SimpleNamespace) -> None:
    """All renders are turned by 30 degrees; all views are from the front."""
    mesh = _ball(3)
    result.views = replace(result.views, cameras=tuple(Camera.orbit(name, 0) for name in "abc"))
    result.renders.masks = result.views.masks
    result.renders.normals = torch.tensor([0.5, 0.0, 0.75**0.5]) * result.views.masks[..., None]
    degrees = vertex_degrees(mesh, result.views, result.renders)
    assert np.allclose(degrees[np.isfinite(degrees)], 30.0, atol=0.1)
    facing = mesh.vertices[:, 2].numpy() / 0.6
    assert np.isfinite(degrees[facing > 0.1]).all()
    assert np.isnan(degrees[facing < -0.3]).all()


def test_of_two_views_the_mean(result: SimpleNamespace) -> None:
    """Front and another front, one 30 degrees off, one 60."""
    views = replace(result.views, cameras=(Camera.orbit("a", 0), Camera.orbit("b", 0), Camera.orbit("c", 180)))
    normals = views.normals.clone()
    turned = torch.tensor([0.0, 0.75**0.5, 0.5]) * views.masks[1][..., None]
    normals[1] = turned
    renders = SimpleNamespace(normals=views.normals, masks=views.masks, rgb=None)
    degrees = vertex_degrees(_ball(3), replace(views, normals=normals), renders)
    front = _ball(3).vertices[:, 2].numpy() > 0.3
    assert np.allclose(degrees[front], 30.0, atol=0.1)


@pytest.mark.parametrize("closed", [True, False])
def test_large_meshes_are_reduced(closed: bool) -> None:
    mesh = _ball(4)
    faces = mesh.faces if closed else mesh.faces[1:]
    values = mesh.vertices.double().numpy() @ np.array([[1.0], [2.0], [3.0]])
    points, less, carried = reduced(mesh.vertices.double().numpy(), faces.numpy(), values, 1000)
    assert 400 < len(less) <= 1000
    assert less.max() < len(points) == len(carried)
    assert np.abs(np.linalg.norm(points, axis=1) - 0.6).max() < 0.02
    assert np.abs(carried[:, 0] - points @ [1.0, 2.0, 3.0]).max() < 0.15


def test_reduced_surface_says_so_and_keeps_colours_and_errors() -> None:
    mesh = _ball(4)
    degrees = np.where(mesh.vertices[:, 0] > 0, 20.0, np.nan)
    surface = surface_of(mesh, degrees, most=1000)
    assert surface.whole == len(mesh.faces)
    assert surface.uv is None
    assert surface.colors is not None
    assert surface.degrees is not None
    assert np.abs(surface.colors / 255 - (surface.points / 2 + 0.5)).max() < 0.1
    assert np.allclose(surface.degrees[np.isfinite(surface.degrees)], 20.0, atol=0.1)
    assert np.isnan(surface.degrees[surface.points[:, 0] < -0.2]).all()
