"""`meshopt batch`: how much faster than a loop it is, and that it loses nothing, whatever happens to its processes.

    python benchmarks/batch.py throughput [--assets 36] [--rounds 2] [--processes 2]
    python benchmarks/batch.py faults [--assets 60] [--kills 10]

Prints a JSON object. `throughput` takes three quarters of an hour, `faults` some minutes.

`throughput`: seconds for the sample objects of data/ (quality fast, textures) in one process with one thread, one after
the other, and in `meshopt batch`, starts of processes included, in turns, the ratio of the medians, and how much
processor time each took. Where other programs want the cores, so much of the time is spent waiting for one that the
ratio says little: `quiet_seconds` are those without that (Linux; of a batch the time that its processes waited in the
mean), what it would have taken on a machine of its own, and `times_faster_quiet` is their ratio.

`faults`: every third asset crashes, is killed, hangs, fills its memory or runs into a bug, half of these the first time
only, and the whole batch is killed at random moments and resumed. `lost`: assets that did not come to the end that they
should; `redone`: assets that were done again although the status said that they were done.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from meshopt import parallel
from meshopt.batch import Asset, Machine, Options, make_plan, run_batch
from meshopt.batch.batch import opened_status
from meshopt.batch.engines import Limits
from meshopt.batch.inputs import fingerprint, settings_hash
from meshopt.batch.jobs import Made
from meshopt.config import load_config
from meshopt.worker_process import VARIABLES, Outcome, family

DATA = Path(__file__).parents[1] / "data"
SETS = [(name, layout) for layout in ("wonder3d", "unique3d") for name in ("dragon", "robot", "amphora")]
LOOP = """
import sys
from pathlib import Path
import meshopt
from meshopt import parallel
from meshopt.report.folder import write_result
with parallel.limit(1):
    for folder in sorted(Path(sys.argv[1]).iterdir())[: int(sys.argv[3])]:
        views = meshopt.load_views(folder)
        result = meshopt.reconstruct(views, meshopt.load_config(overrides=["quality=fast"]))
        write_result(result, Path(sys.argv[2]) / folder.name)
"""
FATES = ("kill", "exit", "hang", "eat", "bug")
SECONDS, MEMORY = 3.0, 2**29  # limits of an asset of the faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["throughput", "faults", "run"])
    parser.add_argument("--assets", type=int)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--processes", type=int, default=parallel.cores())
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--folder", type=Path)  # of run, which faults starts
    options = parser.parse_args()
    if options.what == "run":
        run(options.folder, options.processes)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure = throughput if options.what == "throughput" else faults
        found = measure(Path(folder), options)
    machine = {"cpu": platform.processor() or platform.machine(), "cores": parallel.cores()}
    print(json.dumps({"what": options.what, **machine, "load": round(os.getloadavg()[0], 1), **found}))


def throughput(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of both, in turns; kernels are compiled before."""
    count = options.assets or 6 * len(SETS)
    for number in range(count):
        name, layout = SETS[number % len(SETS)]
        for part, source in (("views", "rgb"), ("normals", "normals")):
            shutil.copytree(DATA / name / layout / source, folder / f"assets/{number:03}_{name}_{layout}" / part)
        shutil.copy(DATA / name / layout / "cameras.json", folder / f"assets/{number:03}_{name}_{layout}")
    places = [str(folder / "assets"), str(folder / "out")]
    cli = "import sys; from meshopt.cli import main; sys.argv[0] = 'meshopt'; main()"
    commands = {
        "loop": [sys.executable, "-c", LOOP, *places, str(count)],
        "batch": [sys.executable, "-c", cli, "batch", places[0], "-o", places[1], "--quality", "fast", "--quiet"],
    }
    commands["batch"] += ["--processes", str(options.processes)]
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    processor: dict[str, list[float]] = {name: [] for name in commands}
    quiet: dict[str, list[float]] = {name: [] for name in commands}
    subprocess.run([*commands["loop"][:-1], "1"], check=True)
    for _ in range(options.rounds):
        for name, command in commands.items():
            shutil.rmtree(folder / "out", ignore_errors=True)
            began, used = time.monotonic(), processor_time()
            waited = watched(command, os.environ | dict.fromkeys(VARIABLES, "1"))
            seconds[name].append(round(time.monotonic() - began, 1))
            quiet[name].append(round(time.monotonic() - began - waited, 1))
            processor[name].append(round(processor_time() - used, 1))
            made = len(list((folder / "out").glob("*/mesh.glb")))
            assert made == count, f"{name} made {made} of {count}"
            said = f"{name}: {seconds[name][-1]} s, quiet {quiet[name][-1]}, {processor[name][-1]} of processors"
            print(said, file=sys.stderr, flush=True)
    ratio, alone = (median(taken["loop"]) / median(taken["batch"]) for taken in (seconds, quiet))
    cost = median(processor["batch"]) / median(processor["loop"])
    found = {"assets": count, "processes": options.processes, "seconds": seconds, "processor_seconds": processor}
    found |= {"quiet_seconds": quiet, "times_faster": round(ratio, 2), "times_faster_quiet": round(alone, 2)}
    return found | {"times_the_processor_time": round(cost, 3)}


