"""Kills reconstructions at random moments, resumes them, and compares what they end with.

    python benchmarks/resume.py FIGURES.json [--kills N] [--seed N] [--set KEY=VALUE ...]

A run of the sample views is killed (SIGKILL) and resumed again and again, until one comes to its end; then the next one
begins, until there were N kills. Moments are drawn between the start of the process and the time that the undisturbed
run took. All files must have the bytes of the undisturbed run's, but for the seconds in the reports.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import meshopt

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "data" / "dragon" / "wonder3d"
SETTINGS = ("quality=fast", "output.checkpoint_steps=5", "output.html=false")
COMMAND = "import sys; from meshopt.cli import main; sys.argv[0] = 'meshopt'; main()"
GOING_ON = re.compile(r"Going on from the checkpoint: (.*)\.|No checkpoint|nothing is left to do")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", type=Path)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    draw = random.Random(options.seed)
    settings = [word for item in (*SETTINGS, *options.set) for word in ("--set", item)]
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        subprocess.run(command(whole, settings), check=True, capture_output=True)  # compiles kernels, too
        began = time.monotonic()
        subprocess.run([*command(whole, settings), "--overwrite"], check=True, capture_output=True)
        longest, wanted = time.monotonic() - began, contents(whole)
        runs: list[dict[str, Any]] = []
        while sum(len(run["killed_after_s"]) for run in runs) < options.kills:
            runs.append(disturbed(Path(folder) / f"run{len(runs)}", settings, draw, longest, wanted))
            print(json.dumps(runs[-1]), flush=True)
    figures = {
        "machine": f"{platform.machine()}, {platform.system()}",
        "version": meshopt.__version__,
        "settings": [*SETTINGS, *options.set],
        "undisturbed_s": round(longest, 1),
        "kills": sum(len(run["killed_after_s"]) for run in runs),
        "runs": len(runs),
        "runs_with_the_same_bytes": sum(not run["differing"] for run in runs),
        "each": runs,
    }
    options.figures.write_text(json.dumps(figures, indent=1) + "\n")
    print({key: value for key, value in figures.items() if key != "each"})


def command(output: Path, settings: list[str]) -> list[str]:
    given = ["--views", str(SOURCE / "rgb"), "--normals", str(SOURCE / "normals")]
    return [sys.executable, "-c", COMMAND, "reconstruct", *given, *settings, "-o", str(output)]


def disturbed(
    output: Path, settings: list[str], draw: random.Random, longest: float, wanted: dict[str, str]
) -> dict[str, Any]:
    """One run, killed until it comes to its end: when, where it went on, and which files differ."""
    killed, went_on = [], []
    while True:
        moment = draw.uniform(0.1, 1.0) * longest
        with subprocess.Popen(
            [*command(output, settings), "--resume"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                out, err = process.communicate(timeout=moment)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
                killed.append(round(moment, 2))
            found = GOING_ON.search(out)
            went_on.append((found.group(1) or found.group()) if found else "before that was known")
            if process.returncode == 0:
                break
            if process.returncode > 0:
                raise RuntimeError(f"exit code {process.returncode}: {err}")
    ended = contents(output)
    differing = sorted(name for name in wanted.keys() | ended.keys() if wanted.get(name) != ended.get(name))
    return {"killed_after_s": killed, "went_on": went_on, "differing": differing}


def contents(folder: Path) -> dict[str, str]:
    """Digests of all files in a folder, of the report without seconds."""
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            data = file.read_bytes()
            if file.name == "report.json":
                report = json.loads(data)
                for row in report["stages"]:
                    row.pop("seconds")
                data = json.dumps(report, sort_keys=True).encode()
            found[file.relative_to(folder).as_posix()] = hashlib.sha256(data).hexdigest()
    return found


if __name__ == "__main__":
    main()
