"""Reconstructs a folder of ground-truth views and prints a row per object and rig: accuracy, fit, topology, cost.

    python benchmarks/reconstruct.py FOLDER [--rigs unique3d,wonder3d] [--against FOLDER|ROWS.json] [--json FILE]

FOLDER holds views/OBJECT/RIG/{rgb,normals}/ (rgb may be missing) with a cameras.json, and meshes/OBJECT.(glb|obj|ply).
benchmarks/objects.py writes such a folder. Each object is reconstructed in a process of its own, after one that only
compiles; one that fails gets a row that says so, and the exit code is 1.

p2s: mean distance between the surfaces, both directions, the truth scaled to the unit sphere, and F-scores on that
scale; Chamfer: the same in per cent of the truth's diagonal; visible: of what can be seen from outside. An external
scorer, called as `SCORER MESH --gt TRUTH --views VIEWS --json FILE`, overrules our figures of the same name.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from scores import Case, last_line, ratios, score

from meshopt.evaluate.geometry import SAMPLES

COLUMNS = (
    ("chamfer %", "chamfer_pct", "{:.3f}"),
    ("visible %", "chamfer_pct_visible", "{:.3f}"),
    ("p2s", "p2s", "{:.5f}"),
    ("F@.01", "f_01", "{:.3f}"),
    ("F@.005", "f_005", "{:.3f}"),
    ("F@0.5 %", "fscore_0.5pct", "{:.3f}"),
    ("normals", "normal_angle_deg", "{:.1f}"),
    ("in views", "view_normal_deg", "{:.2f}"),
    ("< 10°", "under_10deg", "{:.3f}"),
    ("min IoU", "min_iou", "{:.4f}"),
    ("closed", "closed", "{}"),
    ("manifold", "manifold", "{}"),
    ("crossing", "self_intersecting", "{}"),
    ("flipped", "flipped", "{}"),
    ("genus", "genus", "{}"),
    ("parts", "components", "{}"),
    ("faces", "faces", "{}"),
    ("wall s", "seconds", "{:.1f}"),
    ("CPU s", "cpu_seconds", "{:.1f}"),
    ("MB", "peak_mb", "{:.0f}"),
)
COMPARED = (("ours/theirs p2s", "p2s_ratio", "{:.2f}"), ("normals", "normal_ratio", "{:.2f}"))
WARM_UP = ("--set", "views.resolution=128")
OURS, LIMIT = "meshopt", 1800  # LIMIT: seconds of one reconstruction


def main() -> int:
    options = arguments()
    cases = [Case(source) for source in sorted(options.folder.glob("views/*/*")) if wanted(source, options)]
    if not cases:
        print(f"{options.folder}: no views/OBJECT/RIG of these objects and rigs", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        reconstruct(cases[0], Path(scratch) / "warm_up.glb", options, WARM_UP)
        rows = measure_all(cases, folder, options)
    return int(any("error" in row for row in rows))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--objects", help="comma-separated; default: all")
    parser.add_argument("--rigs", default="unique3d,wonder3d")
    parser.add_argument("--scorer", help="command of an independent scorer")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="points on each surface")
    parser.add_argument("--quality", metavar="NAME", help="setting of that name, else a preset")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="settings, as in the CLI")
    parser.add_argument(
        "--against", action="append", default=[], type=Path, metavar="FOLDER|JSON",
        help="another system's meshes (OBJECT_RIG.* or OBJECT.*), or rows that --json wrote earlier",
    )  # fmt: skip
    parser.add_argument("--keep", type=Path, help="folder for the meshes")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="a PNG per object and rig, and an overview")
    return parser.parse_args()


def wanted(source: Path, options: argparse.Namespace) -> bool:
    named = not options.objects or source.parent.name in options.objects.split(",")
    return named and source.name in options.rigs.split(",")


def measure_all(cases: list[Case], folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each case, and one for each other system's; printed, written and drawn as they come."""
    columns = [*COLUMNS, *(COMPARED if options.against else ())]
    print("| object | rig | system | " + " | ".join(title for title, _, _ in columns) + " |")
    print("|---" * (3 + len(columns)) + "|")
    rows: list[dict[str, Any]] = []
    drawn = []
    for case in cases:
        meshes: dict[str, Path] = {}
        for row in measure(case, folder, options, meshes):
            rows.append(row)
            print(line(row, columns), flush=True)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1) + "\n")
        if options.pictures and meshes:
            drawn.append((case, meshes))
    if drawn:
        from reconstruct_pictures import draw_all

        draw_all(drawn, options.pictures)
    return rows


def measure(case: Case, folder: Path, options: argparse.Namespace, meshes: dict[str, Path]) -> list[dict[str, Any]]:
    """Our row and the others'. An error is a row, too. `meshes`: filled with each system's mesh file."""
    name = {"object": case.name, "rig": case.rig}
    file = folder / f"{case.name}_{case.rig}.glb"
    ours = name | {"system": OURS}
    try:
        ours |= reconstruct(case, file, options)
        if "error" not in ours:
            meshes[OURS] = file
            ours |= score(file, case, options.scorer, options.samples)
    except Exception as error:
        ours["error"] = f"{type(error).__name__}: {error}"
    rows = [ours]
    for other in options.against:
        row = name | {"system": other.stem}
        try:
            found = earlier(other, case) if other.suffix == ".json" else rival(other, case, options, meshes)
            if found is None:
                continue
            row |= found | ratios(ours, found) | {"system": other.stem}
        except Exception as error:
            row["error"] = f"{type(error).__name__}: {error}"
        rows.append(row)
    return rows


def rival(folder: Path, case: Case, options: argparse.Namespace, meshes: dict[str, Path]) -> dict[str, Any] | None:
    """The figures of another system's mesh, if it has one."""
    file = case.mesh_in(folder)
    if file is None:
        return None
    meshes[folder.stem] = file
    return score(file, case, options.scorer, options.samples)


def earlier(file: Path, case: Case) -> dict[str, Any] | None:
    """The row of an earlier run."""
    rows = json.loads(file.read_text())
    return next((row for row in rows if (row["object"], row["rig"]) == (case.name, case.rig)), None)


def reconstruct(case: Case, mesh: Path, options: argparse.Namespace, more: tuple[str, ...] = ()) -> dict[str, Any]:
    """The cost of a reconstruction in a fresh process, or its error; leaves the mesh file."""
    figures = mesh.with_suffix(".figures.json")
    command = [sys.executable, str(Path(__file__).with_name("reconstruct_run.py")), case.source, mesh, figures]
    command += ["--quality", options.quality] if options.quality else []
    command += [part for setting in options.set for part in ("--set", setting)]
    done = subprocess.run(
        [str(part) for part in [*command, *more]], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    if done.returncode:
        return {"error": last_line(done.stderr)}
    found: dict[str, Any] = json.loads(figures.read_text())
    figures.unlink()
    return found


def line(row: dict[str, Any], columns: list[tuple[str, str, str]]) -> str:
    """A row of the table."""
    head = f"| {row['object']} | {row['rig']} | {row['system']} |"
    if "error" in row:
        return f"{head} {row['error']}" + " |" * len(columns)
    cells = []
    for _, key, form in columns:
        text = form.format(row[key]) if row.get(key) is not None else ""
        true = row.get(f"true_{key}")
        cells.append(text if true is None or not text else f"{text}/{true}")
    return f"{head} {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
