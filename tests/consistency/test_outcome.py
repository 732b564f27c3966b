"""What the checks have found in the course of a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from meshopt.consistency.corrections import Tilted, Turned
from meshopt.consistency.findings import Finding
from meshopt.consistency.outcome import Outcome

NAMES = ["front", "right", "back"]


def finding(severity: Any, *views: str) -> Finding:
    return Finding("turned", severity, views, "It is turned.", "Turn it.")


def outcome() -> Outcome:
    views = [SimpleNamespace(name=name, score=score) for name, score in zip(NAMES, (0.0, 2.0, 0.5), strict=True)]
    checked: Any = SimpleNamespace(report=SimpleNamespace(views=views, score=0.8))
    found = Outcome(findings=[finding("suspect", "back"), finding("inconsistent", "right"), finding("note", "back")])
    found.checked = checked
    return found


def test_nothing_checked_says_nothing() -> None:
    empty = Outcome()
    assert (empty.verdict, empty.as_plain(NAMES), empty.of_view("front"), empty.left(NAMES)) == ("ok", {}, {}, None)


def test_the_worst_finding_is_the_verdict() -> None:
    found = outcome()
    assert found.verdict == "inconsistent"
    assert [found.of_view(name)["verdict"] for name in NAMES] == ["ok", "inconsistent", "suspect"]
    plain = found.as_plain(NAMES)
    assert (plain["verdict"], plain["score"], len(plain["findings"]), plain["corrections"]) == (
        "inconsistent",
        0.8,
        3,
        [],
    )


def test_what_was_mended_is_left_out() -> None:
    found = outcome()
    assert found.left(NAMES) == [0.0, 2.0, 0.5]
    found.corrections.append(Turned(1, np.eye(3)))
    assert found.left(NAMES) == [0.0, 0.0, 0.5]
    found.corrections.append(Tilted(3.0, False))
    assert found.left(NAMES) == [0.0, 0.0, 0.0]
