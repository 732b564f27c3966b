"""Meshes without faces that cross each other or are folded over: moves vertices until none is left.

Most crossings are small folds, which smoothing resolves. Where sheets pass through each other, the winding number in
front of their faces (the signs with which a ray leaves the surface) says which way is apart: 1 is inside something
else, so inwards; -1 is inside out, so outwards. What has resisted for some rounds is smoothed farther around, then
its shortest edges are collapsed. In the end vertices go back as far as nothing crosses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Int32
from torch import Tensor

from meshopt import untangle_kernels as kernels
from meshopt.intersections import CrossingSearch
from meshopt.topology import FOLD, flipped

ALL = np.zeros(0, bool)
STRICT = float(np.cos(np.radians(120)))
FLOOD = 10  # faces asked about the winding number at most, for each that crosses another
DIRECTION = (0.5377, 0.7391, 0.4057)  # of the rays: along nothing that objects are built along


@dataclass(frozen=True)
class UntangleSettings:
    """How long and how far to go."""

    attempts: int = 3
    """Beginnings from what the one before has left: with small neighbourhoods again."""
    rounds: int = 100
    """In each attempt at most: a search for what is wrong and a move of what was found."""
    stalled: int = 6
    """After so many rounds that made nothing better, the shortest edges of what is wrong are collapsed."""
    returns: int = 4
    """How often vertices go half of the way back to where they were, those that can."""
    folds: bool = True
    """Whether folded faces (see `topology.flipped`) are resolved too."""
    patience: int = 3
    """Rounds until one more ring of edges around what resists is smoothed too."""
    max_rings: int = 12
    """Of these at most."""
    sweeps: int = 4
    """Of smoothing in a round; from 2 in the first on, one more in each."""
    rate: float = 0.9
    """Share of the way to the mean of its neighbours that a vertex goes at most in a sweep."""
    push: float = 0.6
    """How far sheets are pushed apart in a round, in edge lengths."""


QUICK = UntangleSettings(attempts=1, rounds=2, returns=3, sweeps=1, folds=False)
"""For a mesh that is optimised on: most of what crosses, and the faces stay the same."""


@dataclass(frozen=True)
class Untangled:
    """The mesh; faces and attributes are those that were given, unless edges had to be collapsed."""

    vertices: Float[Tensor, "N 3"]
    faces: Int[Tensor, "F 3"]
    attributes: Float[Tensor, "N K"] | None
    crossing_before: int
    """Faces that crossed another, see `self_intersections`."""
    crossing_after: int
    folded_before: int
    """Faces folded over, see `topology.flipped`; 0 where `folds` was off."""
    folded_after: int
    rounds: int
    """How many it took."""


def untangle(
    vertices: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    attributes: Float[Tensor, "N K"] | None = None,
    settings: UntangleSettings = UntangleSettings(),
) -> Untangled:
    """Moves vertices until no face crosses another or is folded over.

    For closed, 2-manifold, consistently oriented meshes, which stay so, with the same genus and components. What is
    not near a crossing keeps its bits; never more faces cross than before. Deterministic, on one CPU core.
    """
    first = last = _attempt(vertices, faces, attributes, settings)
    for _ in range(1, settings.attempts):
        if (last.crossing_after, last.folded_after) == (0, 0):
            break
        again = _attempt(last.vertices, last.faces, last.attributes, settings)
        last = replace(again, rounds=last.rounds + again.rounds)
    return replace(last, crossing_before=first.crossing_before, folded_before=first.folded_before)


def _attempt(vertices: Tensor, faces: Tensor, attributes: Tensor | None, settings: UntangleSettings) -> Untangled:
    points = vertices.detach().cpu().numpy()
    work = _Tangle(points.astype(np.float64), faces.detach().cpu().numpy().astype(np.int32), points.dtype, settings)
    before = work.defects()
    if before == (0, 0):
        return Untangled(vertices, faces, attributes, 0, 0, 0, 0, 0)
    rounds = _resolve(work, settings.rounds)
    carried = None if attributes is None else attributes.detach().cpu().numpy()
    last = best = work, carried
    while best[0].counts != (0, 0) and rounds < settings.rounds and (found := _collapsed(last[0])):
        simpler, edges = found
        rounds += _resolve(simpler, settings.rounds - rounds)
        last = simpler, None if last[1] is None else _merged(last[1], edges)
        best = last if simpler.counts < best[0].counts else best
    work, carried = best
    _bring_back(work, settings.returns)
    result = _tensor(work.points, vertices)
    if len(work.faces) != len(faces):
        faces = _tensor(work.faces, faces)
        attributes = None if attributes is None or carried is None else _tensor(carried, attributes)
    return Untangled(result, faces, attributes, before[0], work.counts[0], before[1], work.counts[1], rounds)


def _tensor(array: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(array).to(device=like.device, dtype=like.dtype)


class _Tangle:
    """A mesh on its way, and what is wrong with it."""

    def __init__(
        self,
        points: Float64[np.ndarray, "N 3"],
        faces: Int32[np.ndarray, "F 3"],
        rounded: np.dtype[Any],
        settings: UntangleSettings,
    ) -> None:
        self.points, self.faces, self.rounded, self.settings = points, faces, rounded, settings
        self.original = points.copy()
        self.search = CrossingSearch(points, faces)
        self.heat = np.zeros(len(points), np.int32)  # rounds in which something was wrong at the vertex
        self.rounds = 0
        self.wrong: tuple[np.ndarray, np.ndarray] = (np.empty(0, np.int32),) * 2  # crossing faces, folded faces

    @cached_property
    def fans(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Start, neighbours and faces around each vertex, see `untangle_kernels.neighbours`."""
        start = np.zeros(len(self.points) + 2, np.int32)
        ring, fan = np.empty(self.faces.size, np.int32), np.empty(self.faces.size, np.int32)
        kernels.neighbours(self.faces, start, ring, fan)
        return start, ring, fan

    @property
    def counts(self) -> tuple[int, int]:
        """How many faces cross others, and how many are folded over, at the last look."""
        return len(self.wrong[0]), len(self.wrong[1])

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
        folded = np.empty(0, np.int32)
        if self.settings.folds:
            if moved is not None:  # mean normals have changed one ring farther
                near = np.zeros(len(self.points), bool)
                near[self.faces[wanted]] = True
                wanted = self.around(near)
            folded = self._folded(wanted, fold)
        self.wrong = crossing, folded
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

    def move(self) -> Bool[np.ndarray, " N"]:
        """Pushes apart and smooths what is wrong; which vertices may have moved."""
        settings = self.settings
        start, ring, _ = self.fans
        seeds = np.unique(self.faces[np.union1d(*self.wrong)])
        self.heat[seeds] += 1
        reach, region = np.zeros(len(self.points), np.int32), np.empty(len(self.points), np.int32)
        reach[seeds] = 1 + np.minimum(self.heat[seeds] // settings.patience, settings.max_rings)
        region[: len(seeds)] = seeds
        count = kernels.grow(start, ring, reach, region, len(seeds))
        smoothed = region[:count].copy()
        weight = settings.rate * (1 - 1 / (1.0 + reach[smoothed]))
        pushed = self._push_apart()
        self.rounds += 1
        sweeps = min(self.rounds + 1, settings.sweeps)
        kernels.smooth(self.points, start, ring, smoothed, weight, sweeps)
        moved = pushed
        moved[smoothed] = True
        self.points[moved] = self.points[moved].astype(self.rounded)
        return moved

    def _push_apart(self) -> Bool[np.ndarray, " N"]:
        """Moves vertices of faces that lie inside of something else inwards, of those inside out outwards: `push` edge
        lengths where all faces around agree. Gives the vertices."""
        start, _, fan = self.fans
        crossing, size = self.wrong[0], len(self.points)
        labels = np.full(len(self.faces), kernels.UNKNOWN, np.int32)
        queue = np.empty(min(len(self.faces), FLOOD * (len(crossing) + 100)), np.int32)
        queue[: len(crossing)] = crossing
        labels[crossing] = 0
        offset = 1e-6 * max(float(np.abs(self.points).max()), 1e-30)
        asked = queue[: kernels.label(self.search.tree, start, fan, labels, queue, len(crossing), offset, DIRECTION)]
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
        step = self.settings.push * length / valence
        corners = self.faces[misplaced].reshape(-1)
        for axis in range(3):
            force = np.bincount(corners, np.repeat(normal[:, axis], 3), size)
            self.points[moved, axis] += (step * force)[moved]
        return moved


def _resolve(work: _Tangle, rounds: int) -> int:
    """Moves until nothing is wrong, or nothing gets better; leaves the best state and says how many rounds it took."""
    best = work.defects()
    kept, wrong, taken, better = work.points.copy(), work.wrong, 0, 0
    while best != (0, 0) and taken < rounds and taken - better < work.settings.stalled:
        now = work.defects(work.move())
        taken += 1
        if now < best:
            best, kept, wrong, better = now, work.points.copy(), work.wrong, taken
    work.points[:] = kept
    work.search.update()
    work.wrong = wrong
    return taken


def _collapsed(work: _Tangle) -> tuple[_Tangle, Int[np.ndarray, "C 2"]] | None:
    """The mesh with the shortest edge of every bad face collapsed into its middle, where the link condition (Dey et al.
    1999) allows it and no other collapse is next to it; and these edges, whose second ends are gone. None if there are
    none."""
    bad = np.union1d(*work.wrong)
    corners = work.points[work.faces[bad]]
    order = np.argsort(np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2), axis=1, kind="stable")
    start, ring, _ = work.fans
    taken, edges = np.zeros(len(work.points), bool), []
    for f, sides in zip(bad, order, strict=True):
        for side in sides:
            a, b = work.faces[f, side], work.faces[f, (side + 1) % 3]
            one, two = ring[start[a] : start[a + 1]], ring[start[b] : start[b + 1]]
            common, around = np.intersect1d(one, two), np.concatenate([one, two])
            if len(common) != 2 or taken[around].any() or len(around) < 7 or (np.diff(start)[common] < 4).any():
                continue
            taken[around] = True
            edges.append((a, b))
            break
    if not edges:
        return None
    pairs = np.array(edges)
    target = np.arange(len(work.points), dtype=np.int32)
    target[pairs[:, 1]] = pairs[:, 0]
    faces = target[work.faces]
    faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
    rounded = _merged(work.points, pairs).astype(work.rounded).astype(np.float64)
    renumber = np.cumsum(target == np.arange(len(target)), dtype=np.int32) - 1
    simpler = _Tangle(rounded, renumber[faces], work.rounded, work.settings)
    simpler.original, simpler.heat = _merged(work.original, pairs), np.delete(work.heat, pairs[:, 1])
    return simpler, pairs


