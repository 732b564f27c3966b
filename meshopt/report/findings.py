"""check.json, check.png and report.html of a check: what was found, as data, as a picture and as a page.

docs/consistency.md lists the keys.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import meshopt
from meshopt.consistency import Checked
from meshopt.io.files import staged_folder, write_file
from meshopt.report.disagreement import input_disagreement
from meshopt.report.findings_sheet import draw_findings
from meshopt.report.page import check_page
from meshopt.report.record import encode_record
from meshopt.report.targets import CHECK_FILES, check_json_file, check_output_folder
from meshopt.views import ViewSet


def findings_record(views: ViewSet, checked: Checked) -> dict[str, Any]:
    """The report, what would mend the views, and how they were read; for JSON."""
    names = [camera.name for camera in views.cameras]
    return {
        **checked.report.as_plain(),
        "corrections": [correction.as_plain(names) for correction in checked.corrections],
        "rig": views.rig,
        "notes": list(views.notes),
        "version": meshopt.__version__,
    }


def encode_findings(views: ViewSet, checked: Checked) -> bytes:
    """check.json's bytes."""
    return encode_record(findings_record(views, checked))


def encode_sheet(views: ViewSet, checked: Checked) -> bytes:
    """check.png's bytes."""
    stream = io.BytesIO()
    draw_findings(views, checked.report, input_disagreement(views, checked), checked.flagged).save(stream, "PNG")
    return stream.getvalue()


def write_findings(
    views: ViewSet, checked: Checked, folder: str | Path, overwrite: bool = False, html: bool = True
) -> tuple[Path, ...]:
    """Writes check.json, check.png and, with `html`, report.html, all or none; their paths.

    Raises InputError where the folder holds them already and `overwrite` is False, OSError where the disk fails.
    """
    check_output_folder(folder, CHECK_FILES, overwrite)
    folder = Path(folder)
    with staged_folder(folder, CHECK_FILES, overwrite) as staging:
        (staging / "check.json").write_bytes(encode_findings(views, checked))
        (staging / "check.png").write_bytes(encode_sheet(views, checked))
        if html:
            page = check_page(views, checked, findings_record(views, checked), CHECK_FILES)
            (staging / "report.html").write_bytes(page)
    return tuple(folder / name for name in CHECK_FILES if html or name != "report.html")


def write_findings_file(views: ViewSet, checked: Checked, file: str | Path, overwrite: bool = False) -> Path:
    """Writes the JSON alone, whole or not at all, and makes its folder; the path. Raises as `write_findings`."""
    check_json_file(file, overwrite)
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_file(file, encode_findings(views, checked))
    return file
