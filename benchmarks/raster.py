"""Times rasterisers: orthographic spheres that cover 38 % of 4 images of 512 x 512, 4 channels, L1 loss.

    python benchmarks/raster.py [--json FILE] [--backend cpu]

`step` is everything from vertices to their gradients and the attributes': transform, rasterize, interpolate,
antialias, loss, backward. CPU seconds of one thread, the best of several; `wall` is wall-clock time with two
threads.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import trimesh

from meshopt import parallel, raster
from meshopt.cameras import Camera

COVERED, SIZE, AZIMUTHS = 0.38, 512, (0, 90, 180, 270)
FACES = (2_000, 20_480, 81_920)


def sphere(faces: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A subdivided icosahedron that covers COVERED of the image; for 2,000 faces a grid of 26 by 40."""
    if faces == 2_000:
        polar, around = np.meshgrid(np.linspace(0, np.pi, 27), np.arange(40) * np.pi / 20, indexing="ij")
        points = np.stack([np.sin(polar) * np.cos(around), np.cos(polar), np.sin(polar) * np.sin(around)], -1)
        index = np.arange(27 * 40).reshape(27, 40)
        a, b = index, np.roll(index, -1, 1)
        quads = np.stack([a[:-1], b[:-1], b[1:], a[1:]], -1)
        triangles = np.concatenate([quads[1:, :, [0, 1, 2]].reshape(-1, 3), quads[:-1, :, [0, 2, 3]].reshape(-1, 3)])
        mesh = trimesh.Trimesh(points.reshape(-1, 3), triangles)  # merges the poles
    else:
        mesh = trimesh.creation.icosphere(round(math.log(faces / 20, 4)))
    vertices = mesh.vertices * math.sqrt(COVERED * 4 / math.pi)
    return torch.tensor(vertices, dtype=torch.float32), torch.tensor(mesh.faces, dtype=torch.int32)


class Step:
    """One optimisation step's rasterisation."""

    def __init__(self, backend: str, faces: int) -> None:
        self.backend = raster.get(backend)
        self.vertices, self.faces = sphere(faces)
        self.matrices = torch.tensor(
            np.stack([Camera.orbit("", a).clip_matrix() for a in AZIMUTHS]), dtype=torch.float32
        )
        normals = torch.nn.functional.normalize(self.vertices, dim=1)
        self.attributes = torch.cat([normals, torch.ones(len(normals), 1)], 1)[None]
        self.target = self.run()["image"].detach().roll(3, 2).contiguous()

    def run(self, tick: Callable[[str], None] = lambda name: None) -> dict[str, torch.Tensor]:
        """Forward."""
        vertices, attributes = (
            self.vertices.clone().requires_grad_(),
            self.attributes.clone().requires_grad_(),
        )
        clip = raster.transform(vertices, self.matrices)
        fragments = self.backend.rasterize(clip, self.faces, (SIZE, SIZE))
        tick("rasterize")
        image = self.backend.interpolate(attributes, fragments, self.faces)
        tick("interpolate")
        image = self.backend.antialias(image, fragments, clip, self.faces)
        tick("antialias")
        return {"image": image, "vertices": vertices}

    def time(self, clock: Callable[[], float]) -> dict[str, float]:
        """Seconds of each part and of the whole."""
        marks = [("", clock())]
        out = self.run(lambda name: marks.append((name, clock())))
        loss = torch.nn.functional.l1_loss(out["image"], self.target)
        marks.append(("loss", clock()))
        loss.backward()
        marks.append(("backward", clock()))
        parts = {name: t - before for (name, t), (_, before) in zip(marks[1:], marks, strict=False)}
        return {**parts, "step": marks[-1][1] - marks[0][1]}


def measure(backend: str, faces: int, repeats: int) -> dict[str, float]:
    """The best of `repeats`: CPU seconds of one thread per part, and wall seconds with two."""
    torch.set_num_threads(1)
    with parallel.limit(1):
        step = Step(backend, faces)
        runs = [step.time(time.process_time) for _ in range(repeats)]
    best = {name: min(run[name] for run in runs) for name in runs[0]}
    torch.set_num_threads(2)
    with parallel.limit(2):
        best["wall"] = min(step.time(time.perf_counter)["step"] for _ in range(repeats))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", action="append", help="may be repeated (default: cpu)")
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    print(f"{len(AZIMUTHS)} views of {SIZE} x {SIZE}, CPU milliseconds, best of {options.repeats}")
    for backend in options.backend or ["cpu"]:
        results[backend] = {}
        for faces in FACES:
            best = measure(backend, faces, options.repeats)
            results[backend][f"modular_{faces}"] = best["step"]
            results[backend][f"modular_{faces}_wall"] = best["wall"]
            print(f"{backend:10} {faces:7,} faces  " + "  ".join(f"{k} {1e3 * v:6.1f}" for k, v in best.items()))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
