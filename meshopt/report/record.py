"""report.json: what a run did and how well its result fits. docs/report.md lists the keys."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from meshopt.errors import InputError
from meshopt.io.files import read_json
from meshopt.migrations import migrated, schema

SCHEMA = schema("report")
MAX_REPORT = 1 << 30  # bytes: one of many views is large
DIGITS = 6  # significant ones of the curves
_NUMBERS = re.compile(r"\[\n[-+.\deE,\snul]*\]")  # a list of numbers and nulls; texts hold no line breaks


def encode_record(report: Mapping[str, Any]) -> bytes:
    """The report as JSON, the schema's number first. NaN and infinity, which JSON lacks, become null.

    Lists of numbers stand in one line.
    """
    text = json.dumps({"schema": SCHEMA, **_plain(report)}, indent=2, ensure_ascii=False, allow_nan=False)
    text = _NUMBERS.sub(lambda found: re.sub(r"\s+", " ", found[0]).replace("[ ", "[").replace(" ]", "]"), text)
    return f"{text}\n".encode("utf-8", "backslashreplace")  # halves of characters as JSON escapes them


def load_report(path: str | Path) -> dict[str, Any]:
    """The report in a folder of a result, or in any JSON file that `encode_record` wrote, in today's form.

    Raises InputError where it cannot be read, is none, or a newer meshopt wrote it.
    """
    path = Path(path)
    path = path / "report.json" if path.is_dir() else path
    try:
        record = read_json(path, MAX_REPORT)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        raise InputError(f"{path}: is no JSON ({' '.join(str(error).split())}), expected a report") from None
    if not isinstance(record, dict) or "schema" not in record:
        raise InputError(f"{path}: has no key 'schema', expected a report such as report.json")
    return migrated("report", record, str(path))[0]


def rounded_curves(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, dict[str, list[float]]]:
    """The values of every step, by stage and name, to six significant digits; whole numbers stay whole."""
    return {
        stage: {name: [_rounded(value) for value in values] for name, values in terms.items()}
        for stage, terms in curves.items()
    }


def _rounded(value: float) -> float:
    value = float(value)
    if value.is_integer() and abs(value) < 1e15:
        return int(value)
    return float(f"{value:.{DIGITS}g}")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:  # numpy and torch scalars
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
