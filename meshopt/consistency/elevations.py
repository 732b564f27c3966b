"""Whether all cameras stand higher or lower than is believed: views made at another elevation than their rig says.

Then sizes and places seem wrong in several views at once, and no two views show the same normals at the same point. The
elevation at which the normals agree best is the finding, where it leaves the sizes and places right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from meshopt import parallel
from meshopt.consistency.corrections import Tilted
from meshopt.consistency.surface import reduced, rough_disagreement
from meshopt.views import ViewSet

SIZE, GRID = 128, 40  # pixels and voxels with which normals are compared
STEP, FARTHEST = 4.0, 16.0  # degrees: elevations that are tried
ERROR = 1.5  # degrees, measured
BETTER = 0.95  # ratio to which the normals' disagreement has to fall


@dataclass(frozen=True)
class Elevation:
    """`degrees` by which all cameras stand higher than is believed, with one standard deviation, and how many degrees
    the normals are apart before and after."""

    correction: Tilted
    uncertainty: float
    apart: tuple[float, float]

    @property
    def degrees(self) -> float:
        return self.correction.degrees


def estimate_elevation(views: ViewSet) -> Elevation | None:
    """The elevation at which the views agree much better than at the believed one, if there is one."""
    small = reduced(views, SIZE)
    before = rough_disagreement(small, GRID)
    best, lowest = _best(small, [Tilted(side * STEP, carried) for side in (-1, 1) for carried in (True, False)])
    if lowest >= before:
        return None
    while abs(best.degrees) < FARTHEST:
        further, value = _best(small, [replace(best, degrees=best.degrees + math.copysign(STEP, best.degrees))])
        if value >= lowest:
            break
        best, lowest = further, value
    for step in (STEP / 2, STEP / 4):
        nearer, value = _best(small, [replace(best, degrees=best.degrees + side * step) for side in (-1, 1)])
        if value < lowest:
            best, lowest = nearer, value
    return Elevation(best, ERROR, (before, lowest)) if lowest < BETTER * before else None


def _best(small: ViewSet, tried: Sequence[Tilted]) -> tuple[Tilted, float]:
    """The one after which normals disagree least, and how much."""
    apart = parallel.run(rough_disagreement, [(tilted.apply(small), GRID) for tilted in tried])
    k = int(np.argmin(apart))
    return tried[k], apart[k]
