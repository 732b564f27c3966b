"""The measurements against slow twins, and against surfaces whose answer is known."""

import numpy as np
import pytest

from meshopt.cameras import Camera
from meshopt.frames.encoding import NormalEncoding, all_encodings
from meshopt.frames.evidence import measure, observe


def slow(stored: np.ndarray, mask: np.ndarray, camera: Camera, turn: np.ndarray) -> tuple[float, float]:
    """Facing and curl with the definitions: n = turn s; p = nx / w, q = ny / w; dp/dy - dq/dx, times w^2."""
    n = stored @ turn.T
    size = mask.shape[0]
    u = (2 * np.arange(size) + 1) / size - 1
    view = np.zeros((size, size, 3))
    view[..., 2] = 1
    if camera.projection == "perspective":
        view[..., 0] = -u[None, :] * camera.half_extent[0]
        view[..., 1] = u[:, None] * camera.half_extent[1]
    w = (n * view).sum(axis=-1)
    facing = float((w > 0)[mask > 0.99].mean())
    pitch = 2 * camera.half_extent[0] / size
    top = bottom = 0.0
    for i in range(1, size - 1):
        for j in range(1, size - 1):
            cross = [(i, j), (i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)]
            if any(mask[c] <= 0.99 for c in cross):
                continue
            dx = (n[i, j + 1] - n[i, j - 1]) / (2 * pitch)
            dy = (n[i - 1, j] - n[i + 1, j]) / (2 * pitch)
            if 2 * pitch * max(np.linalg.norm(dx), np.linalg.norm(dy)) >= 0.6:
                continue
            wx = (dx * view[i, j]).sum() - (n[i, j, 0] if camera.projection == "perspective" else 0)
            wy = (dy * view[i, j]).sum() - (n[i, j, 1] if camera.projection == "perspective" else 0)
            p_y = dy[0] * w[i, j] - n[i, j, 0] * wy
            q_x = dx[1] * w[i, j] - n[i, j, 1] * wx
            if camera.projection == "perspective":  # the common term is not part of either's size
                p_y, q_x = p_y - n[i, j, 0] * n[i, j, 1], q_x - n[i, j, 0] * n[i, j, 1]
            top, bottom = top + abs(p_y - q_x), bottom + abs(p_y) + abs(q_x)
    return facing, 1 - top / bottom


@pytest.mark.parametrize(
    "camera", [Camera.orbit("o", 25, 10), Camera.orbit("p", 25, 10, fov=40)], ids=["ortho", "persp"]
)
def test_the_fast_measurements_equal_the_slow_ones(studio, camera: Camera) -> None:
    scene = studio.of("bumpy", (camera,), size=40)
    stored, mask = scene.normals[0] @ camera.rotation.T.astype(np.float32), scene.masks[0]
    chosen = [e for e in all_encodings() if e.frame == "camera"][::7]
    turns = np.stack([e.matrix.T for e in chosen])
    fast = measure(observe(stored, mask, camera), turns)
    for k, turn in enumerate(turns):
        facing, curl = slow(stored.astype(np.float64), mask, camera, turn)
        assert fast[0, k] == pytest.approx(facing, abs=2e-3)
        assert fast[2, k] == pytest.approx(curl, abs=2e-3)


@pytest.mark.parametrize("fov", [None, 40.0])
@pytest.mark.parametrize("shape", ["ellipsoid", "bumpy", "torus"])
def test_a_true_surface_measures_well_and_its_mirror_image_does_not(studio, shape: str, fov: float | None) -> None:
    camera = Camera.orbit("v", 40, 15, fov=fov)
    scene = studio.of(shape, (camera,), size=128)
    stored = scene.normals[0] @ camera.rotation.T.astype(np.float32)
    axes = ["opengl", "directx", "-x+y+z", "-x-y+z"]
    turns = np.stack([NormalEncoding("camera", a).matrix.T for a in axes])
    facing, rim, curl = measure(observe(stored, scene.masks[0], camera), turns)
    assert facing[0] == 1.0
    assert rim[0] > 0.95
    assert curl[0] > 0.9
    assert max(rim[1:]) < rim[0] - 0.2
    assert max(curl[1:3]) < curl[0] - 0.3  # a half turn about the view axis has no curl: the rim tells it
    assert rim[3] < 0.2


def test_the_border_of_the_image_is_no_silhouette() -> None:
    full = np.zeros((64, 64, 3), np.float32)
    full[..., 2] = 1
    parts = measure(observe(full, np.ones((64, 64), np.float32), Camera.orbit("v", 0)), np.eye(3)[None])
    assert parts[0, 0] == 1
    assert np.isnan(parts[1:]).all()  # no outline, no slope


def test_nothing_is_measured_in_an_empty_view() -> None:
    empty = np.zeros((32, 32), np.float32)
    parts = measure(observe(np.zeros((32, 32, 3), np.float32), empty, Camera.orbit("v", 0)), np.eye(3)[None])
    assert np.isnan(parts).all()
