"""What an ablation says: means over objects and seeds, against those of the reference with the same settings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from meshopt.ablation.plan import shown

Row = Mapping[str, Any]
ERRORS = ("visible_chamfer_pct", "chamfer_pct", "view_normal_deg")  # the first that all runs have is *the* error
REFERENCE = "reference"


@dataclass(frozen=True)
class Group:
    """All runs of one input with one variant of the settings.

    `figures`: means over objects of the means over seeds. `increase_pct`: of the error over that of the reference's
    runs of the same objects and settings, in percent; `increases`: the least, median and largest of single objects.
    None where there is nothing to compare with.
    """

    input: str
    kind: str
    variant: tuple[tuple[str, Any], ...]
    runs: int
    figures: Mapping[str, float]
    increase_pct: float | None = None
    increases: tuple[float, float, float] | None = None

    def as_plain(self) -> dict[str, Any]:
        """For JSON."""
        least, middle, most = self.increases or (None, None, None)
        return {
            "input": self.input,
            **dict(self.variant),
            "runs": self.runs,
            "increase_pct": self.increase_pct,
            "increase_of_objects_pct": {"least": least, "median": middle, "most": most},
            "figures": dict(self.figures),
        }


@dataclass(frozen=True)
class Spread:
    """A point of a curve: means over objects and seeds, and the least and largest mean over objects of a seed."""

    label: str
    degrees: float
    error: float
    low: float
    high: float
    seeds: int


def error_name(rows: Sequence[Row]) -> str:
    """The figure that is compared."""
    return next((name for name in ERRORS if rows and all(_known(row, name) for row in rows)), ERRORS[-1])


def groups(rows: Sequence[Row], varied: Sequence[str]) -> list[Group]:
    """In the order of the rows, which must be sound: those of failed runs left out."""
    error = error_name(rows)
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault((row["input"], *(str(row.get(key)) for key in varied)), []).append(row)
    references = {key[1:]: _by_object(members, error) for key, members in found.items() if _is_reference(members[0])}
    return [_group(members, varied, error, references.get(key[1:], {})) for key, members in found.items()]


def curves(rows: Sequence[Row], varied: Sequence[str]) -> dict[tuple[str, str], list[Spread]]:
    """By kind and variant: the error over how many degrees the input's normals are off, a point for each strength."""
    error = error_name(rows)
    found: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in rows:
        line = (str(row["kind"]), ", ".join(f"{key}={shown(row[key])}" for key in varied))
        found.setdefault(line, {}).setdefault(str(row["input"]), []).append(row)
    return {
        line: [_spread(label, members, error) for label, members in points.items()] for line, points in found.items()
    }


def _group(members: Sequence[Row], varied: Sequence[str], error: str, reference: Mapping[str, float]) -> Group:
    first = members[0]
    names = [name for name in dict.fromkeys(key for row in members for key in row) if _is_figure(members, name, varied)]
    figures = {name: fmean(_by_object(members, name).values()) for name in names}
    group = Group(first["input"], first["kind"], tuple((key, first.get(key)) for key in varied), len(members), figures)
    own = _by_object(members, error)
    both = [(own[name], reference[name]) for name in own if reference.get(name)]
    if not both or _is_reference(first):
        return group
    increases = [100 * (value / true - 1) for value, true in both]
    whole = 100 * (sum(value for value, _ in both) / sum(true for _, true in both) - 1)
    spread = (min(increases), median(increases), max(increases))
    return Group(group.input, group.kind, group.variant, group.runs, figures, whole, spread)


def _spread(label: str, members: Sequence[Row], error: str) -> Spread:
    seeds: dict[Any, list[Row]] = {}
    for row in members:
        seeds.setdefault(row.get("input_seed"), []).append(row)
    errors = [fmean(row[error] for row in part) for part in seeds.values()]
    degrees = fmean(row["input_deg"] or 0.0 for row in members)
    return Spread(label, degrees, fmean(errors), min(errors), max(errors), len(seeds))


def _by_object(rows: Iterable[Row], name: str) -> dict[str, float]:
    """Means over seeds, by object."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if _known(row, name):
            values.setdefault(row["object"], []).append(float(row[name]))
    return {object_: fmean(found) for object_, found in values.items()}


def _is_reference(row: Row) -> bool:
    return bool(row["kind"] == REFERENCE)


def _is_figure(rows: Sequence[Row], name: str, varied: Sequence[str]) -> bool:
    return name != "input_seed" and name not in varied and any(_known(row, name) for row in rows)


def _known(row: Row, name: str) -> bool:
    value = row.get(name)
    return isinstance(value, (int, float)) and math.isfinite(value)
