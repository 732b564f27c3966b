"""The rigs' cameras are where the generators' own code puts them, and bad rigs are refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from meshopt.errors import InputError
from meshopt.rigs import Rig, load_rig, presets, turntable, validated_rig

HORIZON_6 = [(0, 0), (45, 0), (90, 0), (180, 0), (270, 0), (315, 0)]
PLACES = {
    "unique3d": [(0, 0), (90, 0), (180, 0), (270, 0)],
    "wonder3d": HORIZON_6,
    "era3d": HORIZON_6,
    "pshuman": HORIZON_6,
    "zero123plus": [(30, 20), (90, -10), (150, 20), (210, -10), (270, 20), (330, -10)],
    "zero123plus-v1.1": [(30, 30), (90, -20), (150, 30), (210, -20), (270, 30), (330, -20)],
    "imagedream": [(270, 0), (0, 0), (90, 0), (180, 0)],
}
SETTINGS = {"title": "T", "projection": "orthographic", "views": [{"name": "a", "azimuth": 0}]}


@pytest.mark.parametrize("name", PLACES)
def test_cameras_stand_where_the_generator_says(name: str) -> None:
    rig = load_rig(name)
    assert [(v.azimuth, v.elevation) for v in rig.views] == PLACES[name]
    for camera, (azimuth, elevation) in zip(rig.cameras(), PLACES[name], strict=True):
        a, e = math.radians(azimuth), math.radians(elevation)
        back = np.array([math.sin(a) * math.cos(e), math.sin(e), math.cos(a) * math.cos(e)])
        np.testing.assert_allclose(camera.rotation[2], back, atol=1e-12)
        uv, _ = camera.project(np.zeros((1, 3)))
        np.testing.assert_allclose(uv, 0, atol=1e-12)


@pytest.mark.parametrize("name", ["unique3d", "wonder3d", "era3d", "pshuman"])
def test_orthographic_rigs_span_the_cube(name: str) -> None:
    rig = load_rig(name)
    assert rig.normal_frame == "front"
    for camera in rig.cameras():
        corner = camera.rotation.T @ np.array([1.0, 1.0, 0.0])
        uv, _ = camera.project(corner[None])
        np.testing.assert_allclose(uv, [[1, 1]], atol=1e-12)


@pytest.mark.parametrize(("name", "fov"), [("zero123plus", 30.0), ("zero123plus-v1.1", 49.13), ("imagedream", 49.1)])
def test_perspective_rigs_show_the_unit_disc(name: str, fov: float) -> None:
    rig = load_rig(name)
    assert rig.normal_frame == "camera"
    for camera in rig.cameras():
        assert camera.projection == "perspective"
        assert math.isclose(camera.half_extent[1], math.tan(math.radians(fov) / 2))
        uv, depth = camera.project(camera.rotation[1][None])  # one unit up, seen from the camera
        np.testing.assert_allclose(uv, [[0, 1]], atol=1e-6)
        assert math.isclose(depth[0], 1 / math.tan(math.radians(fov) / 2), rel_tol=1e-6)


def test_right_is_on_the_viewers_right() -> None:
    """The camera of `right` sees +X: the object's left side."""
    for name in ("unique3d", "wonder3d", "imagedream"):
        right = next(c for c in load_rig(name).cameras() if c.name == "right")
        np.testing.assert_allclose(right.rotation[2], [1, 0, 0], atol=1e-12)


def test_names_and_aliases() -> None:
    assert load_rig("zero123plus-v1.2") is load_rig("zero123plus")
    assert load_rig(" Wonder3D ").name == "wonder3d"
    assert load_rig("wonder3d").same_cameras(load_rig("era3d"))
    assert not load_rig("zero123plus").same_cameras(load_rig("zero123plus-v1.1"))
    assert turntable(4).same_cameras(load_rig("unique3d"))


def test_presets_are_complete() -> None:
    assert set(presets()) == set(PLACES)
    for rig in presets().values():
        assert rig.notes
        assert rig.title
        assert all(rows * columns == len(rig.views) for rows, columns in rig.sheets)


def test_file_patterns() -> None:
    wonder, era = load_rig("wonder3d"), load_rig("era3d")
    assert wonder.matches_files(["rgb_000_front", "normals_017_front_left"])
    assert not wonder.matches_files(["rgb_000_front", "front"])
    assert era.matches_files(["color_front_masked", "normals_right_masked"])
    assert not era.matches_files(["rgb_000_front"])


def test_turntable() -> None:
    rig = load_rig("turntable:8")
    assert [view.azimuth for view in rig.views] == [45.0 * k for k in range(8)]
    assert [view.name for view in rig.views][:2] == ["000", "001"]
    assert len({view.name for view in turntable(720).views}) == 720
    assert (2, 4) in rig.sheets
    assert rig.sheets[-1] in ((1, 8), (8, 1))
    assert len(load_rig("turntable:1").cameras()) == 1


@pytest.mark.parametrize("name", ["turntable", "turntable:0", "turntable:-3", "turntable:x", "turntable:721"])
def test_bad_turntables(name: str) -> None:
    with pytest.raises(InputError, match=r"expected turntable:N"):
        load_rig(name)


def test_unknown_rig_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"'wonder3' is neither .*did you mean wonder3d\?.*turntable:N"):
        load_rig("wonder3")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"azimut": 3}, "azimut"),
        ({"projection": "fisheye"}, "projection.*'fisheye'"),
        ({"projection": "perspective"}, "needs fov"),
        ({"half_extent": 0}, "half_extent.*greater than 0, found 0"),
        ({"views": []}, "views"),
        ({"views": [{"name": "a", "azimuth": 0, "elevation": 95}]}, r"views\.0\.elevation"),
        ({"views": [{"name": "a", "azimuth": 0}] * 2}, "same name"),
        ({"sheets": [[2, 2]]}, "rows times columns must be its number of views, 1"),
        ({"normal_frame": "object"}, "normal_frame"),
    ],
)
def test_bad_rig_files(change: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=f"rig test: .*{words}"):
        validated_rig("test", {**SETTINGS, **change})


def test_a_rig_file_must_be_a_mapping() -> None:
    with pytest.raises(InputError, match="found list, expected a mapping"):
        validated_rig("test", [1])
    assert isinstance(validated_rig("test", SETTINGS), Rig)
