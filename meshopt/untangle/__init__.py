"""Meshes without faces that cross each other or are folded over: vertices move, and what resists is cut out.

Most crossings are small folds, which smoothing resolves. Where sheets pass through each other, the winding number in
front of their faces says which way is apart (`tangle`). Around what resists, the faces are taken out and the holes
closed (`surgery`), farther and farther around until nothing is wrong. In the end vertices go back as far as nothing
crosses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshopt.untangle.surgery import cut_out, without_specks
from meshopt.untangle.tangle import Tangle

STRICT = float(np.cos(np.radians(120)))  # between normals: what goes back stays farther from a fold

__all__ = ["UntangleSettings", "Untangled", "untangle"]


@dataclass(frozen=True)
class UntangleSettings:
    """How long to try what."""

    rounds: int = 6
    """Of moving vertices, before anything is cut out: a search for what is wrong and a move of what was found."""
    mending: int = 2
    """Of the same after each cut."""
    cuts: int = 24
    """At most."""
    returns: int = 4
    """How often vertices go half of the way back to where they were, those that can."""


@dataclass(frozen=True)
class Untangled:
    """The mesh; faces are those that were given, unless some had to be cut out."""

    vertices: Float[Tensor, "N 3"]
    faces: Int[Tensor, "F 3"]
    crossing_before: int
    """Faces that crossed another, see `self_intersections`."""
    crossing_after: int
    folded_before: int
    """Faces folded over, see `topology.flipped`."""
    folded_after: int
    rounds: int
    """How often vertices moved."""
    cuts: int
    """How often faces were cut out."""


def untangle(
    vertices: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    settings: UntangleSettings = UntangleSettings(),
) -> Untangled:
    """Moves vertices and cuts faces out until none crosses another or is folded over.

    For closed, 2-manifold, consistently oriented meshes, which stay so. Where moving vertices is enough the faces
    stay the same; cuts may open handles, take thin necks apart, and drop small or swallowed parts, and components
    without area are dropped always. What is not near keeps its bits. Never more faces cross than before; some are
    left only where nothing sound is. Deterministic, on one CPU core.
    """
    points = vertices.detach().cpu().numpy()
    work = Tangle(points.astype(np.float64), faces.detach().cpu().numpy().astype(np.int32), points.dtype)
    before = work.defects()
    work = without_specks(work)
    taken = best = _resolve(work, settings.rounds), 0, work
    while best[2].counts != (0, 0) and taken[1] < settings.cuts and (cut := cut_out(taken[2])) is not None:
        cut.defects()
        taken = taken[0] + _resolve(cut, settings.mending), taken[1] + 1, cut
        best = taken if cut.counts < best[2].counts else best
    rounds, cuts, work = best
    work = without_specks(work)
    after = work.counts
    if rounds:
        _bring_back(work, settings.returns)
    if rounds or len(work.faces) != len(faces):
        vertices = torch.from_numpy(work.points).to(device=vertices.device, dtype=vertices.dtype)
    if cuts or len(work.faces) != len(faces):
        faces = torch.from_numpy(work.faces).to(device=faces.device, dtype=faces.dtype)
    return Untangled(vertices, faces, before[0], after[0], before[1], after[1], rounds, cuts)


def _resolve(work: Tangle, rounds: int) -> int:
    """Moves until nothing is wrong; leaves the best state and says how many rounds it took."""
    best, wrong, taken = work.counts, work.wrong, 0
    if best == (0, 0):
        return 0
    kept = work.points.copy()
    while best != (0, 0) and taken < rounds:
        now = work.defects(work.move())
        taken += 1
        if now < best:
            best, kept, wrong = now, work.points.copy(), work.wrong
    work.points[:] = kept
    work.search.update()
    work.wrong = wrong
    return taken


def _bring_back(work: Tangle, times: int) -> None:
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
