"""How far a mesh is from the true one: distances, shares within limits, and angles between normals.

Accuracy is what is measured from the found surface to the true one (does what was made belong there?), completeness
from the true one to the found (was everything made?). Both count, as either alone is easily made perfect.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree

from meshopt import parallel
from meshopt.evaluate.surfaces import Nearest, Samples, Surface

SAMPLES = 100_000
THRESHOLDS = (0.5, 1.0)  # per cent of the truth's diagonal
HAUSDORFF = 95  # percentile


@dataclass(frozen=True)
class BothWays:
    """A figure from the found surface to the true one, and back."""

    accuracy: float
    completeness: float

    @property
    def mean(self) -> float:
        """Of both."""
        return (self.accuracy + self.completeness) / 2

    def times(self, factor: float) -> BothWays:
        """In another unit."""
        return BothWays(factor * self.accuracy, factor * self.completeness)

    def as_plain(self) -> dict[str, float]:
        """For JSON."""
        return {"accuracy": self.accuracy, "completeness": self.completeness, "mean": self.mean}


@dataclass(frozen=True)
class FScore:
    """Shares of the samples that are nearer than a limit to the other surface."""

    percent: float
    """The limit in per cent of the truth's diagonal."""
    precision: float
    """Of the found surface's samples."""
    recall: float
    """Of the true surface's samples."""

    @property
    def fscore(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-12)

    def as_plain(self) -> dict[str, float]:
        """For JSON."""
        return {**asdict(self), "fscore": self.fscore}


@dataclass(frozen=True)
class SurfaceScores:
    """Distances in the truth's units, angles in degrees, cosines in [-1, 1]."""

    point_to_surface: BothWays
    """Mean distance of samples to the nearest place on the other's triangles; `mean` is the Chamfer distance."""
    point_to_point: BothWays
    """Mean distance of samples to the nearest sample of the other."""
    point_to_point_squared: BothWays
    """The same of the squared distances."""
    hausdorff_95: BothWays
    """What 95 % of the samples' distances to the other's triangles do not exceed."""
    normal_angle: BothWays
    """Mean angle between a sample's normal and that of the nearest triangle: 0 to 180."""
    normal_angle_unoriented: BothWays
    """The same for lines instead of arrows: 0 to 90."""
    normal_cosine: BothWays
    normal_cosine_unoriented: BothWays
    """Mean of the absolute cosine: `normal consistency` of many papers."""
    fscores: tuple[FScore, ...]


@dataclass(frozen=True)
class Geometry:
    """A found surface against the true one.

    `visible` is of what is seen from outside on both alone, as hidden parts cannot be told from pictures; None where
    nothing is seen. `visible_share`: how much of each surface that is.
    """

    diagonal: float
    """Of the truth's bounding box, in its units."""
    radius: float
    """Of the truth's bounding sphere about the centre of its box: 1 on the unit sphere's scale."""
    samples: int
    floor: float
    """About what point_to_point is for equal surfaces: half the mean distance of samples."""
    everything: SurfaceScores
    visible: SurfaceScores | None
    visible_share: BothWays

    def as_plain(self) -> dict[str, Any]:
        """For JSON: every distance in units of the truth, in per cent of its diagonal, and on the unit sphere."""
        return {
            "diagonal": self.diagonal,
            "radius": self.radius,
            "samples": self.samples,
            "floor": self.floor,
            "visible_share": {"found": self.visible_share.accuracy, "truth": self.visible_share.completeness},
            "all": self._plain(self.everything),
            "visible": None if self.visible is None else self._plain(self.visible),
        }

    def _plain(self, scores: SurfaceScores) -> dict[str, Any]:
        units = {"world": 1.0, "percent": 100 / self.diagonal, "unit_sphere": 1 / self.radius}
        plain: dict[str, Any] = {
            name: {unit: getattr(scores, name).times(factor).as_plain() for unit, factor in units.items()}
            for name in ("point_to_surface", "point_to_point", "hausdorff_95")
        }
        squared = scores.point_to_point_squared
        plain["point_to_point_squared"] = {
            "world": squared.as_plain(),
            "unit_sphere": squared.times(1 / self.radius**2).as_plain(),
        }
        for name in ("normal_angle", "normal_angle_unoriented", "normal_cosine", "normal_cosine_unoriented"):
            plain[name] = getattr(scores, name).as_plain()
        plain["fscores"] = [score.as_plain() for score in scores.fscores]
        return plain


