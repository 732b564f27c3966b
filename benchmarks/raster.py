"""Times rasterisers beside each other: four views of 512 x 512, forward and backward, and what the machine could do.

    python benchmarks/raster.py [--full] [--json FILE] [--plot FILE.png] [--backend NAME ...]

Every backend that works here takes part; `reference`, which is slow, only where it is named, and then on small images.
All backends' cases of one kind run in turn, many times, and the best time of each counts: one thread's CPU-seconds, and
wall-clock seconds with one and two threads. What is timed: raster_work.py. The floor: raster_floor.py. Memory:
raster_memory.py.
--full adds images of 256² to 2048², meshes of 1,280 to 1,310,720 faces, faces in random order, and memory.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import raster_tables as tables
import torch
from raster_floor import Rates, measure_rates
from raster_tables import THREADS, Backends, Row
from raster_work import keep_memory

from meshopt import raster


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", nargs="+", choices=list(raster.BACKENDS), help="default: all that work here")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--full", action="store_true", help="scaling and memory, too: some minutes")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--plot", type=Path, help="draw the figures here (needs matplotlib)")
    options = parser.parse_args()
    pyplot = _pyplot() if options.plot else None
    results = measure(find(options.backend), options.repeats, options.full)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if pyplot is not None:
        import raster_plot

        raster_plot.draw(pyplot, results, options.plot)


def measure(backends: Backends, repeats: int, full: bool) -> dict[str, Row]:
    """All figures, by backend, and the machine's."""
    rates = measure_rates()
    results: dict[str, Row] = {"machine": machine(rates, [device for _, device in backends.values()])}
    fast = {label: found for label, found in backends.items() if label != "reference"}
    entries, more = tables.entries(backends), {}
    tables.measure(entries, repeats)
    for label, (backend, device) in fast.items() if full else ():
        more[label] = tables.scaling(label, backend, device, repeats, "") | tables.memory(backend, device)
    if full:  # minutes later: other work on the machine comes and goes
        tables.measure(entries, repeats)
    rows = tables.compare(entries, rates)
    tables.merge(rows, more)
    if keep_memory():
        tables.merge(rows, tables.compare_kept(entries, repeats))
        for label, (backend, device) in fast.items() if full else ():
            rows[label] |= tables.scaling(label, backend, device, repeats, "_kept")
    results["machine"]["load_after"] = os.getloadavg()[0]
    return results | rows


def find(names: list[str] | None) -> Backends:
    """Backends that work, by name, or by name and device where that is not the CPU."""
    accelerator = getattr(torch, "accelerator", None)  # from torch 2.6 on
    found = accelerator.current_accelerator() if accelerator else None
    backends = {}
    for device in ["cpu"] if found is None else ["cpu", found.type]:
        for name, reason in raster.available(device).items():
            if name not in names if names else name == "reference":
                continue
            if reason is None:
                label = name if device == "cpu" else f"{name} on {device}"
                backends[label] = raster.get(name, device), device
            else:
                print(f"{name} on {device}: {reason}")
    if not backends:
        sys.exit(f"none of {', '.join(names or raster.BACKENDS)} works here")
    return backends


def machine(rates: Rates, devices: list[str]) -> Row:
    """What the figures depend on besides the code."""
    names = {d: getattr(torch, d).get_device_name() for d in devices if d != "cpu"}
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "devices": names,
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in ("torch", "numba", "numpy", "pytorch3d", "nvdiffrast", "drtk")},
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "load_before": os.getloadavg()[0],
        "threads": {"cpu_seconds": 1, "wall": [1, THREADS]},
        "rates": vars(rates),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        sys.exit("--plot needs matplotlib, which is not installed: pip install matplotlib")
    return pyplot


if __name__ == "__main__":
    main()
