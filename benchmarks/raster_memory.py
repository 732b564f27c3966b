"""Peak memory of a rasteriser's operations, each in a fresh process, beside the bytes of the buffers they return.

On the CPU it is the process's resident memory (Linux: VmHWM, set back before each operation), so that numpy's, torch's
and any library's allocations count; on an accelerator what torch allocated there. The allocator is told to give freed
memory back at once. Everything has run once before, so that compiled code is not counted.

    python benchmarks/raster_memory.py BACKEND DEVICE FACES SIZE     prints one JSON object
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from raster_work import FACTORS, Scene, draw, fused, modular
from torch import Tensor

from meshopt import parallel, raster
from meshopt.optimize import images

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RETURN_AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_TOP_PAD_": "0"}

Result = TypeVar("Result")


def measure(backend: str, device: str, faces: int, size: int) -> dict[str, dict[str, float]] | None:
    """For each operation the `returned` and the peak `extra` bytes; None where the system cannot tell."""
    if torch.device(device).type == "cpu" and not (STATUS.exists() and os.access(RESET, os.W_OK)):
        return None
    command = [sys.executable, __file__, backend, device, str(faces), str(size)]
    done = subprocess.run(command, env=os.environ | RETURN_AT_ONCE, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")
    found: dict[str, dict[str, float]] = json.loads(done.stdout)
    return found


def peak(device: torch.device, work: Callable[[], Result]) -> tuple[Result, int]:
    """What the work gives, and how many bytes more than before were in use at its worst moment."""
    gc.collect()
    if device.type != "cpu":
        module = getattr(torch, device.type)
        module.reset_peak_memory_stats(device)
        before = module.memory_allocated(device)
        result = work()
        return result, module.max_memory_allocated(device) - before
    RESET.write_text("5")
    before = _status("VmRSS")
    result = work()
    return result, _status("VmHWM") - before


def _status(name: str) -> int:
    """Bytes."""
    (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith(name + ":")]
    return 1024 * int(line.split()[1])


def size_of(*tensors: Tensor) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


def operations(name: str, device: str, faces: int, size: int) -> dict[str, dict[str, float]]:
    """Forward of each operation, the backward of all three, and both for the optimiser's loss."""
    backend, scene = raster.get(name, device), Scene.make(faces, size).to(device)
    modular(backend, scene)
    fused(backend, scene)
    rows: dict[str, dict[str, float]] = {}

    def note(operation: str, returned: int, extra: int) -> None:
        rows[operation] = {"returned": returned, "extra": extra, "ratio": extra / max(returned, 1)}

    _three_operations(backend, scene, note)
    vertices, normals = scene.vertices.detach().requires_grad_(), scene.normals.detach().requires_grad_()
    mesh, where = (vertices, normals, scene.faces, scene.matrices), vertices.device

    def whole() -> Any:
        found = images.normal_loss(backend, *mesh, scene.planar, scene.weight, FACTORS)
        (found.normal + found.silhouette).backward()
        return found

    found, extra = peak(where, whole)
    note("fused", size_of(found.face, vertices.grad, normals.grad), extra)
    return rows


def _three_operations(backend: raster.Rasterizer, scene: Scene, note: Callable[[str, int, int], None]) -> None:
    shape, where = (scene.size, scene.size), scene.vertices.device
    clip = raster.transform(scene.vertices, scene.matrices).requires_grad_()
    attributes = scene.attributes.detach().requires_grad_()
    fragments, extra = peak(where, lambda: backend.rasterize(clip, scene.faces, shape))
    buffers = size_of(fragments.face, fragments.bary, fragments.depth)
    note("rasterize", buffers, extra)
    flat, extra = peak(where, lambda: backend.interpolate(attributes, fragments, scene.faces))
    note("interpolate", size_of(flat), extra)
    image, extra = peak(where, lambda: backend.antialias(flat, fragments, clip, scene.faces))
    note("antialias", size_of(image), extra)
    slope = torch.ones_like(image)
    _, extra = peak(where, lambda: image.backward(slope))
    # to antialias' image and positions, to interpolate's attributes and weights, to rasterize's positions
    gradients = size_of(image, clip, attributes, fragments.bary, clip)
    note("backward", gradients, extra)
    del fragments, flat, image, slope
    clip.grad = attributes.grad = None

    def whole() -> Any:
        kept = draw(backend, scene, scene.vertices.detach().requires_grad_(), attributes)
        kept[2].backward(scene.target)
        return kept

    _, extra = peak(where, whole)
    note("step", 2 * size_of(scene.target) + buffers + gradients + size_of(clip), extra)


def main() -> None:
    name, device, faces, size = sys.argv[1:]
    torch.set_num_threads(1)
    with parallel.limit(1):
        print(json.dumps(operations(name, device, int(faces), int(size))))


if __name__ == "__main__":
    main()
