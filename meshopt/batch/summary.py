"""The table of all results: a row per asset of the status, as CSV, and as Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from meshopt.batch import storage
from meshopt.batch.status import Record, Status, records
from meshopt.errors import InputError
from meshopt.io.files import staged_file

NAMES = ("summary.csv", "summary.parquet")
COLUMNS: dict[str, type] = {
    "asset": str,
    "state": str,
    "attempts": int,
    "seconds": float,
    "verdict": str,
    "score": float,
    "findings": int,
    "corrections": int,
    "views": int,
    "silhouette_iou": float,
    "normal_error_deg": float,
    "colour_psnr_db": float,
    "vertices": int,
    "faces": int,
    "components": int,
    "genus": int,
    "closed": bool,
    "self_intersecting": int,
    "texture_seen": float,
    "rig": str,
    "device": str,
    "backend": str,
    "warnings": str,
    "cause": str,
    "error": str,
    "finished": str,
}
GROUP = 10_000  # rows in memory


@dataclass
class Summary:
    """How many assets are in each state, how many results got each verdict, and what was written."""

    states: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)


def write_summary(status: Status, output: str) -> Summary:
    """Writes the tables into the output, a folder or URL, each whole or not at all. Raises InputError where a disk or
    storage fails.
    """
    summary = Summary()
    home = status.file.parent
    try:
        _write_csv(home / NAMES[0], status, summary)
        written = [home / NAMES[0]]
        if find_spec("pyarrow") is not None:
            _write_parquet(home / NAMES[1], map(_row, records(status)))
            written.append(home / NAMES[1])
        for file in written:
            if storage.is_url(output):
                storage.write(storage.join(output, file.name), file)
    except OSError as error:
        raise InputError(
            f"{output}: the summary cannot be written ({error.strerror}); the status is kept, --resume writes it again"
        ) from None
    summary.files += [storage.join(output, file.name) for file in written]
    return summary


def _write_csv(file: Path, status: Status, summary: Summary) -> None:
    """Writes the table, and counts in the summary."""
    with staged_file(file) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in map(_row, records(status)):
            summary.states[row["state"]] = summary.states.get(row["state"], 0) + 1
            if "verdict" in row:
                summary.verdicts[row["verdict"]] = summary.verdicts.get(row["verdict"], 0) + 1
            writer.writerow({key: str(v).lower() if isinstance(v, bool) else v for key, v in row.items()})
        text.flush()
        text.detach()


def _row(record: Record) -> dict[str, Any]:
    """The record flat; what it does not say is not there, and what is no value of its column neither."""
    figures = record.get("figures")
    said = {**record, **(figures if isinstance(figures, dict) else {}), "attempts": record.get("attempt")}
    if isinstance(record.get("warnings"), list):
        said["warnings"] = " ".join(map(str, record["warnings"])) or None
    found = {name: said.get(name) for name in COLUMNS}
    return {name: kind(found[name]) for name, kind in COLUMNS.items() if isinstance(found[name], _accepted(kind))}


def _accepted(kind: type) -> tuple[type, ...]:
    return (int, float) if kind is float else (kind,)


def _write_parquet(file: Path, rows: Iterator[dict[str, Any]]) -> None:
    import pyarrow
    from pyarrow import parquet

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    with staged_file(file) as stream, parquet.ParquetWriter(stream, schema) as writer:
        while group := list(islice(rows, GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema))
