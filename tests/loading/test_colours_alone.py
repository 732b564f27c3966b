"""`load_views` without normal maps: the same cameras, masks and colours, and normals that are zero."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from meshopt.errors import InputError
from meshopt.io.camera_files import save_cameras
from meshopt.rigs import load_rig
from meshopt.views import LoadOptions, ViewSet, load_views

Writer = Callable[..., Any]
UNIQUE = load_rig("unique3d")
WONDER = load_rig("wonder3d")
ZERO = load_rig("zero123plus")
NUMBERS = [f"{i:03d}.png" for i in range(6)]
NAMES = [f"{view.name}.png" for view in WONDER.views]
NOTE = "normals: none were given."


def same(found: ViewSet, whole: ViewSet, mask: float = 0.003) -> None:
    """All but the normals as in the views loaded with them; masks may differ at the rim."""
    assert found.rig == whole.rig
    assert not found.has_normals
    assert found.normals.shape == whole.normals.shape
    assert found.normals.dtype == torch.float32
    assert (found.scale, found.offset) == (whole.scale, whole.offset)
    for a, b in zip(found.cameras, whole.cameras, strict=True):
        assert a.name == b.name
        np.testing.assert_array_equal(a.clip_matrix(), b.clip_matrix())
    assert (found.masks - whole.masks).abs().mean() < mask
    assert found.rgb is not None
    assert whole.rgb is not None
    both = (found.masks > 0) & (whole.masks > 0)
    torch.testing.assert_close(found.rgb[both], whole.rgb[both], rtol=0, atol=1e-6)
    assert [source.rgb for source in found.sources] == [source.rgb for source in whole.sources]
    assert {source.normals for source in found.sources} == {None}
    assert NOTE in found.notes
    assert not any("normal map" in note for note in found.notes)


@pytest.mark.parametrize("rig", ["unique3d", "auto"])
@pytest.mark.parametrize("background", [None, 1.0])
def test_folder(tmp_path: Path, write_views: Writer, rig: str, background: float | None) -> None:
    write_views(UNIQUE.cameras(), NUMBERS[:4], background=background)
    whole = load_views(tmp_path / "rgb", tmp_path / "normals", rig)
    found = load_views(tmp_path / "rgb", rig=rig, normal_maps="optional")
    same(found, whole, mask=0.003 if background is None else 0.02)
    expected = "the colour image's alpha" if background is None else "the colour image's solid background"
    assert f"masks: from {expected}." in found.notes
    assert any("pairing: colour images by number" in note for note in found.notes)


def test_names_tell_the_rig(tmp_path: Path, write_views: Writer) -> None:
    write_views(WONDER.cameras(), [f"000_{name}" for name in NAMES], prefixes=("rgb_", "normals_"))
    whole = load_views(tmp_path)
    found = load_views(tmp_path, normal_maps="none")
    same(found, whole)
    assert any("rig: wonder3d, chosen by the views' names" in note for note in found.notes)


@pytest.mark.parametrize("rig", [UNIQUE, WONDER, ZERO])
def test_sheet(tmp_path: Path, write_views: Writer, rig: Any) -> None:
    rows, columns = rig.sheets[0]
    write_views(rig.cameras(), NUMBERS[: len(rig.views)], frame="camera" if rig is ZERO else "world")
    for kind in ("rgb", "normals"):
        tiles = [np.asarray(Image.open(tmp_path / kind / NUMBERS[i])) for i in range(len(rig.views))]
        joined = [np.concatenate(tiles[r * columns : (r + 1) * columns], 1) for r in range(rows)]
        Image.fromarray(np.concatenate(joined)).save(tmp_path / f"{kind}_sheet.png")
    sheet = tmp_path / "rgb_sheet.png"
    whole = load_views(sheet, tmp_path / "normals_sheet.png", rig.name)
    same(load_views(sheet, rig=rig.name, normal_maps="optional"), whole)
    if rig is ZERO:
        with pytest.raises(InputError, match=r"6 views without names could be .*wonder3d or zero123plus, and without"):
            load_views(sheet, normal_maps="optional")
    else:
        same(load_views(sheet, normal_maps="optional"), whole)


@pytest.mark.parametrize("background", [None, 0.9])
def test_one_view_is_no_sheet(tmp_path: Path, write_views: Writer, background: float | None) -> None:
    write_views(UNIQUE.cameras()[:1], ["front.png"], background=background)
    found = load_views(tmp_path / "rgb", normal_maps="optional")
    assert found.rig == "turntable:1"
    with pytest.raises(InputError, match=r"front\.png shows one view, but rig unique3d expects .* --rig turntable:1"):
        load_views(tmp_path / "rgb", rig="unique3d", normal_maps="optional")


def test_sheet_of_touching_views_of_one_colour(tmp_path: Path) -> None:
    """Boxes that fill their tiles' width: where two of them touch they look like one."""
    image = np.zeros((64, 64, 4), np.uint8)
    image[8:24], image[40:56] = (200, 120, 40, 255), (200, 120, 40, 255)
    Image.fromarray(image).save(tmp_path / "sheet.png")
    assert len(load_views(tmp_path, normal_maps="optional")) == 4


