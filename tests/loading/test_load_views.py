"""`load_views` from files on disk to world normals, masks and colours, for every rig and kind of input."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.io.camera_files import save_cameras
from meshopt.rigs import load_rig
from meshopt.views import MAX_RESOLUTION, LoadOptions, ViewSet, default_resolution, load_views

Writer = Callable[..., Any]
WONDER = load_rig("wonder3d")
UNIQUE = load_rig("unique3d")
ZERO = load_rig("zero123plus")
NUMBERS = [f"{i:03d}.png" for i in range(6)]
NAMES = [f"{view.name}.png" for view in WONDER.views]


def angles(found: ViewSet, truth: list[Any]) -> np.ndarray:
    """Degrees between loaded and true normals where the view is fully covered."""
    inside = np.stack([view.alpha for view in truth]) > 0.99
    a, b = found.normals.numpy()[inside], np.stack([view.normals for view in truth])[inside]
    return np.degrees(np.arccos(np.clip((a * b).sum(-1), -1, 1)))


def check(found: ViewSet, truth: list[Any], mask: float = 0.02, colour: float = 0.01) -> None:
    """Normals, masks and colours are the truth's, and the promises of ViewSet hold."""
    masks, normals = found.masks.numpy(), found.normals.numpy()
    assert masks.dtype == normals.dtype == np.float32
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert np.median(angles(found, truth)) < 0.5
    assert np.quantile(angles(found, truth), 0.99) < 3
    assert np.abs(masks - np.stack([v.alpha for v in truth])).mean() < mask
    length = np.linalg.norm(normals, axis=-1)
    np.testing.assert_allclose(length[masks > 0.9], 1, atol=1e-4)
    assert (normals[masks == 0] == 0).all()
    if found.rgb is not None:
        inside = np.stack([v.alpha for v in truth]) > 0.99
        error = np.abs(found.rgb.numpy() - np.stack([v.rgb for v in truth]))[inside]
        assert error.mean() < colour
        assert (found.rgb.numpy()[masks == 0] == 0).all()


@pytest.mark.parametrize("rig", ["unique3d", "auto"])
def test_unique3d(tmp_path: Path, write_views: Writer, rig: str) -> None:
    truth = write_views(UNIQUE.cameras(), NUMBERS[:4])
    found = load_views(tmp_path / "rgb", tmp_path / "normals", rig)
    assert found.rig == "unique3d"
    assert found.resolution == (64, 64)
    assert [c.name for c in found.cameras] == ["front", "right", "back", "left"]
    check(found, truth)


@pytest.mark.parametrize("rig", ["wonder3d", "auto"])
def test_wonder3d_mixed_folder(tmp_path: Path, write_views: Writer, rig: str) -> None:
    names = [f"000_{name}" for name in NAMES]
    truth = write_views(WONDER.cameras(), names, prefixes=("rgb_", "normals_"))
    found = load_views(tmp_path, rig=rig)
    assert found.rig == "wonder3d"
    assert found.sources[4].rgb == "rgb_000_left.png"
    assert found.sources[4].normals == "normals_000_left.png"
    assert any("by name" in note for note in found.notes)
    check(found, truth)


def test_era3d_is_told_by_its_file_names(tmp_path: Path, write_views: Writer) -> None:
    names = [f"{view.name}_masked.png" for view in WONDER.views]
    truth = write_views(WONDER.cameras(), names, prefixes=("color_", "normals_"))
    found = load_views(tmp_path)
    assert found.rig == "era3d"
    assert any("pshuman and wonder3d: the same cameras" in note for note in found.notes)
    check(found, truth)


@pytest.mark.parametrize("rig", ["zero123plus", "auto"])
def test_zero123plus(tmp_path: Path, write_views: Writer, rig: str) -> None:
    truth = write_views(ZERO.cameras(), NUMBERS, frame="camera")
    found = load_views(tmp_path, rig=rig)
    assert found.rig == "zero123plus"
    assert all(camera.projection == "perspective" for camera in found.cameras)
    check(found, truth)


def test_six_numbers_with_turning_normals_are_no_zero123plus(tmp_path: Path, write_views: Writer) -> None:
    """Six numbered files in the front frame: the mean normals follow Wonder3D's azimuths."""
    truth = write_views(WONDER.cameras(), NUMBERS)
    found = load_views(tmp_path)
    assert found.rig == "wonder3d"
    assert any("turn with the cameras" in note for note in found.notes)
    check(found, truth)


