"""What the views tell each other after fusion.

A ray of a silhouette that carving has emptied asks the views that carved it for a point back: for any of its points,
and for the one that its own view takes for the surface. See docs/initial.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from meshopt.initial.depth import DepthMap, DepthSearch
from meshopt.initial.grid import Field

UNCOVERED = 0.3  # pixels outside: a ray with no point less outside is empty
CARVED = 1.0  # pixels in front of a depth map, along its normals: a point there is carved away
OWN = 1.0  # weight of an empty ray's surface point in its own view, against all of its points together
RAMP = ((2, 0.5), (3, 1.0), (4, 0.5))  # labels beyond the asked depth at which the price rises, and by how much


@dataclass(eq=False)
class _Ballot:
    """One view's votes [P,L], by pixel and label: for depths no farther than the label."""

    search: DepthSearch
    found: DepthMap
    votes: Float[np.ndarray, "P L"]

    def sights(
        self, points: Float[np.ndarray, "*N 3"]
    ) -> tuple[Bool[np.ndarray, "*N"], Int[np.ndarray, "*N"], Int[np.ndarray, "*N"]]:
        """Which points the view carves away, the pixel that sees each, and the label there."""
        camera = self.search.view.camera
        column, row, depth = camera.project(points)
        height, width = self.search.index.shape
        c = np.clip(np.round(column), 0, width - 1).astype(int)
        r = np.clip(np.round(row), 0, height - 1).astype(int)
        near = (np.abs(column - c) < 1) & (np.abs(row - r) < 1)
        pixel = np.where(near, self.search.index[r, c], -1)
        before = (self.found.depth[r, c] - depth) * self.found.cosine[r, c]
        bad = (pixel >= 0) & (before > CARVED * camera.pitch)
        label = np.clip(np.ceil(self.search.labels_of(depth)), 0, len(self.search.depths) - 1)
        return bad, pixel, label.astype(int)

    def vote(
        self,
        which: Bool[np.ndarray, "*N"],
        pixel: Int[np.ndarray, "*N"],
        label: Int[np.ndarray, "*N"],
        weight: Float[np.ndarray, "*N"],
    ) -> None:
        """Adds weights for depths no farther than the labels."""
        np.add.at(self.votes, (pixel[which], label[which]), weight[which])

    def count(self, price: float) -> None:
        """Turns the votes into costs of the depths beyond."""
        ahead = np.cumsum(self.votes, axis=1)
        for labels, share in RAMP:
            self.search.belief[:, labels:] += (price * share * ahead[:, :-labels]).astype(np.float32)


def feed_back(
    hull: Field, field: Field, searches: Sequence[DepthSearch], depths: Sequence[DepthMap], price: float
) -> int:
    """Raises the costs of depths that empty other views' rays; gives the number of empty rays.

    `price`: what an empty ray asks, once for all of its points together and once for its own view's.
    """
    ballots = [_Ballot(s, d, np.zeros(s.belief.shape)) for s, d in zip(searches, depths, strict=True)]
    asked = sum(_ask(hull, field, ballot, ballots) for ballot in ballots)
    for ballot in ballots:
        ballot.count(price)
    return asked


def _ask(hull: Field, field: Field, asking: _Ballot, ballots: Sequence[_Ballot]) -> int:
    """Casts the votes of one view's empty rays; gives their number."""
    search = asking.search
    camera = search.view.camera
    empty = field.cast(camera, search.columns, search.rows).best < -UNCOVERED * camera.pitch
    if not empty.any():
        return 0
    columns, rows = search.columns[empty], search.rows[empty]
    points = camera.points(columns[:, None], rows[:, None], search.depths[None])
    inside = hull.at(points) > -UNCOVERED * camera.pitch
    sights = [ballot.sights(points) for ballot in ballots]
    count = np.maximum(np.sum([bad for bad, _, _ in sights], axis=0), 1)  # views that would have to give way
    weight = np.where(inside & np.any([bad for bad, _, _ in sights], axis=0), 1.0 / count, 0.0)
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-12) * count
    for ballot, (bad, pixel, label) in zip(ballots, sights, strict=True):
        ballot.vote(bad & (weight > 0), pixel, label, weight)
    own = camera.points(columns, rows, asking.found.depth[search.index >= 0][empty])
    for ballot in ballots:
        if ballot is not asking:
            bad, pixel, label = ballot.sights(own)
            ballot.vote(bad, pixel, label, np.full(len(own), OWN))
    return int(empty.sum())
