"""Sections that say where a result comes from: settings, sources, versions, licence, files."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

from meshopt.config import Config, dump_config
from meshopt.packages import version
from meshopt.report.page.document import Section
from meshopt.report.page.markup import Html, element, facts, joined, sentences, table
from meshopt.settings import Settings, keys, value_at

Plain = Mapping[str, Any]
_PACKAGES = ("torch", "numba", "numpy", "scipy", "opencv-python-headless", "xatlas")


def settings_section(config: Config) -> Section:
    """What differs from the defaults; all of it when it is asked for."""
    changed = changed_settings(config)
    rows = [(element("code", key), element("code", value), element("code", usual)) for key, value, usual in changed]
    first = (
        table(("setting", "value", "default"), rows, "Settings that differ from the defaults")
        if rows
        else element("p", "All settings have their defaults.")
    )
    whole = element("pre", dump_config(config), tabindex=0)
    return Section(
        "settings", "Settings", joined([first, element("details", element("summary", "All settings"), whole)])
    )


def sources_section(record: Plain, sources: Sequence[Plain]) -> Section:
    """Which files the views are from, and what was decided on the way; what all have in common is said once."""
    said = [" ".join(source.get("notes", ())) for source in sources]
    alike = len(sources) > 1 and len(set(said)) == 1
    rows = [
        (source["name"], source.get("rgb") or "–", source.get("normals") or "–", *([] if alike else [notes]))
        for source, notes in zip(sources, said, strict=True)
    ]
    head = ("view", "colour", "normals", *([] if alike else ["notes"]))
    files = table(head, rows, "Files of the views") if rows else None
    common = element("p", f"All: {said[0]}", class_="hint") if alike and said[0] else None
    notes = record.get("notes", ())
    decided = [element("h3", "What was decided"), sentences(notes)] if notes else None
    return Section("sources", "Sources", joined([files, common, decided]))


def versions_section(record: Plain, files: Sequence[str] = ()) -> Section:
    """Versions, device, rasteriser and its licence, and the files beside the page."""
    backend = record.get("backend") or {}
    known: list[tuple[str, Any]] = [("meshopt", record.get("version")), ("Python", platform.python_version())]
    known += [(name, version(name)) for name in _PACKAGES]
    known += [("Device", record.get("device")), ("Rasteriser", backend.get("name"))]
    known += [("Its licence", backend.get("licence")), ("Rig", record.get("rig"))]
    links = [element("a", name, href=name) for name in files if name != "report.html"]
    beside = [element("h3", "Files beside this page"), sentences(links)] if links else None
    table_ = facts([(name, value) for name, value in known if value])
    return Section("versions", "Versions and licence", joined([table_, beside]))


def changed_settings(config: Config) -> list[tuple[str, str, str]]:
    """Key, value and default of every setting that has not its default."""
    usual = Config()
    found = []
    for key in keys(Config):
        value, default = value_at(config, key), value_at(usual, key)
        if not isinstance(value, Settings) and value != default:
            found.append((key, _shown(value), _shown(default)))
    return found


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {item}" for name, item in value.items()) or "{}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def foot(record: Plain) -> Html:
    """The last line."""
    return element("p", f"Made by meshopt {record.get('version', '')}. This page is one file and loads nothing else.")