@dataclass(frozen=True)
class _Measured:
    """Samples of one surface, and the nearest places on the other."""

    samples: Samples
    nearest: Nearest

    @property
    def cosines(self) -> Float[np.ndarray, "N"]:
        return np.clip((self.samples.normals * self.nearest.normals).sum(1), -1, 1)

    def __getitem__(self, chosen: Bool[np.ndarray, "N"]) -> _Measured:
        n = self.nearest
        return _Measured(self.samples[chosen], Nearest(n.distance[chosen], n.points[chosen], n.normals[chosen]))


def compare(
    found: Surface, truth: Surface, samples: int = SAMPLES, thresholds: tuple[float, ...] = THRESHOLDS
) -> Geometry:
    """How well `found` fits `truth`, from `samples` points on each, the same every time.

    `thresholds` of the F-scores are in per cent of the truth's diagonal.
    """
    on_found, on_truth = found.sample(samples, 0), truth.sample(samples, 1)
    there, back = (
        _Measured(on_found, truth.nearest(on_found.points)),
        _Measured(on_truth, found.nearest(on_truth.points)),
    )
    seen, shown = found.reached(on_found), truth.reached(on_truth)
    limits = tuple((percent, percent / 100 * truth.diagonal) for percent in thresholds)
    everything = _scores(there, back, limits)
    if seen.all() and shown.all():
        visible: SurfaceScores | None = everything
    else:
        visible = _scores(there[seen], back[shown], limits) if seen.any() and shown.any() else None
    return Geometry(
        diagonal=truth.diagonal,
        radius=truth.radius,
        samples=samples,
        floor=0.25 * float(np.sqrt(found.area / samples) + np.sqrt(truth.area / samples)),
        everything=everything,
        visible=visible,
        visible_share=BothWays(float(seen.mean()), float(shown.mean())),
    )


def _scores(there: _Measured, back: _Measured, limits: tuple[tuple[float, float], ...]) -> SurfaceScores:
    distances, cosines = (there.nearest.distance, back.nearest.distance), (there.cosines, back.cosines)
    angles = tuple(np.degrees(np.arccos(cosine)) for cosine in cosines)
    points = _between(there.samples.points, back.samples.points), _between(back.samples.points, there.samples.points)
    return SurfaceScores(
        point_to_surface=_means(distances),
        point_to_point=_means(points),
        point_to_point_squared=_means(tuple(p**2 for p in points)),
        hausdorff_95=BothWays(*(float(np.percentile(d, HAUSDORFF)) for d in distances)),
        normal_angle=_means(angles),
        normal_angle_unoriented=_means(tuple(np.minimum(a, 180 - a) for a in angles)),
        normal_cosine=_means(cosines),
        normal_cosine_unoriented=_means(tuple(np.abs(c) for c in cosines)),
        fscores=tuple(
            FScore(percent, *(float((d < limit).mean()) for d in distances)) for percent, limit in limits
        ),
    )  # fmt: skip


def _between(points: Float[np.ndarray, "N 3"], others: Float[np.ndarray, "M 3"]) -> Float[np.ndarray, "N"]:
    """Distance of each point to the nearest of the others."""
    return cKDTree(others).query(points, workers=parallel.threads())[0]


def _means(values: tuple[Float[np.ndarray, "_"], ...]) -> BothWays:
    return BothWays(*(float(v.mean()) for v in values))