def watched(command: list[str], environment: dict[str, str]) -> float:
    """Runs the command; seconds that it, or its processes of work in the mean, have waited for a core."""
    waits: dict[int, dict[int, float]] = {}  # of the processes of work: of each and what it has started
    with subprocess.Popen(command, env=environment) as process:
        while process.poll() is None:
            members = [
                [member, family(member)] for member in family(process.pid)[1:] if "spawn_main" in command_line(member)
            ]
            for member, those in members or [[process.pid, family(process.pid)]]:
                waits.setdefault(member, {}).update({one: waiting(one) for one in those if waiting(one)})
            time.sleep(0.1)
    if process.returncode:
        raise RuntimeError(f"{command[:3]} ended with {process.returncode}")
    own = sum(waits.pop(process.pid, {}).values())
    return own + (sum(sum(chain.values()) for chain in waits.values()) / len(waits) if waits else 0.0)


def command_line(process: int) -> str:
    """The command line of a process."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


def waiting(process: int) -> float:
    """Seconds that the threads of a process have waited for a core; 0 where the system does not say."""
    try:
        threads = list(Path(f"/proc/{process}/task").iterdir())
        return sum(int((thread / "schedstat").read_text().split()[1]) for thread in threads) / 1e9
    except (OSError, IndexError):
        return 0.0


def processor_time() -> float:
    """Seconds of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def faults(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Kills and resumes a batch of assets with fates of their own until it ends by itself."""
    count = options.assets or 60
    fates = [f"{i:04}_{FATES[i // 3 % len(FATES)]}{'_once' if i % 2 else ''}" for i in range(0, count, 3)]
    names = fates + [f"{i:04}_fine" for i in range(count) if i % 3]
    for name in names:
        (folder / "assets" / name).mkdir(parents=True)
    (folder / "tries").mkdir()
    command = [sys.executable, __file__, "run", "--folder", str(folder), "--processes", str(options.processes)]
    chance, kills, code = random.Random(0), 0, None
    before: set[str] = set()
    while code is None:
        with subprocess.Popen(command, start_new_session=True) as process:
            try:
                code = process.wait(chance.uniform(2, 9) if kills < options.kills else None)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
        done = {line["asset"] for line in lines(folder) if line["state"] == "done"}
        assert before <= done, "the status has lost lines"
        before = done
    counts = Counter(line["asset"] for line in lines(folder) if line["state"] == "done")
    redone = sum(number - 1 for number in counts.values())
    last = {line["asset"]: line["state"] for line in lines(folder)}
    lost = [name for name in names if last.get(name) != expected(name)]
    return {"assets": count, "with_faults": len(fates), "kills_of_all": kills, "lost": len(lost), "redone": redone}


def expected(name: str) -> str:
    """How an asset of that name ends; bugs are there every time."""
    return "done" if "fine" in name or ("once" in name and "bug" not in name) else "failed"


def lines(folder: Path) -> Iterator[dict[str, Any]]:
    file = folder / "out/status.jsonl"
    for line in file.read_bytes().splitlines(keepends=True) if file.exists() else ():
        record = json.loads(line) if line.endswith(b"\n") else {}
        if "asset" in record:
            yield record


@dataclass(frozen=True)
class Faulty(Machine):
    """Processes that do to themselves what the assets' names say."""

    folder: Path = Path()

    def work(
        self, function: Callable[[Any], Any], tasks: Iterable[Any], processes: int
    ) -> Generator[Outcome[Any], None, None]:
        yield from super().work(partial(misbehave, self.folder), tasks, processes)


def run(folder: Path, processes: int) -> None:
    """One batch, which goes on with what is there."""
    options = Options(str(folder / "assets"), str(folder / "out"), resume=True)
    with opened_status(options) as status:
        plan = make_plan(options, status)
        run_batch(plan, Faulty(processes, Limits(SECONDS, MEMORY), folder=folder), status)


def misbehave(folder: Path, asset: Asset) -> Made:
    fate = asset.name.split("_")[1:]
    tries = folder / "tries" / asset.name
    first = not tries.exists()
    tries.touch()
    time.sleep(0.2)
    if "bug" in fate:
        raise KeyError(asset.name)
    if first or "once" not in fate:
        if "kill" in fate:
            os.kill(os.getpid(), signal.SIGKILL)
        if "exit" in fate:
            os._exit(5)
        if "hang" in fate:
            time.sleep(600)
        while "eat" in fate:
            EATEN.append(bytearray(os.urandom(1 << 20)) * 8)
    out = folder / "out" / asset.name
    out.mkdir(exist_ok=True)
    (out / "report.json").write_text("{}")
    return Made(fingerprint(asset, settings_hash(load_config())), ("report.json",), {})


EATEN: list[bytearray] = []

if __name__ == "__main__":
    main()
