"""What moving vertices does not resolve is cut out of a closed surface, and the holes are closed.

The faces within some edges of what is wrong go, and with them what they held and what lies inside of other parts.
Each border that is left is closed by a disc of rings of new vertices, a membrane: what comes out is closed and
2-manifold for every choice of faces, and where it is wrong again twice as much is cut out the next time. After
MeshFix (Attene 2010), which removes and fills in the same way.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Int, Int32, Int64
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from meshopt.topology import components
from meshopt.untangle import kernels
from meshopt.untangle.tangle import DIRECTION, Tangle

SMALL = 24  # faces: a patch that a cut has left of fewer goes too
SPECK = 0.02  # of the mean area of faces: components all of whose faces are smaller are no part of the object
SAMPLES = 5  # faces of a patch asked whether it lies inside of something
SETTLE = 100  # sweeps in which a membrane takes its shape
FARTHEST = 20  # as a power of two: edges around what resists most


def cut_out(work: Tangle) -> Tangle | None:
    """The mesh with holes cut around what is wrong, and closed; None if that were all of it.

    Each place where cuts did not help (`Tangle.resisted`) is cut twice as far around as before.
    """
    seeds = np.unique(work.faces[np.union1d(*work.wrong)])
    work.resisted[seeds] += 1
    region, _ = work.grown(seeds, 1 << np.minimum(work.resisted[seeds] - 1, FARTHEST))
    marked = np.zeros(len(work.points), bool)
    marked[region] = True
    removed, border = _separated(work, work.around(marked))
    if removed.all():
        return None
    _pass_on(work.faces[removed], work.resisted)
    faces, points, parents = [work.faces[~removed]], [work.points], [np.arange(len(work.points))]
    for loop in _loops(border):
        disc, added = _disc(loop, sum(map(len, parents)))
        faces.append(disc)
        points.append(np.broadcast_to(work.points[loop].mean(axis=0), (added, 3)))
        parents.append(np.full(added, loop[0]))
    result = _renumbered(work, np.concatenate(points), np.concatenate(faces), np.concatenate(parents))
    _settle(result, np.flatnonzero(np.unique(np.concatenate(faces)) >= len(work.points)))
    return result


def without_specks(work: Tangle) -> Tangle:
    """The mesh without components that have hardly an area; the same if there are none."""
    area = np.linalg.norm(work.search.plane, axis=1)
    tiny = area <= SPECK * area.mean() if len(area) else area > 0
    if not tiny.any() or tiny.all():
        return work
    around = np.zeros(len(work.points), bool)
    around[work.faces[~tiny]] = True
    if around[work.faces[tiny]].any(axis=1).all():  # each is next to a larger one
        return work
    labels = components(torch.from_numpy(work.faces)).numpy()
    large = np.zeros(labels.max() + 1, bool)
    large[labels[~tiny]] = True
    if large.all():
        return work
    kept = large[labels]
    result = _renumbered(work, work.points, work.faces[kept], np.arange(len(work.points)))
    number = np.cumsum(kept, dtype=np.int32) - 1
    crossing, folded = (number[found[kept[found]]] for found in work.wrong)
    result.wrong = crossing, folded
    return result


def _separated(
    work: Tangle, removed: Bool[np.ndarray, " F"]
) -> tuple[Bool[np.ndarray, " F"], Int64[np.ndarray, "B 2"]]:
    """These faces, the patches that go with them, and all around vertices that borders would meet in twice; and the
    borders, as edges of faces that go, whose other side stays."""
    while True:
        border = _border(work.faces[removed], len(work.points))
        twice = np.bincount(border[:, 0], minlength=len(work.points)) > 1
        more = removed | (work.around(twice) if twice.any() else _patches(work, removed, border))
        if (more == removed).all():
            return removed, border
        removed = more


def _border(faces: Int32[np.ndarray, "F 3"], size: int) -> Int64[np.ndarray, "B 2"]:
    """The directed edges that are there only once, of vertices below `size`."""
    start, end = faces.reshape(-1).astype(np.int64), np.roll(faces, -1, axis=1).reshape(-1).astype(np.int64)
    alone = ~np.isin(end * size + start, start * size + end)
    return np.stack([start[alone], end[alone]], axis=1)


def _patches(work: Tangle, removed: Bool[np.ndarray, " F"], border: Int64[np.ndarray, "B 2"]) -> Bool[np.ndarray, " F"]:
    """The faces of patches at a border that are small, or lie inside of something else or are inside out.

    The winding number in front of a patch is the same everywhere, as nothing passes through it any more.
    """
    kept, gone = np.flatnonzero(~removed), np.zeros(len(removed), bool)
    if len(kept) == 0:
        return gone
    labels = components(torch.from_numpy(work.faces[kept])).numpy()
    touched = np.zeros(len(work.points), bool)
    touched[border[:, 0]] = True
    for label in np.unique(labels[touched[work.faces[kept]].any(axis=1)]):
        patch = kept[labels == label]
        if len(patch) < SMALL or (2 * len(patch) < len(removed) and _misplaced(work, patch)):
            gone[patch] = True
    return gone


def _misplaced(work: Tangle, patch: Int[np.ndarray, " P"]) -> bool:
    """Whether most of some faces have a winding number in front of them other than 0."""
    asked = patch[np.linspace(0, len(patch) - 1, SAMPLES).astype(int)]
    normal = work.search.plane[asked]
    normal = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
    places = work.points[work.faces[asked]].mean(axis=1) + work.nearby * normal
    wrong = [kernels.winding(work.search.tree, x, y, z, DIRECTION) != 0 for x, y, z in places]
    return 2 * sum(wrong) > len(wrong)


def _pass_on(faces: Int32[np.ndarray, "F 3"], resisted: Int32[np.ndarray, " N"]) -> None:
    """Gives all vertices of a connected part of these faces the largest value in it."""
    used, corner = np.unique(faces, return_inverse=True)
    corner = corner.reshape(-1, 3)
    start, end = corner[:, [0, 1]].reshape(-1), corner[:, [1, 2]].reshape(-1)
    links = coo_matrix((np.ones(len(start), np.int8), (start, end)), shape=(len(used),) * 2)
    count, labels = connected_components(links, directed=False)
    most = np.zeros(count, np.int32)
    np.maximum.at(most, labels, resisted[used])
    resisted[used] = most[labels]


def _loops(border: Int64[np.ndarray, "B 2"]) -> list[list[int]]:
    """The closed walks along directed edges, each from its smallest vertex on; no vertex has two."""
    following = dict(sorted(border.tolist()))
    loops = []
    while following:
        loop = [next(iter(following))]
        while (vertex := following.pop(loop[-1])) != loop[0]:
            loop.append(vertex)
        loops.append(loop)
    return loops


def _disc(loop: list[int], first: int) -> tuple[Int32[np.ndarray, "F 3"], int]:
    """Faces that fill a loop, in its direction, and how many new vertices they use, numbered from `first` on: rings,
    each of six fewer than the one around it as in a regular triangulation, and a centre."""
    faces, outer, new = [], loop, first
    while len(outer) > 6:
        inner = list(range(new, new + max(len(outer) - 6, 3)))
        new += len(inner)
        i = k = 0
        while i < len(outer) or k < len(inner):
            here, there = outer[i % len(outer)], inner[k % len(inner)]
            if (i + 1) * len(inner) <= (k + 1) * len(outer):
                i += 1
                faces.append((here, outer[i % len(outer)], there))
            else:
                k += 1
                faces.append((here, inner[k % len(inner)], there))
        outer = inner
    if len(outer) == 3:
        faces.append((outer[0], outer[1], outer[2]))
    else:
        faces += [(outer[i - 1], outer[i], new) for i in range(len(outer))]
        new += 1
    return np.array(faces, np.int32), new - first


def _settle(work: Tangle, vertices: Int[np.ndarray, " M"]) -> None:
    """Moves these to where each is the mean of its neighbours, which then is where they belong."""
    start, ring, _ = work.fans
    kernels.smooth(work.points, start, ring, vertices.astype(np.int32), np.ones(len(vertices)), SETTLE)
    work.points[vertices] = work.original[vertices] = work.points[vertices].astype(work.rounded)
    work.search.update()


def _renumbered(work: Tangle, points: np.ndarray, faces: np.ndarray, parents: np.ndarray) -> Tangle:
    """A mesh of the points that faces use; `parents` are the vertices they stem from."""
    used, corners = np.unique(faces, return_inverse=True)
    result = Tangle(points[used], corners.reshape(-1, 3).astype(np.int32), work.rounded)
    result.original, result.resisted = work.original[parents[used]], work.resisted[parents[used]]
    return result
