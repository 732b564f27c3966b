"""Checks clean and damaged views of known objects: what is found, what is missed, what is a false alarm.

    python benchmarks/consistency.py FOLDER [FOLDER ...] --json ROWS.jsonl [--kinds rotate:5,zoom:3] [--table OUT.md]

FOLDER holds views/OBJECT/RIG/{rgb,normals}/ (rgb may be missing) with a cameras.json; benchmarks/objects.py writes such
a folder. Every set is checked as it is and with each kind of damage (of meshopt.evaluate.corruptions, strength after a
colon). One row, a line of JSON, per check; rows that are in the file already are not measured again. --sensitive checks
with thresholds next to nothing: what the curves of --plot need, detection against false alarms as the threshold varies.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from consistency_curves import chosen, draw
from consistency_rows import CLEAN, SEVERAL, Row, counted, half, label, missed, summary, table, totals

import meshopt
from meshopt.config import CheckConfig
from meshopt.consistency import Checked
from meshopt.evaluate.corruptions import KINDS, corrupt
from meshopt.evaluate.truth import Truth
from meshopt.views import ViewSet

RIGS = "unique3d,wonder3d,zero123plus"
DAMAGE = "rotate:5,rotate:10,zoom:3,shift:1,flipped,world_flipped,swapped,swapped_camera,mirrored"
SENSITIVE = 0.01  # the thresholds of a sensitive check, each in its unit
THRESHOLDS = ("rotation", "zoom", "shift", "patch")
KEY = ("object", "rig", "kind", "strength", "seed", "sensitive")
SEEDS = 100  # of each set, at most
TURN = 1e-4  # difference of matrices that are the same


@dataclass(frozen=True)
class Damage:
    """A kind and its strength, None for the usual one or where it has none."""

    kind: str
    strength: float | None

    @staticmethod
    def of(text: str) -> Damage:
        """From KIND or KIND:STRENGTH."""
        kind, _, strength = text.partition(":")
        if kind != CLEAN and kind not in KINDS:
            raise SystemExit(f"--kinds: {kind!r} is unknown: expected one of {CLEAN}, {', '.join(KINDS)}")
        usual = KINDS[kind].strength if kind in KINDS else None
        return Damage(kind, float(strength) if strength else usual)


@dataclass(frozen=True)
class Task:
    """The checks of one set that are still to be made."""

    source: Path
    checks: tuple[tuple[Damage, int], ...]
    sensitive: bool

    @property
    def name(self) -> dict[str, Any]:
        return {"object": self.source.parent.name, "rig": self.source.name}


def main() -> int:
    options = arguments()
    rows = read(options.json)
    known = {key(row) for row in rows}
    tasks = [task for source in sources(options) if (task := remaining(source, options, known)).checks]
    total = sum(len(task.checks) for task in tasks)
    with options.json.open("a") as file:
        for done, row in enumerate(measured(tasks, options.jobs), 1):
            rows.append(row)
            file.write(json.dumps(row) + "\n")
            file.flush()
            if counted(row) and missed(row) and not row["sensitive"]:
                print(f"{done}/{total} {line(row)}", flush=True)
    if options.table:
        options.table.write_text("\n".join(filter(None, [table(rows, options.half), chosen(rows)])))
    if options.totals:
        options.totals.write_text(json.dumps(totals(rows), indent=1) + "\n")
    if options.plot:
        options.plot.write_bytes(draw(rows, options.half))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folders", type=Path, nargs="*", metavar="FOLDER", help="none: only tables and curves of the rows"
    )
    parser.add_argument("--json", type=Path, required=True, metavar="ROWS", help="read and added to")
    parser.add_argument("--objects", help="comma-separated; default: all")
    parser.add_argument("--rigs", default=RIGS)
    parser.add_argument("--kinds", default=DAMAGE, help="KIND[:STRENGTH], comma-separated")
    parser.add_argument("--seeds", type=int, default=1, help=f"of each kind, at most {SEEDS}")
    parser.add_argument("--half", choices=("even", "odd", "all"), default="all", help="of the objects")
    parser.add_argument("--sensitive", action="store_true", help="thresholds next to nothing, for --plot")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--table", type=Path, metavar="MD", help="write the table here")
    parser.add_argument("--totals", type=Path, metavar="JSON", help="write the table's figures here, all rigs together")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw the curves here")
    return parser.parse_args()


def sources(options: argparse.Namespace) -> list[Path]:
    """The folders of the sets."""
    found = [source for folder in options.folders for source in sorted(folder.glob("views/*/*"))]
    objects = options.objects.split(",") if options.objects else None
    return [
        source
        for source in found
        if source.name in options.rigs.split(",")
        and (objects is None or source.parent.name in objects)
        and options.half in ("all", half(source.parent.name))
    ]


def remaining(source: Path, options: argparse.Namespace, known: set[tuple[Any, ...]]) -> Task:
    """Clean, and every kind with every seed, but for what is known."""
    damages = [Damage.of(text) for text in options.kinds.split(",") if text != CLEAN]
    first = SEEDS * zlib.crc32(
        "/".join(source.parts[-2:]).encode()
    )  # of its own, lest all sets have the same view damaged
    checks = [(Damage(CLEAN, None), 0)] + [(d, first + k) for k in range(options.seeds) for d in damages]
    task = Task(source, (), options.sensitive)
    left = [(d, s) for d, s in checks if key(task.name | header(d, s, options.sensitive)) not in known]
    return replace(task, checks=tuple(left))


def header(damage: Damage, seed: int, sensitive: bool) -> Row:
    return {"kind": damage.kind, "strength": damage.strength, "seed": seed, "sensitive": sensitive}


def key(row: Row) -> tuple[Any, ...]:
    """What no two rows have in common."""
    return tuple(row[name] for name in KEY)


def read(file: Path) -> list[Row]:
    """The rows of a file, if there is one."""
    return [json.loads(text) for text in file.read_text().splitlines()] if file.exists() else []


def measured(tasks: list[Task], jobs: int) -> Iterator[Row]:
    """All rows, as they come."""
    if jobs <= 1:
        for task in tasks:
            yield from checked(task)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(_all_checked, task) for task in tasks]):
            yield from future.result()


def _all_checked(task: Task) -> list[Row]:
    return list(checked(task))


def checked(task: Task) -> Iterator[Row]:
    """The rows of one set."""
    rgb = task.source / "rgb"
    views = meshopt.load_views(rgb if rgb.is_dir() else None, task.source / "normals")
    settings = CheckConfig(**dict.fromkeys(THRESHOLDS, SENSITIVE)) if task.sensitive else CheckConfig()
    for damage, seed in task.checks:
        if damage.kind == "order" and turns_the_world(views):
            continue
        row = task.name | header(damage, seed, task.sensitive)
        if damage.kind == CLEAN:
            yield row | {"effect": 0.0, "views": [], "truth": {}, "iou": None} | figures(views, settings)[0]
            continue
        damaged = corrupt(views, damage.kind, damage.strength, seed=seed)
        truth = damaged.truth
        row |= {"effect": truth.effect, "views": list(truth.views), "truth": truth.as_plain()["parameters"]}
        found, result = figures(damaged.views, settings)
        yield row | {"iou": overlap(result, truth)} | found


def figures(views: ViewSet, settings: CheckConfig) -> tuple[Row, Checked]:
    """What a check finds, and its cost."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = meshopt.check(views, settings)
    cost = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    report = result.report
    findings = [
        {
            "code": f.code, "severity": f.severity, "views": list(f.views), "unit": f.unit,
            **{name: _number(getattr(f, name)) for name in ("value", "uncertainty", "threshold")},
        }
        for f in report.findings
    ]  # fmt: skip
    scores = {view.name: _number(view.score) for view in report.views}
    told = {"verdict": report.verdict, "score": _number(report.score), "view_scores": scores, "findings": findings}
    return told | {name: round(seconds, 3) for name, seconds in cost.items()}, result


