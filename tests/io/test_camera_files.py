"""Cameras files: what is written comes back, both formats mean what their description says, errors say
where.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.io.camera_files import CameraFile, read_cameras, save_cameras

ORTHO = {"name": "a", "azimuth": 30, "elevation": 10, "type": "ortho", "half": 1.2}
PERSP = {"name": "b", "azimuth": 200, "type": "perspective", "fov": 40, "distance": 3}


def write(tmp_path: Path, data: Any, name: str = "cameras.json") -> Path:
    path = tmp_path / name
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def read(tmp_path: Path, *views: dict[str, Any], **common: Any) -> CameraFile:
    return read_cameras(write(tmp_path, {"views": list(views), **common}))


def same(a: Camera, b: Camera, tolerance: float = 0.0) -> bool:
    return (
        a.projection == b.projection
        and np.allclose(a.world_to_camera, b.world_to_camera, atol=tolerance, rtol=0)
        and np.allclose(a.half_extent, b.half_extent, atol=tolerance, rtol=tolerance)
        and np.allclose(a.centre, b.centre, atol=tolerance, rtol=0)
    )


ANGLES = st.tuples(st.floats(-180, 540), st.floats(-90, 90))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(ANGLES, st.booleans(), st.floats(0.01, 50), st.floats(-1, 1)), min_size=1, max_size=5))
def test_round_trip_to_the_last_bit(tmp_path_factory: Any, views: list[Any]) -> None:
    cameras = []
    for i, ((azimuth, elevation), flat, size, shift) in enumerate(views):
        fov = None if flat else min(size, 49) * 3
        camera = Camera.orbit(f"v{i}", azimuth, elevation, half_extent=size, fov=fov, distance=1 + size)
        cameras.append(replace(camera, centre=(shift, shift / 3)))
    path = tmp_path_factory.mktemp("c") / "cameras.json"
    names = [(f"{i}.png", None) for i in range(len(cameras))]
    save_cameras(path, cameras, files=names, normal_frame="front", normal_axes="opencv")
    found = read_cameras(path)
    assert found.normal_frame == "front"
    assert found.normal_axes == "opencv"
    for i, (entry, camera) in enumerate(zip(found.entries, cameras, strict=True)):
        assert same(entry.camera_for(640, 480), camera)
        assert (entry.camera.name, entry.rgb, entry.normals) == (camera.name, f"{i}.png", None)


def test_angles_mean_what_a_rig_means(tmp_path: Path) -> None:
    found = read(tmp_path, ORTHO, PERSP)
    assert same(found.entries[0].camera_for(512, 512), Camera.orbit("a", 30, 10, half_extent=1.2))
    assert same(found.entries[1].camera_for(512, 512), Camera.orbit("b", 200, fov=40, distance=3), 1e-15)


def test_common_values_stand_outside_the_views(tmp_path: Path) -> None:
    views = [{"azimuth": 90 * k} for k in range(4)]
    found = read(tmp_path, *views, type="persp", fov=30, distance=4.0, elevation=5)
    assert [entry.camera.name for entry in found.entries] == ["000", "001", "002", "003"]
    assert same(found.entries[1].camera_for(9, 9), Camera.orbit("", 90, 5, fov=30, distance=4), 1e-15)


def test_matrices(tmp_path: Path) -> None:
    camera = Camera.orbit("a", 77, -12, half_extent=2.0, distance=5)
    to_world = np.linalg.inv(camera.world_to_camera)
    for key, matrix in (("world_to_camera", camera.world_to_camera), ("camera_to_world", to_world)):
        found = read(tmp_path, {"name": "a", key: matrix.tolist(), "half": 2.0})
        assert same(found.entries[0].camera_for(64, 64), camera, 1e-12)
    rounded = {"name": "a", "camera_to_world": np.round(to_world, 5).tolist(), "half": 2.0}
    rotation = read(tmp_path, rounded).entries[0].camera.rotation
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)


def test_z_up(tmp_path: Path) -> None:
    """Blender's front camera (at -Y, up Z) is the front camera here."""
    to_world = [[1, 0, 0, 0], [0, 0, -1, -10], [0, 1, 0, 0], [0, 0, 0, 1]]
    found = read(tmp_path, {"camera_to_world": to_world}, up="z").entries[0].camera_for(8, 8)
    assert same(found, Camera.orbit("front", 0))


