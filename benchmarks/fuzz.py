"""Damaged files for every reader: each must be read, or refused in one sentence, in time and within memory.

    python benchmarks/fuzz.py FIGURES.json [--cases N] [--seed N] [--reader NAME ...] [--keep FOLDER] [--processes N]

Cases are dealt evenly to the readers of `fuzz_readers.READERS` and are the same for the same seed. Each runs in a
process of its own kind (`meshopt.workers`), which dies with a case that crashes or hangs. Failed is a case that raises
anything but InputError, kills its process, takes more than 10 s of a core or 40 s on the clock, or more than 2 GB of
memory, or gives something that is unsound, such as vertices that are not finite. Its files are kept in FOLDER.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import tempfile
import time
import traceback
import warnings
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fuzz_readers import READERS, Files, refused

import meshopt
from meshopt.errors import InputError
from meshopt.workers import work

SECONDS, MEGABYTES = 10.0, 2000
PATIENCE = 40.0  # seconds on the clock, the making of the files with it
ROOM = 6 << 30  # bytes of data that a process may have: it dies before the machine does


@dataclass(frozen=True)
class Case:
    """One damaged set of files, which is the same wherever it is made."""

    reader: str
    seed: int
    number: int

    @property
    def draw(self) -> random.Random:
        """Its random numbers."""
        return random.Random(f"{self.reader} {self.seed} {self.number}")

    def files(self) -> Files:
        """The files, the one that is read first. Case 0 of every seed file is undamaged."""
        seeds = seeds_of(self.reader)
        if self.number < len(seeds):
            return seeds[self.number]
        draw = self.draw
        return READERS[self.reader].damaged(draw, draw.choice(seeds))

    def write(self, folder: Path) -> str:
        """Writes the files; gives the name of the one that is read."""
        files = self.files()
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return next(iter(files))


@cache
def seeds_of(reader: str) -> list[Files]:
    """The reader's valid files."""
    return READERS[reader].seeds()


def run(case: Case) -> dict[str, Any]:
    """What became of a case."""
    resource.setrlimit(resource.RLIMIT_DATA, (ROOM, ROOM))
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="meshopt-fuzz-") as folder:
        name = case.write(Path(folder))
        before, began = memory("VmRSS"), time.process_time()
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        outcome, words = read(case, Path(folder), name)
        seconds, grown = time.process_time() - began, memory("VmHWM") - before
    if grown > MEGABYTES or seconds > SECONDS:
        outcome, words = "failed", f"{grown} MB of memory, {seconds:.1f} s ({words})"
    return {"outcome": outcome, "words": words, "seconds": seconds, "megabytes": grown}


def read(case: Case, folder: Path, name: str) -> tuple[str, str]:
    """Whether the file was read, refused or neither, and the sentence or the traceback."""
    try:
        READERS[case.reader].read(folder, name)
    except InputError as error:
        try:
            refused(error)
        except AssertionError as wrong:
            return "failed", f"{wrong}: {str(error)[:500]}"
        return "refused", str(error)
    except BaseException:
        return "failed", traceback.format_exc()[-1500:]
    return "read", ""


def memory(what: str) -> int:
    """Megabytes of this process, as /proc says them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(what))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", type=Path)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", action="append", choices=list(READERS))
    parser.add_argument("--keep", type=Path, default=Path("out") / "fuzz")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    names = options.reader or list(READERS)
    each = -(-options.cases // len(names))
    cases = [Case(name, options.seed, number) for name in names for number in range(each)]
    for name in names:  # kernels are compiled before anything is timed
        print(f"{name}: {len(seeds_of(name))} files to start from", flush=True)
        for number in range(len(seeds_of(name))):
            found = run(Case(name, options.seed, number))
            assert found["outcome"] == "read" or name in ("settings", "weights"), found["words"]
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    began = time.perf_counter()
    with closing(work(run, cases, options.processes, seconds=PATIENCE)) as outcomes:
        for outcome in outcomes:
            case = cases[outcome.index]
            lost = {"outcome": "failed", "words": outcome.error, "seconds": outcome.seconds, "megabytes": 0}
            rows[case.reader].append(found := outcome.result or lost)
            if found["outcome"] == "failed":
                keep(case, found, options.keep)
            if sum(map(len, rows.values())) % 500 == 0:
                print(f"{sum(map(len, rows.values()))} cases, {time.perf_counter() - began:.0f} s", flush=True)
    figures = summary(rows, options, time.perf_counter() - began)
    options.figures.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


def keep(case: Case, found: dict[str, Any], folder: Path) -> None:
    """Prints a failed case, and keeps its files and what was said of it."""
    place = folder / f"{case.reader.replace(' ', '-')}-{case.seed}-{case.number}"
    place.mkdir(parents=True, exist_ok=True)
    name = case.write(place)
    (place / "words.txt").write_text(f"{name}\n{found['words']}\n", errors="replace")
    last = str(found["words"]).strip().splitlines()[-1]
    print(f"FAILED {place}: {last}"[:300].encode("ascii", "replace").decode(), flush=True)


def summary(rows: dict[str, list[dict[str, Any]]], options: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """Counts and extremes, in all and by reader."""
    everything = [row for found in rows.values() for row in found]
    return {
        "machine": f"{platform.machine()}, {platform.system()}",
        "version": meshopt.__version__,
        "seed": options.seed,
        "seconds": round(seconds),
        "limits": {"seconds": SECONDS, "megabytes": MEGABYTES},
        "all": counted(everything),
        "readers": {name: counted(found) for name, found in rows.items()},
    }


def counted(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """How many cases, what became of them, and the worst."""
    outcomes = Counter(row["outcome"] for row in rows)
    return {
        "cases": len(rows),
        **{name: outcomes[name] for name in ("read", "refused", "failed")},
        "longest_s": round(max(row["seconds"] for row in rows), 2),
        "most_mb": max(row["megabytes"] for row in rows),
    }


if __name__ == "__main__":
    main()
