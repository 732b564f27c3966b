"""Views of ellipsoids and of a torus by formula, and what every initial mesh must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.config import InitialConfig
from meshopt.initial import InitialMesh, initial_mesh
from meshopt.mesh import Mesh
from meshopt.topology import Topology, topology
from meshopt.views import ViewSet

SIZE = 72  # rows and columns of the views
SAMPLES = 4  # rays along each side of a pixel
Hits = tuple[np.ndarray, np.ndarray]  # depth [H, W] (inf: none) and outward vectors [H, W, 3]


class Ellipsoid:
    """By its half axes and centre."""

    def __init__(self, axes: tuple[float, float, float], centre: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> None:
        self.axes, self.centre = np.array(axes), np.array(centre)

    @property
    def volume(self) -> float:
        return float(4 / 3 * np.pi * self.axes.prod())

    def hit(self, origins: np.ndarray, directions: np.ndarray, middle: float) -> Hits:
        o, d = (origins - self.centre) / self.axes, directions / self.axes
        a, b, c = (d * d).sum(-1), (o * d).sum(-1), (o * o).sum(-1) - 1
        square = b * b - a * c
        depth = (-b - np.sqrt(np.maximum(square, 0))) / a
        point = o + depth[..., None] * d
        return np.where(square > 0, depth, np.inf), point / self.axes


class Torus:
    """Around the y axis, then tilted about x so that no view at elevation 0 sees it edge-on."""

    def __init__(self, ring: float = 0.6, tube: float = 0.22, tilt: float = 60.0) -> None:
        self.ring, self.tube = ring, tube
        c, s = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
        self.turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])

    @property
    def volume(self) -> float:
        return float(2 * np.pi**2 * self.ring * self.tube**2)

    def distance(self, points: np.ndarray) -> np.ndarray:
        x, y, z = np.moveaxis(points @ self.turn, -1, 0)
        return np.hypot(np.hypot(x, z) - self.ring, y) - self.tube

    def hit(self, origins: np.ndarray, directions: np.ndarray, middle: float) -> Hits:
        """By sphere tracing."""
        speed = np.linalg.norm(directions, axis=-1)
        depth = np.full(speed.shape, middle - 1.2)
        for _ in range(60):
            depth = depth + self.distance(origins + depth[..., None] * directions) / speed
        points = origins + depth[..., None] * directions
        met = np.abs(self.distance(points)) < 1e-3
        steps = 1e-4 * np.eye(3)
        outward = np.stack([self.distance(points + s) - self.distance(points - s) for s in steps], axis=-1)
        return np.where(met, depth, np.inf), outward


Shape = Ellipsoid | Torus


def _view(shapes: tuple[Shape, ...], camera: Camera, size: int) -> tuple[np.ndarray, np.ndarray]:
    """World normals [n, n, 3] and coverage [n, n]."""
    rays = camera.rays(SAMPLES * size, SAMPLES * size)
    hits = [shape.hit(*rays, -float(camera.world_to_camera[2, 3])) for shape in shapes]
    depth = np.stack([hit[0] for hit in hits])
    first = depth.argmin(axis=0)
    normal = np.take_along_axis(np.stack([hit[1] for hit in hits]), first[None, ..., None], axis=0)[0]
    seen = np.isfinite(depth.min(axis=0))
    normal = np.where(seen[..., None], normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12), 0)
    blocks = (size, SAMPLES, size, SAMPLES)
    mean = normal.reshape(*blocks, 3).sum((1, 3))
    return mean / np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), 1e-12), seen.reshape(blocks).mean((1, 3))


class Studio:
    """What the tests need of this file, as one fixture."""

    ball = Ellipsoid((0.6, 0.6, 0.6), (0.05, -0.04, 0.08))
    ellipsoid = Ellipsoid((0.7, 0.55, 0.4), (0.06, -0.1, 0.04))
    pair = (Ellipsoid((0.32, 0.32, 0.32), (0.1, 0.05, 0.5)), Ellipsoid((0.36, 0.36, 0.36), (-0.05, 0.0, -0.45)))
    diagonal = (Ellipsoid((0.3, 0.3, 0.3), (0.45, 0.0, 0.45)), Ellipsoid((0.2, 0.2, 0.2), (-0.45, 0.0, -0.45)))
    staggered = (diagonal[0], Ellipsoid((0.2, 0.2, 0.2), (-0.45, 0.25, -0.45)))
    torus = Torus()
    settings = InitialConfig(grid=48, depth=48)

    @staticmethod
    def turntable(*azimuths: float) -> tuple[Camera, ...]:
        """Orthographic cameras at elevation 0."""
        return tuple(Camera.orbit(f"at{a:g}", a) for a in azimuths)

    @staticmethod
    def oblique() -> tuple[Camera, ...]:
        """Six perspective cameras."""
        places = zip((30, 90, 150, 210, 270, 330), (20, -10) * 3, strict=True)
        return tuple(Camera.orbit(f"at{a}", a, e, fov=30.0) for a, e in places)

    def views(self, cameras: tuple[Camera, ...], *shapes: Shape, size: int = SIZE) -> ViewSet:
        """All cameras' views of the shapes."""
        normals, masks = zip(*(_view(shapes, camera, size) for camera in cameras), strict=True)
        stacked = (torch.tensor(np.stack(part), dtype=torch.float32) for part in (normals, masks))
        return ViewSet(cameras, *stacked)

    def four(self, *shapes: Shape) -> ViewSet:
        """Azimuths 0, 90, 180 and 270, orthographic."""
        return self.views(self.turntable(0, 90, 180, 270), *shapes)

    def made(self, views: ViewSet, method: str = "auto", **changes: float) -> InitialMesh:
        """The initial mesh with small grids."""
        return initial_mesh(views, self.settings.model_copy(update={"method": method, **changes}))

    @staticmethod
    def without(views: ViewSet, number: int, rows: slice, columns: slice) -> ViewSet:
        """The views with a rectangle of one mask erased, and the normals there."""
        normals, masks = views.normals.clone(), views.masks.clone()
        normals[number, rows, columns] = 0
        masks[number, rows, columns] = 0
        return replace(views, normals=normals, masks=masks)


