"""What an examination has found so far, and what is known of the views as they are now."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from meshopt.config import CheckConfig
from meshopt.consistency.arrangement import hull_misfit
from meshopt.consistency.corrections import Correction
from meshopt.consistency.extents import Placement
from meshopt.consistency.findings import Finding
from meshopt.consistency.observation import Observation, observe
from meshopt.consistency.surface import SharedPoints, reduced, rough_surface, shared_points
from meshopt.consistency.turns import Turn
from meshopt.mesh import Mesh
from meshopt.views import ViewSet

GRID = 64  # voxels along the scene of the surface on which normals are compared


@dataclass
class Examination:
    """What has been found so far: the views as given and as mended, what mends them, and the findings.

    `turns` and `placements`: what was first measured of every view, however little. `placed`: what sizes and places are
    mended by; `slides`: the part of it that normals tell, by view, and the placement without.
    """

    views: ViewSet
    settings: CheckConfig
    corrections: list[Correction] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    degrees: Float[np.ndarray, "V h w"] = field(default_factory=lambda: np.zeros((0, 0, 0)))  # see `Checked`
    flagged: Bool[np.ndarray, "V h w"] = field(default_factory=lambda: np.zeros((0, 0, 0), bool))  # likewise
    turns: list[Turn] = field(default_factory=list)
    placements: list[Placement] = field(default_factory=list)
    placed: list[Placement] = field(default_factory=list)
    slides: dict[int, tuple[Placement, Placement]] = field(default_factory=dict)
    given: ViewSet = field(init=False)

    def __post_init__(self) -> None:
        self.given = self.views

    def mend(self, correction: Correction) -> None:
        """Goes on with mended views."""
        self.change(correction)
        self.corrections.append(correction)

    def change(self, correction: Correction) -> None:
        """Mends the views, without a note of it."""
        self.set(correction.apply(self.views))

    def set(self, views: ViewSet) -> None:
        """Goes on with these views."""
        self.views = views
        for known in ("small", "observations", "surface", "shared", "misfit"):
            self.__dict__.pop(known, None)

    @cached_property
    def small(self) -> ViewSet:
        """The views at the resolution at which they are compared."""
        return reduced(self.views)

    @cached_property
    def observations(self) -> tuple[Observation, ...]:
        """The views each by itself, in its camera's frame."""
        return observe(self.views)

    @property
    def scale(self) -> float:
        """Pixels of the views per pixel of `small`."""
        return self.views.resolution[1] / self.small.resolution[1]

    @cached_property
    def surface(self) -> Mesh | None:
        """A rough surface made of the views as they are now; None where silhouettes share no volume."""
        return self.given_surface if self.views is self.given else rough_surface(self.small, GRID)

    @cached_property
    def shared(self) -> SharedPoints | None:
        """What the views show at the points of that surface."""
        return None if self.surface is None else shared_points(self.small, self.surface)

    @cached_property
    def misfit(self) -> float:
        """Of the silhouettes, see `hull_misfit`."""
        return hull_misfit(self.small)

    @cached_property
    def given_surface(self) -> Mesh | None:
        """The same of the views as they were given."""
        small = self.small if self.views is self.given else reduced(self.given)
        return rough_surface(small, GRID)