def test_half_and_fov_are_vertical_with_square_pixels(tmp_path: Path) -> None:
    found = read(tmp_path, ORTHO, PERSP)
    assert np.allclose(found.entries[0].camera_for(200, 100).half_extent, (2.4, 1.2))
    tangent = math.tan(math.radians(20))
    assert np.allclose(found.entries[1].camera_for(50, 100).half_extent, (tangent / 2, tangent))


@pytest.mark.parametrize("sized", [True, False])
def test_pixel_intrinsics(tmp_path: Path, sized: bool) -> None:
    """A point projects to the pixel that the pinhole formula gives."""
    lens = {"fl_x": 120.0, "fl_y": 110.0, "cx": 50.0, "cy": 30.0, **({"w": 80, "h": 60} if sized else {})}
    pose = np.eye(4)
    pose[2, 3] = 4.0
    found = read(tmp_path, {"camera_to_world": pose.tolist(), "type": "persp", **lens})
    camera = found.entries[0].camera_for(80, 60)
    x, y, depth = 0.7, 0.4, 3.0
    (uv,), (z,) = camera.project(np.array([[x, y, 4.0 - depth]]))
    assert math.isclose(z, depth)
    assert math.isclose((uv[0] + 1) / 2 * 80, 120 * x / depth + 50)
    assert math.isclose((1 - uv[1]) / 2 * 60, 30 - 110 * y / depth)


def nerf(*frames: dict[str, Any], **common: Any) -> dict[str, Any]:
    front = [[1, 0, 0, 0], [0, 0, -1, -4], [0, 1, 0, 0], [0, 0, 0, 1]]
    return {**common, "frames": [{"transform_matrix": front, **frame} for frame in frames]}


def test_nerf_transforms(tmp_path: Path) -> None:
    data = nerf({"file_path": "./train/r_0"}, {"file_path": "train/r_1.png"}, camera_angle_x=0.8)
    found = read_cameras(write(tmp_path, data, "transforms.json"))
    assert [e.camera.name for e in found.entries] == ["r_0", "r_1.png"]
    assert [e.rgb for e in found.entries] == ["./train/r_0", "train/r_1.png"]
    camera = found.entries[0].camera_for(200, 100)
    np.testing.assert_allclose(camera.rotation, np.eye(3), atol=1e-12)  # z-up front is our front
    np.testing.assert_allclose(camera.position, [0, 0, 4], atol=1e-12)
    assert np.allclose(camera.half_extent, (math.tan(0.4), math.tan(0.4) / 2))


def test_nerf_intrinsics_per_frame(tmp_path: Path) -> None:
    lens = {"fl_x": 100.0, "cx": 60.0, "cy": 45.0, "w": 120, "h": 90}
    data = nerf({"file_path": "a.png"}, {"file_path": "b.png", "fl_x": 200.0}, **lens, up="y")
    a, b = (entry.camera_for(1, 1) for entry in read_cameras(write(tmp_path, data)).entries)
    assert np.allclose(a.half_extent, (0.6, 0.45))
    assert np.allclose(b.half_extent, (0.3, 0.225))
    assert a.centre == b.centre == (0.0, 0.0)
    np.testing.assert_allclose(a.rotation[2], [0, -1, 0], atol=1e-12)  # left as it is


def test_stated_frames(tmp_path: Path) -> None:
    assert read(tmp_path, {**ORTHO, "frame": "camera"}, PERSP).normal_frame == "camera"
    assert read(tmp_path, ORTHO, normal_frame="world", normal_axes="+x-y+z").normal_axes == "directx"
    assert read(tmp_path, ORTHO).normal_frame is None


