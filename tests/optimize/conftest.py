"""Views of an ellipsoid with exact normals, by formula, and meshes to start from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import trimesh

from meshopt.cameras import Camera
from meshopt.mesh import Mesh
from meshopt.views import ViewSet

AXES = np.array([0.7, 0.55, 0.4])
CENTRE = np.array([0.06, -0.1, 0.04])


def ellipsoid_view(camera: Camera, size: int) -> tuple[np.ndarray, np.ndarray]:
    """World normals [n, n, 3] and coverage [n, n] with 4 x 4 samples in each pixel."""
    origins, directions = camera.rays(4 * size, 4 * size)
    o, d = (origins - CENTRE) / AXES, directions / AXES
    a, b, c = (d * d).sum(-1), (o * d).sum(-1), (o * o).sum(-1) - 1
    disc = b * b - a * c
    hit = disc > 0
    point = o + (((-b - np.sqrt(np.maximum(disc, 0))) / a)[..., None]) * d
    normal = np.where(hit[..., None], point / AXES, 0)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    blocks = (size, 4, size, 4)
    mean = normal.reshape(*blocks, 3).sum((1, 3))
    mean /= np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), 1e-12)
    return mean, hit.reshape(blocks).mean((1, 3))


def ellipsoid_views(cameras: tuple[Camera, ...], size: int = 96) -> ViewSet:
    """The ellipsoid; its colour is its normal's, so that colours can be checked too."""
    normals, masks = zip(*(ellipsoid_view(camera, size) for camera in cameras), strict=True)
    n = torch.tensor(np.stack(normals), dtype=torch.float32)
    m = torch.tensor(np.stack(masks), dtype=torch.float32)
    return ViewSet(cameras, n, m, rgb=(n * 0.5 + 0.5) * (m[..., None] > 0))


@pytest.fixture(scope="session")
def orbit() -> tuple[Camera, ...]:
    return tuple(Camera.orbit(str(a), a) for a in (0, 90, 180, 270))


@pytest.fixture(scope="session")
def views(orbit: tuple[Camera, ...]) -> ViewSet:
    return ellipsoid_views(orbit)


@pytest.fixture(scope="session")
def perspective_views() -> ViewSet:
    angles = zip((30, 90, 150, 210, 270, 330), (20, -10) * 3, strict=True)
    return ellipsoid_views(tuple(Camera.orbit(f"{a}", a, e, fov=30.0) for a, e in angles))


def make_sphere(radius: float, subdivisions: int = 4) -> Mesh:
    shape = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    return Mesh(
        torch.tensor(np.array(shape.vertices), dtype=torch.float32),
        torch.tensor(np.array(shape.faces), dtype=torch.int32),
    )


def ellipsoid_distances(vertices: torch.Tensor) -> np.ndarray:
    """Of points to the ellipsoid, to first order: |f| / |grad f| with f = |p / axes|^2 - 1."""
    p = (vertices.numpy().astype(float) - CENTRE) / AXES
    return np.abs((p * p).sum(-1) - 1) / (2 * np.linalg.norm(p / AXES, axis=-1))


@pytest.fixture(scope="session")
def sphere() -> Callable[..., Mesh]:
    """sphere(radius, subdivisions=4)"""
    return make_sphere


@pytest.fixture(scope="session")
def distances() -> Callable[[torch.Tensor], np.ndarray]:
    """Of points to the ellipsoid of the views."""
    return ellipsoid_distances
