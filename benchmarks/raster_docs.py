"""Writes the figures of a JSON file of raster.py into the documentation, between two marks.

python benchmarks/raster_docs.py benchmarks/results/raster_cpu.json docs/rasteriser.md
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from raster_tables import table

BEGIN, END = "<!-- figures of benchmarks/raster.py -->", "<!-- end of figures -->"
WORK = ("modular_20480", "modular_81920", "fused_20480", "fused_81920")


def main() -> None:
    source, page = (Path(name) for name in sys.argv[1:])
    results = json.loads(source.read_text())
    machine = results.pop("machine")
    text = page.read_text()
    if BEGIN not in text or END not in text:
        sys.exit(f"{page} has no lines {BEGIN!r} and {END!r}")
    parts = [section(label, row, machine) for label, row in results.items() if label != "reference"]
    figures = "\n\n".join([caption(machine), *parts])
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    page.write_text(re.sub(pattern, lambda _: f"{BEGIN}\n{figures}\n{END}", text, flags=re.DOTALL))


def caption(machine: dict[str, Any]) -> str:
    names = [f"{machine['cpu']}, {machine['cores']} cores", *machine["devices"].values()]
    versions = ", ".join(f"{name} {found}" for name, found in machine["versions"].items() if found)
    return f"{'; '.join(names)}; {versions}; {machine['date'][:10]}, load {machine['load_before']:.1f}."


def section(label: str, row: dict[str, Any], machine: dict[str, Any]) -> str:
    """One backend's times, and its growth and memory where they were measured."""
    device = all(work not in row for work in WORK)
    if device:
        lines = [[label, work.replace("_", ", "), _ms(row[f"{work}_device_wall"])] for work in WORK]
        return table(("backend", "work, faces", "ms, wall"), lines)
    lines = []
    for work in WORK:
        least = row[f"{work}_floor"]
        walls = [_ms(row[f"{work}_wall_{threads}"]) for threads in machine["threads"]["wall"]]
        kept = _ms(row[f"{work}_kept"]) if f"{work}_kept" in row else ""
        floor = f"{1e3 * max(least['memory'], least['vector']):.1f} ({least['times']:.0f} times)"
        lines.append(
            [label, work.replace("_", ", "), _ms(row[work]), kept, *walls, f"{row[f'{work}_ratio']:.2f}", floor]
        )
    titles = (
        "backend",
        "work, faces",
        "CPU ms, 1 thread",
        "memory kept",
        "wall, 1",
        "wall, 2 threads",
        "ratio",
        "floor",
    )
    return "\n\n".join([table(titles, lines), *_growth(row), *_memory(row)])


def _growth(row: dict[str, Any]) -> list[str]:
    """CPU milliseconds over pixels and faces."""
    found = []
    for name in ("pixels", "faces"):
        kinds = {
            f"{kind}{', memory kept' if suffix else ''}": series
            for suffix in ("", "_kept")
            for kind, series in row.get(f"scaling_{name}{suffix}", {}).items()
        }
        if kinds:
            counts = [count for count, _ in next(iter(kinds.values()))]
            lines = [[kind, *(_ms(seconds) for _, seconds in series)] for kind, series in kinds.items()]
            found.append(table((f"CPU ms over {name}", *(f"{count:,}" for count in counts)), lines))
    return found


def _memory(row: dict[str, Any]) -> list[str]:
    """Peak bytes, and in times of what is returned."""
    if "memory" not in row:
        return []
    lines = []
    for name, operations in row["memory"].items():
        faces, _, size = name.partition("_")
        cells = [f"{o['extra'] / 1e6:.0f} ({o['ratio']:.1f})" for o in operations.values()]
        lines.append([f"{int(faces):,}", f"4 x {size.removesuffix('px')}²", *cells])
    return [table(("peak MB (times returned): faces", "images", *next(iter(row["memory"].values()))), lines)]


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.1f}"


if __name__ == "__main__":
    main()
