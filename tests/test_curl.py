"""Curl of normals: none where a surface has them, the formula's where they are turned, and bending in degrees."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from meshopt.cameras import Camera
from meshopt.curl import FEW, averaged_curl, bending, curl, slopes, smooth_pixels
from meshopt.evaluate.corruptions import corrupt
from meshopt.views import ViewSet

SIZE = 256
WAVES = np.array([[1.9, 0.7, 0.3], [-1.1, 2.3, 1.2], [2.7, -1.6, 2.0]])  # by x, by y, phase
HEIGHT = 0.12


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def grid(size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """x and y of pixel centres in [-1, 1], y up."""
    x = (2 * np.arange(size) + 1) / size - 1
    return np.broadcast_to(x, (size, size)), np.broadcast_to(-x[:, None], (size, size))


def parallel(x: np.ndarray) -> np.ndarray:
    """Towards the eye, where rays are parallel."""
    return np.broadcast_to([0.0, 0.0, 1.0], (*x.shape, 3))


def waves(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Height, and its derivatives by x and y."""
    phase = x[..., None] * WAVES[:, 0] + y[..., None] * WAVES[:, 1] + WAVES[:, 2]
    sine, cosine = HEIGHT * np.sin(phase), HEIGHT * np.cos(phase)
    return np.stack([sine.sum(-1), (cosine * WAVES[:, 0]).sum(-1), (cosine * WAVES[:, 1]).sum(-1)], -1)


