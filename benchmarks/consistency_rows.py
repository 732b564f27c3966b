"""What a row of benchmarks/consistency.py says: was the damage found, named as what it is, in the right view, how far
off; and the table of it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

Row = dict[str, Any]

CLEAN = "clean"
EFFECTLESS = 0.01  # `Truth.effect` up to which damage has no consequence: a symmetric view mirrored
OBJECTS = (
    ("armadillo", "astronaut", "flight_helmet", "fox", "spot"),
    ("amphora", "blob", "dragon", "knot", "lattice", "robot"),
)
PAIRS = 4  # creature n and creature n + PAIRS resemble each other
SEVERAL = ("rotate_all", "noise", "misplaced", "order", "elevation", "jpeg")  # damage all views: none is to be named
NAMES = {  # codes that name a kind of damage as what it is
    "rotate": ("rotated",),
    "rotate_all": ("rotated",),
    "noise": ("bent",),
    "bend": ("bent",),
    "patch": ("bent_patch",),
    "flipped": ("flipped",),
    "world_flipped": ("flipped",),
    "zoom": ("zoomed",),
    "shift": ("shifted",),
    "misplaced": ("zoomed", "shifted"),
    "mirrored": ("mirrored",),
    "swapped": ("swapped",),
    "swapped_camera": ("swapped",),
    "order": ("wrong_order",),
    "elevation": ("elevation",),
    "janus": ("janus",),
    "janus_side": ("janus",),
    "color": ("colour_shift",),
    "mask_bite": ("mask_cuts", "mask_conflict"),
    "mask_hole": ("mask_hole", "mask_cuts"),
    "mask_extra": ("mask_extra", "mask_conflict"),
    "fringe": ("mask_fringe",),
    "blur": ("normals_blurred",),
    "lowres": ("normals_blurred",),
    "jpeg": ("normals_jpeg",),
}


def half(name: str) -> str:
    """'even' or 'odd': thresholds are chosen on one half of the objects and reported on the other. Objects that
    resemble each other are in the same half."""
    for names in OBJECTS:
        if name in names:
            return ("even", "odd")[names.index(name) % 2]
    numbered = re.fullmatch(r"(creature|machine)(\d+)", name)
    if numbered:
        number = int(numbered[2])
        return ("even", "odd")[(number % PAIRS if numbered[1] == "creature" else number) % 2]
    return ("even", "odd")[zlib.crc32(name.encode()) % 2]


def label(row: Row) -> str:
    """Kind and strength, as --kinds takes them."""
    return row["kind"] if row["strength"] is None else f"{row['kind']}:{row['strength']:g}"


def counted(row: Row) -> bool:
    """Whether there is anything to find, or nothing by right."""
    return row["kind"] == CLEAN or row["effect"] > EFFECTLESS


def blamed(row: Row) -> list[Row]:
    """The findings that count for the verdict."""
    return [finding for finding in row["findings"] if finding["severity"] != "note"]


def detected(row: Row) -> bool:
    """The verdict is above ok."""
    return row["verdict"] != "ok"


def named(row: Row) -> list[Row]:
    """The findings that name the damage as what it is."""
    codes = NAMES.get(row["kind"], (row["kind"],))
    return [finding for finding in blamed(row) if finding["code"] in codes]


def right_view(row: Row) -> bool | None:
    """Every damaged view is named by a finding; None where all are damaged."""
    if row["kind"] in SEVERAL or row["kind"] == CLEAN:
        return None
    return set(row["views"]) <= {name for finding in blamed(row) for name in finding["views"]}


def others(row: Row) -> bool | None:
    """A view that is not damaged is named, too; None where all are damaged."""
    if row["kind"] in SEVERAL or row["kind"] == CLEAN:
        return None
    return not {name for finding in blamed(row) for name in finding["views"]} <= set(row["views"])


def off(row: Row) -> float | None:
    """How far the value found is from the true one, in its unit; None where it has none or was not found."""
    if row["kind"] not in ("rotate", "zoom", "shift"):
        return None
    view = row["views"][0]
    found = [f["value"] for f in named(row) if view in f["views"] and f["value"] is not None]
    if not found:
        return None
    parameters = row["truth"][view]
    true = {
        "rotate": lambda: parameters["degrees"],
        "zoom": lambda: 100 * (parameters["zoom"] - 1),
        "shift": lambda: row["strength"],
    }[row["kind"]]()
    return abs(found[0] - true)


def missed(row: Row) -> bool:
    """Something is wrong with it: a false alarm, damage not found, not named, or in another view."""
    if row["kind"] == CLEAN:
        return detected(row)
    return not named(row) or right_view(row) is False or others(row) is True


@dataclass(frozen=True)
class Column:
    """A title and what it says of rows of one kind and rig."""

    title: str
    value: Callable[[Sequence[Row]], str]


def percent(rows: Sequence[Row], test: Callable[[Row], Any]) -> str:
    """Of the rows for which it can be told."""
    told = [bool(found) for row in rows if (found := test(row)) is not None]
    return f"{100 * sum(told) / len(told):.0f}" if told else ""


def _offs(rows: Sequence[Row]) -> list[float]:
    return [error for row in rows if (error := off(row)) is not None]


def _overlaps(rows: Sequence[Row]) -> list[float]:
    return [row["iou"] for row in rows if row.get("iou") is not None]


def _errors(rows: Sequence[Row]) -> str:
    errors = _offs(rows)
    return f"{np.median(errors):.2f} / {np.percentile(errors, 95):.2f}" if errors else ""


def _overlap(rows: Sequence[Row]) -> str:
    found = _overlaps(rows)
    return f"{np.median(found):.2f}" if found else ""


def _time(rows: Sequence[Row]) -> str:
    return f"{np.median([row['seconds'] for row in rows]):.1f} / {np.median([row['cpu_seconds'] for row in rows]):.1f}"


COLUMNS = (
    Column("n", lambda rows: str(len(rows))),
    Column("detected %", lambda rows: percent(rows, detected)),
    Column("named %", lambda rows: percent(rows, lambda row: None if row["kind"] == CLEAN else bool(named(row)))),
    Column("right view %", lambda rows: percent(rows, right_view)),
    Column("others too %", lambda rows: percent(rows, others)),
    Column("value off, median / 95 %", _errors),
    Column("IoU", _overlap),
    Column("time, wall / CPU s", _time),
)


def table(rows: Iterable[Row], select: str = "all") -> str:
    """Markdown: a line per kind and rig, one per kind, and the false alarms; empty without rows. See --half."""
    rows = [row for row in rows if not row["sensitive"] and select in ("all", half(row["object"]))]
    used = [row for row in rows if counted(row)]
    if not used:
        return ""
    left_out = len(rows) - len(used)
    lines = [
        f"Objects: {select}, {len({row['object'] for row in used})}; checks: {len(used)}. Left out: {left_out} whose"
        f" damage has no consequence (effect up to {EFFECTLESS:g}), and `order` where the cameras stand evenly in a"
        " circle: there it only turns the world.",
        "",
        "| damage | rig | " + " | ".join(column.title for column in COLUMNS) + " |",
        "|---|---" + "|--:" * len(COLUMNS) + "|",
    ]
    for kind, of_kind in _grouped(used, lambda row: (row["kind"] != CLEAN, label(row))):
        rigs = _grouped(of_kind, lambda row: row["rig"])
        lines += [_line(kind[1], rig, of_rig) for rig, of_rig in rigs]
        if len(rigs) > 1:
            lines.append(_line(f"**{kind[1]}**", "all", of_kind))
    return "\n".join([*lines, "", *_alarms(used)]) + "\n"


def totals(rows: Iterable[Row]) -> dict[str, Row]:
    """The table's figures as numbers, by kind: of how many sets, how many were found, and so on."""
    used = [row for row in rows if counted(row) and not row["sensitive"]]
    found = {}
    for name, some in _grouped(used, label):
        if name == CLEAN:
            found[name] = {"sets": len(some), "false_alarms": sum(map(detected, some))}
            continue
        errors, overlaps = _offs(some), _overlaps(some)
        found[name] = {
            "sets": len(some),
            "found": sum(map(detected, some)),
            "named": sum(bool(named(row)) for row in some),
            "right_view": _count(map(right_view, some)),
            "others": _count(map(others, some)),
            "off_median": round(float(np.median(errors)), 4) if errors else None,
            "off_95": round(float(np.percentile(errors, 95)), 4) if errors else None,
            "iou_median": round(float(np.median(overlaps)), 4) if overlaps else None,
        }
    return found


def _count(told: Iterable[bool | None]) -> int | None:
    """How many are true; None where none can be told."""
    known = [value for value in told if value is not None]
    return sum(known) if known else None


def _grouped(rows: Sequence[Row], key: Callable[[Row], Any]) -> list[tuple[Any, list[Row]]]:
    return [(value, list(group)) for value, group in groupby(sorted(rows, key=key), key)]


def _line(kind: str, rig: str, rows: Sequence[Row]) -> str:
    return f"| {kind} | {rig} | " + " | ".join(column.value(rows) for column in COLUMNS) + " |"


def _alarms(rows: Sequence[Row]) -> list[str]:
    clean = [row for row in rows if row["kind"] == CLEAN]
    false = [row for row in clean if detected(row)]
    lines = [f"False alarms: {len(false)} of {len(clean)} clean sets."]
    for row in false:
        lines.append(f"- {row['object']}, {row['rig']}: {summary(row)}")
    return lines


def summary(row: Row) -> str:
    """The findings in one line."""
    found = [
        f"{f['code']} {' '.join(f['views'])}" + ("" if f["value"] is None else f" {f['value']:.2f} {f['unit']}")
        for f in blamed(row)
    ]
    return "; ".join(found) or "nothing"
