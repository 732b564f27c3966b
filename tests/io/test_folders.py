"""Which files are taken for what."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshopt.errors import InputError
from meshopt.io.folders import NormalMaps, find_images, natural, object_name, parse_name

VIEWS = ("front", "front_right", "right", "back", "left", "front_left")


def touch(folder: Path, *names: str) -> Path:
    """Empty files: only names matter here."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("name", "kind", "key"),
    [
        ("rgb_000_front.png", "rgb", "000_front"),
        ("normals_000_front_right.png", "normals", "000_front_right"),
        ("color_front_left_masked.png", "rgb", "front_left"),
        ("normals_back_masked.png", "normals", "back"),
        ("front.png", None, "front"),
        ("Front-Right.JPG", None, "front_right"),
        ("000.png", None, "000"),
        ("0.webp", None, "0"),
        ("img_list_2.png", None, "2"),
        ("view12.png", None, "12"),
        ("r_7.png", None, "7"),
        ("r_7_normal_0001.png", "normals", "7_0001"),
        ("front normal.exr", "normals", "front"),
        ("normal3.npy", "normals", "3"),
        ("grid_3x2.png", "sheet", "3_x_2"),
        ("colors.png", "rgb", ""),
        ("r_7_depth_0001.png", "other", "7_0001"),
        ("mask_front.png", "mask", "front"),
    ],
)
def test_names(name: str, kind: str | None, key: str) -> None:
    found = parse_name(Path(name))
    assert (found.kind, found.key) == (kind, key)


def test_natural_order() -> None:
    names = ["view10.png", "view2.png", "View1.png", "a²", "7", "10"]
    assert sorted(names, key=natural) == ["7", "10", "a²", "View1.png", "view2.png", "view10.png"]


def test_two_folders(tmp_path: Path) -> None:
    touch(tmp_path / "a", "10.png", "9.png", ".hidden.png", "Thumbs.db", "note.txt")
    touch(tmp_path / "b", "9.exr", "10.exr")
    found = find_images(tmp_path / "a", tmp_path / "b")
    assert [f.path.name for f in found.rgb] == ["9.png", "10.png"]
    assert [f.path.name for f in found.normals] == ["9.exr", "10.exr"]


@pytest.mark.parametrize("both", [True, False])
def test_one_mixed_folder(tmp_path: Path, both: bool) -> None:
    """As Wonder3D writes it: kinds told apart by prefix, cut-outs in a subfolder."""
    names = [f"{kind}_000_{view}.png" for kind in ("rgb", "normals") for view in VIEWS]
    touch(tmp_path, *names, "masked_colors/rgb_000_front.png")
    found = find_images(tmp_path, tmp_path if both else None)
    assert len(found.rgb) == len(found.normals) == 6
    assert all(f.path.name.startswith("rgb") and f.path.parent == tmp_path for f in found.rgb)
    assert all(f.path.name.startswith("normals") for f in found.normals)


def test_plain_names_beside_labelled_normals(tmp_path: Path) -> None:
    touch(tmp_path, "front.png", "front_normal.png", "front_depth.png", "front_mask.png")
    found = find_images(tmp_path, None)
    assert [f.path.name for f in found.rgb] == ["front.png"]
    assert [f.path.name for f in found.normals] == ["front_normal.png"]
    assert any("mask" in note for note in found.notes)
    assert any("front_depth.png" in note for note in found.notes)


@pytest.mark.parametrize(("rgb", "normals"), [("rgb", "normals"), ("images", "normal"), ("color", "normals")])
def test_subfolders(tmp_path: Path, rgb: str, normals: str) -> None:
    touch(tmp_path, f"{rgb}/000.png", f"{normals}/000.png", "input.png", "preview.png")
    found = find_images(tmp_path, None)
    assert [f.path.parent.name for f in found.rgb] == [rgb]
    assert [f.path.parent.name for f in found.normals] == [normals]


def test_normals_only(tmp_path: Path) -> None:
    touch(tmp_path / "n", "front.npy", "back.npy")
    found = find_images(None, tmp_path / "n")
    assert found.rgb == ()
    assert len(found.normals) == 2


def test_contact_sheet_beside_views_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "rgb/000.png", "rgb/001.png", "rgb/grid_1x2.png", "normals/000.png", "normals/001.png")
    found = find_images(tmp_path, None)
    assert len(found.rgb) == 2
    assert any("grid_1x2.png" in note for note in found.notes)


def test_sheets(tmp_path: Path) -> None:
    touch(tmp_path, "views.png", "normals.png")
    found = find_images(tmp_path / "views.png", tmp_path / "normals.png")
    assert (len(found.rgb), len(found.normals)) == (1, 1)
    found = find_images(tmp_path, None)
    assert (found.rgb[0].path.name, found.normals[0].path.name) == ("views.png", "normals.png")


