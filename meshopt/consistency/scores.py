"""How much damage contradictions are expected to do: see docs/consistency.md for how this was fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from meshopt.consistency.examination import Examination

DAMAGE = {  # percent of the diagonal, per unit of a finding's value and view, in a set of one view
    "rotated": 0.03,
    "zoomed": 0.2,
    "shifted": 0.4,
    "mirrored": 2.0,
    "swapped": 2.0,
    "wrong_order": 2.0,
    "flipped": 4.0,
    "wrong_camera": 4.0,
}


@dataclass(frozen=True)
class Scores:
    """Expected displacement of the surface, percent of the object's diagonal: of the set, and each view's share."""

    total: float
    views: Float[np.ndarray, "V"]


def score(done: Examination) -> Scores:
    """What the findings of an examination come to."""
    names = [camera.name for camera in done.views.cameras]
    shares = np.zeros(len(names))
    for finding in done.findings:
        for name in finding.views:
            shares[names.index(name)] += DAMAGE.get(finding.code, 0.0) * abs(finding.value or 1.0) / len(names)
    return Scores(float(shares.sum()), shares)
