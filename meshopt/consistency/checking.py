"""`check`: the examination's findings, with verdicts and scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshopt.config import CheckConfig
from meshopt.consistency.corrections import Correction
from meshopt.consistency.examination import examine
from meshopt.consistency.findings import ConsistencyReport, ViewVerdict, worst
from meshopt.consistency.scores import score
from meshopt.views import ViewSet


@dataclass(frozen=True)
class Checked:
    """What the checks come to.

    `views`: the views with all `corrections` applied, which are found whether they are wanted or not. `degrees`: per
    pixel of the reduced views, how far its normal is from what the other views show there; NaN where none does.
    """

    report: ConsistencyReport
    views: ViewSet
    corrections: tuple[Correction, ...]
    degrees: Float[np.ndarray, "V h w"]


def check(views: ViewSet, settings: CheckConfig | None = None) -> Checked:
    """Checks the views against each other. Nothing is written; the views are not changed. The same views give the same
    findings."""
    done = examine(views, settings or CheckConfig())
    names = [camera.name for camera in views.cameras]
    scores = score(done)
    verdicts = [
        ViewVerdict(name, worst([f.severity for f in done.findings if name in f.views]), float(part))
        for name, part in zip(names, scores.views, strict=True)
    ]
    report = ConsistencyReport(
        worst([f.severity for f in done.findings]), float(scores.total), tuple(verdicts), tuple(done.findings)
    )
    return Checked(report, done.views, tuple(done.corrections), done.degrees)