def test_turntable(tmp_path: Path, write_views: Writer) -> None:
    cameras = load_rig("turntable:5").cameras()
    truth = write_views(cameras, [f"view_{i}.png" for i in range(1, 6)], frame="camera")
    check(load_views(tmp_path, rig="turntable:5"), truth)
    with pytest.raises(InputError, match=r"5 numbered views, which fits no preset: say --rig turntable:5"):
        load_views(tmp_path)


@pytest.mark.parametrize("background", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("matting", ["auto", "normals", "background"])
def test_without_alpha(tmp_path: Path, write_views: Writer, background: float, matting: str) -> None:
    truth = write_views(UNIQUE.cameras(), NUMBERS[:4], background=background)
    found = load_views(tmp_path, rig="unique3d", options=LoadOptions(matting=matting))
    expected = "the colour image's solid background" if matting == "background" else "the normal map's background"
    assert any(expected in note for note in found.notes)
    check(found, truth, mask=0.03, colour=0.03)


def test_jpeg(tmp_path: Path, write_views: Writer) -> None:
    truth = write_views(UNIQUE.cameras(), NUMBERS[:4], background=1.0, size=128)
    for file in [*tmp_path.glob("*/*.png")]:
        Image.open(file).save(file.with_suffix(".jpg"), quality=92)
        file.unlink()
    for matting in ("auto", "background"):
        found = load_views(tmp_path, rig="unique3d", options=LoadOptions(matting=matting))
        assert np.median(angles(found, truth)) < 2
        solid = np.stack([v.alpha for v in truth]) > 0.5
        seen = found.masks.numpy() > 0.5
        assert (solid & seen).sum() / (solid | seen).sum() > 0.98


def test_normals_alone(tmp_path: Path, write_views: Writer) -> None:
    truth = write_views(WONDER.cameras(), NAMES, colours=False)
    found = load_views(None, tmp_path / "normals", "wonder3d")
    assert found.rgb is None
    check(found, truth)


def test_float_normals(tmp_path: Path, write_views: Writer) -> None:
    truth = write_views(UNIQUE.cameras(), NUMBERS[:4], background=1.0)
    for i, view in enumerate(truth):
        (tmp_path / "normals" / NUMBERS[i]).unlink()
        np.save(tmp_path / "normals" / f"{i:03d}.npy", view.normals * view.alpha[..., None])
    check(load_views(tmp_path, rig="unique3d"), truth, mask=0.03, colour=0.03)


def test_16_bit_normals_are_finer(tmp_path: Path, write_views: Writer) -> None:
    truth = write_views(UNIQUE.cameras(), NUMBERS[:4])
    coarse = angles(load_views(tmp_path, rig="unique3d"), truth).mean()
    for i, view in enumerate(truth):
        rgba = np.concatenate([view.normals * 0.5 + 0.5, view.alpha[..., None]], -1)
        cv2.imwrite(
            str(tmp_path / "normals" / NUMBERS[i]),
            np.round(rgba * 65535).astype(np.uint16)[..., [2, 1, 0, 3]],
        )
    fine = angles(load_views(tmp_path, rig="unique3d"), truth).mean()
    assert fine < coarse / 5


@pytest.mark.parametrize(("rig", "shape"), [(UNIQUE, (2, 2)), (WONDER, (2, 3)), (WONDER, (3, 2)), (ZERO, (3, 2))])
def test_sheets(tmp_path: Path, write_views: Writer, rig: Any, shape: tuple[int, int]) -> None:
    frame = "camera" if rig is ZERO else "world"
    truth = write_views(rig.cameras(), NUMBERS[: len(rig.views)], frame=frame)
    for kind in ("rgb", "normals"):
        tiles = [np.asarray(Image.open(tmp_path / kind / NUMBERS[i])) for i in range(len(rig.views))]
        rows = [np.concatenate(tiles[r * shape[1] : (r + 1) * shape[1]], 1) for r in range(shape[0])]
        Image.fromarray(np.concatenate(rows)).save(tmp_path / f"{kind}_sheet.png")
    for name in ("auto", rig.name):
        found = load_views(tmp_path / "rgb_sheet.png", tmp_path / "normals_sheet.png", name)
        assert found.rig == rig.name
        assert found.sources[1].normals == "normals_sheet.png tile 2"
        check(found, truth)


@pytest.mark.parametrize("background", [None, 0.5])
def test_one_view_is_no_sheet(tmp_path: Path, write_views: Writer, background: float | None) -> None:
    """A square image could be a sheet of four views, but the object would run on across the cuts."""
    truth = write_views(UNIQUE.cameras()[:1], ["front.png"], background=background)
    found = load_views(tmp_path)
    assert found.rig == "turntable:1"
    assert "front.png is one view, not a sheet" in found.notes[0]
    check(found, truth)
    assert len(load_views(tmp_path / "rgb" / "front.png", tmp_path / "normals" / "front.png", "turntable:1")) == 1
    with pytest.raises(InputError, match=r"front\.png shows one view, but rig unique3d expects .* --rig turntable:1"):
        load_views(tmp_path, rig="unique3d")
    with pytest.raises(InputError, match=r"does not divide into the 6 square views .* --rig turntable:1"):
        load_views(tmp_path, rig="wonder3d")


def test_files_that_no_camera_uses_are_named(tmp_path: Path, write_views: Writer) -> None:
    write_views(UNIQUE.cameras(), NUMBERS[:4])
    save_cameras(tmp_path / "cameras.json", UNIQUE.cameras()[:3], files=[(n, n) for n in NUMBERS[:3]])
    found = load_views(tmp_path)
    assert len(found) == 3
    assert any("normal maps as the cameras file names them (003.png left over)" in note for note in found.notes)


def test_sizes_may_differ(tmp_path: Path, write_views: Writer) -> None:
    """Normals at half the size of the colours; one tile a pixel off square."""
    truth = write_views(UNIQUE.cameras(), NUMBERS[:4], size=96)
    small = write_views(UNIQUE.cameras(), NUMBERS[:4], size=48, folder=tmp_path / "small")
    found = load_views(tmp_path / "rgb", tmp_path / "small" / "normals", "unique3d")
    assert found.resolution == (96, 96)
    assert np.median(angles(found, truth)) < 2.5
    assert np.abs(found.masks.numpy() - np.stack([v.alpha for v in truth])).mean() < 0.02
    half = load_views(tmp_path / "rgb", tmp_path / "normals", "unique3d", options=LoadOptions(resolution=48))
    assert np.abs(half.masks.numpy() - np.stack([v.alpha for v in small])).mean() < 0.005
    assert np.median(angles(half, small)) < 1.0
    file = tmp_path / "rgb" / "001.png"
    Image.open(file).resize((96, 97), Image.Resampling.BILINEAR).save(file)
    assert load_views(tmp_path, rig="unique3d").resolution == (97, 97)


def test_default_resolution_is_bounded() -> None:
    assert default_resolution([[(512, 500)]]) == 512
    assert default_resolution([[(256, 256), (3000, 3000)]] * 4) == MAX_RESOLUTION
    assert default_resolution([[(3000, 3000)]] * 64) ** 2 * 64 <= 32 * 1024 * 1024


GENERAL = (
    Camera.orbit("a", 20, 15, half_extent=1.0),
    Camera.orbit("b", 140, -20, fov=35, distance=4.0),
    Camera.orbit("c", 250, 40, fov=50, distance=3.0),
    Camera.orbit("d", 320, -5, half_extent=1.3),
)


@pytest.mark.parametrize("place", ["inside", "beside", "given"])
def test_cameras_file(tmp_path: Path, write_views: Writer, place: str) -> None:
    """Orthographic and perspective cameras together; the file lies in the folder, above it, or is named."""
    names = [f"{c.name}.png" for c in GENERAL]
    truth = write_views(GENERAL, names, frame="camera")
    path = {"inside": tmp_path / "rgb" / "cameras.json", "beside": tmp_path / "cameras.json"}.get(
        place, tmp_path / "else.json"
    )
    save_cameras(path, GENERAL, files=[(n, n) for n in names], normal_frame="camera")
    found = load_views(tmp_path / "rgb", tmp_path / "normals", str(path) if place == "given" else "auto")
    assert found.rig == str(path)
    assert found.scale == 1.0
    assert found.offset == (0.0, 0.0, 0.0)
    check(found, truth)


def test_any_scene_comes_into_the_cube(tmp_path: Path, write_views: Writer) -> None:
    """Cameras of a scene 40 times as large and far away: the same images, and scale and offset that lead
    back.
    """
    names = [f"{c.name}.png" for c in GENERAL]
    truth = write_views(GENERAL, names, frame="camera")
    shift = np.array([100.0, -30.0, 7.0])
    moved = [c.transformed(1.0, np.zeros(3)) for c in GENERAL]
    moved = [c.transformed(40.0, -shift / 40.0) for c in moved]
    save_cameras(tmp_path / "cameras.json", moved, normal_frame="camera")
    found = load_views(tmp_path)
    check(found, truth)
    points = np.random.default_rng(1).uniform(-0.5, 0.5, (20, 3))
    scene = (points * 40 + shift - found.offset) / found.scale
    assert np.abs(scene).max() < 1
    for camera, original in zip(found.cameras, GENERAL, strict=True):
        np.testing.assert_allclose(camera.project(scene)[0], original.project(points)[0], atol=1e-9)
    surface = np.array([[0.6, 0.2, 0.0], [0.45, -0.65, 0.2], [-0.72, 0.05, 0.3], [0.1, 0.7, 0]])
    scene = (surface * 40 + shift - found.offset) / found.scale
    assert 0.6 < np.abs(scene).max() <= 1


def test_one_view(tmp_path: Path, write_views: Writer) -> None:
    truth = write_views(GENERAL[:1], ["a.png"], frame="camera")
    save_cameras(tmp_path / "cameras.json", GENERAL[:1], normal_frame="camera")
    check(load_views(tmp_path), truth)


def test_images_that_are_not_square(tmp_path: Path, write_views: Writer, cast: Any) -> None:
    """A camera of a wide image: padded to a square, and still the same rays through the same colours."""
    truth = write_views(GENERAL[:3], ["a.png", "b.png", "c.png"], frame="camera", size=64)
    for kind in ("rgb", "normals"):
        for file in (tmp_path / kind).iterdir():
            Image.open(file).crop((0, 8, 64, 57)).save(file)  # 64 x 49: rows 8 to 56
    rows = np.array([8, 57])
    v = 1 - 2 * rows / 64
    entries = []
    for camera in GENERAL[:3]:
        h = camera.half_extent[0]
        half, middle = h * (v[0] - v[1]) / 2, (v[0] + v[1]) / 2
        centre = (0.0, -middle / ((v[0] - v[1]) / 2))
        entries.append(replace(camera, half_extent=(h, half), centre=centre))
    save_cameras(tmp_path / "cameras.json", entries, normal_frame="camera")
    found = load_views(tmp_path)
    assert found.resolution == (64, 64)
    for camera, image in zip(found.cameras, found.masks.numpy(), strict=True):
        again = cast(camera, 64).alpha
        inside = slice(8, 56)
        assert np.abs(again - image)[inside].mean() < 0.01
    assert len(truth) == 3


def test_nerf_transforms(tmp_path: Path, write_views: Writer) -> None:
    """z-up matrices, file names without suffix, normals paired by the colours' names."""
    cameras = [c for c in GENERAL if c.projection == "perspective"]
    truth = write_views(cameras, ["r_0.png", "r_1.png"], frame="camera")
    for i in range(2):
        (tmp_path / "normals" / f"r_{i}.png").rename(tmp_path / "normals" / f"r_{i}_normal_0001.png")
    to_z_up = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    frames = [
        {
            "file_path": f"./rgb/r_{i}",
            "transform_matrix": (to_z_up @ np.linalg.inv(c.world_to_camera)).tolist(),
            "fl_x": 32 / c.half_extent[0],
            "w": 64,
            "h": 64,
        }
        for i, c in enumerate(cameras)
    ]
    (tmp_path / "transforms.json").write_text(json.dumps({"frames": frames[::-1]}))
    found = load_views(tmp_path)
    assert [s.normals for s in found.sources] == ["r_1_normal_0001.png", "r_0_normal_0001.png"]
    check(found, truth[::-1])
