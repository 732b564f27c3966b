"""All encodings scored against the evidence of all views, and the choice among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from meshopt.cameras import Camera
from meshopt.frames.encoding import FRAMES, NormalEncoding, all_encodings, frame_to_world
from meshopt.frames.evidence import Observation, measure

MARGIN = 0.015  # a smaller lead in the score decides nothing
OVERRULE = 0.03  # the lead that overrules the documented encoding
FACING = 0.7  # fewer normals that face their camera: not an encoding of these cameras
OUTWARD = 0.45  # a smaller rim score, cosine -0.1: the outline's normals point inward, likewise
WEAK = 0.6  # a tie between answers that score less is no tie but a misfit
SAME = 0.05  # encodings whose normals differ by less than this (root mean square) are one


Documented = Literal["unknown", "agrees", "decides", "overruled"]


@dataclass(frozen=True)
class Score:
    """How well one encoding fits, each in [0, 1]; `total` is the mean of what could be measured.

    `facing`: share of the normals that face the camera. `rim`: (1 + mean cosine to the outward direction at
    the silhouette) / 2. `curl`: 1 - relative curl of the slopes. NaN where not measurable.
    """

    encoding: NormalEncoding
    total: float
    facing: float
    rim: float
    curl: float

    @property
    def fits(self) -> bool:
        """Whether this can be the picture of a surface: seen from the front, its outline turning away."""
        return self.facing >= FACING and not self.rim < OUTWARD


@dataclass(frozen=True, eq=False)
class Survey:
    """The candidates, what they turn the stored vectors into, and how well each fits."""

    scores: tuple[Score, ...]  # C candidates
    turns: Float[np.ndarray, "C V 3 3"]  # stored to camera frame
    covariances: Float[np.ndarray, "V 3 3"]
    facing: Float[np.ndarray, "V C"]

    @property
    def totals(self) -> Float[np.ndarray, " C"]:
        """The scores' totals."""
        return np.array([score.total for score in self.scores])

    def index(self, encoding: NormalEncoding) -> int:
        """Where `encoding` stands among the candidates."""
        return next(i for i, score in enumerate(self.scores) if score.encoding == encoding)

    def same(self, index: int) -> np.ndarray:
        """Which candidates decode these pictures to the same normals as candidate `index`, in every view."""
        d = self.turns - self.turns[index]
        square = np.einsum("cvij,vjk,cvik->cv", d, self.covariances, d)
        return np.sqrt(np.maximum(square, 0.0)).max(axis=1) < SAME


def survey(observations: Sequence[Observation], cameras: Sequence[Camera]) -> Survey:
    """Score all 144 encodings: each measurement's mean over the views, then the mean of the measurements."""
    encodings = all_encodings()
    into_camera = {f: np.stack([c.rotation for c in cameras]) @ frame_to_world(cameras, f) for f in FRAMES}
    turns = np.stack([into_camera[e.frame] @ e.matrix.T for e in encodings])
    parts = np.stack([measure(o, turns[:, v]) for v, o in enumerate(observations)])  # V, 3, C
    known = ~np.isnan(parts)
    mean = np.where(known, parts, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    usable = known.any(axis=(0, 2))
    totals = mean[usable].mean(axis=0)
    mean[~usable] = np.nan
    scores = tuple(
        Score(e, float(t), *(float(x) for x in m)) for e, t, m in zip(encodings, totals, mean.T, strict=True)
    )
    return Survey(scores, turns, np.stack([o.covariance for o in observations]), parts[:, 0])


@dataclass(frozen=True)
class Choice:
    """The chosen candidate, the best one that decodes differently, and the documentation's part in it.

    `lead` is the difference of their totals. `documented`: what the rig documents is 'unknown', 'agrees' with
    the pictures, 'decides' between answers too close to call, or is 'overruled' by them.
    """

    index: int
    rival: int | None
    lead: float
    documented: Documented

    @property
    def tied(self) -> bool:
        """Whether neither the pictures nor the documentation decide."""
        return self.lead < MARGIN and self.documented != "decides"


def choose(found: Survey, allowed: np.ndarray, native: NormalEncoding | None) -> Choice:
    """The best of the allowed candidates; `native` (documented) wins unless the pictures contradict it."""
    totals = np.where(allowed, found.totals, -np.inf)
    best = int(np.argmax(totals))
    index = best
    documented: Documented = "unknown"
    if native is not None:
        own = found.index(native)
        if found.same(best)[own] and allowed[own]:
            index, documented = own, "agrees"
        elif totals[best] - totals[own] < OVERRULE:
            index, documented = own, "decides"
        else:
            documented = "overruled"
    rivals = np.where(found.same(index), -np.inf, totals)
    rival = int(np.argmax(rivals))
    if not np.isfinite(rivals[rival]):
        return Choice(index, None, np.inf, documented)
    lead = float(totals[index] - rivals[rival])
    if documented == "agrees" and lead < MARGIN:
        documented = "decides"
    return Choice(index, rival, lead, documented)
