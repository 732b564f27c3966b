"""What cannot be used is refused with one sentence that names the file, the found, the expected and the
flag.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from meshopt.errors import InputError
from meshopt.io.camera_files import save_cameras
from meshopt.rigs import load_rig
from meshopt.views import LoadOptions, load_views

Writer = Callable[..., Any]
UNIQUE = load_rig("unique3d").cameras()
NUMBERS = [f"{i:03d}.png" for i in range(4)]


@pytest.fixture
def folder(tmp_path: Path, write_views: Writer) -> Path:
    """A sound set of four views, 32 pixels."""
    write_views(UNIQUE, NUMBERS, size=32)
    return tmp_path


def refused(folder: Path, words: str, rig: str = "unique3d", **options: Any) -> None:
    with pytest.raises(InputError, match=words) as caught:
        load_views(folder / "rgb", folder / "normals", rig, options=LoadOptions(**options))
    assert "\n" not in str(caught.value)


def test_missing_view(folder: Path) -> None:
    (folder / "normals" / "002.png").unlink()
    refused(folder, r"normal maps in .*normals: found 3 \(000\.png, .*\), but rig unique3d has 4 views")


def test_wrong_rig(folder: Path) -> None:
    refused(folder, r"found 4 .* but rig wonder3d has 6 views; .* another --rig", "wonder3d")
    refused(folder, r"found 4 .* but rig zero123plus has 6 views", "zero123plus")
    refused(folder, r"'unique' is neither a preset nor a cameras file \(did you mean unique3d\?\)", "unique")
    refused(folder, r"cameras file .*none\.json cannot be read: No such file", "none.json")
    refused(folder, r"cameras file .*000\.png is not valid JSON", str(folder / "rgb" / "000.png"))


def test_names_that_do_not_fit(tmp_path: Path, write_views: Writer) -> None:
    write_views(UNIQUE, ["front.png", "right.png", "back.png", "top.png"], size=32)
    with pytest.raises(InputError, match=r"'left' of rig unique3d has no file \(and top\.png names no view of it\)"):
        load_views(tmp_path, rig="unique3d")
    with pytest.raises(InputError, match=r"4 files such as back\.png fit no preset by name or number; say --rig"):
        load_views(tmp_path)


def test_damaged_images(folder: Path) -> None:
    file = folder / "normals" / "001.png"
    data = file.read_bytes()
    for content, words in (
        (b"", r"normals/001\.png is empty \(0 bytes\)"),
        (data[: len(data) // 2], r"normals/001\.png is damaged or truncated"),
        (b"GIF or something", r"normals/001\.png is not an image"),
    ):
        file.write_bytes(content)
        refused(folder, words)


def test_huge_image(folder: Path) -> None:
    refused(folder, r"rgb/000\.png is 32 x 32 pixels, more than the limit", max_pixels=1000)


@pytest.mark.parametrize(
    ("alpha", "words"),
    [(0, "is empty: it covers nothing"), (255, "neither alpha nor a solid background was found")],
)
def test_masks_that_are_none(folder: Path, alpha: int, words: str) -> None:
    """Alpha 0 everywhere; and pictures without any background."""
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 4)).astype(np.uint8)
    noise[..., 3] = alpha
    for kind in ("rgb", "normals"):
        Image.fromarray(noise).save(folder / kind / "001.png")
    refused(folder, f"view 'right'.*{words}.*--matting")


def test_full_mask(folder: Path) -> None:
    values = np.full((32, 32, 4), 200, np.uint8)
    values[0, 0, 3] = 0
    Image.fromarray(values).save(folder / "normals" / "000.png")
    refused(folder, "view 'front': the mask from the normal map's alpha .*is full", matting="alpha")


@pytest.mark.parametrize(
    ("matting", "words"),
    [
        ("alpha", "no alpha channel was found"),
        ("rembg", "--matting rembg needs --matting-model"),
        ("magic", r"--matting 'magic' is unknown: expected one of auto, alpha, normals"),
    ],
)
def test_matting(tmp_path: Path, write_views: Writer, matting: str, words: str) -> None:
    write_views(UNIQUE, NUMBERS, size=32, background=1.0)
    refused(tmp_path, words, matting=matting)


def test_matting_without_its_source(tmp_path: Path, write_views: Writer) -> None:
    write_views(UNIQUE, NUMBERS, size=32, background=1.0, colours=False)
    with pytest.raises(InputError, match="the colour image is missing or its border shows no solid background"):
        load_views(None, tmp_path / "normals", "unique3d", options=LoadOptions(matting="background"))


def test_nan_in_float_normals(folder: Path) -> None:
    (folder / "normals" / "003.png").unlink()
    values = np.zeros((32, 32, 3), np.float32)
    values[3, 4] = np.nan
    np.save(folder / "normals" / "003.npy", values)
    refused(folder, r"003\.npy holds NaN or infinity in 1 of 1024 pixels")


def test_numbers_that_are_no_vectors(folder: Path) -> None:
    (folder / "normals" / "003.png").unlink()
    np.save(folder / "normals" / "003.npy", np.full((32, 32, 3), 200.0, np.float32))
    refused(folder, r"003\.npy: a normal map holds values from 0 to 200")


def test_shapes(folder: Path) -> None:
    Image.new("RGBA", (32, 40)).save(folder / "rgb" / "002.png")
    refused(folder, r"rgb/002\.png is 32 x 40 pixels, but the rig's views are square: crop or pad it")
    save_cameras(folder / "cameras.json", UNIQUE)
    for kind in ("rgb", "normals"):
        for path, camera in zip(sorted((folder / kind).iterdir()), UNIQUE, strict=True):
            path.rename(path.with_stem(camera.name))
    refused(
        folder,
        r"view 'back': .*rgb/back\.png is 32 x 40 .* and .*normals/back\.png is 32 x 32: expected",
        "auto",
    )


def test_sheet_that_does_not_divide(tmp_path: Path) -> None:
    Image.new("RGB", (100, 64)).save(tmp_path / "normals_a.png")
    with pytest.raises(InputError, match=r"100 x 64 pixels, which does not divide into the 4 square views of rig"):
        load_views(None, tmp_path / "normals_a.png", "unique3d")
    with pytest.raises(InputError, match=r"one image of 100 x 64 pixels, which is no preset's sheet"):
        load_views(None, tmp_path / "normals_a.png")


def test_six_numbers_that_could_be_anything(tmp_path: Path) -> None:
    """Normals that point in no direction that a rig predicts: the candidates are named."""
    rng = np.random.default_rng(2)
    (tmp_path / "n").mkdir()
    for i in range(6):
        angle = rng.uniform(0, 6.28)
        colour = np.array([np.sin(angle), 0, np.cos(angle)]) * 0.5 + 0.5
        image = np.full((32, 32, 3), 128, np.uint8)
        image[8:24, 8:24] = np.round(colour * 255)
        Image.fromarray(image).save(tmp_path / "n" / f"{i}.png")
    with pytest.raises(InputError, match=r"6 views without names could be .*zero123plus.*wonder3d|.*say --rig"):
        load_views(None, tmp_path / "n")


def test_cameras_that_do_not_fit_the_images(folder: Path) -> None:
    """Each camera looks past the others' object: no point lies inside all masks."""
    moved = [c.transformed(1.0, np.array([5.0 * i, 3.0 * i * i, 0])) for i, c in enumerate(UNIQUE)]
    save_cameras(folder / "cameras.json", moved)
    for kind in ("rgb", "normals"):
        for path, camera in zip(sorted((folder / kind).iterdir()), UNIQUE, strict=True):
            path.rename(path.with_stem(camera.name))
    refused(folder, "the masks and the cameras do not belong together", "auto")
    still = [
        replace(c, world_to_camera=np.eye(4)).transformed(1.0, np.array([3.0 * i, 0, 0])) for i, c in enumerate(moved)
    ]
    save_cameras(folder / "cameras.json", still)  # the normals would not fit either
    refused(folder, "the masks and the cameras do not belong together", "auto")