def test_folders_named_like_images_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path / "n", "000.png", "001.png/readme.txt")
    found = find_images(None, tmp_path / "n")
    assert len(found.normals) == 1
    assert any("001.png is a folder" in note for note in found.notes)


@pytest.mark.parametrize(
    ("path", "name"), [("mug/rgb", "mug"), ("mug/Normals", "mug"), ("mug", "mug"), ("mug/sheet.png", "sheet")]
)
def test_names_of_what_is_shown(tmp_path: Path, path: str, name: str) -> None:
    (tmp_path / "mug").mkdir()
    (tmp_path / "mug/sheet.png").touch()
    assert object_name(tmp_path / path) == name


def test_links(tmp_path: Path) -> None:
    touch(tmp_path / "n", "000.png")
    (tmp_path / "n" / "001.png").symlink_to("000.png")
    assert len(find_images(None, tmp_path / "n").normals) == 2
    (tmp_path / "n" / "002.png").symlink_to("002.png")
    with pytest.raises(InputError, match=r"002\.png is a link that leads nowhere or in a circle"):
        find_images(None, tmp_path / "n")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match="loop: does not exist"):
        find_images(None, tmp_path / "loop")


def test_refusals(tmp_path: Path) -> None:
    empty, texts = touch(tmp_path / "empty"), touch(tmp_path / "texts", "a.txt", "b.tif")
    plain, normals = touch(tmp_path / "plain", "000.png"), touch(tmp_path / "normals", "normals_0.png")
    text = touch(tmp_path, "file.txt") / "file.txt"
    sheet = touch(tmp_path, "sheet.png") / "sheet.png"
    cases = [
        (None, None, "no images were given"),
        (tmp_path / "missing", normals, r"--views .*missing: does not exist; expected a folder"),
        (plain, tmp_path / "missing", r"--normals .*missing: does not exist"),
        (empty, None, r"--views .*empty: holds no images; it is empty, expected \.png"),
        (empty, normals, r"--views .*empty: holds no colour images; it is empty"),
        (plain, empty, r"--normals .*empty: holds no normal maps; it is empty"),
        (texts, None, r"holds no images; found 2 entries such as 'a\.txt', expected \.png"),
        (
            plain,
            None,
            r"no normal maps among its images \(such as 000\.png\); give their folder with --normals",
        ),
        (normals, plain, "holds no colour images"),
        (text, normals, r"--views .*file\.txt: is no image"),
        (plain, text, r"--normals .*file\.txt: is no image"),
        (sheet, None, r"no normal maps among its images \(such as sheet\.png\)"),
    ]
    for views, maps, words in cases:
        with pytest.raises(InputError, match=words) as caught:
            find_images(views, maps)
        assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize("expected", ["optional", "none"])
def test_colours_alone(tmp_path: Path, expected: NormalMaps) -> None:
    touch(tmp_path, "set/rgb/000.png", "set/rgb/001.png", "set/normals/readme.txt", "sheet.png")
    for views, count in ((tmp_path / "set", 2), (tmp_path / "set" / "rgb", 2), (tmp_path / "sheet.png", 1)):
        found = find_images(views, None, expected)
        assert (len(found.rgb), found.normals) == (count, ())
        assert (found.views, found.kind) == (found.rgb, "colour images")


@pytest.mark.parametrize(("expected", "kind"), [("optional", "normal maps"), ("none", "colour images")])
def test_normals_that_need_not_be_there(tmp_path: Path, expected: NormalMaps, kind: str) -> None:
    touch(tmp_path, "front.png", "front_normal.png")
    found = find_images(tmp_path, None, expected)
    assert found.kind == kind
    assert len(found.normals) == (1 if expected == "optional" else 0)
    assert [f.path.name for f in found.rgb] == ["front.png"]


def test_refusals_without_normals(tmp_path: Path) -> None:
    """A folder that was named has to hold normal maps, even where they are optional."""
    empty, plain = touch(tmp_path / "empty"), touch(tmp_path / "plain", "000.png")
    normals = touch(tmp_path / "normals", "normals_0.png")
    cases: list[tuple[Path | None, Path | None, NormalMaps, str]] = [
        (plain, empty, "optional", r"--normals .*empty: holds no normal maps; it is empty"),
        (plain, plain, "optional", r"no normal maps among its images \(such as 000\.png\)"),
        (empty, None, "optional", r"--views .*empty: holds no images; it is empty"),
        (None, None, "optional", "no images were given"),
        (None, normals, "none", "no colour images were given: expected --views, a folder of images"),
        (normals, None, "none", r"--views .*normals: holds no colour images; found 1 entries"),
    ]
    for views, maps, expected, words in cases:
        with pytest.raises(InputError, match=words):
            find_images(views, maps, expected)
