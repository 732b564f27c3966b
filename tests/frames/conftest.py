"""Small analytic renders: surfaces f(p) = 0 cast against rays, with normals from the gradient of f."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from meshopt.cameras import Camera

Field = Callable[[np.ndarray], np.ndarray]


def ellipsoid(p: np.ndarray) -> np.ndarray:
    """Three different half axes, off centre."""
    q = (p - [0.05, -0.04, 0.08]) / [0.55, 0.8, 0.4]
    return np.linalg.norm(q, axis=-1) - 1.0


def bumpy(p: np.ndarray) -> np.ndarray:
    """A sphere with bumps that repeat in no direction."""
    x, y, z = np.moveaxis(p, -1, 0)
    waves = np.sin(5 * x + 1) * np.sin(4 * y) + np.cos(6 * z - y) * np.sin(3 * x)
    return np.linalg.norm(p - [0.0, 0.05, 0.0], axis=-1) - 0.7 + 0.06 * waves


def torus(p: np.ndarray) -> np.ndarray:
    """Tilted about x, so that no view sees it straight."""
    c, s = np.cos(0.6), np.sin(0.6)
    x, y, z = p[..., 0], c * p[..., 1] - s * p[..., 2], s * p[..., 1] + c * p[..., 2]
    return np.hypot(np.hypot(x, z) - 0.55, y) - 0.25


def superquadric(p: np.ndarray) -> np.ndarray:
    """A box with round edges."""
    return ((np.abs(p / [0.6, 0.7, 0.5]) ** 6).sum(axis=-1)) ** (1 / 6) - 1.0


def cube(p: np.ndarray) -> np.ndarray:
    """Sharp edges, faces across the axes."""
    return np.abs(p).max(axis=-1) - 0.6


SHAPES: dict[str, Field] = {f.__name__: f for f in (ellipsoid, bumpy, torus, superquadric, cube)}


@dataclass
class Scene:
    """World normals [V, H, W, 3], masks [V, H, W] and cameras."""

    normals: np.ndarray
    masks: np.ndarray
    cameras: tuple[Camera, ...]


def _hit(field: Field, origins: np.ndarray, directions: np.ndarray, middle: float) -> tuple[np.ndarray, np.ndarray]:
    """First crossing of each ray: the points, and whether there is one."""
    steps = middle + np.linspace(-1.5, 1.5, 121)
    values = np.stack([field(origins + t * directions) for t in steps])
    crossed = (values[:-1] > 0) & (values[1:] <= 0)
    first = crossed.argmax(axis=0)
    near, far = steps[first], steps[first + 1]
    for _ in range(20):
        half = (near + far) / 2
        inside = field(origins + half[:, None] * directions) <= 0
        near, far = np.where(inside, near, half), np.where(inside, half, far)
    return origins + near[:, None] * directions, crossed.any(axis=0)


def cast(field: Field, camera: Camera, size: int) -> tuple[np.ndarray, np.ndarray]:
    """World normals [H, W, 3] and mask [H, W] of one view."""
    origins, directions = (a.reshape(-1, 3) for a in camera.rays(size, size))
    points, seen = _hit(field, origins, directions, -float(camera.world_to_camera[2, 3]))
    shifts = 1e-4 * np.eye(3)
    gradient = np.stack([field(points + d) - field(points - d) for d in shifts], axis=-1)
    normals = gradient / np.maximum(np.linalg.norm(gradient, axis=-1, keepdims=True), 1e-12)
    normals = np.where(seen[:, None], normals, 0.0).astype(np.float32)
    return normals.reshape(size, size, 3), seen.reshape(size, size).astype(np.float32)


def render(shape: str, cameras: tuple[Camera, ...], size: int = 72) -> Scene:
    """All views of one of SHAPES."""
    views = [cast(SHAPES[shape], camera, size) for camera in cameras]
    return Scene(np.stack([v[0] for v in views]), np.stack([v[1] for v in views]), cameras)


def turntable(*azimuths: float) -> tuple[Camera, ...]:
    """Orthographic cameras at elevation 0."""
    return tuple(Camera.orbit(f"{a:03.0f}", a) for a in azimuths)


def oblique() -> tuple[Camera, ...]:
    """Six perspective cameras, none at azimuth 0."""
    places = zip((30, 90, 150, 210, 270, 330), (20, -10) * 3, strict=True)
    return tuple(Camera.orbit(f"{i:03d}", a, e, fov=30.0) for i, (a, e) in enumerate(places))


class Studio:
    """What the tests need of this file, as one fixture; renders are kept."""

    turntable = staticmethod(turntable)
    oblique = staticmethod(oblique)

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Scene] = {}

    def four(self, shape: str) -> Scene:
        """Azimuths 0, 90, 180, 270, orthographic."""
        return self._keep(shape, "four", turntable(0, 90, 180, 270))

    def six(self, shape: str) -> Scene:
        """Six perspective views with elevations."""
        return self._keep(shape, "six", oblique())

    def of(self, shape: str, cameras: tuple[Camera, ...], size: int = 72) -> Scene:
        """Any cameras."""
        return render(shape, cameras, size)

    def _keep(self, shape: str, rig: str, cameras: tuple[Camera, ...]) -> Scene:
        if (shape, rig) not in self._kept:
            self._kept[shape, rig] = render(shape, cameras)
        return self._kept[shape, rig]


@pytest.fixture(scope="session")
def studio() -> Studio:
    """Analytic renders."""
    return Studio()