@pytest.mark.parametrize("named", [True, False])
def test_cameras_file(tmp_path: Path, write_views: Writer, named: bool) -> None:
    """Also one that names normal maps which are not there."""
    names = [f"{c.name}.png" for c in WONDER.cameras()]
    write_views(WONDER.cameras(), names)
    cameras = [c.transformed(3.0, np.array([1.0, 0, 0])) for c in WONDER.cameras()]
    save_cameras(tmp_path / "cameras.json", cameras, files=[(n, n) for n in names] if named else None)
    whole = load_views(tmp_path)
    shutil.rmtree(tmp_path / "normals")
    found = load_views(tmp_path, normal_maps="optional")
    rule = "as the cameras file names them" if named else "by name"
    assert f"pairing: colour images {rule}." in found.notes
    assert found.scale != 1.0
    assert found.scale == pytest.approx(whole.scale, rel=0.02)
    np.testing.assert_allclose(found.offset, whole.offset, atol=0.02 * whole.scale)
    assert not found.has_normals


def test_cameras_file_of_a_sheet(tmp_path: Path, write_views: Writer) -> None:
    """A cameras file of single images does not describe the sheet beside it."""
    write_views(UNIQUE.cameras(), NUMBERS[:4])
    tiles = [np.asarray(Image.open(tmp_path / "rgb" / NUMBERS[i])) for i in range(4)]
    sheet = np.concatenate([np.concatenate(tiles[:2], 1), np.concatenate(tiles[2:], 1)])
    (tmp_path / "sheet").mkdir()
    Image.fromarray(sheet).save(tmp_path / "sheet" / "all.png")
    save_cameras(tmp_path / "sheet" / "cameras.json", UNIQUE.cameras())
    assert load_views(tmp_path / "sheet", normal_maps="optional").rig == "unique3d"


def test_normals_are_read_where_there_are_any(tmp_path: Path, write_views: Writer) -> None:
    write_views(UNIQUE.cameras(), NUMBERS[:4])
    whole = load_views(tmp_path)
    found = load_views(tmp_path, normal_maps="optional")
    assert torch.equal(found.normals, whole.normals)
    assert (found.notes, found.sources) == (whole.notes, whole.sources)
    for file in (tmp_path / "normals").iterdir():
        file.write_bytes(b"damaged")
    same(load_views(tmp_path, tmp_path / "normals", normal_maps="none"), whole)


@pytest.mark.parametrize("matting", ["auto", "alpha", "background"])
def test_matting(tmp_path: Path, write_views: Writer, matting: str) -> None:
    truth = write_views(UNIQUE.cameras(), NUMBERS[:4], background=0.9 if matting == "background" else None)
    options = LoadOptions(matting=matting)
    found = load_views(tmp_path / "rgb", options=options, normal_maps="optional")
    assert np.abs(found.masks.numpy() - np.stack([view.alpha for view in truth])).mean() < 0.02
    options = LoadOptions(matting="none")
    assert load_views(tmp_path / "rgb", options=options, normal_maps="optional").masks.min() == 1


def refused(words: str, *args: Any, normal_maps: str = "optional", **options: Any) -> None:
    with pytest.raises(InputError, match=words) as caught:
        load_views(*args, options=LoadOptions(**options), normal_maps=normal_maps)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_refusals(tmp_path: Path, write_views: Writer) -> None:
    rgb, normals = tmp_path / "rgb", tmp_path / "normals"
    write_views(UNIQUE.cameras(), NUMBERS[:4], background=1.0)
    refused(r"view 'front' \(000\.png in .*rgb\): --matting normals needs a normal map", rgb, matting="normals")
    refused(r"view 'front' \(000\.png in .*rgb\): no alpha channel was found", rgb, matting="alpha")
    refused(r"colour images in .*rgb: found 4 \(000\.png, .*\), but rig wonder3d has 6 views", rgb, None, "wonder3d")
    refused(r"--normals .*rgb.none: does not exist", rgb, rgb / "none")
    (normals / "002.png").unlink()
    refused(r"normal maps in .*normals: found 3 .*, but rig unique3d has 4 views", tmp_path, None, "unique3d")
    (rgb / "003.png").write_bytes(b"")
    refused(r"rgb.003\.png is empty \(0 bytes\)", rgb)
    (rgb / "003.png").rename(rgb / "top.png")
    refused(r"colour images in .*rgb: 4 files such as 000\.png fit no preset by name or number", rgb)
    refused("no colour images were given: expected --views", None, normals, normal_maps="none")


def test_masks_that_are_none(tmp_path: Path, write_views: Writer) -> None:
    write_views(UNIQUE.cameras(), NUMBERS[:4])
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 4)).astype(np.uint8)
    for alpha, words in ((0, "is empty: it covers nothing"), (255, "neither alpha nor a solid background was found")):
        noise[..., 3] = alpha
        Image.fromarray(noise).save(tmp_path / "rgb" / "001.png")
        refused(rf"view 'right'.*{words}.*--matting", tmp_path / "rgb")


def test_six_numbers_could_be_two_rigs(tmp_path: Path, write_views: Writer) -> None:
    """Only normals tell Zero123++ and Wonder3D apart."""
    write_views(ZERO.cameras(), NUMBERS, frame="camera")
    assert load_views(tmp_path).rig == "zero123plus"
    words = r"rgb: 6 views without names could be .* and without normal maps nothing tells which; say --rig\."
    refused(words, tmp_path / "rgb")
    assert load_views(tmp_path / "rgb", rig="zero123plus", normal_maps="optional").rig == "zero123plus"
