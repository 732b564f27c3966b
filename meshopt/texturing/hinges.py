"""How a surface goes on beyond the sides of its faces: over to the neighbours, unfolded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int, Int64

HOPS = 4  # sides that one step may lead over


@dataclass(frozen=True)
class Hinges:
    """Neighbours of every face.

    `corners` are the faces' points in space. `face[f, k]` lies beyond the side opposite corner k of face f, -1 where
    nothing does, and `corner[f, k]` is that neighbour's corner opposite the side.
    """

    corners: Float64[np.ndarray, "S 3 3"]
    face: Int64[np.ndarray, "S 3"]
    corner: Int64[np.ndarray, "S 3"]

    def crossed(
        self, face: Int[np.ndarray, " K"], weights: Float64[np.ndarray, "K 3"]
    ) -> tuple[Int[np.ndarray, " K"], Float64[np.ndarray, "K 3"]]:
        """Faces and barycentric weights of the same places, as many as there are neighbours for turned into faces.

        A place beyond a side of its face lies as far beyond it, and beside the same point of it, on the neighbour.
        """
        face, weights = face.copy(), weights.copy()
        for _ in range(HOPS):
            k = weights.argmin(1)
            outside = np.flatnonzero(
                (np.take_along_axis(weights, k[:, None], 1)[:, 0] < -1e-9) & (self.face[face, k] >= 0)
            )
            if not len(outside):
                break
            f, k = face[outside], k[outside]
            face[outside], weights[outside] = self._over(f, k, weights[outside])
        return face, weights

    def _over(
        self, face: Int[np.ndarray, " K"], k: Int[np.ndarray, " K"], weights: Float64[np.ndarray, "K 3"]
    ) -> tuple[Int[np.ndarray, " K"], Float64[np.ndarray, "K 3"]]:
        rows = np.arange(len(face))
        other, apex = self.face[face, k], self.corner[face, k]
        a, b = self.corners[face, (k + 1) % 3], self.corners[face, (k + 2) % 3]
        side = b - a
        square = np.maximum((side**2).sum(1), 1e-30)

        def foot_and_height(corner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            """Where along the side a corner stands, and how far from it."""
            along = ((corner - a) * side).sum(1) / square
            return along, np.linalg.norm(corner - a - along[:, None] * side, axis=1)

        from_foot, from_height = foot_and_height(self.corners[face, k])
        to_foot, to_height = foot_and_height(self.corners[other, apex])
        share = -weights[rows, k] * from_height / np.maximum(to_height, 1e-12)  # of the neighbour's own corner
        place = weights[rows, (k + 2) % 3] + weights[rows, k] * from_foot - share * to_foot  # of the side's end
        # the neighbour runs along the side in the opposite direction, or, where faces are turned, in the same
        first = (apex + 1) % 3
        same = (self.corners[other, first] == a).all(1)
        result = np.empty_like(weights)
        result[rows, apex] = share
        result[rows, np.where(same, (apex + 2) % 3, first)] = place
        result[rows, np.where(same, first, (apex + 2) % 3)] = 1 - share - place
        return other, result


def hinges(points: Float[np.ndarray, "P 3"], faces: Int[np.ndarray, "S 3"]) -> Hinges:
    """Of faces that share sides; where more than two do, each has one of the others."""
    count = len(faces)
    half = np.arange(3 * count)
    face, k = np.divmod(half, 3)
    ends = np.sort(np.stack([faces[face, (k + 1) % 3], faces[face, (k + 2) % 3]], 1), axis=1).astype(np.int64)
    key = ends[:, 0] * (int(faces.max(initial=0)) + 1) + ends[:, 1]
    order = np.argsort(key, kind="stable")
    same = key[order][1:] == key[order][:-1]
    partner = np.full(3 * count, -1, np.int64)
    partner[order[1:][same]] = order[:-1][same]
    partner[order[:-1][same]] = order[1:][same]
    found = np.where(partner < 0, -1, partner // 3).reshape(-1, 3)
    return Hinges(points.astype(np.float64)[faces], found, np.where(partner < 0, 0, partner % 3).reshape(-1, 3))
