"""What the checks have found in the course of a run, and what was mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from meshopt.consistency.checking import Checked
from meshopt.consistency.corrections import Correction
from meshopt.consistency.findings import Finding, Verdict, worst


@dataclass
class Outcome:
    """Grows with a run: `checked` is what the views said as they came, None where nobody asked."""

    checked: Checked | None = None
    findings: list[Finding] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """Of all findings so far, mended or not."""
        return worst([finding.severity for finding in self.findings])

    def as_plain(self, names: Sequence[str]) -> dict[str, Any]:
        """For the report, of views with these names; empty where nothing was checked."""
        if self.checked is None:
            return {}
        return {
            "verdict": self.verdict,
            "score": self.checked.report.score,
            "findings": [asdict(finding) for finding in self.findings],
            "corrections": [correction.as_plain(list(names)) for correction in self.corrections],
        }

    def of_view(self, name: str) -> dict[str, Any]:
        """For the report: one view's verdict and score; empty where nothing was checked."""
        if self.checked is None:
            return {}
        verdict = worst([finding.severity for finding in self.findings if name in finding.views])
        return {"verdict": verdict, "score": self._scores()[name]}

    def left(self, names: Sequence[str]) -> list[float] | None:
        """Each view's score, percent of the diagonal, 0 where it was mended; None where nothing was checked."""
        if self.checked is None:
            return None
        scores = self._scores()
        mended = {getattr(correction, "view", None) for correction in self.corrections}
        if None in mended:  # one of all views
            return [0.0] * len(names)
        return [0.0 if number in mended else scores[name] for number, name in enumerate(names)]

    def _scores(self) -> dict[str, float]:
        assert self.checked is not None
        return {view.name: view.score for view in self.checked.report.views}
