"""check.json and check.png: what is documented, whole or not at all, and what the pictures show."""

from __future__ import annotations

import errno
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from meshopt.cameras import Camera
from meshopt.consistency import Checked, ConsistencyReport, Finding, ViewVerdict
from meshopt.consistency.corrections import Mirrored, Placed, Rearranged, Turned
from meshopt.errors import InputError
from meshopt.report import findings as findings_module
from meshopt.report import findings_sheet, sheets
from meshopt.report.findings import encode_findings, encode_sheet, write_findings, write_findings_file
from meshopt.report.findings_sheet import draw_findings
from meshopt.report.targets import CHECK_FILES, check_json_file, check_output_folder

PAGE = Path(__file__).parents[2] / "docs" / "consistency.md"
TILE = 64
TURNED = Finding(
    "rotated", "inconsistent", ("right",), "its normals are turned.", "turn them.", 10.0, "degrees", 0.5, 2.5,
    "check.rotation", {"axis": np.eye(3)[0].tolist(), "odd": float("nan")},
)  # fmt: skip
ZOOMED = Finding("zoomed", "suspect", ("back",), "it is too large.", "scale it.", 1.5, "%", float("nan"), 1.0)
REMARK = Finding("remark", "note", (), "all is a little blurred.", "none is needed.")


@pytest.fixture
def checked(result: SimpleNamespace) -> Checked:
    """Of the three views in `result`: right is turned, back too large; half of each is 30 degrees off."""
    verdicts = (
        ViewVerdict("front", "ok", 0.0),
        ViewVerdict("right", "inconsistent", 0.25),
        ViewVerdict("back", "suspect", 0.125),
    )
    report = ConsistencyReport("inconsistent", 0.375, verdicts, (REMARK, ZOOMED, TURNED))
    degrees = np.full((3, 32, 32), np.nan)
    degrees[:, :, :16] = 30.0
    return Checked(report, result.views, (), degrees, np.zeros(degrees.shape, bool), None)


def _sheet(result: SimpleNamespace, checked: Checked, flagged: np.ndarray | None = None) -> np.ndarray:
    return np.asarray(draw_findings(result.views, checked.report, checked.degrees, flagged, TILE))


def _tile(sheet: np.ndarray, row: int, column: int) -> np.ndarray:
    top = 64 + sheets.HEAD + row * (TILE + sheets.GAP)
    left = sheets.LEFT + column * (TILE + sheets.GAP)
    return sheet[top : top + TILE, left : left + TILE]


def _documented(heading: str) -> set[str]:
    """First column of the table after the heading."""
    section = PAGE.read_text(encoding="utf-8").split(heading, 1)[1]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table is not None
    return set(re.findall(r"^\| `(\w+)` \|", table[0], re.MULTILINE))


def test_json_has_the_documented_keys(result: SimpleNamespace, checked: Checked) -> None:
    data = json.loads(encode_findings(result.views, checked))
    assert set(data) == _documented("`check.json`, and what `--json` writes")
    assert {"schema", "verdict", "score", "views", "findings"} <= set(data)
    assert data["schema"] == 1
    assert all(
        set(view) == _documented("Each entry of `views`") == {"name", "verdict", "score"} for view in data["views"]
    )
    assert all(set(finding) == _documented("Each entry of `findings`") for finding in data["findings"])
    assert [finding["code"] for finding in data["findings"]] == ["remark", "zoomed", "rotated"]
    assert data["findings"][1]["uncertainty"] is None  # NaN
    assert data["findings"][2]["details"] == {"axis": [1.0, 0.0, 0.0], "odd": None}


def test_every_kind_of_correction_is_documented(result: SimpleNamespace, checked: Checked) -> None:
    corrections = (Turned(0, np.eye(3)), Placed(1, 1.1, 0.0, 0.1), Mirrored(2), Rearranged((0, 2, 1), True))
    data = json.loads(encode_findings(result.views, replace(checked, corrections=corrections)))
    kinds = [correction["kind"] for correction in data["corrections"]]
    assert kinds == ["normals", "placement", "mirror", "order"]
    assert set(kinds) <= _documented("Each entry of `corrections`")


def test_sheet_has_a_column_per_view_and_the_scale_s_colours(result: SimpleNamespace, checked: Checked) -> None:
    sheet = _sheet(result, checked)
    assert sheet.shape[1] == sheets.LEFT + 3 * (TILE + sheets.GAP) + sheets.RIGHT
    expected = sheets.heat(np.full((1, 1), 30.0), np.ones((1, 1), bool))[0, 0] * 255
    for column in range(3):
        assert np.allclose(_tile(sheet, 0, column)[32, 32], 128, atol=1)
        assert np.allclose(_tile(sheet, 1, column)[32, 32], [128, 128, 255], atol=1)
        heat = _tile(sheet, 2, column)
        assert np.allclose(heat[32, 24], expected, atol=1)
        assert np.allclose(heat[32, 40], sheets.UNKNOWN, atol=1)
        assert np.allclose(heat[2, 2], sheets.TILE, atol=1)


def test_verdicts_differ_in_shape_and_colour() -> None:
    pictures = []
    for verdict in ("ok", "suspect", "inconsistent", "note"):
        image = Image.new("RGB", (20, 20), sheets.PAGE)
        findings_sheet._draw_mark(ImageDraw.Draw(image), verdict, 10, 10)
        pictures.append(np.asarray(image))
    shapes = {(picture != sheets.PAGE).any(-1).tobytes() for picture in pictures}
    colors = {tuple(picture[10, 10]) for picture in pictures}
    assert len(shapes) == len(colors) == 4


