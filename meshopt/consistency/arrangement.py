"""Whether pictures stand where they belong: two of them exchanged, all in another order, or one mirrored.

Normals that are carried along in their camera's frame fit their pictures wherever those stand; only the other views
tell. Silhouettes of one object leave nothing of each other uncovered by their visual hull; what mends that, or the
normals' disagreement on the rough surface, is the finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from operator import itemgetter

import numpy as np

from meshopt import parallel
from meshopt.consistency.corrections import Correction, Mirrored, Rearranged
from meshopt.consistency.surface import SharedPoints, disagreement, reduced, rough_disagreement, shared_points, subset
from meshopt.initial.hull import uncovered_shares
from meshopt.mesh import Mesh
from meshopt.views import ViewSet

HULL_SIZE, HULL_STEPS = 64, 32  # pixels of the silhouettes whose hull is tried, and voxels along the scene
SIZE, GRID = 128, 40  # pixels and voxels with which the normals are compared, ...
CLOSE, FINE = 1.25, 96  # ... and voxels, where arrangements are so close (ratio of their disagreement)
MENDED = 0.4  # share of it that may be left for an arrangement to be tried further
TRIED = 4  # arrangements of which the normals are compared
BETTER = 0.9  # ratio to which the normals' disagreement has to fall ...
DECISIVE = 0.1  # ... or, where silhouettes are mended but for this share,
NO_WORSE = 1.15  # not to rise above
GROSS = 1.0  # misfit of silhouettes, sum over the views, from which on those that mend them so need no normals' consent
FIRST_MOVED = 1.1  # how many times more disagreement an arrangement counts that moves the first view
ALIKE = 0.95  # overlap (intersection over union) of silhouettes that tell nothing apart
OPPOSITE = -0.97  # cosine between the axes of views that show each other's mirrored silhouette
LEAST_VIEWS = 3  # two may be exchanged, or mirrored, without a third's telling
MOST_VIEWS = 10  # of which all exchanges of two are tried


@dataclass(frozen=True)
class Arrangement:
    """What would mend the order, and what silhouettes and normals say of it.

    `uncovered`: sum over the views of the share of the silhouette that all views' hull leaves uncovered, before and
    after; `degrees`: mean disagreement of the normals, before and after.
    """

    correction: Correction
    uncovered: tuple[float, float]
    degrees: tuple[float, float]


def rearranged(views: ViewSet, surface: Mesh | None, misfit: float, cut: float) -> Arrangement | None:
    """The arrangement that fits better than the given one, if there is one.

    `views` at the resolution at which they are compared, `surface` the rough one made of them, `misfit` their
    `hull_misfit`. `cut`: misfit from which on something does not fit.
    """
    if len(views) < LEAST_VIEWS:
        return None
    tiny, small = reduced(views, HULL_SIZE), reduced(views, SIZE)
    if misfit < cut:
        likely = [] if surface is None else _unseen_by_silhouettes(tiny, small, surface, cut)
    else:
        found = sorted(
            ((_uncovered(c.apply(tiny)), k, c) for k, c in enumerate(_corrections(len(views)))), key=lambda t: t[:2]
        )
        likely = [(after, c) for after, _, c in found[:TRIED] if after < MENDED * misfit]
    mended = [(after, c) for after, c in likely if misfit > GROSS and after < DECISIVE * misfit]
    likely = mended or likely
    if not likely:
        return None
    now, rivals = _compared(small, GRID, likely)
    rivals = [rival for rival in rivals if rival[0] <= CLOSE * rivals[0][0]]
    if len(rivals) > 1:
        now, rivals = _compared(views, FINE, [(after, c) for _, after, c in rivals])
    degrees, after, correction = rivals[0]
    needed = NO_WORSE if misfit >= cut and after < DECISIVE * misfit else BETTER
    if not mended and degrees >= needed * now:
        return None
    return Arrangement(correction, (misfit, after), (now, degrees))


def _compared(
    views: ViewSet, grid: int, likely: Sequence[tuple[float, Correction]]
) -> tuple[float, list[tuple[float, float, Correction]]]:
    """Degrees that the views' normals are apart as they are, and after each correction, the best first."""
    rivals = [(rough_disagreement(c.apply(views), grid) * _reluctance(c), uncovered, c) for uncovered, c in likely]
    return rough_disagreement(views, grid), sorted(rivals, key=itemgetter(0))


def hull_misfit(views: ViewSet) -> float:
    """Share of the silhouettes that the hull of all leaves uncovered, sum over the views."""
    return _uncovered(reduced(views, HULL_SIZE))


def _reluctance(correction: Correction) -> float:
    """The first view shows what was asked for: of two that fit as well, the arrangement that leaves it."""
    moved = correction.order[0] != 0 if isinstance(correction, Rearranged) else correction == Mirrored(0)
    return FIRST_MOVED if moved else 1.0


def _unseen_by_silhouettes(tiny: ViewSet, small: ViewSet, surface: Mesh, cut: float) -> list[tuple[float, Correction]]:
    """What leaves silhouettes as they are and makes the normals agree better on the surface as it is, and what mirrors
    opposite silhouettes together, for which that surface tells nothing."""
    masks = tiny.masks.numpy() > 0.5
    backs = np.stack([camera.rotation[2] for camera in tiny.cameras])
    alike: list[Correction] = [Mirrored(i) for i in range(len(masks))]
    turned: list[Correction] = []
    for i, j in combinations(range(len(masks)), 2):
        if _overlap(masks[i], masks[j]) > ALIKE:
            alike.append(_exchanged(len(masks), i, j))
        elif backs[i] @ backs[j] < OPPOSITE:
            turned.append(_exchanged(len(masks), i, j))
    shared = shared_points(small, surface)
    now = disagreement(shared).mean
    after = parallel.run(_degrees, [(shared, correction, small, surface) for correction in alike])
    better = [correction for correction, degrees in zip(alike, after, strict=True) if degrees < BETTER * now]
    likely = [(_uncovered(c.apply(tiny)), c) for c in better + turned]
    return [(after, c) for after, c in likely if after < cut]


def _degrees(shared: SharedPoints, correction: Correction, small: ViewSet, surface: Mesh) -> float:
    """How much views disagree on the surface after a correction: only those that it moves are sampled anew."""
    if isinstance(correction, Rearranged):
        moved = [k for k, picture in enumerate(correction.order) if picture != k]
    else:
        assert isinstance(correction, Mirrored)
        moved = [correction.view]
    anew = shared_points(subset(correction.apply(small), moved), surface)
    normals, weight = shared.normals.copy(), shared.weight.copy()
    normals[moved], weight[moved] = anew.normals, anew.weight
    return disagreement(replace(shared, normals=normals, weight=weight)).mean


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def _exchanged(count: int, i: int, j: int) -> Rearranged:
    order = list(range(count))
    order[i], order[j] = j, i
    return Rearranged(tuple(order), carried=True)


def _corrections(count: int) -> Iterator[Correction]:
    """The simplest first."""
    for view in range(count):
        yield Mirrored(view)
    if count <= MOST_VIEWS:
        for i, j in combinations(range(count), 2):
            yield _exchanged(count, i, j)
    for step in range(1, count):
        yield Rearranged(tuple((k + step) % count for k in range(count)), carried=True)
    for step in range(count):
        yield Rearranged(tuple((step - k) % count for k in range(count)), carried=True)


def _uncovered(views: ViewSet) -> float:
    shares = uncovered_shares(views.cameras, views.masks.numpy(), HULL_STEPS)
    return float(np.sum(shares))