@pytest.fixture(scope="session")
def studio() -> Studio:
    """Shapes, and analytic views of them."""
    return Studio()


def check_sound(mesh: Mesh) -> Topology:
    """Fails unless the mesh is closed, 2-manifold, oriented outwards and finite; gives its topology."""
    assert mesh.vertices.dtype == torch.float32
    assert mesh.faces.dtype == torch.int32
    assert torch.isfinite(mesh.vertices).all()
    found = topology(mesh.vertices, mesh.faces)
    assert found.closed, found.line()
    assert found.manifold, found.line()
    assert found.oriented, found.line()
    assert found.volume > 0
    assert found.vertices == len(mesh.vertices)
    return found


@pytest.fixture(scope="session")
def sound() -> Callable[[Mesh], Topology]:
    """sound(mesh): its topology, after the checks that every initial mesh must pass."""
    return check_sound


@pytest.fixture(scope="session")
def overlap() -> Callable[[Mesh, ViewSet], np.ndarray]:
    """overlap(mesh, views): for each view, the intersection of the mesh's silhouette and the mask over their union."""

    def measured(mesh: Mesh, views: ViewSet) -> np.ndarray:
        masks = views.masks.numpy() > 0.5
        matrices = torch.tensor(np.stack([camera.clip_matrix() for camera in views.cameras]), dtype=torch.float32)
        clip = raster.transform(mesh.vertices, matrices)
        drawn = raster.get("cpu").rasterize(clip, mesh.faces, views.resolution).face.numpy() >= 0
        return (drawn & masks).sum((1, 2)) / (drawn | masks).sum((1, 2))

    return measured