def _merged(values: Float[np.ndarray, "N K"], edges: Int[np.ndarray, "C 2"]) -> Float[np.ndarray, "M K"]:
    """The mean of both ends at the first of each edge, and the second ends left out."""
    result = values.copy()
    result[edges[:, 0]] = 0.5 * (values[edges[:, 0]] + values[edges[:, 1]])
    return np.delete(result, edges[:, 1], axis=0)


def _bring_back(work: _Tangle, times: int) -> None:
    """Moves vertices half of the way back to where they were, so many times, those that can."""
    able, wrong = (work.points != work.original).any(axis=1), work.wrong
    if times:
        work.defects(able, STRICT)
        able &= ~work.near(np.union1d(*work.wrong))
    for _ in range(times):
        good, moved = work.points.copy(), able.copy()
        work.points[able] = (0.5 * (good + work.original)[able]).astype(work.rounded)
        while able.any():
            work.defects(moved, STRICT)
            bad = np.union1d(*work.wrong)
            if len(bad) == 0:
                break
            own = np.zeros(len(able), bool)
            own[work.faces[bad]] = True
            stay = next(stay for stay in (own & able, work.near(bad) & able, able) if stay.any())
            work.points[stay] = good[stay]
            able = able & ~stay
    work.search.update()
    work.wrong = wrong
