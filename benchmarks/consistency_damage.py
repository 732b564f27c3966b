"""Does the score of the checks predict the damage? Reconstructs damaged views of known objects as they are.

    python benchmarks/consistency_damage.py FOLDER [FOLDER ...] --json ROWS.jsonl [--count 200] [--scores] [--plot PNG]

FOLDER holds views/OBJECT/RIG/ and meshes/OBJECT.*, as for benchmarks/consistency.py. Every set is reconstructed clean
and with kinds of damage drawn by a seeded plan in which every kind and strength comes equally often; nothing is
corrected. `error`: mean distance to the true surface and back, half each, percent of its diagonal; `aligned`: after the
similarity that fits the result best to the truth, for a common shift or zoom is nothing that views could know of.
Damage is `aligned` less that of the clean set. Rows that are in the file are not reconstructed again; with --scores
every row is checked once more by the program as it is now.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from consistency import figures, read
from consistency_rows import CLEAN, Row, half
from scipy.spatial import cKDTree
from scipy.stats import spearmanr
from scores import Case

import meshopt
from meshopt.config import CheckConfig
from meshopt.evaluate.corruptions import corrupt
from meshopt.evaluate.surfaces import Surface
from meshopt.report.plot import require_matplotlib
from meshopt.views import ViewSet

OBJECTS = "armadillo,astronaut,fox,spot,dragon,robot,creature0,creature1,machine2,machine3"
RIGS = "unique3d,wonder3d"
STRENGTHS: dict[str, tuple[float | None, ...]] = {
    "rotate": (2, 5, 10, 20, 40),
    "zoom": (1, 3, 6),
    "shift": (0.5, 1, 2, 4),
    "misplaced": (2, 4),
    "noise": (3, 6, 10, 15),
    "bend": (5, 10, 20),
    "mirrored": (None, None),
    "swapped": (None, None),
    "swapped_camera": (None, None),
    "flipped": (None,),
    "world_flipped": (None,),
    "patch": (15, 25, 45),
    "mask_bite": (3, 10),
    "mask_extra": (3, 10),
    "mask_hole": (3,),
    "blur": (3, 8),
    "lowres": (32, 64),
    "janus": (None,),
    "jpeg": (20,),
    "fringe": (3,),
}
AREAS = (8.0, 20.0)  # percent of the object that a patch covers
RAW = ["quality=fast", "check.enabled=false"]  # settings: no corrections
SAMPLES, ALIGNED = 40_000, 8_000  # points to measure with and to align with
DENSE = 200_000  # points of the truth that are aligned to
ROUNDS, NEAREST = 25, 0.9  # of alignment, and the share of points that counts
SIDES = ("even", "odd")
LEAST = 2e-3  # percent: less is drawn as this
KEY = ("object", "rig", "kind", "strength", "area", "seed")


@dataclass(frozen=True)
class Task:
    """One reconstruction."""

    source: Path
    kind: str
    strength: float | None
    area: float
    seed: int

    @property
    def row(self) -> Row:
        names = {"object": self.source.parent.name, "rig": self.source.name}
        return names | {"kind": self.kind, "strength": self.strength, "area": self.area, "seed": self.seed}


def main() -> int:
    options = arguments()
    rows = read(options.json)
    known = {key(row): row for row in rows}
    with options.json.open("a") as file:
        for task in plan(sources(options), options.count):
            if key(task.row) not in known:
                known[key(task.row)] = row = measured(task) | checked(task)
                file.write(json.dumps(row) + "\n")
                file.flush()
    if options.scores:
        places = {(source.parent.name, source.name): source for source in sources(options)}
        for row in known.values():
            row |= checked(Task(places[row["object"], row["rig"]], *(row[name] for name in KEY[2:])))
        options.json.write_text("".join(json.dumps(row) + "\n" for row in known.values()))
    rows = list(known.values())
    print(table(rows))
    if options.plot:
        options.plot.write_bytes(draw(rows))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER")
    parser.add_argument("--json", type=Path, required=True, metavar="ROWS", help="read and added to")
    parser.add_argument("--objects", default=OBJECTS)
    parser.add_argument("--rigs", default=RIGS)
    parser.add_argument("--count", type=int, default=200, help="of damaged sets")
    parser.add_argument("--scores", action="store_true", help="check all rows again, by the program as it is now")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw score and damage here")
    return parser.parse_args()


def sources(options: argparse.Namespace) -> list[Path]:
    """The folders of the sets."""
    found = [source for folder in options.folders for source in sorted(folder.glob("views/*/*"))]
    objects, rigs = options.objects.split(","), options.rigs.split(",")
    return [source for source in found if source.parent.name in objects and source.name in rigs]


def key(row: Row) -> tuple[Any, ...]:
    """What no two rows have in common."""
    return tuple(row[name] for name in KEY)


def plan(sets: Sequence[Path], count: int) -> Iterator[Task]:
    """Rounds of all damages, each round in another order, dealt to the sets in turn; every set's clean one first."""
    random = np.random.default_rng(0)
    damages = [(kind, strength) for kind, strengths in STRENGTHS.items() for strength in strengths]
    seen: set[Path] = set()
    for number in range(count):
        place, turn = number % len(damages), number // len(damages)
        if place == 0:
            order = random.permutation(len(damages))
        if number % len(sets) == 0:
            dealt = random.permutation(len(sets))
        source = sets[dealt[number % len(sets)]]
        if source not in seen:
            seen.add(source)
            yield Task(source, CLEAN, None, 0.0, 0)
        kind, strength = damages[order[place]]
        seed = zlib.crc32(f"{source.parent.name}/{source.name}/{number}".encode()) % 100_000
        yield Task(source, kind, strength, AREAS[(turn + place) % 2] if kind == "patch" else 0.0, seed)


