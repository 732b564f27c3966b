"""What older versions of meshopt wrote, brought to the form that this one reads.

Settings (config.yaml), reports (report.json and the other JSON files of results) and cameras files say their `schema`:
a whole number that is raised when a key goes, gets another name or another meaning, not when one is added. A file that
does not say it is of schema 1. docs/schemas.md lists what was changed.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from meshopt.errors import InputError

Kind = Literal["settings", "report", "cameras"]
Tree = dict[str, Any]
Migration = Callable[[Tree], Iterator[str]]  # changes the tree; gives what was changed, a clause each

GONE = {  # setting: why
    "initial.front_push": "depths are no longer pushed towards the viewer",
    "initial.keep_cost": "initial.sight_cost took its place",
    "evaluate.crease": "all renders share one crease angle",
}


def schema(kind: Kind) -> int:
    """The number that this version writes."""
    return len(MIGRATIONS[kind]) + 1


def migrated(kind: Kind, tree: Mapping[str, Any], origin: str) -> tuple[Tree, list[str]]:
    """A file's tree in today's form, `schema` included, and what was changed, a clause each.

    Raises InputError, which begins with `origin`, where a newer meshopt wrote it or its schema is no number.
    """
    newest = schema(kind)
    found = tree.get("schema", 1)
    if type(found) is not int or found < 1:
        shown = json.dumps(found, default=str)[:60] if isinstance(found, (str, int, float)) else type(found).__name__
        raise InputError(f"{origin}: its schema is {shown}, expected a whole number from 1 to {newest}")
    if found > newest:
        raise InputError(
            f"{origin}: is of schema {found}{_writer(tree)}, expected {newest} at most; a newer meshopt reads it"
        )
    steps = MIGRATIONS[kind][found - 1 :]
    try:
        result = copy.deepcopy(dict(tree)) if steps else dict(tree)
    except RecursionError:
        raise InputError(f"{origin}: is nested too deeply") from None
    notes = [note for step in steps for note in step(result)]
    return result | {"schema": newest}, notes


def _writer(tree: Mapping[str, Any]) -> str:
    """Who wrote a file, where it says that."""
    writer = tree.get("written_by") or ("version" in tree and f"meshopt {tree['version']}")
    return f", written by {' '.join(str(writer).split())[:60]}" if writer else ""


def _settings_to_2(tree: Tree) -> Iterator[str]:
    """Three settings are gone; check.patch was the logarithm of odds, and is an angle.

    The odds are told by what was written with them: check.deep, which is as old, and not yet check.field.
    """
    for key, why in GONE.items():
        section, _, name = key.partition(".")
        values = tree.get(section)
        if isinstance(values, dict) and name in values:
            yield f"{key} = {json.dumps(values.pop(name), default=str)} is left out: {why}"
    checks = tree.get("check")
    if isinstance(checks, dict) and {"deep", "patch"} <= set(checks) and "field" not in checks:
        odds = json.dumps(checks.pop("patch"), default=str)
        yield f"check.patch = {odds} is left out: it was the logarithm of odds, and is an angle in degrees now"


MIGRATIONS: dict[Kind, tuple[Migration, ...]] = {  # the first leads from schema 1 to 2, and so on
    "settings": (_settings_to_2,),
    "report": (),
    "cameras": (),
}