def _number(value: float | None) -> float | None:
    return None if value is None else round(float(value), 5)


def overlap(result: Checked, truth: Truth) -> float | None:
    """Of a bent patch: intersection over union of its pixels with those that were flagged."""
    if truth.kind != "patch":
        return None
    flagged = result.flagged
    height, width = flagged.shape[1:]
    bent = (truth.degrees > (truth.strength or 0) / 2).astype(np.float32)
    true = np.stack([cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA) > 0.5 for part in bent])
    return float((true & flagged).sum() / max(1, (true | flagged).sum()))


def turns_the_world(views: ViewSet) -> bool:
    """Whether each camera is the one before it, turned by one and the same rotation: then pictures that all move on by
    one camera are of the turned object, and nothing is wrong."""
    cameras = views.cameras
    turns = [b.rotation.T @ a.rotation for a, b in zip(cameras, (*cameras[1:], cameras[0]), strict=True)]
    return all(np.abs(turn - turns[0]).max() < TURN for turn in turns)


def line(row: Row) -> str:
    """What was done and what was found."""
    where = "" if row["kind"] in SEVERAL else " ".join(row["views"])
    done = f"{row['object']} {row['rig']} {label(row)} seed {row['seed']} {where} effect {row['effect']:.3f}"
    return f"{done}: {summary(row)}"


if __name__ == "__main__":
    sys.exit(main())
