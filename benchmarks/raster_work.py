"""The work that raster.py times: a sphere that covers 38 % of each of four square images, seen orthographically.

`modular`: transform, rasterize, interpolate four channels (normal and mask), antialias, L1 loss, and backward to the
vertices and the attributes. `fused`: the optimiser's own loss (robust normals, squared coverage), and backward to the
vertices and the vertex normals; its target is stored channel by channel, as the optimiser does it once for all steps.
Both compare with the same picture, moved three pixels to the side.
"""

from __future__ import annotations

import ctypes
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch
import trimesh
from torch import Tensor

from meshopt import parallel, raster
from meshopt.cameras import Camera
from meshopt.optimize import images
from meshopt.raster.protocol import Fragments, Rasterizer

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

COVERED, AZIMUTHS, SHIFT = 0.38, (0, 90, 180, 270), 3
FACTORS = (2.0, 1.0, 0.3)  # normal weight, silhouette weight, robustness: the settings' defaults
PARTS = ("rasterize", "interpolate", "antialias", "loss", "backward")

Tick = Callable[[str], None]
_NOTHING = torch.empty(0)


def ignore(_name: str) -> None:
    """Nobody is interested in the parts."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A mesh, the cameras and what the images are compared with. `attributes`: normal and mask [1, N, 4].

    `planar` and `weight` are for the optimiser's loss: the same target stored channel by channel, and ones.
    """

    vertices: Tensor
    faces: Tensor
    normals: Tensor
    attributes: Tensor
    matrices: Tensor
    size: int
    target: Tensor = _NOTHING
    planar: Tensor = _NOTHING
    weight: Tensor = _NOTHING

    @staticmethod
    def make(faces: int, size: int, *, views: int = len(AZIMUTHS), shuffled: bool = False) -> Scene:
        """An icosphere of 20 * 4^k faces, the number nearest to `faces`. The target is drawn by the cpu backend."""
        mesh = trimesh.creation.icosphere(round(math.log(faces / 20, 4)))
        index = np.asarray(mesh.faces)
        if shuffled:
            index = np.random.default_rng(0).permutation(index)
        vertices = torch.tensor(mesh.vertices * math.sqrt(COVERED * 4 / math.pi), dtype=torch.float32)
        normals = torch.nn.functional.normalize(vertices, dim=1)
        attributes = torch.cat([normals, torch.ones(len(normals), 1)], 1)[None]
        cameras = [Camera.orbit("", azimuth) for azimuth in AZIMUTHS[:views]]
        matrices = torch.tensor(np.stack([camera.clip_matrix() for camera in cameras]), dtype=torch.float32)
        triangles = torch.tensor(index, dtype=torch.int32)
        scene = Scene(vertices, triangles, normals, attributes, matrices, size)
        target = draw(raster.get("cpu"), scene, vertices, attributes)[2].roll(SHIFT, 2).contiguous()
        planar = target.movedim(-1, 1).contiguous().movedim(1, -1)
        return replace(scene, target=target, planar=planar, weight=target.new_ones(target.shape[:3]))

    def to(self, device: str) -> Scene:
        moved = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **moved)


def draw(
    backend: Rasterizer, scene: Scene, vertices: Tensor, attributes: Tensor, tick: Tick = ignore
) -> tuple[Tensor, Fragments, Tensor]:
    """Clip positions, what each pixel sees, and the picture."""
    clip = raster.transform(vertices, scene.matrices)
    fragments = backend.rasterize(clip, scene.faces, (scene.size, scene.size))
    tick("rasterize")
    image = backend.interpolate(attributes, fragments, scene.faces)
    tick("interpolate")
    image = backend.antialias(image, fragments, clip, scene.faces)
    tick("antialias")
    return clip, fragments, image


def modular(backend: Rasterizer, scene: Scene, tick: Tick = ignore) -> None:
    """The three operations and an L1 loss: gradients to the vertices and the attributes."""
    vertices = scene.vertices.detach().requires_grad_()
    attributes = scene.attributes.detach().requires_grad_()
    loss = torch.nn.functional.l1_loss(draw(backend, scene, vertices, attributes, tick)[2], scene.target)
    tick("loss")
    loss.backward()
    tick("backward")


def fused(backend: Rasterizer, scene: Scene, tick: Tick = ignore) -> None:
    """The optimiser's own loss: gradients to the vertices and their normals."""
    vertices = scene.vertices.detach().requires_grad_()
    normals = scene.normals.detach().requires_grad_()
    mesh = backend, vertices, normals, scene.faces, scene.matrices
    found = images.normal_loss(*mesh, scene.planar, scene.weight, FACTORS)
    tick("loss")
    (found.normal + found.silhouette).backward()
    tick("backward")


KINDS = {"modular": modular, "fused": fused}


@dataclass
class Case:
    """One thing to time, and the seconds of each part in every run so far.

    torch itself computes on one thread where the backend is ours, as in the optimiser: its own threads, waiting
    actively for the next small operation, would take the cores from the kernels.
    """

    backend: Rasterizer
    kind: str
    scene: Scene
    threads: int = 1
    runs: list[dict[str, float]] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        return self.scene.vertices.device

    def run(self) -> None:
        """Once more. Seconds: `cpu`, of it `system`, and `wall`; CPU seconds of the parts (wall on an accelerator)."""
        marks: list[tuple[str, float, float]] = []

        def tick(name: str) -> None:
            if self.device.type != "cpu":
                getattr(torch, self.device.type).synchronize(self.device)
            marks.append((name, time.process_time(), time.perf_counter()))

        torch.set_num_threads(1 if self.backend.name == "cpu" else self.threads)
        began = _system_seconds()
        with parallel.limit(self.threads):
            tick("")
            KINDS[self.kind](self.backend, self.scene, tick)
        system = _system_seconds() - began
        which = 1 if self.device.type == "cpu" else 2
        parts = {after[0]: after[which] - before[which] for before, after in pairwise(marks)}
        whole = {"cpu": marks[-1][1] - marks[0][1], "system": system, "wall": marks[-1][2] - marks[0][2]}
        self.runs.append(parts | whole)

    def best(self, name: str, of: str | None = None) -> float:
        """The least seconds of that name; or those called `of` in the same run."""
        return min(self.runs, key=lambda run: run[name])[of or name]


def _system_seconds() -> float:
    """What the kernel has done for this process, most of all: giving it memory (page faults)."""
    return os.times().system if resource is None else resource.getrusage(resource.RUSAGE_SELF).ru_stime


def keep_memory() -> bool:
    """From now on freed memory stays with the process (glibc only; False elsewhere).

    By default images of many megabytes go back to the system when they are freed and are cleared by it, page by page,
    when they are needed again. How often depends on what else is on the heap; where it does, it costs more than the
    rasteriser's own work on large images.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    trim, pad, most_mapped = -1, -2, -4  # M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX
    return all(mallopt(option, value) for option, value in ((most_mapped, 0), (trim, -1), (pad, 1 << 28)))


def race(cases: list[Case], repeats: int) -> None:
    """Runs all cases in turn, again and again, so that other work on the machine slows each of them alike.

    In another order each time: what a case finds on the heap depends on the one before.
    """
    for case in cases:
        case.run()  # compiles, fills caches
        case.run()
        del case.runs[-2:]
    random = np.random.default_rng(0)
    for _ in range(repeats):
        for k in random.permutation(len(cases)):
            cases[k].run()
