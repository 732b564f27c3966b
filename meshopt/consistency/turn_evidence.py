"""What tells how far a view's normals are turned: three kinds of equations, all linear in a small rotation vector.

- integrability: the slopes of a surface have no curl. Of normals turned by w it is, to first order, c + J w.
- rim: at the silhouette of a smooth surface the normal is the outward one of the outline.
- agreement: two views that see the same point see the same normal.

The first two are absolute: they need no other view. Rotation vectors are in radians and in the world's frame. How sure
an equation is, is not assumed but read off the scatter of its residuals between parts of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

from meshopt.consistency.observation import Observation
from meshopt.consistency.surface import CLEAR, SharedPoints
from meshopt.curl import curl, slopes, smooth_pixels

TILES = 8  # parts of a picture along its longer side that err independently of each other
LEAST_CURL = 0.003  # residuals count as noise below this
LEAST_RIM = 0.05
LEAST_AGREEMENT = 0.07
MOST_POINTS = 12_000  # of the surface on which views are compared


@dataclass(frozen=True)
class Equations:
    """c + J w = 0, each with a weight, and the part of the picture it belongs to."""

    residual: Float[np.ndarray, "K"]
    jacobian: Float[np.ndarray, "K D"]
    weight: Float[np.ndarray, "K"]
    part: Int[np.ndarray, "K"]

    @property
    def normal_matrix(self) -> Float[np.ndarray, "D D"]:
        return (self.jacobian * self.weight[:, None]).T @ self.jacobian

    @property
    def right_side(self) -> Float[np.ndarray, "D"]:
        return -self.jacobian.T @ (self.weight * self.residual)

    def __len__(self) -> int:
        return len(self.residual)

    def scores(self, solution: Float[np.ndarray, "D"], parts: int) -> Float[np.ndarray, "parts D"]:
        """Of every part, the sum of what its equations pull at the solution."""
        pull = self.weight * (self.residual + self.jacobian @ solution)
        columns = [np.bincount(self.part, pull * column, parts) for column in self.jacobian.T]
        return np.stack(columns, axis=-1)

    def scatter(self, solution: Float[np.ndarray, "D"]) -> Float[np.ndarray, "D D"]:
        """Sum over the parts of the outer products of their scores: how much the right side errs."""
        scores = self.scores(solution, int(self.part.max(initial=-1)) + 1)
        return scores.T @ scores


def robust(residual: np.ndarray, least: float, power: float) -> np.ndarray:
    """Weights that fall off beyond the residuals' own spread, and never below `least`; over its square."""
    scale = max(1.4826 * float(np.median(np.abs(residual))), least) if len(residual) else least
    return 1.0 / (scale**2 * (1.0 + (residual / scale) ** 2) ** power)


