"""One reconstruction in a process of its own, so that its peak memory and time are its own.

    python benchmarks/reconstruct_run.py SOURCE MESH.glb FIGURES.json [--quality NAME] [--set KEY=VALUE ...]

SOURCE holds normals/, and rgb/ where there are colours. `seconds` and `cpu_seconds` go from the image files to the
finished mesh, with the loading of compiled kernels, without Python's start and imports (`process_...` are the whole
process's up to there).
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import meshopt
from meshopt import pipeline
from meshopt.settings import Override


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("mesh", type=Path)
    parser.add_argument("figures", type=Path)
    parser.add_argument("--quality")
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    config = configuration(options.quality, options.set)
    wall, cpu = time.perf_counter(), time.process_time()
    rgb = options.source / "rgb"
    views = meshopt.load_views(rgb if rgb.is_dir() else None, options.source / "normals")
    result = pipeline.reconstruct(views, config)
    figures = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    figures |= {"process_cpu_seconds": time.process_time(), "peak_mb": peak_memory()}
    meshopt.save_mesh(result.world_mesh, options.mesh)
    steps = {name: max(map(len, curves.values()), default=0) for name, curves in result.curves.items()}
    figures |= {"stages": result.report["stages"], "steps": steps, "own_views": result.report["views"]}
    options.figures.write_text(json.dumps(figures))


def configuration(quality: str | None, overrides: list[str]) -> meshopt.Config:
    """The settings. A quality is a setting of that name where there is one, else a preset."""
    if quality is None:
        return meshopt.load_config(overrides=overrides)
    from meshopt.config import setting_keys

    names = [key for key in setting_keys() if key.split(".")[-1] == "quality"]
    if names:
        return meshopt.load_config(overrides=[Override(names[0], quality, "--quality"), *overrides])
    return meshopt.load_config(quality, overrides)


def peak_memory() -> float:
    """MiB, of this process."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says may be the parent's
        line = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM")), None)
        if line:
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
