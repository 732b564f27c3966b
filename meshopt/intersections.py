"""Where a surface crosses itself."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Int32
from torch import Tensor

from meshopt import intersections_kernels as kernels

CONTACT = 1e-9  # of the extent: what passes less than this far through a face only touches it
_EVERYTHING = np.zeros(0, bool)


def self_intersections(vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"]) -> Bool[Tensor, " F"]:
    """Which faces cross another face: an edge of one passes through the other, its border included.

    Pairs that share an edge do not count (see `topology.flipped` for folds), nor do coplanar overlaps and
    mere contact (within 1e-9 of the extent). Faces that share one vertex count if they meet elsewhere too.
    """
    marked = torch.zeros(len(faces), dtype=torch.bool, device=faces.device)
    marked[crossing_pairs(vertices, faces).reshape(-1)] = True
    return marked


def crossing_pairs(vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"]) -> Int[Tensor, "P 2"]:
    """Every pair of faces that cross each other (see `self_intersections`), smaller index first, sorted."""
    points = vertices.detach().cpu().numpy().astype(np.float64)
    array = faces.detach().cpu().numpy().astype(np.int32)
    return torch.from_numpy(CrossingSearch(points, array).pairs().astype(np.int64)).to(faces.device)


class CrossingSearch:
    """A bounding-volume tree over faces, to be asked again after vertices have moved."""

    def __init__(self, points: Float64[np.ndarray, "N 3"], faces: Int32[np.ndarray, "F 3"]) -> None:
        self.points, self.faces = points, faces
        leaves = 1 << max(len(faces) - 1, 0).bit_length()
        self._box, self.plane = np.empty((2 * leaves, 6), np.float32), np.empty((len(faces), 3))
        self._order = np.zeros(0, np.int32)
        if len(faces):
            extent = max(float(np.abs(points).max()), 1e-30)
            codes = np.empty(len(faces), np.int32)
            kernels.morton_codes(points, faces, -extent, 511 / extent, codes)
            self._order = np.argsort(codes, kind="stable").astype(np.int32)
        self.update()

    def update(self) -> None:
        """To be called after points have moved, in place."""
        reach = 1e-6 * max(float(np.abs(self.points).max(initial=0)), 1e-30)  # covers the boxes' rounding
        kernels.fill_boxes(self.points, self.faces, self._order, reach, self._box, self.plane)

    @property
    def tree(self) -> tuple[np.ndarray, ...]:
        """Points, faces, order, boxes, and normals of length twice the area, as the kernels take them."""
        return self.points, self.faces, self._order, self._box, self.plane

    def pairs(self, wanted: Bool[np.ndarray, " F"] = _EVERYTHING) -> Int32[np.ndarray, "P 2"]:
        """The pairs of crossing faces, smaller index first, sorted: all, or those with a face that is wanted."""
        margin = CONTACT * float(np.ptp(self.points, axis=0).max()) if len(self.points) else 0.0
        room = 4096
        while True:
            pairs = np.empty((room, 2), np.int32)
            count = kernels.find_pairs(self.tree, margin, wanted, pairs)
            if count <= room:
                return pairs[:count][np.lexsort((pairs[:count, 1], pairs[:count, 0]))]
            room = count
