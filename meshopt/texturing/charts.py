"""Charts: flat pieces of a surface, each in a plane of its own, none over itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int, Int32, Int64
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components

from meshopt.texturing.overlap import overlapping_pairs

DEPTH = 3e-7  # of the side of a square as large as all charts: what overlaps less does not
ROUNDS = 4  # of cutting overlaps apart before charts are cut to single faces
TANGLED = 200_000  # pairs of faces, from which on that is done at once


@dataclass(frozen=True)
class Pieces:
    """A surface laid flat, in parts that may lie over each other.

    `faces` index the rows of `points`, which are in units of length (NaN where a face is nowhere), and of `vertices`,
    the mesh's.
    """

    points: Float64[np.ndarray, "M 2"]
    vertices: Int64[np.ndarray, " M"]
    faces: Int32[np.ndarray, "F 3"]


@dataclass(frozen=True)
class Charts(Pieces):
    """Pieces whose faces are joined by edges, with rows of their own, in order: `chart` numbers every face's chart,
    and `owner` every row's."""

    chart: Int64[np.ndarray, " F"]
    owner: Int64[np.ndarray, " M"]

    @property
    def count(self) -> int:
        """Number of charts."""
        return int(self.chart.max()) + 1


def connected(pieces: Pieces, label: Int64[np.ndarray, " F"]) -> Charts:
    """The parts of equal label that hang together by edges; the order of faces is kept."""
    faces, size = pieces.faces, len(pieces.points)
    links = neighbours(faces)
    _, part = connected_components(graph(links[label[links[:, 0]] == label[links[:, 1]]], len(faces)), directed=False)
    _, first, chart = np.unique(part, return_index=True, return_inverse=True)
    chart = np.argsort(np.argsort(first))[chart]  # numbered as they come
    keys, corner = np.unique(chart[:, None] * size + faces, return_inverse=True)
    row, corner = keys % size, corner.reshape(-1, 3).astype(np.int32)
    return Charts(pieces.points[row], pieces.vertices[row], corner, chart.astype(np.int64), keys // size)


def neighbours(faces: Int32[np.ndarray, "F 3"]) -> Int64[np.ndarray, "L 2"]:
    """Pairs of faces with an edge in common; those of an edge of many faces in a chain."""
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1).astype(np.int64)
    face = np.tile(np.arange(len(faces)), 3)
    key = ends[:, 0] * (int(faces.max()) + 1) + ends[:, 1]
    order = np.argsort(key, kind="stable")
    same = key[order][1:] == key[order][:-1]
    return np.stack([face[order][:-1][same], face[order][1:][same]], axis=1)


def graph(links: Int[np.ndarray, "L 2"], size: int) -> csr_matrix:
    """Links as a symmetric matrix."""
    half = csr_matrix((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(size, size))
    return half + half.T


def signed_areas(corners: Float64[np.ndarray, "F 3 2"]) -> Float64[np.ndarray, " F"]:
    """Areas of flat faces, positive for counter-clockwise ones where y goes up."""
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) / 2


def separated(charts: Charts) -> Charts:
    """Charts cut further until no face is turned over and none overlaps another, all counter-clockwise."""
    area = signed_areas(charts.points[charts.faces])
    mirrored = np.bincount(charts.chart, area) < 0
    over = (area < 0) != mirrored[charts.chart]
    charts = connected(charts, 2 * charts.chart + over)
    area = signed_areas(charts.points[charts.faces])
    flip = np.where(np.bincount(charts.chart, area) < 0, -1.0, 1.0)[charts.owner]
    charts = replace(charts, points=charts.points * np.stack([flip, np.ones_like(flip)], axis=1))
    slack = DEPTH * np.sqrt(np.abs(area).sum())
    turn = 0
    while len(pairs := overlapping_pairs(charts.points[charts.faces], charts.chart, slack)):
        turn += 1
        if turn < ROUNDS and len(pairs) < TANGLED:
            layer = _layers(charts, pairs)
        else:  # every face of such a chart becomes one
            layer = np.arange(len(area)) * np.isin(charts.chart, charts.chart[pairs[:, 0]])
        charts = connected(charts, charts.chart * len(area) + layer)
    return charts


def _layers(charts: Charts, pairs: np.ndarray) -> np.ndarray:
    """Numbers for faces so that those of no pair are equal, the same over as much of a chart as will go."""
    size = len(charts.chart)
    layer = np.zeros(size, np.int64)
    against = graph(pairs, size)
    joined = graph(neighbours(charts.faces), size)
    done = np.zeros(size, bool)
    for chart in np.unique(charts.chart[pairs[:, 0]]):
        start = int(np.argmax(charts.chart == chart))
        order, before = breadth_first_order(joined, start)  # symmetric, so that directions do not matter
        for face in order:
            others = against.indices[against.indptr[face] : against.indptr[face + 1]]
            used = set(layer[others[done[others]]].tolist())
            wanted = int(layer[before[face]]) if before[face] >= 0 else 0
            if wanted in used:
                wanted = next(number for number in range(len(used) + 1) if number not in used)
            layer[face] = wanted
            done[face] = True
    return layer


def to_area(charts: Charts, area: Float64[np.ndarray, " F"]) -> Charts:
    """The charts scaled to the area that their faces have on the surface."""
    flat = np.bincount(charts.chart, np.abs(signed_areas(charts.points[charts.faces])))
    scale = np.sqrt(np.bincount(charts.chart, area) / np.maximum(flat, 1e-300))
    return replace(charts, points=charts.points * np.clip(scale, 0.25, 4)[charts.owner][:, None])