def test_captions_and_sentences_have_the_verdicts_colours(result: SimpleNamespace, checked: Checked) -> None:
    sheet = _sheet(result, checked)
    end = 64 + sheets.HEAD + 3 * (TILE + sheets.GAP)
    for column, verdict in enumerate(("ok", "inconsistent", "suspect")):
        left = sheets.LEFT + column * (TILE + sheets.GAP)
        below = sheet[end : end + 2 * sheets.LINE, left : left + TILE]
        assert (below == findings_sheet.COLORS[verdict]).all(-1).sum() > 20
    sentences = sheet[end + sheets.FOOT + sheets.LINE :]
    tops = [np.argmax((sentences == findings_sheet.COLORS[s]).all(-1).any(1)) for s in ("inconsistent", "suspect")]
    assert 0 < tops[0] < tops[1]


def test_regions_are_outlined_where_they_are(result: SimpleNamespace, checked: Checked) -> None:
    flagged = np.zeros((3, 32, 32), bool)
    flagged[1, 8:24, 8:24] = True
    sheet = _sheet(result, checked, flagged)
    for row in (1, 2):
        on = (_tile(sheet, row, 1) == findings_sheet._OUTLINE).all(-1)
        rows, columns = np.nonzero(on)
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 47, 16, 47)
        assert not on[20:44, 20:44].any()
        assert not (_tile(sheet, row, 0) == findings_sheet._OUTLINE).all(-1).any()


def test_damaged_views_are_among_those_shown() -> None:
    verdicts = [ViewVerdict(f"{i:03d}", "inconsistent" if i in (17, 40) else "ok", 0.0) for i in range(60)]
    shown = findings_sheet.chosen(verdicts)
    assert len(shown) == sheets.MOST_VIEWS
    assert shown == sorted(set(shown))
    assert {0, 17, 40, 59} <= set(shown)


@pytest.mark.parametrize("count", [1, 2, 16])
def test_few_and_many_views(result: SimpleNamespace, checked: Checked, count: int) -> None:
    """Long sentences and names stay on the page; no colours, no findings."""
    which = [i % 3 for i in range(count)]
    cameras = tuple(Camera.orbit("a very long name of a view " * 3, 10.0 * i) for i in range(count))
    views = replace(
        result.views, cameras=cameras, normals=result.views.normals[which], masks=result.views.masks[which], rgb=None
    )
    verdicts = tuple(ViewVerdict(camera.name, "ok", 0.0) for camera in cameras)
    long = replace(ZOOMED, message="many words " * 80, views=tuple(camera.name for camera in cameras))
    for found in ((), (long,)):
        report = ConsistencyReport("ok", 0.0, verdicts, found)
        sheet = np.asarray(draw_findings(views, report, checked.degrees[which], None, TILE))
        assert sheet.shape[1] == sheets.LEFT + min(max(count, 3), 8) * (TILE + sheets.GAP) + sheets.RIGHT
        assert (sheet[:, -4:] == sheets.PAGE).all()
        assert (sheet[-4:] == sheets.PAGE).all()


def test_same_findings_same_bytes(result: SimpleNamespace, checked: Checked) -> None:
    assert encode_sheet(result.views, checked) == encode_sheet(result.views, checked)
    assert Image.open(io.BytesIO(encode_sheet(result.views, checked))).width > 300


def test_files_are_written_once(result: SimpleNamespace, checked: Checked, tmp_path: Path) -> None:
    files = write_findings(result.views, checked, tmp_path / "out")
    assert [file.name for file in files] == ["report.html", "check.json", "check.png"]
    assert files[1].read_bytes() == encode_findings(result.views, checked)
    with pytest.raises(InputError, match="--overwrite"):
        check_output_folder(tmp_path / "out", CHECK_FILES)
    files = write_findings(result.views, checked, tmp_path / "out", overwrite=True, html=False)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [file.name for file in files]
    files = write_findings(result.views, checked, tmp_path / "out", overwrite=True)
    alone = write_findings_file(result.views, checked, tmp_path / "made" / "found.json")
    assert alone.read_bytes() == files[1].read_bytes()
    with pytest.raises(InputError, match=r"found\.json: is already there; .* --overwrite"):
        write_findings_file(result.views, checked, alone)
    write_findings_file(result.views, checked, alone, overwrite=True)


def test_full_disk_keeps_the_old_files(
    result: SimpleNamespace, checked: Checked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_findings(result.views, checked, tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(findings_module, "encode_sheet", fail)
    with pytest.raises(OSError, match="No space left"):
        write_findings(result.views, replace(checked, report=replace(checked.report, score=9.0)), tmp_path, True)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    (tmp_path / "empty.json").touch()
    check_json_file(tmp_path / "empty.json")
    check_json_file(tmp_path / "new" / "found.json")
    for target, words in (
        ("", "empty text"),
        (tmp_path, "is a folder, expected a file"),
        (file / "found.json", "is a file, expected a folder"),
        ("/dev/null", "no ordinary file"),
    ):
        with pytest.raises(InputError, match=f"--json .*{words}"):
            check_json_file(target)
    for target, words in (("", "empty text"), ("out/check.json", "names a file"), (file, "is a file")):
        with pytest.raises(InputError, match=f"--output .*{words}"):
            check_output_folder(target, CHECK_FILES)
