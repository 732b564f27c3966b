"""Installed packages by their metadata: nothing is imported."""

from __future__ import annotations

import re
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

PROJECT = "meshopt3d"
OWN_EXTRAS = ("dev",)  # for those who work on meshopt


def version(package: str) -> str | None:
    """The installed version, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def torch_build() -> str | None:
    """CPU, CUDA x.y or ROCm x.y, as torch's own file of versions says; None where it does not."""
    spec = find_spec("torch")
    file = None if spec is None or spec.origin is None else Path(spec.origin).with_name("version.py")
    if file is None or not file.is_file():
        return None
    said = dict(re.findall(r"^(cuda|hip)\b.*= (?:'([\w.-]+)'|None)", file.read_text(encoding="utf-8"), re.MULTILINE))
    if said.get("cuda"):
        return f"CUDA {said['cuda']}"
    return f"ROCm {said['hip']}" if said.get("hip") else "CPU"


def extras() -> list[str]:
    """The optional features for users; none in a checkout that is not installed."""
    try:
        names = metadata.metadata(PROJECT).get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        return []
    return [name for name in names if name not in OWN_EXTRAS]


def requirements(extra: str | None = None) -> dict[str, str]:
    """Package: range of versions, of what meshopt itself or one of its extras needs."""
    try:
        lines = metadata.requires(PROJECT) or []
    except metadata.PackageNotFoundError:
        return {}
    found = {}
    for line in lines:
        wanted, _, marker = line.partition(";")
        of_extra = re.search(r"extra\s*==\s*['\"]([\w.-]+)['\"]", marker)
        match = re.match(r"([\w.-]+)\s*(?:\[[^\]]*\])?\s*(.*)", wanted.strip())
        if match and (of_extra[1] if of_extra else None) == extra:
            found[match[1]] = match[2].strip()
    return found


def install_command(package: str) -> str:
    """What installs a package in the range that meshopt needs."""
    return f'pip install "{package}{requirements().get(package, "")}"'


def in_range(version: str, wanted: str) -> bool:
    """Whether a version satisfies all of `>=`, `<=`, `>`, `<` in a list with commas; other conditions count as met."""
    tests = {">=": "__ge__", "<=": "__le__", ">": "__gt__", "<": "__lt__"}
    return all(
        getattr(_numbers(version), tests[relation])(_numbers(bound))
        for relation, bound in re.findall(r"(>=|<=|>|<)\s*([\d.]+)", wanted)
    )


def _numbers(version: str) -> tuple[int, ...]:
    """2.13.0+cpu: (2, 13)."""
    parts = [int(part) for part in re.split(r"[+a-zA-Z]", version)[0].split(".") if part]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)
