"""What the checks find, as plain data: findings, what each view and the set come to, and the JSON of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SEVERE = 2.5  # times its threshold from which on a finding makes a set inconsistent
SCHEMA = 1  # of the JSON; raised when a key changes its meaning or goes

Severity = Literal["note", "suspect", "inconsistent"]
Verdict = Literal["ok", "suspect", "inconsistent"]
VERDICTS: tuple[Verdict, ...] = ("ok", "suspect", "inconsistent")


@dataclass(frozen=True)
class Finding:
    """One thing that does not fit. A note does not count for the verdict.

    `value`, `uncertainty` (one standard deviation) and `threshold` are in `unit`; None where there is no such number.
    `threshold_from` is the setting that it is, or how it came about. `details` is more of it, JSON-able.
    """

    code: str
    severity: Severity
    views: tuple[str, ...]
    message: str
    remedy: str
    value: float | None = None
    unit: str = ""
    uncertainty: float | None = None
    threshold: float | None = None
    threshold_from: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ViewVerdict:
    """What one view comes to. `score` as in `ConsistencyReport`."""

    name: str
    verdict: Verdict
    score: float


@dataclass(frozen=True)
class ConsistencyReport:
    """What the checks come to.

    `score` predicts the damage: by how much the views' contradictions are expected to displace the reconstructed
    surface, mean, in percent of the object's diagonal; 0 is none. A view's score is its share.
    """

    verdict: Verdict
    score: float
    views: tuple[ViewVerdict, ...]
    findings: tuple[Finding, ...]

    def as_plain(self) -> dict[str, Any]:
        """For JSON: docs/consistency.md lists the keys."""
        return {"schema": SCHEMA, **asdict(self)}


def severity(value: float, threshold: float) -> Severity:
    """Of a value above its threshold."""
    return "inconsistent" if value > SEVERE * threshold else "suspect"


def worst(severities: list[Severity]) -> Verdict:
    """The verdict of findings of these severities."""
    if "inconsistent" in severities:
        return "inconsistent"
    return "suspect" if "suspect" in severities else "ok"


def listed(words: Sequence[str]) -> str:
    """As a sentence has them: 'a, b and c'."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
