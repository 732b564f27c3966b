"""What views say of a surface: nothing of what is hidden, turned away or in the background."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np
import pytest
import torch

from meshopt import parallel
from meshopt.cameras import Camera
from meshopt.colorspace import srgb_to_linear
from meshopt.mesh import Mesh
from meshopt.texturing import observation as module
from meshopt.texturing.observation import LEAST, LEAST_COSINE, RIM, TOLERANCE, Observer, continued, depth_maps, trust
from meshopt.views import ViewSet

CAMERAS = {
    "orthographic": (Camera.orbit("a", 30, 20), Camera.orbit("b", 200, -35)),
    "perspective": (Camera.orbit("a", 30, 20, fov=40), Camera.orbit("b", 200, -35, fov=60, distance=2.5)),
    "both": (Camera.orbit("a", 10, fov=30), Camera.orbit("b", 100, 5, half_extent=1.2)),
}


def _linear(views: ViewSet) -> np.ndarray:
    assert views.rgb is not None
    return srgb_to_linear(views.rgb.numpy()).astype(np.float32)


def _on(mesh: Mesh, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points on the faces, with the faces' normals."""
    random = np.random.default_rng(0)
    corners = mesh.vertices.double().numpy()[mesh.faces.numpy()[random.integers(0, len(mesh.faces), count)]]
    points = (random.dirichlet([1, 1, 1], count)[..., None] * corners).sum(1)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return points, normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _bilinear(image: np.ndarray, x: float, y: float) -> np.ndarray:
    """The image at x columns and y rows from its outer corner, pixel by pixel."""
    rows, columns, _ = image.shape
    x, y = min(max(x, 0.5), columns - 0.5), min(max(y, 0.5), rows - 0.5)
    total = np.zeros(image.shape[-1])
    for row in range(rows):
        share = max(0.0, 1 - abs(y - row - 0.5))
        for column in range(columns) if share > 0 else ():
            total += share * max(0.0, 1 - abs(x - column - 0.5)) * image[row, column]
    return total


def _twin(
    observer: Observer, camera: Camera, v: int, point: np.ndarray, normal: np.ndarray
) -> tuple[float, np.ndarray]:
    """Weight and colour of one point by the definition, from the camera's own projection."""
    rows, columns = observer.images.shape[1:3]
    (u, up), depth = (value[0] for value in camera.project(point[None]))
    s, t = (u + 1) / 2, (1 - up) / 2
    towards = camera.eye[:3] - camera.eye[3] * point
    cosine = float(towards @ normal / np.linalg.norm(towards))
    if not (0 <= s < 1 and 0 <= t < 1 and cosine > LEAST_COSINE):
        return 0.0, np.zeros(3)
    fine = observer.depths.shape[1:]
    at = v, int(t * fine[0]), int(s * fine[1])
    pixel = 2 * camera.half_extent[1] * (depth if camera.projection == "perspective" else 1) / rows
    steep = math.sqrt(1 - min(cosine, 1) ** 2) / cosine
    if observer.borders[at] == 0 or depth > observer.depths[at] + TOLERANCE * pixel * (1 + steep):
        return 0.0, np.zeros(3)
    least = min(observer.pixels)
    weight = observer.borders[at] * (cosine - LEAST_COSINE) / (1 - LEAST_COSINE) * (least / pixel) ** 2
    return weight, _bilinear(observer.images[v], s * columns, t * rows)


@pytest.mark.parametrize("resolution", [(48, 48), (40, 40), (36, 52)])
@pytest.mark.parametrize("kind", CAMERAS)
def test_kernel_does_as_its_slow_twin(scenes: ModuleType, kind: str, resolution: tuple[int, int]) -> None:
    mesh, cameras = scenes.torus(), CAMERAS[kind]
    views = scenes.views(mesh, cameras, resolution=resolution)
    observer = Observer(mesh, views, _linear(views))
    points, normals = _on(mesh, 150)
    seen = observer.at(points, normals)
    assert 0.2 < (seen.weight > 0).mean() < 0.8
    for v, camera in enumerate(cameras):
        for i in range(len(points)):
            weight, color = _twin(observer, camera, v, points[i], normals[i])
            assert seen.weight[v, i] == pytest.approx(weight, rel=1e-4, abs=1e-6)
            if weight:
                assert np.abs(seen.color[v, i] - color).max() < 1e-4


