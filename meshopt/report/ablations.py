"""The files of an ablation: a table of all runs, what it says, charts, pictures side by side, and the page."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import meshopt
from meshopt.ablation.ablation import Ablation
from meshopt.ablation.plan import slug
from meshopt.ablation.runs import Row, Run
from meshopt.ablation.summary import REFERENCE
from meshopt.config import Config
from meshopt.io.files import read_json, staged_folder
from meshopt.report.comparison import Comparison, draw_comparison
from meshopt.report.page.ablation import ablation_page, charts
from meshopt.report.page.charts import chart_file
from meshopt.report.record import encode_record
from meshopt.report.sheets import spread
from meshopt.report.targets import ABLATION_FILES

PAGE, TABLE, RECORD = ABLATION_FILES
CHARTS = "charts"
SHEETS = "comparison"
MOST_ROWS = 40  # of a sheet
MOST_VIEWS = 8  # of generated normals on a sheet
WORDS = {  # of the figures that the sheets show: name, form
    "visible_chamfer_pct": ("Chamfer", ".3f", " %"),
    "chamfer_pct": ("Chamfer", ".3f", " %"),
    "view_normal_deg": ("normals", ".2f", "°"),
}


def write_ablation(ablation: Ablation, settings: Config) -> tuple[Path, ...]:
    """Writes the files into the ablation's folder, all or none, in place of those of an ablation before; their paths.

    Raises OSError where the disk fails.
    """
    sheets = draw_sheets(ablation)
    files = {
        PAGE: ablation_page(ablation, settings, sheets),
        TABLE: encode_table(ablation.rows),
        **{f"{CHARTS}/{slug(chart.title.lower())}.svg": chart_file(chart) for chart in charts(ablation)},
        **{f"{SHEETS}/{name}.png": content for name, content in sheets.items()},
    }
    files[RECORD] = encode_record({**ablation_record(ablation, settings), "files": [*files, RECORD]})
    with staged_folder(ablation.folder, (*files, *_older(ablation.folder)), overwrite=True) as staging:
        for name, content in files.items():
            (staging / name).parent.mkdir(exist_ok=True)
            (staging / name).write_bytes(content)
    return tuple(ablation.folder / name for name in files)


def _older(folder: Path) -> list[str]:
    """Charts and pictures of the ablation that was written there before."""
    try:
        names = read_json(folder / RECORD)["files"]
        return [name for name in names if re.fullmatch(rf"({CHARTS}|{SHEETS})/[^/\\]+\.(svg|png)", name)]
    except (OSError, ValueError, LookupError, TypeError):
        return []


def encode_table(rows: Sequence[Row]) -> bytes:
    """ablation.csv's bytes: a line per run, a column for everything that any run has."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return stream.getvalue().encode("utf-8", "backslashreplace")


def ablation_record(ablation: Ablation, settings: Config) -> Mapping[str, Any]:
    """For ablation.json; docs/ablate.md lists the keys."""
    plan = ablation.plan
    return {
        "version": meshopt.__version__,
        "reference": "ground truth" if plan.certain else "given",
        "varied": list(plan.varied),
        "error": ablation.error,
        "groups": [group.as_plain() for group in ablation.groups],
        "failed": sum("error" in row for row in ablation.rows),
        "notes": list(plan.notes),
        "settings": settings.model_dump(mode="json"),
        "runs": list(ablation.rows),
    }


def draw_sheets(ablation: Ablation) -> dict[str, bytes]:
    """PNG bytes by object: every input but the reference beside it, of seed 1; of damaged views the worst."""
    found: dict[str, bytes] = {}
    pairs = list(zip(ablation.plan.runs, ablation.rows, strict=True))
    references = {
        (run.source.name, run.variant.label): row
        for run, row in pairs
        if run.input.kind == REFERENCE and "error" not in row
    }
    title = "true" if ablation.plan.certain else "reference"
    for name, views in ablation.plan.views.items():
        rows = []
        for run, row in pairs:
            first = references.get((run.source.name, run.variant.label))
            if run.source.name == name and first is not None and _shown(run, row):
                rows += _comparisons(ablation, run, row, first, views)
        if rows:
            more = f"{MOST_ROWS} of {len(rows)} rows. " if len(rows) > MOST_ROWS else ""
            stream = io.BytesIO()
            draw_comparison(name, more + _subtitle(ablation), rows[:MOST_ROWS], title).save(stream, "PNG")
            found[slug(name)] = stream.getvalue()
    return found


def _shown(run: Run, row: Row) -> bool:
    return run.input.kind != REFERENCE and run.input.seed <= 1 and "error" not in row


def _comparisons(ablation: Ablation, run: Run, row: Row, first: Row, views: Sequence[str]) -> list[Comparison]:
    """Of generated normals every view, of damaged ones the worst."""
    worst = [views.index(row["input_worst_view"])]
    shown = worst if run.input.damages else spread(len(views), MOST_VIEWS)
    files = [ablation.folder / r["folder"] / "tiles.png" for r in (row, first)]
    word, form, unit = WORDS[ablation.error]
    value, true = row[ablation.error], first[ablation.error]
    lines = [*run.input.label.split(" + "), *(f"{key.rpartition('.')[2]}={_cell(v)}" for key, v in run.variant.varied)]
    lines += ["", word, f"{true:{form}} to {value:{form}}{unit}"]
    return [Comparison("\n".join([views[i], *lines]), i, *files) for i in shown]


def _subtitle(ablation: Ablation) -> str:
    return "Normals in the world's frame; errors against the reference's normals."


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else value
