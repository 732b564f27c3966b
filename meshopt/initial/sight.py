"""What the views tell each other about depths: nobody's surface stands where another view looks through.

A depth of one view is a point in space. Another view that sees the point's pixel takes it for empty if it believes its
own surface to be farther; and a view whose depth lies beyond a point that another is sure of would carve that away.
Both cost as much as the other view is sure, see docs/initial.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int

from meshopt import parallel
from meshopt.initial import sight_kernels as kernels
from meshopt.initial.depth import DepthSearch
from meshopt.initial.grid import Field

TOLERANCE = 1.0  # pixels along the normal within which two views' surfaces are the same
UNCOVERED = 0.3  # pixels outside: a ray with no point less outside is empty
INSIST = 2.0  # how many times the price a view asks for a point on an empty ray
WINDOW = 3  # labels around the best one that do not count as another depth


@dataclass(frozen=True, eq=False)
class _Belief:
    """What a view believes: costs, less that of its best label, cut off at the price of a contradiction.

    `nearer` [P,L]: of a depth no farther than the label; `label` [P]: the best; `sure` [P]: of a depth away from it.
    """

    search: DepthSearch
    nearer: Float32[np.ndarray, "P L"]
    label: Int[np.ndarray, "P"]
    sure: Float32[np.ndarray, "P"]

    @staticmethod
    def of(search: DepthSearch, field: Field, price: float) -> _Belief:
        nearer = np.empty_like(search.belief)
        label, sure = np.empty(len(nearer), np.int64), np.empty(len(nearer), np.float32)
        kernels.summarise(search.belief, search.start, search.stop, WINDOW, np.float32(price), nearer, label, sure)
        kept = field.cast(search.view.camera, search.columns, search.rows).best
        sure[kept < -UNCOVERED * search.view.camera.pitch] = INSIST * price
        return _Belief(search, nearer, label, sure)


def exchange(searches: Sequence[DepthSearch], field: Field, price: float) -> None:
    """Replaces what the views have told each other about depths. A contradiction costs at most `price`.

    `field` is what all their depths together leave of the object: where it leaves nothing on a ray of a silhouette,
    that view insists.
    """
    beliefs = parallel.run(_Belief.of, [(search, field, price) for search in searches])
    told = parallel.run(_told, [(search, beliefs) for search in searches])
    for search, cost in zip(searches, told, strict=True):
        search.hear(cost)


def _told(search: DepthSearch, beliefs: Sequence[_Belief]) -> Float32[np.ndarray, "P L"]:
    """What all others tell one view: the cost of its labels."""
    cost = np.zeros_like(search.belief)
    for other in beliefs:
        if other.search is not search:
            _add_empty(cost, search, other)
            cost += _beyond(search, other)
    return cost


def _add_empty(cost: Float32[np.ndarray, "P L"], search: DepthSearch, other: _Belief) -> None:
    """Adds the cost of points that the other view looks through."""
    own, view = search.view.camera, other.search.view
    common = search.start, search.stop, own.rays, search.columns, search.rows, search.depths
    depths = float(other.search.depths[0]), other.search.label_step
    reach = other.search.along_ray(TOLERANCE)
    kernels.add_empty(
        cost, *common, view.camera.matrix, view.camera.perspective, other.search.index, other.nearer, reach, depths
    )


def _beyond(search: DepthSearch, other: _Belief) -> Float32[np.ndarray, "P L"]:
    """The cost of depths beyond the surface that the other view is sure of."""
    there = other.search
    points = there.view.camera.points(there.columns, there.rows, there.depth_of(other.label.astype(float)))
    pixel, depth = search.pixels_of(points)
    seen = pixel >= 0
    pixel = pixel[seen]
    reach = search.along_ray(TOLERANCE)[pixel]
    label = np.maximum(np.ceil(search.labels_of(depth[seen]) + reach).astype(int) + 1, 0)
    within = label < len(search.depths)
    votes = np.zeros_like(search.belief)
    np.maximum.at(votes, (pixel[within], label[within]), other.sure[seen][within])
    return np.maximum.accumulate(votes, axis=1)