@pytest.mark.parametrize("kind", CAMERAS)
def test_weights_are_at_most_1_but_for_what_is_nearer_than_the_origin(scenes: ModuleType, kind: str) -> None:
    mesh = scenes.sphere()
    views = scenes.views(mesh, CAMERAS[kind], resolution=(64, 64))
    points, normals = _on(mesh, 2000)
    observer = Observer(mesh, views, _linear(views))
    seen = observer.at(points, normals)
    assert seen.weight.min() == 0
    for camera, pixel, weight in zip(views.cameras, observer.pixels, seen.weight, strict=True):
        nearer = camera.project(points)[1] / camera.project(np.zeros((1, 3)))[1]
        most = nearer**-2 if camera.projection == "perspective" else 1
        assert (weight <= most * (min(observer.pixels) / pixel) ** 2 * (1 + 1e-5)).all()
        assert weight.max() > 0.5 * (min(observer.pixels) / pixel) ** 2


@pytest.mark.parametrize("resolution", [96, 256])
@pytest.mark.parametrize("fov", [None, 40.0])
def test_what_is_hidden_is_not_seen(scenes: ModuleType, fov: float | None, resolution: int) -> None:
    """A ball behind a plate; each has its own colour, and the view gives a point its own or nothing."""
    ball, plate = scenes.sphere(2, 0.3, (0, 0, -0.4)), scenes.box((1.0, 1.0, 0.1), (0.3, 0, 0.4))
    scene = scenes.joined(ball, plate)
    cameras = scenes.ring(4, fov=fov)

    def paint(points: np.ndarray) -> np.ndarray:
        return np.where((points[..., 2] > 0.2)[..., None], [1.0, 0, 0], [0, 0, 1.0])

    views = scenes.views(scene, cameras, paint, (resolution, resolution))
    observer = Observer(scene, views, _linear(views))
    for part, own, other in ((ball, 2, 0), (plate, 0, 2)):
        seen = observer.at(*_on(part, 3000))
        surely = seen.weight > (0.1 if resolution > 200 else 0.2)
        assert surely.any(0).mean() > 0.3
        assert seen.color[surely][:, own].min() > 0.6
        assert seen.color[surely][:, other].max() < 0.4
    points, normals = _on(ball, 1500)
    behind = (points[:, 0] > -0.05) & (points[:, 2] < 0)  # under the plate, from the front
    assert behind.sum() > 100
    assert observer.at(points, normals).weight[0, behind].max() == 0


def test_what_looks_away_is_not_seen(scenes: ModuleType) -> None:
    mesh = scenes.sphere()
    views = scenes.views(mesh, scenes.ring(6))
    points, normals = _on(mesh, 1000)
    observer = Observer(mesh, views, _linear(views))
    facing = np.stack([camera.rotation[2] @ normals.T for camera in views.cameras])
    assert observer.at(points, normals).weight[facing <= LEAST_COSINE].max() == 0
    assert observer.at(points, -normals).weight[facing >= -LEAST_COSINE].max() == 0


def test_points_outside_of_an_image_are_not_seen(scenes: ModuleType) -> None:
    """A camera so near that the mesh fills more than its image, and one that looks at it from within."""
    mesh = scenes.sphere()
    cameras = (Camera.orbit("a", 0, half_extent=0.3), Camera.orbit("b", 90, fov=50, distance=0.2))
    views = scenes.views(mesh, cameras, resolution=(32, 32))
    points, normals = _on(mesh, 1000)
    seen = Observer(mesh, views, _linear(views)).at(points, normals)
    assert np.isfinite(seen.weight).all()
    assert (np.abs(points[seen.weight[0] > 0, :2]) <= 0.3).all()
    assert (seen.weight[0] > 0).any()


