"""Views of a sphere and of a leaning, off-centre ellipsoid by formula, from several rigs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from meshopt.cameras import Camera
from meshopt.rigs import load_rig
from meshopt.views import ViewSet

SIZE = 80
SAMPLES = 3  # rays along each side of a pixel
SPHERE = (0.7 * np.eye(3), np.zeros(3))
TURN = np.linalg.qr(np.array([[1.0, 0.4, -0.3], [-0.2, 1.0, 0.5], [0.5, -0.3, 1.0]]))[0]
EGG = (TURN @ np.diag([0.35, 0.75, 0.5]) @ TURN.T, np.array([0.06, -0.04, 0.1]))
Solid = tuple[np.ndarray, np.ndarray]  # the image of the unit ball under this matrix, around this centre


def picture(camera: Camera, solid: Solid, size: int = SIZE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """World normals, coverage and colours."""
    matrix, centre = solid
    inverse = np.linalg.inv(matrix)
    origins, directions = camera.rays(SAMPLES * size, SAMPLES * size)
    o, d = (origins - centre) @ inverse.T, directions @ inverse.T
    a, b, c = (d * d).sum(-1), (o * d).sum(-1), (o * o).sum(-1) - 1
    square = b * b - a * c
    depth = (-b - np.sqrt(np.maximum(square, 0))) / a
    outward = (o + depth[..., None] * d) @ inverse
    hit = (square > 0).astype(float)
    outward *= (hit / np.linalg.norm(outward, axis=-1))[..., None]
    blocks = [layer.reshape(size, SAMPLES, size, SAMPLES, -1).mean((1, 3)) for layer in (outward, hit)]
    normals, mask = blocks[0], blocks[1][..., 0]
    normals = normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    rgb = np.clip(0.5 + 0.4 * normals, 0, 1) * (mask > 0)[..., None]
    return normals, mask, rgb


def view_set(cameras: tuple[Camera, ...], solid: Solid, size: int = SIZE) -> ViewSet:
    layers = zip(*(picture(camera, solid, size) for camera in cameras), strict=True)
    normals, masks, rgb = (torch.from_numpy(np.stack(layer)).float() for layer in layers)
    return ViewSet(cameras, normals, masks, rgb)


RIGS = {
    "four": load_rig("unique3d").cameras(),
    "six": load_rig("wonder3d").cameras(),
    "perspective": tuple(replace(c, name=f"v{i}") for i, c in enumerate(load_rig("zero123plus").cameras())),
}


@pytest.fixture(scope="session", params=list(RIGS))
def eggs(request) -> ViewSet:
    """The leaning ellipsoid from every rig in turn."""
    return view_set(RIGS[request.param], EGG)


@pytest.fixture(scope="session")
def egg() -> ViewSet:
    """The leaning ellipsoid from six places."""
    return view_set(RIGS["six"], EGG)


@pytest.fixture(scope="session")
def sphere() -> ViewSet:
    """A sphere from six places."""
    return view_set(RIGS["six"], SPHERE)


@pytest.fixture(scope="session")
def shapes(module_at: Callable[[Path, str], ModuleType]) -> ModuleType:
    """shapes.py beside this file."""
    return module_at(Path(__file__).with_name("shapes.py"), "meshopt_evaluate_shapes")


@pytest.fixture(scope="session")
def index():
    """The index of the only damaged view."""

    def find(corrupted) -> int:
        (name,) = corrupted.truth.views
        return [camera.name for camera in corrupted.views.cameras].index(name)

    return find


@pytest.fixture(scope="session")
def in_camera():
    """One view's normals in its camera's frame, float64 [H, W, 3]."""

    def turned(views: ViewSet, i: int) -> np.ndarray:
        return views.normals[i].numpy().astype(float) @ views.cameras[i].rotation.T

    return turned


@pytest.fixture(scope="session")
def degrees():
    """Angles between two arrays of unit vectors."""

    def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = np.asarray(a, float), np.asarray(b, float)
        return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1)))

    return between