def parallel_waves(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Unit normals of z = waves."""
    found = waves(x, y)
    return unit(np.stack([-found[..., 1], -found[..., 2], np.ones(x.shape)], -1))


def perspective_waves(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Unit normals of the points d (x, y, -1), d = 3 + waves(x, y): their tangents' product."""
    found = waves(x, y)
    d, by_x, by_y = 3 + found[..., 0], found[..., 1], found[..., 2]
    one, other = (d + x * by_x, y * by_x, -by_x), (x * by_y, d + y * by_y, -by_y)
    return unit(np.cross(np.stack(one, -1), np.stack(other, -1)))


def derivatives(field, x: np.ndarray, y: np.ndarray, step: float = 1e-4) -> tuple[np.ndarray, np.ndarray]:
    """To the right and upwards, of order step^4."""

    def along(dx: float, dy: float) -> np.ndarray:
        near = field(x + dx, y + dy) - field(x - dx, y - dy)
        far = field(x + 2 * dx, y + 2 * dy) - field(x - 2 * dx, y - 2 * dy)
        return (8 * near - far) / (12 * step)

    return along(step, 0), along(0, step)


def ellipsoid(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Unit normals of (x / 0.9)^2 + (y / 0.7)^2 + (z / 0.5)^2 = 1, tilted: the gradient where it is seen."""
    axes = np.array([[0.9, 0.3, 0.1], [-0.2, 0.7, 0.2], [0.0, 0.1, 0.5]])
    form = np.linalg.inv(axes @ axes.T)
    b = form[0, 2] * x + form[1, 2] * y
    c = form[0, 0] * x * x + 2 * form[0, 1] * x * y + form[1, 1] * y * y - 1
    z = (-b + np.sqrt(b * b - form[2, 2] * c)) / form[2, 2]
    return unit(np.stack([x, y, z], -1) @ form)


def test_normals_of_surfaces_have_no_curl() -> None:
    x, y = grid(40)
    for field in (ellipsoid, parallel_waves):
        inner = 0.5 * x, 0.5 * y
        assert np.abs(curl(field(*inner), *derivatives(field, *inner), parallel(x))).max() < 1e-9
    towards = np.stack([-0.4 * x, -0.4 * y, np.ones(x.shape)], -1)
    right, up = derivatives(perspective_waves, 0.4 * x, 0.4 * y)
    normals = perspective_waves(0.4 * x, 0.4 * y)
    assert np.abs(curl(normals, right, up, towards)).max() < 1e-9
    assert np.abs(curl(normals, right, up, parallel(x))).max() > 0.01  # the rays' direction counts


@pytest.mark.parametrize("degrees", [-20.0, 3.0, 90.0])
def test_a_sphere_turned_about_the_view_axis_has_the_formula_s_curl(degrees: float) -> None:
    """-sin(w) (2 z + (x^2 + y^2) / z) on the unit sphere."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    x, y = (0.6 * part for part in grid(30))
    z = np.sqrt(1 - x * x - y * y)
    zero, one = np.zeros(x.shape), np.ones(x.shape)
    right, up = np.stack([one, zero, -x / z], -1), np.stack([zero, one, -y / z], -1)
    found = curl(np.stack([x, y, z], -1) @ turn.T, right @ turn.T, up @ turn.T, parallel(x))
    assert found == pytest.approx(-s * (2 * z + (x * x + y * y) / z), abs=1e-12)


def test_slopes_are_central_differences_and_rows_run_down() -> None:
    x, y = grid(16)
    right, up = slopes(np.stack([2 * x, 3 * y, x * y], -1) * 8)  # a pixel is 1 / 8
    assert right[1:-1, 1:-1] == pytest.approx(np.stack([2 + 0 * x, 0 * x, y], -1)[1:-1, 1:-1])
    assert up[1:-1, 1:-1] == pytest.approx(np.stack([0 * x, 3 + 0 * x, x], -1)[1:-1, 1:-1])
    for derivative in (right[:, [0, -1]], up[[0, -1]]):
        assert not derivative.any()


def test_edges_and_what_borders_on_the_unknown_are_not_smooth() -> None:
    normals = np.zeros((20, 20, 3))
    normals[..., 2] = 1.0
    normals[:, 10:] = unit(np.array([0.5, 0.0, 1.0]))  # a crease of 27 degrees
    solid = np.ones((20, 20), bool)
    solid[15:] = False
    smooth = smooth_pixels(normals, solid)
    assert not smooth[:, 9:11].any()
    assert not smooth[14:].any()
    assert smooth[1:14, 1:9].all()
    assert smooth[1:14, 11:19].all()


def turned(normals: np.ndarray, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return normals @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T


def test_averaged_curl_and_bending_of_surfaces_and_of_turned_normals() -> None:
    x, y = grid()
    towards = parallel(x)
    solid = np.ones(x.shape, bool)
    for field in (ellipsoid, parallel_waves):
        normals = field(0.5 * x, 0.5 * y)
        assert bending(normals, solid, towards) < 0.1
        assert bending(turned(normals, 10), solid, towards) > 20 * bending(normals, solid, towards)
    camera = Camera.orbit("front", 0, fov=2 * np.degrees(np.arctan(0.4)))
    normals, rays = perspective_waves(0.4 * x, 0.4 * y), camera.towards_eye(SIZE, SIZE)
    assert bending(normals, solid, rays) < 0.1
    assert bending(turned(normals, 10), solid, rays) > 20 * bending(normals, solid, rays)
    assert np.nanmax(np.abs(averaged_curl(normals, solid, rays))) < 3e-4


def test_a_plane_is_not_bent_and_too_little_says_nothing() -> None:
    plane = np.broadcast_to(unit(np.array([0.3, -0.2, 0.9])), (64, 64, 3)).copy()
    towards = parallel(plane[..., 0])
    assert bending(plane, np.ones((64, 64), bool), towards) == 0.0
    few = np.zeros((64, 64), bool)
    few[:9, :9] = True
    assert few.sum() < FEW
    x, y = grid(64)
    assert bending(turned(ellipsoid(0.5 * x, 0.5 * y), 20), few, towards) == 0.0


@pytest.mark.parametrize("degrees", [6.0, 10.0, 15.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_bending_is_the_noise_s(degrees: float, seed: int) -> None:
    """In degrees, root mean square, within 30 %."""
    x, y = grid()
    normals = torch.from_numpy(parallel_waves(x, y)).float()[None]
    camera = Camera.orbit("front", 0)
    views = ViewSet((camera,), normals, torch.ones(1, SIZE, SIZE))
    noisy = corrupt(views, "noise", degrees, seed=seed).views.normals[0].numpy()
    found = bending(noisy, np.ones((SIZE, SIZE), bool), camera.towards_eye(SIZE, SIZE))
    assert found == pytest.approx(degrees, rel=0.3)
