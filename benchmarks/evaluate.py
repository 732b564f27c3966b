"""Compares `meshopt evaluate` with an independent scorer, figure by figure.

    python benchmarks/evaluate.py FOLDER --scorer COMMAND [--rig unique3d] [--meshes FOLDER] [--align icp]

FOLDER is as for benchmarks/reconstruct.py. The meshes are those in --meshes (OBJECT.glb, ...); what is not there is
reconstructed with --quality fast, and kept there. The scorer is called as `SCORER MESH --gt TRUTH --views SOURCE
--align HOW --json FILE`. A table per object, ours beside theirs, then one of all: our figure, and in brackets by how
many per cent it is larger than theirs. Exit code 1 where one differs by more than --limit.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scores import Case, scorer_says

import meshopt
from meshopt.config import EvaluateConfig
from meshopt.evaluate import Evaluation, evaluate

Figures = dict[str, tuple[float | None, float | None]]  # name: ours, theirs
NOTHING = 2e-5  # differences below are none: the scorer measures in single precision


def main() -> int:
    options = arguments()
    sources = sorted(options.folder.glob(f"views/*/{options.rig}"))
    cases = [Case(s) for s in sources if not options.objects or s.parent.name in options.objects.split(",")]
    if not cases:
        print(f"{options.folder}: no views/OBJECT/{options.rig}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.meshes or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        compared = {case.name: compared_on(case, folder, options) for case in cases}
    names = list(dict.fromkeys(name for figures in compared.values() for name in figures))
    print("\n| figure | " + " | ".join(compared) + " |\n" + "|---" * (len(compared) + 1) + "|")
    for name in names:
        cells = [cell(*figures[name]) if name in figures else "" for figures in compared.values()]
        print(f"| {name} | {' | '.join(cells)} |")
    if options.json:
        options.json.write_text(json.dumps(compared, indent=1) + "\n")
    worst = [
        f"{case}: {name} by {100 * difference(*values):+.1f} %"
        for case, figures in compared.items()
        for name, values in figures.items()
        if abs(difference(*values)) > options.limit / 100
    ]
    print(f"\nMore than {options.limit:g} % apart: {'; '.join(worst) or 'none'}.")
    return 1 if worst else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scorer", required=True, help="command of the independent scorer")
    parser.add_argument("--objects", help="comma-separated; default: all")
    parser.add_argument("--rig", default="unique3d")
    parser.add_argument("--meshes", type=Path, help="meshes to measure; what is missing is made and kept here")
    parser.add_argument("--align", default="none", choices=("none", "bbox", "icp"))
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--limit", type=float, default=2.0, help="per cent")
    parser.add_argument("--json", type=Path, help="write the figures here")
    return parser.parse_args()


def compared_on(case: Case, folder: Path, options: argparse.Namespace) -> Figures:
    """All figures of one object's mesh, ours and theirs; prints them."""
    file = case.mesh_in(folder)
    if file is None:
        file = folder / f"{case.name}.glb"
        result = meshopt.reconstruct(case.views, meshopt.load_config(overrides=["quality=fast"]))
        meshopt.save_mesh(result.world_mesh, file)
    began = time.perf_counter()
    mesh = meshopt.load_mesh(file, textures=True)
    settings = EvaluateConfig(samples=options.samples, align=options.align)
    ours = evaluate(mesh, case.truth, case.views, settings)
    middle = time.perf_counter()
    theirs = scorer_says(file, case, options.scorer, "--align", options.align)
    figures = dict(pairs(ours, theirs))
    ended = time.perf_counter()
    print(
        f"\n{case.name} ({len(mesh.faces)} faces; ours in {middle - began:.0f} s, theirs in {ended - middle:.0f} s)\n"
    )
    print("| figure | ours | scorer | difference |\n|---|---|---|---|")
    for name, (one, two) in figures.items():
        print(f"| {name} | {text(one)} | {text(two)} | {100 * difference(one, two):+.2f} % |", flush=True)
    return figures


