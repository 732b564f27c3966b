"""One run of an ablation: views are damaged, reconstructed, and the result is measured; kept in a folder of its own."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from meshopt import __version__
from meshopt.ablation.misalignment import misalignment
from meshopt.ablation.objects import Source, loaded
from meshopt.ablation.plan import Input, Variant, slug
from meshopt.compilation import share_cache
from meshopt.evaluate.evaluation import Evaluation, evaluate
from meshopt.evaluate.geometry import SurfaceScores
from meshopt.io.files import staged_folder
from meshopt.io.meshes import encode_files
from meshopt.pipeline import Reconstruction, reconstruct
from meshopt.report.comparison import encode_tiles
from meshopt.report.record import encode_record, load_report

RUNS = "runs"  # the folder of all
RUN_FILES = ("run.json", "mesh.glb", "tiles.png")
LONGEST = 100  # characters of a run's name before its key
Row = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One reconstruction: an object (and the hash of what it holds), what it starts from, and the settings."""

    source: Source
    content: str
    input: Input
    variant: Variant

    @property
    def key(self) -> str:
        """A hash of all that its figures depend on."""
        start = asdict(self.input)
        parts = [__version__, self.content, start, self.variant.config.model_dump(mode="json")]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """Of its folder: the same for the same figures, whatever other settings they are compared with."""
        seed = f"seed{self.input.seed}" if self.input.damages else ""
        said = slug(self.source.name, self.input.label.replace(" + ", "+"), seed)
        return f"{said[:LONGEST]}_{self.key}"

    @property
    def facts(self) -> Row:
        """What it is, as the first columns of its row."""
        return {
            "object": self.source.name,
            "input": self.input.label,
            "kind": self.input.kind,
            "strength": self.input.strength or None,
            "input_seed": self.input.seed or None,
            **dict(self.variant.varied),
        }


@dataclass(frozen=True)
class Task:
    """A run and the folder of all runs."""

    run: Run
    folder: Path

    def row(self, measured: Row) -> Row:
        """What the run is, what was measured, and where the rest is."""
        return {**self.run.facts, **measured, "folder": f"{self.folder.name}/{self.run.name}"}


def execute(task: Task) -> Row:
    """Does a run and keeps it. Raises InputError where the damaged views cannot be reconstructed."""
    share_cache()
    run, began = task.run, time.perf_counter()
    subject = loaded(run.source)
    views = run.input.of(subject.reference, subject.generated)
    result = reconstruct(views, run.variant.config)
    seconds = time.perf_counter() - began
    found = evaluate(result.world_mesh, subject.truth, subject.reference, run.variant.config.evaluate)
    measured = {
        **misalignment(views, subject.reference).as_plain("input"),
        "mended_deg": misalignment(result.views, subject.reference).mean_deg,
        **figures(found),
        **_checked(result.report),
        "seconds": round(seconds, 2),
    }
    assert found.images is not None
    tiles = encode_tiles(views, subject.reference, found.images.renders)
    record = {"run": run.facts, "measured": measured, "report": result.report, "evaluation": found.as_plain()}
    _write(task, record, result, tiles)
    return task.row(measured)


def kept(task: Task) -> Row | None:
    """The row of a run that was done before."""
    try:
        record = load_report(task.folder / task.run.name / RUN_FILES[0])
        row = task.row(record["measured"])
    except (OSError, ValueError, LookupError, TypeError):  # an InputError is a ValueError
        return None
    return row if all((task.folder / task.run.name / name).is_file() for name in RUN_FILES) else None


def figures(found: Evaluation) -> Row:
    """The evaluation in one row: names carry the unit; what was not measured is not there."""
    row: Row = {}
    if found.geometry is not None:
        row |= _surface(found.geometry.everything, found.geometry.diagonal, "")
        if found.geometry.visible is not None:
            row |= _surface(found.geometry.visible, found.geometry.diagonal, "visible_")
    if found.images is not None:
        whole = found.images.whole
        row["silhouette_iou"] = whole.silhouette_iou
        if whole.normals is not None:
            row["view_normal_deg"] = whole.normals.mean_deg
            row["view_normal_median_deg"] = whole.normals.median_deg
            row["view_under_11.25"] = whole.normals.under_11_25
            row["view_gradient"] = whole.normals.gradient
        if whole.colors is not None:
            row |= {"psnr_db": whole.colors.psnr_db, "ssim": whole.colors.ssim}
    shape = found.topology
    row |= {"faces": shape.faces, "closed": shape.closed, "manifold": shape.manifold}
    return row | {
        "components": shape.components,
        "genus": shape.genus,
        "self_intersecting": shape.self_intersecting_faces,
    }


def _surface(scores: SurfaceScores, diagonal: float, prefix: str) -> Row:
    chamfer = scores.point_to_surface
    return {
        f"{prefix}chamfer_pct": 100 * chamfer.mean / diagonal,
        f"{prefix}accuracy_pct": 100 * chamfer.accuracy / diagonal,
        f"{prefix}completeness_pct": 100 * chamfer.completeness / diagonal,
        **{f"{prefix}fscore_{score.percent:g}pct": score.fscore for score in scores.fscores},
        f"{prefix}normal_deg": scores.normal_angle.mean,
    }


def _checked(report: Mapping[str, Any]) -> Row:
    if "verdict" not in report:
        return {}
    return {
        "verdict": report["verdict"],
        "score": report["score"],
        "findings": len(report["findings"]),
        "corrections": len(report["corrections"]),
    }


def _write(task: Task, record: Row, result: Reconstruction, tiles: bytes) -> None:
    mesh = encode_files(result.mesh, "glb", "mesh", result.views.scale, result.views.offset)
    files = dict(zip(RUN_FILES, (encode_record(record), mesh["mesh.glb"], tiles), strict=True))
    with staged_folder(task.folder / task.run.name, RUN_FILES, overwrite=True) as staging:
        for name, content in files.items():
            (staging / name).write_bytes(content)
