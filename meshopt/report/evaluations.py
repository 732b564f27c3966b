"""evaluation.json and evaluation.png: the figures of a mesh, and what was compared. docs/evaluate.md lists the keys."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import meshopt
from meshopt.config import EvaluateConfig
from meshopt.evaluate.evaluation import Evaluation
from meshopt.evaluate.images import ImageScores
from meshopt.io.files import staged_folder, write_file
from meshopt.report.preview import Scores, draw_preview
from meshopt.report.record import encode_record
from meshopt.report.targets import EVALUATION_FILES, check_json_file, check_output_folder
from meshopt.views import ViewSet


@dataclass(frozen=True)
class Measured:
    """A mesh file, what it was compared with and how, and the figures."""

    mesh: str
    truth: str | None
    views: ViewSet | None
    settings: EvaluateConfig
    evaluation: Evaluation


def evaluation_record(measured: Measured) -> Mapping[str, Any]:
    """For JSON."""
    views = measured.views
    return {
        "version": meshopt.__version__,
        "mesh": measured.mesh,
        "truth": measured.truth,
        "rig": None if views is None else views.rig,
        "settings": measured.settings.model_dump(mode="json"),
        **measured.evaluation.as_plain(),
        "reading": [] if views is None else list(views.notes),
    }


def encode_evaluation(measured: Measured) -> bytes:
    """evaluation.json's bytes."""
    return encode_record(evaluation_record(measured))


def encode_sheet(views: ViewSet, images: ImageScores, title: str) -> bytes:
    """evaluation.png's bytes: per view the given pictures, the mesh's, the angle between normals, the silhouettes."""
    scores = [
        Scores(view.name, view.silhouette_iou, None if view.normals is None else view.normals.mean_deg)
        for view in images.views
    ]
    stream = io.BytesIO()
    draw_preview(views, images.renders, scores, title).save(stream, "PNG")
    return stream.getvalue()


def write_evaluation(measured: Measured, folder: str | Path, overwrite: bool = False) -> tuple[Path, ...]:
    """Writes evaluation.json and, of views, evaluation.png, all or nothing; their paths.

    Raises InputError where the folder holds them already and `overwrite` is False, OSError where the disk fails.
    """
    check_output_folder(folder, EVALUATION_FILES, overwrite)
    folder = Path(folder)
    files = {EVALUATION_FILES[0]: encode_evaluation(measured)}
    if measured.views is not None and measured.evaluation.images is not None:
        title = Path(measured.mesh).name
        files[EVALUATION_FILES[1]] = encode_sheet(measured.views, measured.evaluation.images, title)
    with staged_folder(folder, EVALUATION_FILES, overwrite) as staging:
        for name, data in files.items():
            (staging / name).write_bytes(data)
    return tuple(folder / name for name in files)


def write_evaluation_file(measured: Measured, file: str | Path, overwrite: bool = False) -> Path:
    """Writes the JSON alone, whole or not at all, and makes its folder; the path. Raises as `write_evaluation`."""
    check_json_file(file, overwrite)
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_file(file, encode_evaluation(measured))
    return file
