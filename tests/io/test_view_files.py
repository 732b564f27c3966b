"""Which files a set of views has, and what their pictures hold."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from meshopt.errors import InputError
from meshopt.io.camera_files import read_cameras
from meshopt.io.view_files import (
    LAYERS,
    ViewFiles,
    colour_image,
    encode_picture,
    files_of_cameras,
    files_of_rig,
    mask_image,
    normal_image,
    sheet_of,
)
from meshopt.rigs import load_rig, presets

PATHS = {
    "unique3d": ("rgb/001.png", "normals/001.png", "masks/right.png", "depth/right.npy"),
    "wonder3d": ("rgb/rgb_000_front_right.png", "normals/normals_000_front_right.png", "masks/front_right.png", None),
    "era3d": ("rgb/color_front_right_masked.png", "normals/normals_front_right_masked.png", None, None),
    "pshuman": ("rgb/color_front_right_masked.png", "normals/normals_front_right_masked.png", None, None),
    "zero123plus": ("rgb/colors.png", "normals/normals.png", "masks/masks.png", "depth/depth.npy"),
    "zero123plus-v1.1": ("rgb/colors.png", "normals/normals.png", "masks/masks.png", "depth/depth.npy"),
    "imagedream": ("rgb/001.png", "normals/001.png", "masks/front.png", "depth/front.npy"),
    "turntable:3": ("rgb/001.png", "normals/001.png", "masks/001.png", "depth/001.npy"),
}


def test_every_preset_is_looked_at() -> None:
    assert set(presets()) <= set(PATHS)


@pytest.mark.parametrize("name", PATHS)
def test_files_are_named_as_the_generator_names_them(name: str) -> None:
    rig = load_rig(name)
    files = files_of_rig(rig, 64)
    for layer, path in zip(LAYERS, PATHS[name], strict=True):
        assert path is None or files.path(layer, 1) == path
    stems = [Path(files.path("normals", view)).stem for view in range(len(rig.views))]
    assert not rig.files or files.sheet is not None or rig.matches_files(stems)
    assert files.frame == rig.normal_frame
    plain = files_of_rig(rig, 64, plain=True)
    assert plain.sheet is None
    assert [plain.path("normals", v) for v in range(2)] == [f"normals/{view.name}.png" for view in rig.views[:2]]


def test_a_sheet_has_views_row_by_row() -> None:
    files = files_of_rig(load_rig("zero123plus"), 8)
    assert files.cells == ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1))
    tiles = [np.full((8, 8, 3), view, np.uint8) for view in range(6)]
    sheet = sheet_of(tiles, files)
    assert sheet.shape == (24, 16, 3)
    assert sheet[::8, ::8, 0].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert files.paths(("rgb", "normals")) == ("cameras.json", "rgb/colors.png", "normals/normals.png")


def written(tmp_path: Path, data: dict[str, object], resolution: int = 100, plain: bool = False) -> ViewFiles:
    file = tmp_path / "cameras.json"
    file.write_text(json.dumps(data))
    return files_of_cameras(read_cameras(file), resolution, plain=plain)


def test_a_cameras_file_names_its_files(tmp_path: Path) -> None:
    views = [
        {"rgb": "images/a.JPG", "normal": "n/a_n.exr", "azimuth": 0},
        {"name": "../b c", "rgb": "b", "azimuth": 90, "half": [2, 1]},
        {"name": ".hidden", "azimuth": 180, "half": [1, 2]},
    ]
    files = written(tmp_path, {"views": views, "normal_frame": "camera"})
    assert [files.path("rgb", v) for v in range(3)] == ["rgb/a.png", "rgb/b.png", "rgb/_hidden.png"]
    assert [files.path("normals", v) for v in range(3)] == ["normals/a_n.png", "normals/b.png", "normals/_hidden.png"]
    assert files.path("masks", 1) == "masks/b_c.png"
    assert files.sizes == ((100, 100), (50, 100), (100, 50))
    assert files.frame == "camera"
    plain = written(tmp_path, {"views": views}, plain=True)
    assert plain.path("rgb", 0) == "rgb/000.png"
    assert plain.frame == "world"


def test_tiles_of_a_cameras_file(tmp_path: Path) -> None:
    views = [{"name": str(i), "azimuth": 90 * i, "tile": [0, i]} for i in range(2)]
    files = written(tmp_path, {"views": views, "sheet": [2, 2]}, 4)
    assert files.path("rgb", 0) == files.path("rgb", 1)
    sheet = sheet_of([np.ones((4, 4), np.uint8)] * 2, files)
    assert sheet.shape == (8, 8)
    assert sheet[4:].max() == 0
    back = json.loads(files.cameras_file(("rgb",), {}))
    assert back["sheet"] == [2, 2]
    assert [view["tile"] for view in back["views"]] == [[0, 0], [0, 1]]
    with pytest.raises(InputError, match="tiles of different shapes"):
        written(tmp_path, {"views": [views[0], views[1] | {"half": [1, 2]}]})


@pytest.mark.parametrize(
    ("views", "words"),
    [
        ([{"azimuth": 0, "type": "persp", "distance": 3, "fl_x": 50}], "no image size, expected 'w' and 'h'"),
        ([{"azimuth": 0, "rgb": "a/x.png"}, {"azimuth": 9, "rgb": "b/x.png"}], "two views' files are rgb/x, expected"),
    ],
)
def test_cameras_files_that_do_not_say_enough(tmp_path: Path, views: list[object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        written(tmp_path, {"views": views})


def test_colours_with_straight_alpha_or_before_a_background() -> None:
    rgb, alpha = np.full((1, 3, 3), 0.2, np.float32), np.array([[0, 0.5, 1]], np.float32)
    assert colour_image(rgb, alpha, None).tolist() == [[[255] * 3 + [0], [51] * 3 + [128], [51] * 3 + [255]]]
    assert colour_image(rgb, alpha, 255).tolist() == [[[255] * 3, [153] * 3, [51] * 3]]
    assert mask_image(alpha).tolist() == [[0, 128, 255]]


@pytest.mark.parametrize(("rig", "nothing"), [("wonder3d", 0), ("zero123plus", 128)])
def test_normals_are_told_in_the_rigs_frame(rig: str, nothing: int) -> None:
    """A wall that faces the camera: its own colour in the camera's frame, by azimuth in the front's."""
    files = files_of_rig(load_rig(rig), 1)
    expected = {0: (128, 128, 255), 45: (218, 128, 218), 90: (255, 128, 128), 180: (128, 128, 0), 270: (0, 128, 128)}
    for view, camera in enumerate(files.cameras):
        towards = camera.rotation[2][None, None].astype(np.float32).repeat(2, 1)
        image = normal_image(towards, np.array([[1.0, 0.0]], np.float32), files, view)
        azimuth = round(camera.azimuth)
        color = (128, 128, 255) if files.frame == "camera" else expected.get(azimuth, (37, 128, 218))
        assert np.abs(image[0, 0].astype(int) - [*color, 255]).max() <= (1 if rig == "zero123plus" else 0)  # 127.5 is 0
        assert image[0, 1].tolist() == [nothing] * 3 + [0]


def test_pictures_come_back() -> None:
    bytes_ = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_picture(bytes_)))), bytes_)
    floats = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    assert np.array_equal(np.load(io.BytesIO(encode_picture(floats))), floats)