@lru_cache(maxsize=2)
def loaded(source: Path) -> ViewSet:
    return Case(source).views


@lru_cache(maxsize=12)
def truth(file: Path) -> tuple[Surface, cKDTree]:
    surface = Surface.of(meshopt.load_mesh(file))
    return surface, cKDTree(surface.sample(DENSE, 2).points)


def damaged(task: Task) -> tuple[ViewSet, Row]:
    """The views, and what was done to them."""
    views = loaded(task.source)
    if task.kind == CLEAN:
        return views, {"effect": 0.0, "views": [], "truth": {}}
    done = corrupt(views, task.kind, task.strength, seed=task.seed, **({"area": task.area} if task.area else {}))
    told = done.truth.as_plain()
    return done.views, {"effect": told["effect"], "views": told["views"], "truth": told["parameters"]}


def measured(task: Task) -> Row:
    """What a reconstruction of it is worth."""
    views, told = damaged(task)
    mesh = meshopt.reconstruct(views, meshopt.load_config(overrides=RAW)).world_mesh
    found = Surface.of(mesh)
    true, points = truth(Case(task.source).truth_file)
    return task.row | told | {"error": distance(found, true), "aligned": distance(fitted(found, points), true)}


def distance(found: Surface, true: Surface) -> float:
    """Mean of both directions, percent of the truth's diagonal."""
    there = true.nearest(found.sample(SAMPLES, 0).points).distance.mean()
    back = found.nearest(true.sample(SAMPLES, 1).points).distance.mean()
    return round(float(50 * (there + back) / true.diagonal), 5)


def fitted(found: Surface, truth: cKDTree) -> Surface:
    """After a similarity: iterated closest points, the farthest tenth left out (Umeyama 1991, Chetverikov 2002)."""
    triangles, points = found.triangles, found.sample(ALIGNED, 3).points
    for _ in range(ROUNDS):
        apart, nearest = truth.query(points)
        near = apart <= np.quantile(apart, NEAREST)
        source, target = points[near], truth.data[nearest[near]]
        middle, aim = source.mean(0), target.mean(0)
        u, values, v = np.linalg.svd((target - aim).T @ (source - middle))
        sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
        turn = (u * sign) @ v
        size = (values * sign).sum() / np.square(source - middle).sum()
        points = size * (points - middle) @ turn.T + aim
        triangles = size * (triangles - middle) @ turn.T + aim
    return replace(found, triangles=triangles)


def checked(task: Task) -> Row:
    """What the checks say of it."""
    return figures(damaged(task)[0], CheckConfig())[0]


def damages(rows: Sequence[Row]) -> np.ndarray:
    """`aligned` less that of the clean set."""
    clean = {(row["object"], row["rig"]): row["aligned"] for row in rows if row["kind"] == CLEAN}
    return np.array([row["aligned"] - clean[row["object"], row["rig"]] for row in rows])


def table(rows: Sequence[Row]) -> str:
    """Markdown: Spearman's correlation of score and damage."""
    damage, score = damages(rows), np.array([row["score"] for row in rows])
    kinds, halves = (np.array(part) for part in ([r["kind"] for r in rows], [half(r["object"]) for r in rows]))
    hurt = kinds != CLEAN
    chosen = {"all": hurt | True, "damaged": hurt}
    chosen |= {f"{what}, {side}": chosen[what] & (halves == side) for what in ("all", "damaged") for side in SIDES}
    chosen |= {kind: kinds == kind for kind in STRENGTHS}
    lines = ["| sets | number | rank correlation | mean damage % |", "|---|--:|--:|--:|"]
    for name, which in chosen.items():
        if which.sum() > 1:
            rank = spearmanr(score[which], damage[which]).statistic
            lines.append(f"| {name} | {which.sum()} | {rank:.2f} | {damage[which].mean():.3f} |")
    return "\n".join(lines)


def draw(rows: Sequence[Row]) -> bytes:
    """A PNG's bytes: damage over score, both logarithmic and at least LEAST."""
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 6.5), dpi=120, layout="constrained")
    axes = figure.add_subplot(xlabel="score: predicted damage, % of the diagonal", ylabel="measured damage, %")
    damage, score = np.maximum(damages(rows), LEAST), np.maximum([row["score"] for row in rows], LEAST)
    for number, kind in enumerate([*STRENGTHS, CLEAN]):
        which = np.array([row["kind"] == kind for row in rows])
        mark = "os^v"[number % 4]
        axes.plot(score[which], damage[which], mark, color=f"C{number % 10}", markersize=6, alpha=0.8, label=kind)
    axes.plot([LEAST, damage.max()], [LEAST, damage.max()], color="0.7", zorder=0)
    axes.set(xscale="log", yscale="log")
    axes.grid(True, color="0.93")
    axes.legend(ncols=2, fontsize="small")
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


if __name__ == "__main__":
    sys.exit(main())
