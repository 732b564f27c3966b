"""How a view's normals are bent: a rotation that varies smoothly over the picture, by what the view itself tells.

As for the rotation of a whole view (`turn_evidence`), every pixel's curl and the outline's normals are linear in a
small rotation; here that is a bicubic B-spline over the picture. Both kinds of evidence are absolute: no other view is
needed, so that none is blamed. What bends on a finer scale than the spline stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshopt.config import CheckConfig
from meshopt.consistency.corrections import Unbent
from meshopt.consistency.observation import Observation, observe
from meshopt.consistency.rotation_fields import Grid, basis, field, rotated
from meshopt.consistency.surface import reduced, rough_disagreement
from meshopt.consistency.turn_evidence import Equations, integrability, rim
from meshopt.consistency.turns import estimate_turns
from meshopt.curl import bending
from meshopt.views import ViewSet

NODES = 5  # splines along a side of the picture: waves down to about its length
SIZE = 128  # pixels of the longer side at which fields are fitted
PRIOR = np.radians(15.0)  # of a coefficient, and of neighbours' differences
ROUNDS = 4
TIMES = 0.3  # how much more than their residuals scatter equations are taken to err: they are to decide, not the prior
FLOOR = {"integrability": np.radians(0.3), "rim": np.radians(0.2)}  # what no kind of evidence errs less than
ERROR = 5.0  # times the posterior's spread that the angles' root mean square errs, measured on bends of 10 degrees
FEW = 20  # equations; fewer say nothing
UNTURNED = 2.0  # degrees of bending, beyond any rotation of the whole view, from which on a field is fitted
LEFT = 0.7  # of that bending after it, at most: else it was no such field
SURE = 2.5  # standard deviations above nothing
FITTING = 1.0  # times the disagreement before: what mending a view has to leave, at most
GRID = 64  # voxels along the scene of the surface on which that is measured


@dataclass(frozen=True)
class Bend:
    """What mends the normals of the view number `view`.

    `degrees`: root mean square over the object of the angles by which they change, with one standard deviation.
    `bending`: `meshopt.curl.bending` (degrees) beyond what a rotation of the whole view takes away, and what is left.
    """

    view: int
    grid: Grid
    degrees: float
    uncertainty: float
    bending: tuple[float, float]

    @property
    def correction(self) -> Unbent:
        return Unbent(self.view, self.grid)


def find_bends(views: ViewSet, seen: Sequence[Observation], least: float = CheckConfig().field) -> list[Bend]:
    """Of every view whose normals are bent by `least` degrees and which a smooth field mends, that field. `seen`: the
    same views."""
    suspects = {v.number: rest for v in seen if (rest := _unturned(v)) > UNTURNED}
    if not suspects:
        return []
    small = observe(views, SIZE)
    found = []
    for number, rest in suspects.items():
        grid, covariance = fitted(small[number])
        view = small[number]
        degrees, spread = _size(view, grid, covariance)
        left = _bending(seen[number], field(grid, *seen[number].mask.shape))
        if degrees > least and degrees > SURE * ERROR * spread and left < LEFT * rest:
            found.append(Bend(number, grid, degrees, ERROR * spread, (rest, left)))
    return found


def agreeing(views: ViewSet, bends: Sequence[Bend]) -> list[Bend]:
    """Those that make the views agree better, on surfaces made anew; all, where views share no surface."""
    if not bends:
        return []
    apart, kept = _apart(views), []
    for bend in bends:
        mended = bend.correction.apply(views)
        after = _apart(mended)
        if after <= FITTING * apart:
            views, apart = mended, after
            kept.append(bend)
    return kept


def _apart(views: ViewSet) -> float:
    return rough_disagreement(reduced(views), GRID, 0.0)


def _unturned(view: Observation) -> float:
    """Degrees of bending beyond what turning the whole view would take away."""
    if view.bending <= UNTURNED:
        return 0.0
    turn = estimate_turns([view], None)[0].vector @ view.camera.rotation.T
    return min(view.bending, _bending(view, np.broadcast_to(turn, view.normals.shape)))


def _bending(view: Observation, vectors: Float[np.ndarray, "h w 3"]) -> float:
    return bending(rotated(view.normals, vectors).astype(np.float32), view.solid, view.towards)


def fitted(view: Observation) -> tuple[Grid, Float[np.ndarray, "D D"]]:
    """The field that makes the view's normals a surface's, and the covariance of its coefficients."""
    height, width = view.mask.shape
    shares = basis(height, width, NODES, NODES)
    prior = _prior()
    grid: np.ndarray = np.zeros((NODES, NODES, 3))
    total = prior
    for _ in range(ROUNDS):
        now = rotated(view.normals.astype(np.float64), field(grid, height, width))
        total, right = prior, -prior @ grid.reshape(-1)
        for name, kind in (("integrability", integrability), ("rim", rim)):
            information, mean = _information(kind(view, now, shares), prior, FLOOR[name])
            total, right = total + information, right + mean
        grid = grid + np.linalg.solve(total, right).reshape(grid.shape)
    return grid, np.linalg.inv(total)


def _prior() -> Float[np.ndarray, "D D"]:
    step = np.diff(np.eye(NODES), axis=0)
    rough, same = step.T @ step, np.eye(NODES)
    nodes = np.kron(same, same) + np.kron(rough, same) + np.kron(same, rough)
    return np.asarray(np.kron(nodes, np.eye(3)) / PRIOR**2)


def _information(
    equations: Equations, prior: Float[np.ndarray, "D D"], floor: float
) -> tuple[Float[np.ndarray, "D D"], Float[np.ndarray, "D"]]:
    """Information on the coefficients, and that times their mean. Equations of a part of the picture err together: by
    how much is read off the parts' scores."""
    matrix, right = equations.normal_matrix, equations.right_side
    if len(equations) < FEW:
        return np.zeros_like(matrix), np.zeros_like(right)
    inverse = np.linalg.inv(matrix + prior)
    together = np.trace(inverse @ equations.scatter(inverse @ right)) / np.trace(inverse @ matrix)
    matrix, right = (a / max(TIMES**2 * together, 1e-9) for a in (matrix, right))
    shrunk = np.linalg.inv(np.eye(len(matrix)) + floor**2 * matrix)
    return shrunk @ matrix, shrunk @ right


def _size(view: Observation, grid: Grid, covariance: Float[np.ndarray, "D D"]) -> tuple[float, float]:
    """Root mean square over the object of the angles by which normals change, and the posterior's spread of it."""
    height, width = view.mask.shape
    n, vectors = view.normals[view.known], field(grid, height, width)[view.known]
    vectors = vectors - vectors.mean(0)
    across = vectors - n * (vectors * n).sum(-1, keepdims=True)
    shares = basis(height, width, NODES, NODES)[view.known]
    gram = np.kron(shares.T @ shares / max(len(n), 1), np.eye(3))
    mean = np.sqrt(np.square(across).sum(-1).mean()) if len(n) else 0.0
    return float(np.degrees(mean)), float(np.degrees(np.sqrt(np.trace(gram @ covariance) * 2 / 3)))
