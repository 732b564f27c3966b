"""The tables of `meshopt evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from .messages import line

if TYPE_CHECKING:
    from meshopt.evaluate.evaluation import Evaluation
    from meshopt.evaluate.geometry import BothWays, Geometry, SurfaceScores
    from meshopt.evaluate.images import ImageScores, ViewScores

Row = tuple[str, tuple[str, str, str]]
UNSEEN = 0.0005  # shares of a surface that are hidden below this are not shown


def show_evaluation(console: Console, evaluation: Evaluation, files: Sequence[Path], seconds: float) -> None:
    """All figures with their units, what is to be known of them, and what was written."""
    pose = evaluation.alignment
    if evaluation.align != "none":
        shift = ", ".join(f"{value:.4g}" for value in pose.translation)
        turned = f"turned by {pose.degrees:.3g}°, " if pose.degrees > 1e-6 else ""
        line(console, f"Aligned by {evaluation.align}: scaled by {pose.scale:.6g}, {turned}shifted by ({shift}).")
    if evaluation.geometry is not None:
        _show_geometry(console, evaluation.geometry)
    if evaluation.images is not None:
        _show_images(console, evaluation.images)
    line(console, f"The mesh is {evaluation.topology.line()}")
    for note in evaluation.notes:
        line(console, f"Note: {note}")
    written = f"Wrote {', '.join(map(str, files))}" if files else "Measured"
    line(console, f"{written} in {seconds:.1f} s.")


def _show_geometry(console: Console, geometry: Geometry) -> None:
    hidden = geometry.visible_share
    shown = max(1 - hidden.accuracy, 1 - hidden.completeness) >= UNSEEN
    table = _table("geometry", "accuracy", "completeness", "mean", *(("visible",) if shown else ()))
    everything = _rows(geometry, geometry.everything)
    visible = _rows(geometry, geometry.visible) if geometry.visible is not None else None
    for i, (name, cells) in enumerate(everything):
        last = (visible[i][1][2] if visible else "-",) if shown else ()
        table.add_row(name, *cells, *last)
    console.print(table)
    if shown:
        found, truth = 100 * hidden.accuracy, 100 * hidden.completeness
        line(
            console,
            f"visible: means of what is seen from outside, {found:.1f} % of the mesh, {truth:.1f} % of the truth.",
        )
    line(console, "accuracy: from the mesh to the truth; completeness: from the truth to the mesh.")
    line(
        console,
        f"The truth's diagonal is {geometry.diagonal:.4g}, its bounding sphere's radius {geometry.radius:.4g};"
        f" distances without a unit are in the truth's. {geometry.samples} samples on each surface: point to point of"
        f" equal surfaces is about {geometry.floor:.2g}.",
    )


def _rows(geometry: Geometry, scores: SurfaceScores) -> list[Row]:
    percent, sphere = 100 / geometry.diagonal, 1 / geometry.radius
    surface, points = scores.point_to_surface, scores.point_to_point
    rows = [
        ("Chamfer, point to surface", _cells(surface)),
        ("  % of the diagonal", _cells(surface.times(percent))),
        ("  on the unit sphere", _cells(surface.times(sphere))),
        ("Chamfer, point to point", _cells(points)),
        ("  squared", _cells(scores.point_to_point_squared)),
        ("Hausdorff 95 %, % of diag.", _cells(scores.hausdorff_95.times(percent))),
        ("angle of normals", _cells(scores.normal_angle, ".2f", "°")),
        ("  unoriented", _cells(scores.normal_angle_unoriented, ".2f", "°")),
        ("cosine of normals", _cells(scores.normal_cosine, ".4f")),
        ("  absolute", _cells(scores.normal_cosine_unoriented, ".4f")),
    ]
    for score in scores.fscores:
        values = (score.precision, score.recall, score.fscore)
        rows.append((f"precision, recall, F {score.percent:g} %", _formatted(values, ".4f")))
    return rows


def _cells(values: BothWays, form: str = ".4g", unit: str = "") -> tuple[str, str, str]:
    return _formatted((values.accuracy, values.completeness, values.mean), form, unit)


def _formatted(values: tuple[float, float, float], form: str, unit: str = "") -> tuple[str, str, str]:
    first, second, third = (f"{value:{form}}{unit}" for value in values)
    return first, second, third


def _show_images(console: Console, images: ImageScores) -> None:
    """Silhouettes and colours; then normals."""
    rows = (*images.views, images.whole)
    colored = any(view.colors for view in rows)
    perceptual = any(view.colors and view.colors.lpips is not None for view in rows)
    names = ["view", "silhouette IoU", "missing", "extra"] + ["PSNR", "SSIM"] * colored + ["LPIPS"] * perceptual
    _show_views(console, names, [(view.name, *_silhouette(view), *_colors(view)) for view in rows])
    if any(view.normals for view in rows):
        names = ["normals", "mean", "median", "95 %", "< 10°", "< 11.25°", "gradient", "of the given"]
        _show_views(console, names, [(view.name, *_normals(view)) for view in rows])


def _show_views(console: Console, names: list[str], rows: list[tuple[str, ...]]) -> None:
    """A row per view, and one of all; what a view lacks is a dash."""
    table = _table(*names)
    for i, row in enumerate(rows):
        cells = [*row, *["-"] * len(names)][: len(names)]
        table.add_row(*cells, end_section=i == len(rows) - 2)
    console.print(table)


def _silhouette(view: ViewScores) -> tuple[str, ...]:
    return _number(view.silhouette_iou, ".4f"), f"{view.missing_pixels} px", f"{view.extra_pixels} px"


def _colors(view: ViewScores) -> tuple[str, ...]:
    if view.colors is None:
        return ()
    lpips = () if view.colors.lpips is None else (f"{view.colors.lpips:.4f}",)
    return f"{view.colors.psnr_db:.2f} dB", f"{view.colors.ssim:.4f}", *lpips


def _normals(view: ViewScores) -> tuple[str, ...]:
    scores = view.normals
    if scores is None:
        return ()
    angles = (f"{value:.2f}°" for value in (scores.mean_deg, scores.median_deg, scores.p95_deg))
    shares = (f"{100 * share:.1f} %" for share in (scores.under_10, scores.under_11_25))
    share = None if scores.gradient_share is None else 100 * scores.gradient_share
    return *angles, *shares, _number(scores.gradient, ".5f"), _number(share, ".1f", " %")


def _table(*names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(names):
        table.add_column(name, justify="right" if i else "left", overflow="fold")
    return table


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"