def test_resolution_and_angle_weigh(scenes: ModuleType) -> None:
    """Half as fine counts a quarter; and the more frontally the better."""
    mesh = scenes.box()
    cameras = (Camera.orbit("a", 0, half_extent=0.8), Camera.orbit("b", 0, half_extent=1.6), Camera.orbit("c", 50))
    views = scenes.views(mesh, cameras)
    seen = Observer(mesh, views, _linear(views)).at(np.array([[0.0, 0, 0.5]]), np.array([[0.0, 0, 1]]))
    near, far, aslant = seen.weight[:, 0]
    assert near == pytest.approx(1, abs=1e-6)
    assert far == pytest.approx(0.25, rel=1e-5)
    cosine = math.cos(math.radians(50))
    assert aslant == pytest.approx((cosine - LEAST_COSINE) / (1 - LEAST_COSINE) * 0.64, rel=1e-5)


@pytest.mark.parametrize("fov", [None, 35.0])
def test_nothing_of_the_background_arrives(scenes: ModuleType, fov: float | None) -> None:
    """Green things before magenta, blended at the edges: no point has more red or blue than green."""
    mesh = scenes.joined(scenes.torus(), scenes.sphere(2, 0.2))
    views = scenes.views(mesh, scenes.ring(6, 15, fov), scenes.plain((0.05, 0.6, 0.05)))
    seen = Observer(mesh, views, _linear(views)).at(*_on(mesh, 3000))
    found = seen.color[seen.weight > 0]
    assert (seen.weight > 0).any(0).mean() > 0.7
    assert found[:, [0, 2]].max() < 0.1
    assert found[:, 1].min() > 0.5


def test_depth_is_that_of_the_surface(scenes: ModuleType) -> None:
    mesh = scenes.sphere(4)
    cameras = (Camera.orbit("a", 40, 10), Camera.orbit("b", 40, 10, fov=40))
    depths = depth_maps(mesh, cameras, (64, 48))
    for camera, depth in zip(cameras, depths, strict=True):
        origins, directions = camera.rays(64, 48)
        points = origins + np.where(np.isfinite(depth), depth, 0)[..., None] * directions
        radius = np.linalg.norm(points[np.isfinite(depth)], axis=1)
        assert np.abs(radius - 0.8).max() < 0.004
        assert 0.2 < np.isfinite(depth).mean() < 0.9
        assert (points @ camera.rotation[2])[np.isfinite(depth)].min() > -0.01  # the front, not the back


def test_trust_grows_from_the_border() -> None:
    depth = np.full((60, 60), np.inf, np.float32)
    depth[10:50, 5:55] = 2.0
    found = trust(depth, np.ones((60, 60), np.float32), 0.01, 8.0)
    inside = np.isfinite(depth)
    assert (found[~inside] == 0).all()
    assert found[inside].min() == pytest.approx(LEAST)
    assert found[10, 5:55] == pytest.approx(LEAST)
    assert found[20:40, 15:45].min() == 1
    middle = found[30, 5:16]
    assert (np.diff(middle) >= 0).all()
    assert np.array_equal(found, found[::-1])
    assert np.array_equal(found, found[:, ::-1])


def test_trust_ends_where_the_mask_does() -> None:
    depth, mask = np.full((64, 64), 1.0, np.float32), np.zeros((32, 32), np.float32)
    mask[8:24, 8:24] = 1
    found = trust(depth, mask, 0.01, 4.0)
    assert found[:15].max() == found[49:].max() == found[:, :15].max() == found[:, 49:].max() == 0
    assert found[30:34, 30:34].min() == 1


def test_trust_falls_at_steps_of_depth_but_not_on_slopes() -> None:
    step = np.where(np.arange(80) < 40, 1.0, 1.5).astype(np.float32)[None].repeat(80, 0)
    mask = np.ones((80, 80), np.float32)
    found = trust(step, mask, 0.02, 6.0)
    assert found[40, 39] == found[40, 40] == pytest.approx(LEAST)
    assert found[40, 20] == found[40, 60] == 1
    slope = (0.06 * np.arange(80)).astype(np.float32)[None].repeat(80, 0)  # three pixels a pixel
    assert trust(slope, mask, 0.02, 6.0)[10:70, 10:70].min() == 1


