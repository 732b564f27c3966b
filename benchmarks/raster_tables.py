"""raster.py's races, and their tables as Markdown."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import raster_memory
from raster_floor import Floor, Rates, floor
from raster_work import PARTS, Case, Scene, race

from meshopt.raster.protocol import Rasterizer

SIZE, FACES, SMALL = 512, (20_480, 81_920), (48, (320,))
KINDS, THREADS, FIRST = ("modular", "fused"), 2, ("backend", "work", "faces")
SIZES, MESHES = (256, 512, 1024, 2048), (1_280, 5_120, 20_480, 81_920, 327_680, 1_310_720)
MEMORY = ((20_480, 512), (81_920, 512), (1_310_720, 512), (20_480, 1024))

Row = dict[str, Any]
Backends = dict[str, tuple[Rasterizer, str]]


@dataclass(frozen=True)
class Entry:
    """One backend's work on one thread; on the CPU once more beside two threads, and with memory that is kept."""

    label: str
    single: Case
    walls: tuple[Case, Case] | None
    kept: Case | None

    @property
    def name(self) -> str:
        """As in the JSON file."""
        size = self.single.scene.size
        return f"{self.single.kind}_{len(self.single.scene.faces)}" + (f"_{size}px" if size != SIZE else "")

    @property
    def first_cells(self) -> list[str]:
        size = self.single.scene.size
        label = self.label + (f" ({size}²)" if size != SIZE else "")
        return [label, self.single.kind, f"{len(self.single.scene.faces):,}"]

    @property
    def parts(self) -> dict[str, float]:
        return {part: self.single.best(part) for part in PARTS if part in self.single.runs[0]}


def entries(backends: Backends) -> list[Entry]:
    """The standard work for all backends; a small one for the slow reference."""
    found = []
    for label, (backend, device) in backends.items():
        size, meshes = SMALL if label == "reference" else (SIZE, FACES)
        for faces in meshes:
            scene = Scene.make(faces, size).to(device)
            for kind in KINDS:
                single, one, two, kept = (Case(backend, kind, scene, threads) for threads in (1, 1, THREADS, 1))
                on_cpu = device == "cpu"
                found.append(Entry(label, single, (one, two) if on_cpu else None, kept if on_cpu else None))
    return found


def measure(found: list[Entry], repeats: int) -> None:
    """Times all backends, one kind of work after the other, on one thread, then against two; may be called again."""
    for kind in KINDS:
        alike = [entry for entry in found if entry.single.kind == kind]
        race([entry.single for entry in alike], repeats)
        race([case for entry in alike for case in entry.walls or ()], repeats)


def compare(found: list[Entry], rates: Rates) -> dict[str, Row]:
    """Prints the tables of what was measured."""
    runs = len(found[0].single.runs)
    print(f"\nFour views, milliseconds, best of {runs}. Load of the machine: {os.getloadavg()[0]:.1f}.\n")
    columns = ("1 thread, CPU", "of it system", "1 thread, wall", f"{THREADS} threads, wall", "ratio")
    print(table((*FIRST, *columns), map(_cells, found)))
    print("\nParts of `modular`, one thread.\n")
    lines = [[*e.first_cells, *(_ms(seconds) for seconds in e.parts.values())] for e in found if len(e.parts) > 2]
    print(table((*FIRST, *PARTS), lines))
    rows: dict[str, Row] = {entry.label: {} for entry in found}
    for entry in found:
        rows[entry.label] |= _figures(entry)
    _floors([e for e in found if e.walls and e.label != "reference"], rates, rows)
    return rows


def compare_kept(found: list[Entry], repeats: int) -> dict[str, Row]:
    """Once more on one thread, without page faults; prints a table."""
    cases = [(entry, entry.kept) for entry in found if entry.kept]
    for kind in KINDS:
        race([case for _, case in cases if case.kind == kind], repeats)
    print("\nThe same where freed memory is kept by the process, one thread, CPU milliseconds.\n")
    print(table((*FIRST, "memory kept"), [[*entry.first_cells, _ms(case.best("cpu"))] for entry, case in cases]))
    rows: dict[str, Row] = {entry.label: {} for entry in found}
    for entry, case in cases:
        rows[entry.label][f"{entry.name}_kept"] = case.best("cpu")
    return rows


def merge(rows: dict[str, Row], more: dict[str, Row]) -> None:
    """Adds `more` to `rows`."""
    for label, row in more.items():
        rows[label] |= row


def _cells(entry: Entry) -> list[str]:
    if entry.walls is None:
        return [*entry.first_cells, "", "", _ms(entry.single.best("wall")), "", ""]
    wall, both = (case.best("wall") for case in entry.walls)
    cpu = [_ms(entry.single.best("cpu")), _ms(entry.single.best("cpu", "system"))]
    return [*entry.first_cells, *cpu, _ms(wall), _ms(both), f"{wall / both:.2f}"]


