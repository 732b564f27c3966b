"""Milliseconds of one core per remeshing pass, and per decimation, topology and intersection test.

    python benchmarks/remesh.py [--faces 5000 50000 500000] [--passes 8]

A bumpy sphere is remeshed until it is settled; then every vertex is jittered by 5 % of its edge length
before each timed pass, so that a few edges change as in the optimiser's loop. Process time, the best and
the median of the passes.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np
import torch
import trimesh
from torch import Tensor

from meshopt.remesh import Counts, decimate, remesh
from meshopt.topology import self_intersections, topology

ATTRIBUTES = 8  # as many as the optimiser carries


def bumpy_sphere(n_faces: int) -> tuple[Tensor, Tensor, Tensor]:
    """Vertices, faces and target lengths of a settled mesh of about so many faces."""
    levels = max(0, round(math.log(n_faces / 20, 4)))
    ball = trimesh.creation.icosphere(subdivisions=levels)
    points = torch.tensor(np.asarray(ball.vertices), dtype=torch.float32)
    points = points * (1 + 0.1 * torch.sin(7 * points).prod(dim=1, keepdim=True))
    faces = torch.tensor(np.asarray(ball.faces), dtype=torch.int32)
    area = topology(points, faces).area
    target = torch.full((len(points),), math.sqrt(area / n_faces * 4 / math.sqrt(3)))
    for _ in range(8):
        result = remesh(points, faces, target)
        points, faces, target = result.vertices, result.faces, result.target_length
    return points, faces, target


def timed(work: Callable[[], object], repeats: int) -> list[float]:
    """Process time of each repeat in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(1e3 * (time.process_time() - start))
    return times


def passes(points: Tensor, faces: Tensor, target: Tensor, count: int) -> tuple[list[float], Counts]:
    """Times of single passes on jittered copies of one mesh, and the counts of the last."""
    generator = torch.Generator().manual_seed(0)
    times, counts = [], Counts()
    state = torch.randn(len(points), ATTRIBUTES, generator=generator)
    for _ in range(count):
        moved = points + 0.05 * target[:, None] * torch.randn(points.shape, generator=generator)
        start = time.process_time()
        counts = remesh(moved, faces, target, state).counts
        times.append(1e3 * (time.process_time() - start))
    return times, counts


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=int, nargs="+", default=[5_000, 50_000, 500_000])
    parser.add_argument("--passes", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    bumpy_sphere(1000)
    print(f"first use (compilation or loading from the cache): {time.process_time() - start:.2f} s\n")
    print("| faces | pass, best | median | splits, collapses, flips | halved | topology | crossings |")
    print("|---|---|---|---|---|---|---|")
    decimate(*bumpy_sphere(1000)[:2], 500)
    for n_faces in options.faces:
        points, faces, target = bumpy_sphere(n_faces)
        times, counts = passes(points, faces, target, options.passes)
        half = len(faces) // 2
        others = (
            min(timed(lambda p=points, f=faces, n=half: decimate(p, f, n), 2)),
            min(timed(lambda p=points, f=faces: topology(p, f), 2)),
            min(timed(lambda p=points, f=faces: self_intersections(p, f), 2)),
        )
        cells = " | ".join(f"{t:.0f} ms" for t in others)
        changed = f"{counts.splits}, {counts.collapses}, {counts.flips}"
        print(f"| {len(faces)} | {min(times):.1f} ms | {np.median(times):.1f} ms | {changed} | {cells} |")


if __name__ == "__main__":
    main()
