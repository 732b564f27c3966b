"""A mesh on its way to one without crossings and folds: what is wrong with it, and moves that make it better."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int, Int32

from meshopt.intersections import CrossingSearch
from meshopt.topology import FOLD, flipped
from meshopt.untangle import kernels

ALL = np.zeros(0, bool)
FLOOD = 10  # faces asked about the winding number at most, for each that crosses another
DIRECTION = (0.5377, 0.7391, 0.4057)  # of the rays: along nothing that objects are built along
PATIENCE = 3  # rounds until one more ring of edges around what resists is smoothed too
SWEEPS = 4  # of smoothing in a round; from 2 in the first on, one more in each
RATE = 0.9  # share of the way to the mean of its neighbours that a vertex goes at most in a sweep
PUSH = 0.6  # how far sheets are pushed apart in a round, in edge lengths


class Tangle:
    """A mesh on its way, and what is wrong with it."""

    def __init__(
        self,
        points: Float64[np.ndarray, "N 3"],
        faces: Int32[np.ndarray, "F 3"],
        rounded: np.dtype[Any],
    ) -> None:
        self.points, self.faces, self.rounded = points, faces, rounded
        self.original = points.copy()
        self.search = CrossingSearch(points, faces)
        self.heat = np.zeros(len(points), np.int32)  # rounds in which something was wrong at the vertex
        self.resisted = np.zeros(len(points), np.int32)  # cuts that did not help at the vertex
        self.rounds = 0
        self.wrong: tuple[np.ndarray, np.ndarray] = (np.empty(0, np.int32),) * 2  # crossing faces, folded faces

    @cached_property
    def fans(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Start, neighbours and faces around each vertex, see `kernels.neighbours`."""
        start = np.zeros(len(self.points) + 2, np.int32)
        ring, fan = np.empty(self.faces.size, np.int32), np.empty(self.faces.size, np.int32)
        kernels.neighbours(self.faces, start, ring, fan)
        return start, ring, fan

    @property
    def counts(self) -> tuple[int, int]:
        """How many faces cross others, and how many are folded over, at the last look."""
        return len(self.wrong[0]), len(self.wrong[1])

    @property
    def nearby(self) -> float:
        """How far in front of a face to ask about the winding number there."""
        return 1e-6 * max(float(np.abs(self.points).max()), 1e-30)

    def around(self, marked: Bool[np.ndarray, " N"]) -> Bool[np.ndarray, " F"]:
        """Which faces have a marked vertex."""
        a, b, c = self.faces.T
        found: Bool[np.ndarray, " F"] = marked[a] | marked[b] | marked[c]
        return found

    def near(self, chosen: Int[np.ndarray, " C"]) -> Bool[np.ndarray, " N"]:
        """Which vertices are within an edge of a vertex of the chosen faces."""
        marked = np.zeros(len(self.points), bool)
        marked[self.faces[chosen]] = True
        marked[self.faces[self.around(marked)]] = True
        return marked

    def defects(self, moved: Bool[np.ndarray, " N"] | None = None, fold: float = float(FOLD)) -> tuple[int, int]:
        """Looks for what is wrong: everywhere, or where vertices have moved. `fold`: cosine between folded faces."""
        wanted = ALL if moved is None else self.around(moved)
        if moved is not None:
            self.search.update()
        crossing = np.unique(self.search.pairs(wanted))
        if moved is not None:  # mean normals have changed one ring farther
            near = np.zeros(len(self.points), bool)
            near[self.faces[wanted]] = True
            wanted = self.around(near)
        self.wrong = crossing, self._folded(wanted, fold)
        return self.counts

    def _folded(self, wanted: Bool[np.ndarray, " F"], fold: float) -> Int32[np.ndarray, " W"]:
        """Which of the wanted faces are folded over: asked where normals differ, of these faces and all around."""
        start, _, fan = self.fans
        found, known = np.empty(len(self.faces), np.int32), np.zeros(len(self.points), np.int8)
        rough = found[: kernels.find_rough(self.faces, self.search.plane, start, fan, wanted, known, found)]
        if len(rough) == 0:
            return rough
        marked = np.zeros(len(self.points), bool)
        marked[self.faces[rough]] = True
        patch = self.faces[self.around(marked)]
        used, corners = np.unique(patch, return_inverse=True)
        small = torch.from_numpy(self.points[used]), torch.from_numpy(corners.reshape(-1, 3))
        over = np.zeros(len(self.faces), bool)
        over[self.around(marked)] = flipped(*small, fold).numpy()
        return rough[over[rough]]

    def grown(
        self, seeds: Int[np.ndarray, " S"], reach: Int[np.ndarray, " S"]
    ) -> tuple[Int32[np.ndarray, " R"], Int32[np.ndarray, " R"]]:
        """The vertices fewer edges away than the `reach` of one of the seeds, and what is left of it there."""
        start, ring, _ = self.fans
        left, region = np.zeros(len(self.points), np.int32), np.empty(len(self.points), np.int32)
        left[seeds], region[: len(seeds)] = reach, seeds
        count = kernels.grow(start, ring, left, region, len(seeds))
        return region[:count].copy(), left[region[:count]]

    def move(self) -> Bool[np.ndarray, " N"]:
        """Pushes apart and smooths what is wrong; which vertices may have moved."""
        start, ring, _ = self.fans
        seeds = np.unique(self.faces[np.union1d(*self.wrong)])
        self.heat[seeds] += 1
        smoothed, reach = self.grown(seeds, 1 + self.heat[seeds] // PATIENCE)
        weight = RATE * (1 - 1 / (1.0 + reach))
        pushed = self._push_apart()
        self.rounds += 1
        sweeps = min(self.rounds + 1, SWEEPS)
        kernels.smooth(self.points, start, ring, smoothed, weight, sweeps)
        moved = pushed
        moved[smoothed] = True
        self.points[moved] = self.points[moved].astype(self.rounded)
        return moved

    def _push_apart(self) -> Bool[np.ndarray, " N"]:
        """Moves vertices of faces that lie inside of something else inwards, of those inside out outwards: `PUSH` edge
        lengths where all faces around agree. Gives the vertices."""
        start, _, fan = self.fans
        crossing, size = self.wrong[0], len(self.points)
        labels = np.full(len(self.faces), kernels.UNKNOWN, np.int32)
        queue = np.empty(min(len(self.faces), FLOOD * (len(crossing) + 100)), np.int32)
        queue[: len(crossing)] = crossing
        labels[crossing] = 0
        near = self.nearby
        asked = queue[: kernels.label(self.search.tree, start, fan, labels, queue, len(crossing), near, DIRECTION)]
        misplaced = asked[labels[asked] != 0]
        moved = np.zeros(size, bool)
        if len(misplaced) == 0:
            return moved
        moved[self.faces[misplaced]] = True
        patch = self.faces[self.around(moved)].T.reshape(-1)
        away = self.points[np.roll(patch, -len(patch) // 3)] - self.points[patch]
        valence = np.maximum(np.bincount(patch, minlength=size), 1)
        length = np.bincount(patch, np.linalg.norm(away, axis=1), size) / valence
        normal = self.search.plane[misplaced] * -np.sign(labels[misplaced])[:, None]
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
        step = PUSH * length / valence
        corners = self.faces[misplaced].reshape(-1)
        for axis in range(3):
            force = np.bincount(corners, np.repeat(normal[:, axis], 3), size)
            self.points[moved, axis] += (step * force)[moved]
        return moved