def _figures(entry: Entry) -> Row:
    """Seconds by name, for the JSON file. On an accelerator only wall-clock seconds mean something."""
    name = entry.name
    if entry.walls is None:
        return {f"{name}_device_wall": entry.single.best("wall"), f"{name}_device_parts": entry.parts}
    wall, both = (case.best("wall") for case in entry.walls)
    walls = {f"{name}_wall_1": wall, f"{name}_wall_{THREADS}": both, f"{name}_ratio": wall / both}
    cpu = {name: entry.single.best("cpu"), f"{name}_system": entry.single.best("cpu", "system")}
    return cpu | {**walls, f"{name}_parts": entry.parts}


def _floors(entries: list[Entry], rates: Rates, rows: dict[str, Row]) -> None:
    """Prints what the work costs at least beside what it cost."""
    print(f"\nFloor of one thread: copies {rates.copy / 1e9:.1f} GB/s (read and written), arithmetic", end=" ")
    print(f"{rates.scalar / 1e9:.1f} (scalar) and {rates.vector / 1e9:.1f} (vector) thousand million operations/s.\n")
    lines = []
    for entry in entries:
        least, spent = floor(entry.single.kind, _sizes(entry.single.scene), rates), entry.single.best("cpu")
        rows[entry.label][f"{entry.name}_floor"] = vars(least) | {"times": spent / least.seconds}
        lines.append([*entry.first_cells, *_floor_cells(least), _ms(spent), f"{spent / least.seconds:.1f}"])
    print(table((*FIRST, "MB", "million ops", "bytes", "vector", "scalar", "measured", "times"), lines))


def _floor_cells(least: Floor) -> list[str]:
    counts = [f"{least.bytes / 1e6:.0f}", f"{least.operations / 1e6:.0f}"]
    return counts + [_ms(seconds) for seconds in (least.memory, least.vector, least.scalar)]


def _sizes(scene: Scene) -> dict[str, int]:
    covered = int((scene.target[..., 3] > 0.5).sum()) // len(scene.target)
    meshes = {"vertices": len(scene.vertices), "faces": len(scene.faces)}
    return {"views": len(scene.target), "pixels": scene.size**2, "covered": covered, **meshes}


def scaling(label: str, backend: Rasterizer, device: str, repeats: int, suffix: str) -> Row:
    """Seconds over pixels and over faces, and with the faces in random order; prints them and the growth."""
    clock, row = ("cpu" if device == "cpu" else "wall"), {}
    what = f"{label}, memory kept" if suffix else label
    shuffled = Case(backend, "modular", Scene.make(FACES[0], SIZE, shuffled=True).to(device))
    race([shuffled], repeats)
    row[f"shuffled{suffix}"] = {f"modular_{FACES[0]}": shuffled.best(clock)}
    for name, points in (("pixels", [(FACES[0], s) for s in SIZES]), ("faces", [(f, SIZE) for f in MESHES])):
        scenes = [Scene.make(*point).to(device) for point in points]
        cases = {kind: [Case(backend, kind, scene) for scene in scenes] for kind in KINDS}
        for kind in KINDS:
            race(cases[kind], max(6, repeats // 4))
        counts = [size * size if name == "pixels" else faces for faces, size in points]
        row[f"scaling_{name}{suffix}"] = {
            kind: [[n, c.best(clock)] for n, c in zip(counts, cases[kind], strict=True)] for kind in KINDS
        }
        print(f"\n{what}: milliseconds over {name} (of each view), growth: exponent from the point before.\n")
        print(
            table(
                (name, *(f"{k}{extra}" for k in KINDS for extra in ("", ", growth"))),
                _growth(row[f"scaling_{name}{suffix}"]),
            )
        )
    print(f"\nFaces in random order, {FACES[0]:,}: {_ms(shuffled.best(clock))} ms")
    return row


def _growth(series: dict[str, list[list[float]]]) -> Iterable[list[str]]:
    """Per point and kind the milliseconds, and the slope between logarithms of seconds and count."""
    for k, (count, _) in enumerate(series[KINDS[0]]):
        cells = [f"{count:,}"]
        for kind in KINDS:
            now = series[kind][k]
            before = series[kind][k - 1] if k else None
            slope = "" if before is None else f"{math.log(now[1] / before[1]) / math.log(now[0] / before[0]):.2f}"
            cells += [_ms(now[1]), slope]
        yield cells


def memory(backend: Rasterizer, device: str) -> Row:
    """Peak bytes of each operation; prints them beside the bytes that it returns."""
    found = {(faces, size): raster_memory.measure(backend.name, device, faces, size) for faces, size in MEMORY}
    print(f"\n{backend.name} on {device}: peak of memory in MB (of its returned buffers, in times)\n")
    lines = []
    for (faces, size), rows in found.items():
        if rows is None:
            print("not measured: this system does not tell a process's peak memory")
            return {}
        lines.append([f"{faces:,}", f"{size}²"] + [f"{r['extra'] / 1e6:.1f} ({r['ratio']:.2f})" for r in rows.values()])
    print(table(("faces", "size", *next(iter(filter(None, found.values())))), lines))
    return {"memory": {f"{faces}_{size}px": rows for (faces, size), rows in found.items()}}


def table(columns: Iterable[str], rows: Iterable[list[str]]) -> str:
    """Markdown."""
    titles = list(columns)
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.1f}"