def test_scene_beyond_float32(folder: Path) -> None:
    """Coordinates that a mesh file could not hold."""
    save_cameras(
        folder / "cameras.json", [c.transformed(1e20, np.zeros(3)) for c in UNIQUE], files=[(n, n) for n in NUMBERS]
    )
    refused(folder, r"the object would be \S+ units large by the cameras file: expected 1e-09 to 1e\+09", "auto")


def test_files_that_the_cameras_file_misses(folder: Path) -> None:
    names = [(f"{i:03d}.png", f"{i:03d}.png") for i in range(4)]
    names[3] = ("003.png", "else.png")
    save_cameras(folder / "cameras.json", UNIQUE, files=names)
    refused(folder, r"view 'left' names the file 'else\.png', which is not in .*normals", "auto")
    save_cameras(folder / "cameras.json", UNIQUE, files=[*names[:3], ("003.png", None)])
    refused(folder, r"view 'left' names no normals file, although other views do", "auto")


@pytest.mark.parametrize("resolution", [3, 100_000])
def test_resolution(folder: Path, resolution: int) -> None:
    refused(folder, f"--resolution {resolution} is out of range", resolution=resolution)


def test_masks_that_disagree_are_reported(folder: Path) -> None:
    file = folder / "rgb" / "000.png"
    values = np.asarray(Image.open(file)).copy()
    values[:14, :, 3] = 0
    Image.fromarray(values).save(file)
    found = load_views(folder, rig="unique3d")
    assert any("disagree (IoU 0." in note for note in found.sources[0].notes)
    assert found.masks[0, :14].max() > 0.9
    assert not any("disagree" in note for note in found.sources[1].notes)


def test_everything_counts_with_matting_none(folder: Path) -> None:
    assert load_views(folder, rig="unique3d", options=LoadOptions(matting="none")).masks.min() == 1