def test_image_is_continued_by_what_is_surely_inside() -> None:
    """Neither what is mixed with the background, in the tenth row, nor the outermost pixels are taken."""
    mask = np.zeros((40, 40), np.float32)
    mask[10:30, 10:30] = 1
    mask[10] *= 0.5
    image = np.random.default_rng(0).uniform(size=(40, 40, 3)).astype(np.float32)
    found = continued(image, mask)
    top, left, end = 11 + RIM, 10 + RIM, 30 - RIM
    assert np.array_equal(found[top:end, left:end], image[top:end, left:end])
    assert np.array_equal(found[0, left:end], image[top, left:end])
    assert np.array_equal(found[20, :left], np.broadcast_to(image[20, left], (left, 3)))
    assert np.array_equal(continued(image, np.ones_like(mask)), image)
    assert continued(image, np.zeros_like(mask)).shape == image.shape


def test_thin_parts_are_continued_from_themselves() -> None:
    """A line of two pixels beside a block keeps its own colour."""
    mask, image = np.zeros((40, 40), np.float32), np.zeros((40, 40, 3), np.float32)
    mask[5:35, 5:20] = mask[5:35, 30:32] = 1
    image[:, :25], image[:, 25:] = (0, 1, 0), (0, 0, 1)
    found = continued(image, mask)
    assert (found[10:30, 30:40] == (0, 0, 1)).all()
    assert (found[10:30, :20] == (0, 1, 0)).all()


def test_fit_is_one_for_the_mesh_itself(scenes: ModuleType) -> None:
    mesh = scenes.torus()
    views = scenes.views(mesh, scenes.ring(3, 20, fov=30), resolution=(64, 80))
    assert Observer(mesh, views, _linear(views)).fit.min() > 0.97
    smaller = Mesh(0.5 * mesh.vertices, mesh.faces)
    assert Observer(smaller, views, _linear(views)).fit.max() < 0.4
    away = Mesh(mesh.vertices + 10, mesh.faces)
    observer = Observer(away, views, _linear(views))
    assert observer.fit.max() == 0
    assert observer.at(*_on(away, 20)).weight.max() == 0


def test_other_images_of_the_same_views(scenes: ModuleType) -> None:
    mesh = scenes.sphere()
    views = scenes.views(mesh, scenes.ring(3))
    observer = Observer(mesh, views, _linear(views))
    other = observer.showing(1 - _linear(views))
    points, normals = _on(mesh, 300)
    one, two = observer.at(points, normals), other.at(points, normals)
    assert np.array_equal(one.weight, two.weight)
    assert np.abs(one.color + two.color - 1)[one.weight > 0].max() < 1e-5


def test_same_for_any_number_of_threads_and_points_at_once(scenes: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = scenes.torus()
    views = scenes.views(mesh, scenes.ring(3))
    observer = Observer(mesh, views, _linear(views))
    points, normals = _on(mesh, 1000)
    whole = observer.at(points, normals)
    monkeypatch.setattr(module, "CHUNK", 97)
    parts = observer.at(points, normals)
    with parallel.limit(1):
        alone = observer.at(points, normals)
    for other in (parts, alone):
        assert whole.weight.tobytes() == other.weight.tobytes()
        assert whole.color.tobytes() == other.color.tobytes()
    none = observer.at(points[:0], normals[:0])
    assert none.weight.shape == (3, 0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_masks_of_other_types(scenes: ModuleType, dtype: torch.dtype) -> None:
    mesh = scenes.sphere()
    views = scenes.views(mesh, scenes.ring(2))
    given = Observer(mesh, views.to("cpu", dtype), _linear(views)).at(*_on(mesh, 300))
    assert np.abs(given.weight - Observer(mesh, views, _linear(views)).at(*_on(mesh, 300)).weight).max() < 1e-2
