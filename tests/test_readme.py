"""The pages say what is there: links, flags, settings, presets and sample files exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from meshopt.cli.main import meshopt
from meshopt.config import load_config, presets

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_flags_exist() -> None:
    options = [option for command in meshopt.commands.values() for option in command.params]
    known = {name for option in options for name in (*option.opts, *option.secondary_opts)} | {
        "--set",
        "--version",
        "--help",
    }
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - {"--extra-index-url", "--dist"}
    assert used <= known


def test_sample_files_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    used = set(re.findall(r"--(?:views|normals) (data/\S+)", text))
    assert len(used) == 2
    assert all(any((ROOT / folder).iterdir()) for folder in used)


def test_presets_and_settings_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rigs = set(re.findall(r"--rig ([\w.-]+)`", text)) - {
        "auto",
        "cameras.json",
        "transforms.json",
        "turntable",
    }
    assert rigs == set(presets()) - {"default"}
    (overrides,) = re.findall(r"overrides=\[\"(.*?)\"\]", text)
    load_config(overrides=[overrides])


def test_ci_runs_the_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    extraction = re.search(r"^command=\$\((.*)\)$", script, re.MULTILINE)
    assert extraction is not None
    done = subprocess.run(["bash", "-c", extraction[1]], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith("python3 -m venv .venv && ")
    assert done.stdout.endswith(" -m pytest -n 2 --dist worksteal\n")
