"""Builds what would be released, installs it where nothing else is, and uses it there.

    python benchmarks/release.py FIGURES.json [--with "torch==2.13.0"] [--runs N]

The last commit is cloned; `python -m build` makes the source archive and, from it, the wheel. The wheel's files must be
those of the packages, and no others. It is installed into a fresh virtual environment with its dependencies (--with:
what pip installs first, such as a build of torch), and used there, in a folder outside of the clone: imports and what
shells ask for are timed, the commands of `SMOKE` run, the examples of every help are counted, and every default.yaml in
the history is read. Needs a network, or pip's own settings for one. The exit code is 1 where anything fails.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

EMPTY: dict[str, str] = {}
ROOT = Path(__file__).parents[1]
PLACES = {"meshopt": "meshopt", "cli": "meshopt/cli", "configs": "meshopt/configs", "data": "meshopt/data"}
IMPORTS = ("meshopt", "meshopt.cli", "torch")  # the last for comparison
BUDGET_S = 1.5
COPY = "import shutil, meshopt.data as d; shutil.copytree(d.__path__[0] + '/dragon/wonder3d', 'sample')"
OLD = "configs/default.yaml"
QUICK = {  # command: what a shell asks it to complete
    "meshopt --version": None,
    "meshopt --help": None,
    "meshopt check --rig er": 3,
    "meshopt check --set output.f": 3,
    "meshopt generate --model er": 3,
}
SMOKE = (
    "meshopt --version",
    "meshopt doctor",
    "meshopt config",
    "meshopt config --schema",
    "meshopt completion bash",
    "meshopt reconstruct --views sample/rgb --normals sample/normals -o out --quality fast --resolution 64"
    " --texture-size 512 --faces 2000",
    "meshopt reconstruct --views sample/rgb --normals sample/normals -o again --config out/config.yaml",
    "meshopt view out --print-path",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", type=Path)
    parser.add_argument("--with", dest="first", action="append", default=[], metavar="REQUIREMENT")
    parser.add_argument("--runs", type=int, default=5, help="of each import")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = released(Path(folder), options.first, options.runs)
    options.figures.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))
    sys.exit(0 if figures["sound"] else 1)


def released(folder: Path, first: list[str], runs: int) -> dict[str, Any]:
    """All figures."""
    clone, work = folder / "clone", folder / "work"
    done(["git", "clone", "--quiet", str(ROOT), str(clone)])
    seconds, _ = done([sys.executable, "-m", "build", "--outdir", str(folder / "dist"), str(clone)])
    wheel, archive = next((folder / "dist").glob("*.whl")), next((folder / "dist").glob("*.tar.gz"))
    with zipfile.ZipFile(wheel) as file:
        held = {name for name in file.namelist() if ".dist-info/" not in name}
    wanted = expected(clone)
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet"]
    before = done([*pip, *first])[0] if first else 0.0
    installing, _ = done([*pip, str(wheel)])
    work.mkdir()
    done([str(programs / "python"), "-c", COPY], work)
    imports = {name: imported(programs / "python", name, runs, work) for name in IMPORTS}
    quick = {command: timed(command, place, programs, runs, work) for command, place in QUICK.items()}
    smoke = [tried(command, programs, work) for command in SMOKE]
    history = settings_of_history(clone, programs, work)
    same = (work / "out" / "mesh.glb").read_bytes() == (work / "again" / "mesh.glb").read_bytes()
    page = work / "out" / "report.html"
    return {
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "build_s": round(seconds, 1),
        "wheel": wheel.name,
        "wheel_mb": round(wheel.stat().st_size / 1e6, 2),
        "archive_mb": round(archive.stat().st_size / 1e6, 2),
        "wheel_files": len(held),
        "missing": sorted(wanted - held),
        "not_expected": sorted(held - wanted),
        "installed_first": first,
        "installing_first_s": round(before, 1),
        "installing_s": round(installing, 1),
        "import_s": imports,
        "quick_s": quick,
        "examples_in_help": examples(programs, work),
        "settings_of_history": history,
        "smoke": smoke,
        "page_mb": round(page.stat().st_size / 1e6, 2),
        "same_mesh_from_config": same,
        "sound": wanted == held
        and same
        and history["loaded"] == history["files"]
        and all(step["code"] == 0 for step in smoke)
        and all(imports[name] < BUDGET_S for name in IMPORTS[:2]),
    }


def expected(clone: Path) -> set[str]:
    """The files that a wheel is to have: all of the packages that git knows."""
    names = done(["git", "ls-files", *PLACES], clone)[1].splitlines()
    split = [name.partition("/") for name in names]
    return {f"{PLACES[top]}/{rest}" for top, _, rest in split}


def imported(python: Path, module: str, runs: int, folder: Path) -> float:
    """Median of the seconds that an import takes in a new process, by Python's own count."""
    own = re.compile(rf"import time:\s+\d+ \|\s+(\d+) \| {module.partition('.')[0]}(\.|$)", re.MULTILINE)
    command = [str(python), "-X", "importtime", "-c", f"import {module}"]
    found = []
    for _ in range(runs + 1):
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        found.append(sum(int(row[1]) for row in own.finditer(run.stderr)) / 1e6)
    return round(median(found[1:]), 3)  # the first reads from the disk


