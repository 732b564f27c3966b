"""What a command says about its input and at its end."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .messages import line

NUMBERS = ("silhouette IoU", "normal error", "colours", "score")  # columns
STYLES = {"ok": "green", "note": "dim", "suspect": "yellow", "inconsistent": "bold red"}


def show_sources(console: Console, views: Any) -> None:
    """Which file went with which, and what was decided on the way in."""
    rows = [source for source in views.sources if source.rgb or source.normals]
    if rows:
        table = _table("view", "colour", "normals")
        for source in rows:
            table.add_row(source.name, _short(source.rgb), _short(source.normals))
        console.print(table)
    for note in views.notes:
        line(console, note)


def show_result(
    console: Console, report: Mapping[str, Any], said: Sequence[str], files: Sequence[Path], seconds: float
) -> None:
    """How well the result fits, its topology, and what was written; notes that were `said` are not repeated."""
    table = _table("view", "silhouette IoU", "normal error", "colours")
    for view in report.get("views", ()):
        iou, error, psnr = (view.get(key) for key in ("silhouette_iou", "normal_error_deg", "colour_psnr_db"))
        table.add_row(view["name"], _number(iou, ".4f"), _number(error, ".1f", "°"), _number(psnr, ".1f", " dB"))
    if table.row_count:
        console.print(table)
    for note in (note for note in report.get("notes", ()) if note not in said):
        line(console, str(note))
    _show_consistency(console, report)
    if report.get("texture"):
        line(console, _texture_line(report["texture"]))
    if report.get("topology_line"):
        line(console, str(report["topology_line"]))
    backend = report.get("backend") or {}
    if backend:
        line(console, f"Rasteriser {backend.get('name')}, licence {backend.get('licence')}.")
    folder = files[0].parent
    names = ", ".join(file.relative_to(folder).as_posix() for file in files)
    line(console, f"Wrote {names} to {folder} in {seconds:.1f} s.")
    _show_page(console, files)


def _texture_line(figures: Mapping[str, Any]) -> str:
    """The atlas, and how much of the surface is seen."""
    return (
        f"Texture {figures['size']} x {figures['size']}: {figures['charts']} charts ({figures['method']}),"
        f" {figures['overlaps']} overlapping faces, {100 * figures['coverage']:.0f} % covered, stretch"
        f" {figures['stretch']:.2f}; {100 * figures['seen']:.0f} % of the surface seen by a view, the rest filled in."
    )


def _show_consistency(console: Console, report: Mapping[str, Any]) -> None:
    """What the checks found, notes left out, what was mended, and the verdict; nothing where they did not run."""
    if "verdict" not in report:
        return
    for finding in report.get("findings", ()):
        if finding["severity"] != "note":
            text = Text(_wrapped(console, f"{finding['severity']}: {finding['message']}", later="  "))
            text.stylize(STYLES[finding["severity"]], 0, len(finding["severity"]))
            console.print(text, highlight=False, soft_wrap=True)
    mended = len(report.get("corrections", ()))
    done = f", {mended} correction{'s' if mended > 1 else ''} applied (--no-correct turns them off)" if mended else ""
    verdict = Text(f"Consistency: {report['verdict']}{done}.")
    verdict.highlight_words([report["verdict"]], STYLES[report["verdict"]])
    console.print(verdict, highlight=False, soft_wrap=True)


def show_findings(console: Console, report: Any, files: Sequence[Path], seconds: float) -> None:
    """Each view's verdict, every finding, the set's verdict, and what was written; `report`: a ConsistencyReport."""
    table = _table("view", "verdict", "score")
    for view in report.views:
        table.add_row(Text(view.name), Text(view.verdict, STYLES[view.verdict]), f"{view.score:.2f}")
    console.print(table)
    for severity in ("inconsistent", "suspect", "note"):
        for finding in report.findings:
            if finding.severity == severity:
                _show_finding(console, finding)
    nothing = "" if report.findings else ", nothing was found"
    score = f"Score {report.score:.2f}: expected error of the surface, in % of the object's diagonal."
    verdict = Text(_wrapped(console, f"Verdict: {report.verdict}{nothing}. {score}"))
    verdict.highlight_words([report.verdict], STYLES[report.verdict])
    console.print(verdict, highlight=False, soft_wrap=True)
    written = f"Wrote {', '.join(map(str, files))}" if files else "Checked"
    line(console, f"{written} in {seconds:.1f} s.")
    _show_page(console, files)


def _show_page(console: Console, files: Sequence[Path]) -> None:
    """How to look at what was written."""
    page = next((file for file in files if file.name == "report.html"), None)
    if page is not None:
        line(console, f"To look at it: meshopt view {shlex.quote(str(page.parent))}")


def _show_finding(console: Console, finding: Any) -> None:
    views = ", ".join(finding.views) or "all views"
    parts = (finding.severity, finding.code, views, _quantity(finding))
    heading = Text(_wrapped(console, "  ".join(part for part in parts if part), later="  "))
    heading.stylize(STYLES[finding.severity], 0, len(finding.severity))
    console.print(heading, highlight=False, soft_wrap=True)
    for text in (finding.message, f"Remedy: {finding.remedy}"):
        line(console, _wrapped(console, text, "  ", "  "))
    console.print()


def _quantity(finding: Any) -> str:
    """Value, uncertainty, unit and threshold, as far as they are known."""
    if finding.value is None:
        return ""
    uncertainty = "" if finding.uncertainty is None else f" ± {finding.uncertainty:.2g}"
    threshold = "" if finding.threshold is None else f" (threshold {finding.threshold:.3g})"
    return f"{finding.value:.3g}{uncertainty} {finding.unit}".rstrip() + threshold


def _wrapped(console: Console, text: str, first: str = "", later: str = "") -> str:
    """The text in lines as wide as the console, indented by `first` and `later`; words stay whole."""
    return textwrap.fill(
        text, console.width, initial_indent=first, subsequent_indent=later,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _table(*names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name, justify="right" if name in NUMBERS else "left", overflow="fold")
    return table


def _short(path: str | None) -> str:
    return "-" if path is None else "/".join(Path(path).parts[-2:])


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"
