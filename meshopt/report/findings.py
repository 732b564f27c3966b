"""check.json and check.png: what the checks found, as data and as pictures. docs/consistency.md lists the keys."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

import meshopt
from meshopt import parallel
from meshopt.consistency import Checked
from meshopt.consistency.maps import disagreement_maps
from meshopt.consistency.surface import reduced, shared_points
from meshopt.io.files import staged_folder, write_file
from meshopt.report.findings_sheet import draw_findings
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


def input_disagreement(views: ViewSet, checked: Checked) -> Float[np.ndarray, "V h w"]:
    """Degrees from each pixel's normal, as it came, to what the other views, mended, show there; NaN: none sees it."""
    if checked.surface is None or not checked.corrections:
        return checked.degrees
    with torch.no_grad(), parallel.single_torch():
        given, mended = reduced(views), reduced(checked.views)
        pictures = replace(mended, normals=given.normals, masks=given.masks)
        return disagreement_maps(pictures, checked.surface, shared_points(mended, checked.surface))


def write_findings(views: ViewSet, checked: Checked, folder: str | Path, overwrite: bool = False) -> tuple[Path, ...]:
    """Writes check.json and check.png, both or none; their paths.

    Raises InputError where the folder holds them already and `overwrite` is False, OSError where the disk fails.
    """
    check_output_folder(folder, CHECK_FILES, overwrite)
    folder = Path(folder)
    with staged_folder(folder, CHECK_FILES, overwrite) as staging:
        (staging / "check.json").write_bytes(encode_findings(views, checked))
        (staging / "check.png").write_bytes(encode_sheet(views, checked))
    return tuple(folder / name for name in CHECK_FILES)


def write_findings_file(views: ViewSet, checked: Checked, file: str | Path, overwrite: bool = False) -> Path:
    """Writes the JSON alone, whole or not at all, and makes its folder; the path. Raises as `write_findings`."""
    check_json_file(file, overwrite)
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_file(file, encode_findings(views, checked))
    return file