def timed(command: str, place: int | None, programs: Path, runs: int, folder: Path) -> float:
    """Median of the seconds that a command takes, or the completion of its word at that place."""
    name, *words = command.split()
    asked = {} if place is None else {"COMP_WORDS": command, "COMP_CWORD": str(place)}
    asked |= {"_MESHOPT_COMPLETE": "bash_complete"} if asked else {}
    call = [str(programs / name), *([] if asked else words)]
    return round(median(done(call, folder, asked)[0] for _ in range(runs)), 3)


def examples(programs: Path, folder: Path) -> dict[str, int]:
    """How many lines of examples each command's help has."""
    root = done([str(programs / "meshopt"), "--help"], folder)[1]
    names = re.findall(r"^  (\w+)  ", root.partition("Commands:")[2].partition("General:")[0], re.MULTILINE)
    found = {}
    for name in names:
        text = done([str(programs / "meshopt"), name, "--help"], folder)[1]
        found[name] = len(text.partition("Examples:\n")[2].partition("\n\n")[0].splitlines())
    return found


def settings_of_history(clone: Path, programs: Path, folder: Path) -> dict[str, int]:
    """How many of all files of settings that there ever were load, and of how many something was migrated."""
    commits = done(["git", "log", "--format=%H", "--", OLD], clone)[1].split()
    runs = []
    for commit in commits:
        (folder / "old.yaml").write_text(done(["git", "show", f"{commit}:{OLD}"], clone)[1], encoding="utf-8")
        command = [str(programs / "meshopt"), "config", "--config", "old.yaml"]
        runs.append(subprocess.run(command, cwd=folder, capture_output=True, text=True))
    loaded = [run for run in runs if run.returncode == 0]
    migrated = sum("older meshopt" in run.stderr for run in loaded)
    return {"files": len(runs), "loaded": len(loaded), "migrated": migrated}


def tried(command: str, programs: Path, folder: Path) -> dict[str, Any]:
    """How a command ends."""
    name, *words = command.split()
    began = time.monotonic()
    run = subprocess.run([str(programs / name), *words], cwd=folder, capture_output=True, text=True)
    lines = (run.stdout if run.returncode == 0 else run.stderr).strip().splitlines()
    print(f"{command}: {run.returncode}", file=sys.stderr)
    return {
        "command": command,
        "code": run.returncode,
        "seconds": round(time.monotonic() - began, 2),
        "last_line": lines[-1].replace(str(folder), "...") if lines else "",
    }


def done(command: list[str], folder: Path | None = None, variables: Mapping[str, str] = EMPTY) -> tuple[float, str]:
    """Seconds and output of a command. Raises CalledProcessError where it fails."""
    began = time.monotonic()
    environment = os.environ | variables
    run = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return time.monotonic() - began, run.stdout


if __name__ == "__main__":
    main()
