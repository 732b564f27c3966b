"""report.json: what a run did and how well its result fits. docs/report.md lists the keys."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

SCHEMA = 1  # raised when a key changes its meaning or goes


def encode_record(report: Mapping[str, Any]) -> bytes:
    """The report as JSON, the schema's number first. NaN and infinity, which JSON lacks, become null."""
    text = json.dumps({"schema": SCHEMA, **_plain(report)}, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


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