def test_tiles(tmp_path: Path) -> None:
    views = [{"azimuth": 90 * k, "tile": [k // 2, k % 2]} for k in range(4)]
    assert read(tmp_path, *views).sheet == (2, 2)
    assert read(tmp_path, *views, sheet=[3, 2]).sheet == (3, 2)
    for bad in ([1, 2], [2], "2x2", [2.0, 2]):
        with pytest.raises(InputError, match="expected a 'tile' for every view, inside the 'sheet'"):
            read(tmp_path, *views, sheet=bad)
    with pytest.raises(InputError, match="expected a 'tile' for every view"):
        read(tmp_path, *views[:3], {"azimuth": 1})


SKEW = [[1, 0.1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
MIRROR = [[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (
            {"name": "x"},
            "view 'x': 'azimuth' is missing, expected a number in degrees, or else 'camera_to_world'",
        ),
        ({"azimuth": "ten"}, "view 0: 'azimuth' is ten, expected a number"),
        ({"azimuth": True}, "'azimuth' is True, expected a number"),
        ({"azimuth": float("nan")}, "'azimuth' is nan, expected a number"),
        ({"azimuth": 0, "elevation": 91}, "'elevation' is 91, expected a number from -90 to 90"),
        ({"azimuth": 0, "type": "fisheye"}, "'type' is fisheye, expected 'orthographic' or 'perspective'"),
        ({"azimuth": 0, "half": -1}, "'half' is -1, expected a number from 1e-09 to"),
        ({"azimuth": 0, "half": [1]}, r"'half' is \[1\], expected two numbers"),
        ({"azimuth": 0, "type": "persp"}, "'distance' is missing"),
        (
            {"azimuth": 0, "type": "persp", "distance": 2},
            "'fov' is missing, expected the full vertical field of view",
        ),
        ({"azimuth": 0, "fov": 180}, "'fov' is 180, expected a number from 0.01 to 179"),
        ({"azimuth": 0, "name": 3}, "'name' is 3, expected text"),
        ({"camera_to_world": 5}, "'camera_to_world' is 5, expected a 4 x 4 matrix"),
        ({"camera_to_world": [[1, 2], [3]]}, "expected a 4 x 4 matrix"),
        ({"camera_to_world": SKEW}, "expected a rotation and a shift"),
        ({"world_to_camera": MIRROR}, "'world_to_camera' .*expected a rotation and a shift"),
        ({"world_to_camera": (2 * np.eye(4)).tolist()}, "last row 0 0 0 1"),
        (7, "view 0 is 7, expected an object"),
    ],
)
def test_bad_views(tmp_path: Path, view: Any, words: str) -> None:
    path = write(tmp_path, {"views": [view]})
    with pytest.raises(InputError, match=f"cameras file .*cameras.json: .*{words}"):
        read_cameras(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ([], "neither a list 'views'"),
        ({"views": []}, "lists no views"),
        ({"views": 3}, "neither a list 'views'"),
        ({"frames": []}, "lists no views"),
        ({"views": [ORTHO, ORTHO]}, "two views are named 'a'"),
        ({"views": [ORTHO], "up": "x"}, "'up' is 'x', expected 'y' or 'z'"),
        (
            {"views": [{**ORTHO, "frame": "camera"}, {**PERSP, "frame": "world"}]},
            "different frames of normals",
        ),
        ({"views": [ORTHO], "normal_frame": "object"}, "object"),
        ({"views": [ORTHO], "normal_axes": "+x+x+z"}, "axis convention"),
        ({"views": [ORTHO], "normal_axes": 3}, "'normal_axes' is 3"),
        (nerf({"file_path": "a"}), "'camera_angle_x' is missing, expected the full horizontal .* or else 'fl_x'"),
        (nerf({}), "'file_path' is missing"),
        ({"frames": [{"file_path": "a"}]}, "'transform_matrix' is missing"),
    ],
)
def test_bad_files(tmp_path: Path, data: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_cameras(write(tmp_path, data))
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.json cannot be read: No such file"):
        read_cameras(tmp_path / "no.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_cameras(tmp_path)
