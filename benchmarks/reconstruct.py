"""Reconstructs a folder of ground-truth views and prints a row per object and rig: seconds, fit, topology, accuracy.

    python benchmarks/reconstruct.py DIR [--rigs unique3d,wonder3d] [--scorer "python metrics.py"] [--json FILE]

DIR holds views/OBJECT/RIG/{rgb,normals}/ with a cameras.json, and meshes/OBJECT.(glb|ply). The scorer is a command
that is called as `SCORER MESH --gt GROUND_TRUTH --views VIEWS --json FILE`; its figures are printed beside ours.
"""

from __future__ import annotations

import argparse
import json
import resource
import shlex
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import meshopt

COLUMNS = (
    ("chamfer %", "chamfer_pct", "{:.3f}"),
    ("visible %", "chamfer_pct_visible", "{:.3f}"),
    ("F@0.5 %", "fscore_0.5pct", "{:.3f}"),
    ("normals", "normal_angle_deg", "{:.1f}"),
    ("in views", "view_normal_deg", "{:.2f}"),
    ("min IoU", "min_iou", "{:.4f}"),
    ("closed", "closed", "{}"),
    ("manifold", "manifold", "{}"),
    ("crossing", "self_intersecting", "{}"),
    ("faces", "faces", "{}"),
    ("wall s", "seconds", "{:.1f}"),
    ("CPU s", "cpu_seconds", "{:.1f}"),
    ("MB", "peak_mb", "{:.0f}"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--objects", help="comma-separated; default: all")
    parser.add_argument("--rigs", default="unique3d,wonder3d")
    parser.add_argument("--scorer", help="command of an independent scorer")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="settings, as in the CLI")
    parser.add_argument("--keep", type=Path, help="folder for the meshes")
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    rows = []
    print("| object | rig | " + " | ".join(title for title, _, _ in COLUMNS) + " |")
    print("|---" * (2 + len(COLUMNS)) + "|")
    for source in sorted(options.folder.glob("views/*/*")):
        if source.name not in options.rigs.split(","):
            continue
        if options.objects and source.parent.name not in options.objects.split(","):
            continue
        row = measure(source, options)
        rows.append(row)
        cells = [form.format(row[key]) if row.get(key) is not None else "" for _, key, form in COLUMNS]
        print(f"| {row['object']} | {row['rig']} | " + " | ".join(cells) + " |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


def measure(source: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One reconstruction, from files to a mesh file, and its figures."""
    wall, cpu = time.perf_counter(), time.process_time()
    views = meshopt.load_views(source / "rgb", source / "normals")
    result = meshopt.reconstruct(views, meshopt.load_config(overrides=options.set))
    seconds = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    report = result.report
    row = {"object": source.parent.name, "rig": source.name, "faces": report["topology"]["faces"]} | seconds
    row["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    row["min_iou"] = min(view["silhouette_iou"] for view in report["views"])
    row["closed"] = report["topology"]["boundary_edges"] == 0
    row["manifold"] = report["topology"]["nonmanifold_edges"] == report["topology"]["nonmanifold_vertices"] == 0
    row["self_intersecting"] = report["topology"]["self_intersecting_faces"]
    row["stages"] = report["stages"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        mesh = folder / f"{source.parent.name}_{source.name}.glb"
        meshopt.save_mesh(result.world_mesh, mesh)
        if options.scorer:
            row |= score(mesh, source, options.scorer, Path(scratch) / "score.json")
    return row


def score(mesh: Path, source: Path, scorer: str, output: Path) -> dict[str, Any]:
    """What the independent scorer says; it overrules our own figures of the same name."""
    truth = next((source.parents[2] / "meshes").glob(f"{source.parent.name}.*"))
    command = [*shlex.split(scorer), mesh, "--gt", truth, "--views", source, "--json", output]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    found = json.loads(output.read_text())
    health, geometry, images = found["health"], found["geometry"], found["images"]
    return {
        **{key: geometry[key] for key in ("chamfer_pct", "chamfer_pct_visible", "fscore_0.5pct", "normal_angle_deg")},
        "view_normal_deg": images["mean_normal_deg"],
        "min_iou": min(view["silhouette_iou"] for view in images["views"]),
        "closed": health["boundary_edges"] == 0,
        "manifold": health["edge_manifold"] and health["vertex_manifold"],
        "self_intersecting": health["self_intersecting_faces"]["count"],
    }


if __name__ == "__main__":
    main()