def turned(vectors: Float[np.ndarray, "*N 3"], axis: int) -> Float[np.ndarray, "*N 3"]:
    """Their derivative by a rotation about a unit axis."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    zero = np.zeros_like(x)
    return np.stack([(zero, -z, y), (z, zero, -x), (-y, x, zero)][axis], axis=-1)


def parts(shape: tuple[int, int]) -> Int[np.ndarray, "h w"]:
    """The number of the part that each pixel belongs to."""
    side = max(1, -(-max(shape) // TILES))
    rows, columns = np.arange(shape[0]) // side, np.arange(shape[1]) // side
    return rows[:, None] * TILES + columns[None, :]


def integrability(
    view: Observation, normals: Float[np.ndarray, "h w 3"], basis: Float[np.ndarray, "h w B"] | None = None
) -> Equations:
    """Of every pixel away from edges, `normals` being the view's (camera frame), however turned.

    With a `basis`, of the coefficients [B 3] of a rotation that varies over the picture.
    """
    core = smooth_pixels(normals, view.solid)
    n, right, up, eye = (part[core] for part in (normals, *slopes(normals), view.towards))
    changes = [turned(n, k) for k in range(3)]
    columns = [
        curl(change, right, up, eye) + curl(n, turned(right, k), turned(up, k), eye) for k, change in enumerate(changes)
    ]
    jacobian = np.stack(columns, axis=-1)
    if basis is not None:
        none = np.zeros_like(n)
        value, to_right, to_up = (a[core] for a in (basis, np.gradient(basis, axis=1), -np.gradient(basis, axis=0)))
        by_right = np.stack([curl(n, change, none, eye) for change in changes], axis=-1)
        by_up = np.stack([curl(n, none, change, eye) for change in changes], axis=-1)
        jacobian = _products(value, jacobian) + _products(to_right, by_right) + _products(to_up, by_up)
    residual = curl(n, right, up, eye)
    return Equations(residual, jacobian, robust(residual, LEAST_CURL, 1.0), parts(view.mask.shape)[core])


def rim(
    view: Observation, normals: Float[np.ndarray, "h w 3"], basis: Float[np.ndarray, "h w B"] | None = None
) -> Equations:
    """Of the pixels along the outline: the normal's direction in the image is the outline's, and it stands nowhere more
    towards the eye than elsewhere (how much it does everywhere follows from the pixels' size). As `integrability`."""
    at, outward = view.outline
    n, eye = normals[at], view.towards[at]
    eye = eye / np.linalg.norm(eye, axis=-1, keepdims=True)
    jacobians, residuals = [], []
    for direction in (np.cross(outward[at], eye), eye):
        local = np.stack([(turned(n, k) * direction).sum(-1) for k in range(3)], axis=-1)
        jacobians.append(local if basis is None else _products(basis[at], local))
        residuals.append((n * direction).sum(-1))
    if len(n):
        residuals[1], jacobians[1] = residuals[1] - np.median(residuals[1]), jacobians[1] - jacobians[1].mean(0)
    weight = np.concatenate([robust(residual, LEAST_RIM, 2.0) for residual in residuals])
    place = parts(view.mask.shape)[at]
    return Equations(np.concatenate(residuals), np.concatenate(jacobians), weight, np.concatenate([place, place]))


def _products(shares: Float[np.ndarray, "K B"], columns: Float[np.ndarray, "K 3"]) -> Float[np.ndarray, "K B3"]:
    return (shares[:, :, None] * columns[:, None]).reshape(len(columns), 3 * shares.shape[-1])


class Agreement:
    """Equations of all points that two views see well; w of all views in one vector [3 V].

    An equation has to do with two views alone, so that sums are made pair by pair.
    """

    def __init__(self, shared: SharedPoints, turns: Sequence[np.ndarray]) -> None:
        self.count = len(turns)
        self.pairs: list[tuple[np.ndarray, Equations]] = []
        step = -(-len(shared.points) // MOST_POINTS)
        cell = np.floor((shared.points[::step] + 1.1) / 2.2 * TILES).astype(int).clip(0, TILES - 1)
        place = (cell[:, 0] * TILES + cell[:, 1]) * TILES + cell[:, 2]
        now = [shared.normals[v, ::step] @ turns[v].T for v in range(self.count)]
        weight = shared.weight[:, ::step]
        for i, j in combinations(range(self.count), 2):
            sure = np.minimum(weight[i], weight[j])
            both = sure > CLEAR
            if both.any():
                columns = np.r_[3 * i : 3 * i + 3, 3 * j : 3 * j + 3]
                self.pairs.append((columns, _equal(now[i][both], now[j][both], sure[both], place[both])))

    def __len__(self) -> int:
        return sum(len(equations.residual) for _, equations in self.pairs)

    @property
    def normal_matrix(self) -> Float[np.ndarray, "D D"]:
        """As of `Equations`."""
        total = np.zeros((3 * self.count, 3 * self.count))
        for columns, equations in self.pairs:
            total[np.ix_(columns, columns)] += equations.normal_matrix
        return total

    @property
    def right_side(self) -> Float[np.ndarray, "D"]:
        """As of `Equations`."""
        total = np.zeros(3 * self.count)
        for columns, equations in self.pairs:
            total[columns] += equations.right_side
        return total

    def scatter(self, solution: Float[np.ndarray, "D"]) -> Float[np.ndarray, "D D"]:
        """As of `Equations`."""
        scores = np.zeros((TILES**3, 3 * self.count))
        for columns, equations in self.pairs:
            scores[:, columns] += equations.scores(solution[columns], TILES**3)
        return scores.T @ scores


def _equal(a: np.ndarray, b: np.ndarray, sure: np.ndarray, place: np.ndarray) -> Equations:
    """a + w1 x a = b + w2 x b, in (w1, w2)."""
    weight = sure * robust(np.linalg.norm(a - b, axis=-1), LEAST_AGREEMENT, 2.0)
    slopes = [turned(a, k) for k in range(3)] + [-turned(b, k) for k in range(3)]
    jacobian = np.stack(slopes, axis=-1).reshape(-1, 6)
    return Equations((a - b).reshape(-1), jacobian, weight.repeat(3), place.repeat(3))
