"""How much of what is wrong with the views is left in the result? Reconstructs damaged views of known objects.

    python benchmarks/consistency_recovery.py FOLDER [FOLDER ...] --json ROWS.jsonl [--kinds rotate:10,...] [--raw]

FOLDER holds views/OBJECT/RIG/ and meshes/OBJECT.*, as for benchmarks/consistency.py. Every set is reconstructed clean
and with each kind of damage (of meshopt.evaluate.corruptions, strength after a colon), default settings. The table has
the mean distance to the true surface, both directions, over that of the clean views: of the means over all objects; and
the same after the similarity that fits the result best to the truth (`consistency_damage.fitted`). Rows that are in the
file are not reconstructed again. --raw: with --no-correct.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from consistency import Damage, read
from consistency_damage import Task, damaged, distance, fitted, key, sources, truth
from consistency_rows import CLEAN, Row, label
from scores import Case

import meshopt
from meshopt.evaluate.surfaces import Surface
from meshopt.topology import topology

KINDS = "rotate:10,rotate_all:10,mirrored,misplaced:4,bend:10,patch:25,noise:10"
OBJECTS = "armadillo,astronaut,flight_helmet,fox,spot"
UNCORRECTED = "check.correct=false"


def main() -> int:
    options = arguments()
    rows = read(options.json)
    known = {(key(row), row["corrected"]) for row in rows}
    damages = [Damage(CLEAN, None), *(Damage.of(text) for text in options.kinds.split(","))]
    with options.json.open("a") as file:
        for source, damage, seed in product(sources(options), damages, range(1, options.seeds + 1)):
            task = Task(source, damage.kind, damage.strength, 0.0, 0 if damage.kind == CLEAN else seed)
            if (key(task.row), not options.raw) not in known:
                known.add((key(task.row), not options.raw))
                rows.append(measured(task, options.raw, options.set))
                file.write(json.dumps(rows[-1]) + "\n")
                file.flush()
    print(table(rows))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER", help="none: only the table of the rows")
    parser.add_argument("--json", type=Path, required=True, metavar="ROWS", help="read and added to")
    parser.add_argument("--objects", default=OBJECTS)
    parser.add_argument("--rigs", default="unique3d")
    parser.add_argument("--kinds", default=KINDS, help="KIND[:STRENGTH], comma-separated")
    parser.add_argument("--seeds", type=int, default=1, help="of each kind")
    parser.add_argument("--raw", action="store_true", help="correct nothing")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="settings, as in the CLI")
    return parser.parse_args()


def measured(task: Task, raw: bool, settings: Sequence[str]) -> Row:
    """What the reconstruction of a set is worth."""
    config = meshopt.load_config(overrides=[*settings, *([UNCORRECTED] if raw else [])])
    mesh = meshopt.reconstruct(damaged(task)[0], config).world_mesh
    found, (true, points) = Surface.of(mesh), truth(Case(task.source).truth_file)
    figures = {"error": distance(found, true), "aligned": distance(fitted(found, points), true)}
    crossing = topology(mesh.vertices, mesh.faces).self_intersecting_faces
    return task.row | {"corrected": not raw} | figures | {"self_intersecting": crossing}


def table(rows: Sequence[Row]) -> str:
    """Markdown: a line per kind, corrected or not."""
    clean = {(row["object"], row["rig"]): row for row in rows if row["kind"] == CLEAN and row["corrected"]}
    lines = ["| damage | corrected | sets | ratio | aligned | crossing faces |", "|---|---|--:|--:|--:|--:|"]
    for name, corrected in dict.fromkeys((label(row), row["corrected"]) for row in rows):
        some = [row for row in rows if (label(row), row["corrected"]) == (name, corrected)]
        some = [row for row in some if (row["object"], row["rig"]) in clean]
        if some:
            of_clean = [clean[row["object"], row["rig"]] for row in some]
            ratio, aligned = (
                np.mean([row[figure] for row in some]) / np.mean([row[figure] for row in of_clean])
                for figure in ("error", "aligned")
            )
            crossing = sum(row["self_intersecting"] for row in some)
            done = "yes" if corrected else "no"
            lines.append(f"| {name} | {done} | {len(some)} | {ratio:.2f} | {aligned:.2f} | {crossing} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
