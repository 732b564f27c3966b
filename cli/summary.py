"""What a run says at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


def show_sources(console: Console, views: Any) -> None:
    """Which file went with which, and what was decided on the way in."""
    rows = [source for source in views.sources if source.rgb or source.normals]
    if rows:
        table = _table("view", "colour", "normals")
        for source in rows:
            table.add_row(source.name, _short(source.rgb), _short(source.normals))
        console.print(table)
    for note in views.notes:
        console.print(note, highlight=False, markup=False, soft_wrap=True)


def show_result(
    console: Console, report: Mapping[str, Any], said: Sequence[str], files: Sequence[Path], seconds: float
) -> None:
    """How well the result fits, its topology, and what was written; notes that were `said` are not repeated."""
    table = _table("view", "silhouette IoU", "normal error")
    for view in report.get("views", ()):
        iou, error = view.get("silhouette_iou"), view.get("normal_error_deg")
        table.add_row(view["name"], _number(iou, ".4f"), _number(error, ".1f", "°"))
    if table.row_count:
        console.print(table)
    for note in (note for note in report.get("notes", ()) if note not in said):
        console.print(str(note), highlight=False, markup=False, soft_wrap=True)
    if report.get("topology_line"):
        console.print(str(report["topology_line"]), highlight=False, markup=False, soft_wrap=True)
    backend = report.get("backend") or {}
    if backend:
        line = f"Rasteriser {backend.get('name')}, licence {backend.get('licence')}."
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    folder = files[0].parent
    names = ", ".join(file.name for file in files)
    console.print(f"Wrote {names} to {folder} in {seconds:.1f} s.", highlight=False, markup=False, soft_wrap=True)


def _table(*names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name, justify="right" if "error" in name or "IoU" in name else "left", overflow="fold")
    return table


def _short(path: str | None) -> str:
    return "-" if path is None else "/".join(Path(path).parts[-2:])


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"
