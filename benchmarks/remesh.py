"""Milliseconds of one core per remeshing pass, and per decimation, topology and intersection test.

    python benchmarks/remesh.py [--faces 10000 50000 200000 1000000] [--passes 8]

A bumpy sphere is remeshed until it is settled; then every vertex is jittered by 5 % of its edge length
before each timed pass, so that a few edges change as in the optimiser's loop. As there, a pass is handed
the connectivity of the one before; `first` is a pass that finds it. Process time, the best and the median
of the passes; the memory is the process's most during the passes (all its life where not Linux).
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import trimesh
from reconstruct_run import peak_memory

from meshopt.remesh import Counts, Remeshed, decimate, remesh
from meshopt.topology import self_intersections, topology

ATTRIBUTES = 8  # as many as the optimiser carries
REFERENCES = Path("/proc/self/clear_refs")  # 5 written here makes the peak of memory what is held now


def bumpy_sphere(n_faces: int) -> Remeshed:
    """A settled mesh of about so many faces."""
    levels = max(0, round(math.log(n_faces / 20, 4)))
    ball = trimesh.creation.icosphere(subdivisions=levels)
    points = torch.tensor(np.asarray(ball.vertices), dtype=torch.float32)
    points = points * (1 + 0.1 * torch.sin(7 * points).prod(dim=1, keepdim=True))
    faces = torch.tensor(np.asarray(ball.faces), dtype=torch.int32)
    corners = points[faces.long()]
    area = float(torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).norm(dim=1).sum() / 2)
    target = torch.full((len(points),), math.sqrt(area / n_faces * 4 / math.sqrt(3)))
    result = remesh(points, faces, target)
    for _ in range(7):
        result = remesh(result.vertices, result.faces, result.target_length, previous=result)
    return result


def timed(work: Callable[[], object], repeats: int) -> list[float]:
    """Process time of each repeat in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(1e3 * (time.process_time() - start))
    return times


def passes(mesh: Remeshed, count: int, known: bool) -> tuple[list[float], Counts]:
    """Times of single passes on jittered copies of one mesh, and the counts of the last."""
    generator = torch.Generator().manual_seed(0)
    points, target = mesh.vertices, mesh.target_length
    times, counts = [], Counts()
    state = torch.randn(len(points), ATTRIBUTES, generator=generator)
    for _ in range(count):
        moved = points + 0.05 * target[:, None] * torch.randn(points.shape, generator=generator)
        start = time.process_time()
        counts = remesh(moved, mesh.faces, target, state, previous=mesh if known else None).counts
        times.append(1e3 * (time.process_time() - start))
    return times, counts


def row(n_faces: int, count: int) -> str:
    """One line of the table."""
    mesh = bumpy_sphere(n_faces)
    points, faces = mesh.vertices, mesh.faces
    if REFERENCES.exists():
        REFERENCES.write_text("5")
    times, counts = passes(mesh, count, known=True)
    memory = f"{peak_memory():.0f} MB"
    others = (
        min(passes(mesh, 3, known=False)[0]),
        min(timed(lambda: decimate(points, faces, len(faces) // 2), 2)),
        min(timed(lambda: topology(points, faces), 2)),
        min(timed(lambda: self_intersections(points, faces), 2)),
    )
    changed = f"{counts.splits}, {counts.collapses}, {counts.flips}"
    per_face = f"{1e6 * min(times) / len(faces):.0f} ns"
    cells = [str(len(faces)), f"{min(times):.1f} ms", per_face, f"{np.median(times):.1f} ms", changed, memory]
    return "| " + " | ".join([*cells, *(f"{t:.0f} ms" for t in others)]) + " |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, nargs="+", default=[10_000, 50_000, 200_000, 1_000_000])
    parser.add_argument("--passes", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    small = bumpy_sphere(1000)
    decimate(small.vertices, small.faces, 500)
    print(f"first use (compilation or loading from the cache): {time.process_time() - start:.2f} s\n")
    titles = "faces", "pass, best", "a face", "median", "splits, collapses, flips", "memory", "first"
    print("| " + " | ".join([*titles, "halved", "topology", "crossings"]) + " |")
    print("|---" * (len(titles) + 3) + "|")
    for n_faces in options.faces:
        print(row(n_faces, options.passes), flush=True)


if __name__ == "__main__":
    main()
