"""Findings as data: JSON-able, and the verdict is the worst of them."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from meshopt.consistency.findings import (
    SCHEMA,
    VERDICTS,
    ConsistencyReport,
    Finding,
    Severity,
    Verdict,
    ViewVerdict,
    worst,
)

DOCS = Path(__file__).parents[2] / "docs"


def test_worst_is_the_worst() -> None:
    order = {"note": "ok", "suspect": "suspect", "inconsistent": "inconsistent"}
    assert worst([]) == "ok"
    for some in product(get_args(Severity), repeat=2):
        assert VERDICTS.index(worst(list(some))) == max(VERDICTS.index(order[one]) for one in some)
    assert get_args(Verdict) == VERDICTS


def report() -> ConsistencyReport:
    finding = Finding(
        "rotated",
        "suspect",
        ("back",),
        "it is.",
        "turn it.",
        3.0,
        "degrees",
        0.5,
        2.5,
        "check.rotation",
        {"axis": [0, 1]},
    )
    return ConsistencyReport("suspect", 0.5, (ViewVerdict("back", "suspect", 0.5),), (finding,))


def test_plain_is_json_and_documented() -> None:
    plain = report().as_plain()
    assert plain["schema"] == SCHEMA
    read = json.loads(json.dumps(plain, allow_nan=False))
    assert read["findings"][0]["value"] == 3.0
    text = (DOCS / "consistency.md").read_text(encoding="utf-8")
    for keys in (plain, plain["views"][0], plain["findings"][0]):
        for key in keys:
            assert f"| `{key}` |" in text


def test_findings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        report().findings[0].value = 4.0  # type: ignore[misc]