def pairs(ours: Evaluation, theirs: dict[str, Any]) -> Iterator[tuple[str, tuple[float | None, float | None]]]:
    """What both measure."""
    assert ours.geometry is not None
    assert ours.images is not None
    geometry, diagonal = theirs["geometry"], ours.geometry.diagonal
    for scores, tail, words in (
        (ours.geometry.everything, "", ""),
        (ours.geometry.visible, "_visible", ", visible"),
    ):
        assert scores is not None
        hausdorff = max(scores.hausdorff_95.accuracy, scores.hausdorff_95.completeness)
        half, whole = scores.fscores
        yield f"Chamfer, %{words}", (100 / diagonal * scores.point_to_surface.mean, geometry["chamfer_pct" + tail])
        yield f"Hausdorff 95 %, %{words}", (100 / diagonal * hausdorff, geometry["hausdorff95_pct" + tail])
        yield f"F 0.5 %{words}", (half.fscore, geometry["fscore_0.5pct" + tail])
        yield f"F 1 %{words}", (whole.fscore, geometry["fscore_1.0pct" + tail])
        yield f"angle, °{words}", (scores.normal_angle.mean, geometry["normal_angle_deg" + tail])
        unoriented = scores.normal_angle_unoriented.mean
        yield f"angle unoriented, °{words}", (unoriented, geometry["normal_angle_unoriented_deg" + tail])
    share = ours.geometry.visible_share
    yield "visible share, truth", (share.completeness, geometry["gt_visible_fraction"])
    yield from image_pairs(ours, theirs["images"])
    health, kind = theirs["health"], ours.topology
    for name, one, two in (
        ("boundary edges", kind.boundary_edges, health["boundary_edges"]),
        ("non-manifold edges", kind.nonmanifold_edges, health["nonmanifold_edges"]),
        ("components", kind.components, health["components"]),
        ("Euler", kind.euler, health["euler"]),
        ("self-intersecting faces", kind.self_intersecting_faces, health["self_intersecting_faces"]["count"]),
    ):
        yield name, (float(one), float(two))


def image_pairs(ours: Evaluation, theirs: dict[str, Any]) -> Iterator[tuple[str, tuple[float | None, float | None]]]:
    """Of all views together, and of the view that differs most."""
    assert ours.images is not None
    whole, views = ours.images.whole, ours.images.views
    yield "IoU", (whole.silhouette_iou, theirs["mean_silhouette_iou"])
    yield "normals, °", (whole.normals and whole.normals.mean_deg, theirs["mean_normal_deg"])
    if whole.colors:
        yield "PSNR, dB", (whole.colors.psnr_db, theirs["colour_psnr_db_all"])
    readings: list[tuple[str, str, Callable[[Any], float | None]]] = [
        ("IoU", "silhouette_iou", lambda view: view.silhouette_iou),
        ("normals, °", "normal_mean_deg", lambda view: view.normals and view.normals.mean_deg),
        ("normals' median, °", "normal_median_deg", lambda view: view.normals and view.normals.median_deg),
        ("share < 11.25°", "normal_below_11_25", lambda view: view.normals and view.normals.under_11_25),
    ]
    if whole.colors:
        readings.append(("PSNR, dB", "colour_psnr_db", lambda view: view.colors and view.colors.psnr_db))
    for name, key, reading in readings:
        both = [(reading(view), their.get(key)) for view, their in zip(views, theirs["views"], strict=True)]
        yield f"{name}, worst view", max(both, key=lambda values: abs(difference(*values)))


def difference(ours: float | None, theirs: float | None) -> float:
    """Relative to theirs; 1 where only one of both has the figure."""
    if ours is None or theirs is None:
        return float(ours is not theirs)
    if abs(ours - theirs) < NOTHING:
        return 0.0
    return (ours - theirs) / abs(theirs) if theirs else float("inf")


def cell(ours: float | None, theirs: float | None) -> str:
    return f"{text(ours)} ({100 * difference(ours, theirs):+.1f} %)"


def text(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


if __name__ == "__main__":
    sys.exit(main())
