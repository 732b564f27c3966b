"""How far each view's normals are turned against what the views together tell: a rotation per view, how surely.

Every kind of evidence (`turn_evidence`) gives a Gaussian of the rotation vectors, as wide as its residuals scatter;
they are multiplied. A heavy-tailed prior says that most views are right: one that is not is found as one that is not,
and its error is not shared out among the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from meshopt import parallel
from meshopt.consistency.observation import Observation
from meshopt.consistency.surface import SharedPoints, disagreement
from meshopt.consistency.turn_evidence import Agreement, Equations, integrability, rim
from meshopt.curl import bending

PRIOR = np.radians(1.5)  # width of the prior
TRUST = {  # how many times more than its residuals scatter each kind errs, and what (radians) none errs less than
    "integrability": (5.0, np.radians(0.3)),
    "rim": (3.0, np.radians(0.6)),
    "agreement": (3.0, np.radians(0.5)),
}
APART = 0.05  # ... and of agreement that share of the mean disagreement
BENT = {"integrability": 0.2, "rim": 0.1}  # ... and that share of the bending on top
ROUNDS = 4
SETTLED = np.radians(0.05)  # step of a round after which there are no more
STRAIGHTENED = 2  # steps that take away a turn before the bending is measured
FEW = 20  # equations; fewer say nothing
COMMON = np.radians(2.0)  # a common turn below that is taken for chance
SHARED = 0.8  # share of it: views whose turns are farther away do not have it
EXCEPT = 5  # one of so many may be such a view
MEDIAN_STEPS = 20
FARTHEST = np.radians(12.0)  # step of a round at most


@dataclass(frozen=True)
class Turn:
    """`vector`: the rotation (radians, world frame) that mends the view's normals. `covariance` of it."""

    vector: Float[np.ndarray, "3"]
    covariance: Float[np.ndarray, "3 3"]

    @property
    def degrees(self) -> float:
        return float(np.degrees(np.linalg.norm(self.vector)))

    @property
    def uncertainty(self) -> float:
        """Standard deviation of the angle, in degrees."""
        length = float(np.linalg.norm(self.vector))
        along = self.vector / length if length > 1e-9 else np.full(3, 3**-0.5)
        return float(np.degrees(np.sqrt(max(along @ self.covariance @ along, 0.0))))

    @property
    def matrix(self) -> Float[np.ndarray, "3 3"]:
        return rotation(self.vector)


def rotation(vector: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """The matrix of a rotation vector."""
    return np.asarray(cv2.Rodrigues(np.asarray(vector, np.float64))[0])


def vector_of(matrix: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3"]:
    """The rotation vector of a matrix."""
    return np.asarray(cv2.Rodrigues(matrix)[0])[:, 0]


def estimate_turns(views: Sequence[Observation], shared: SharedPoints | None) -> list[Turn]:
    """The rotation of every view's normals that makes them fit. Without `shared`, each view by itself."""
    count = len(views)
    turns: list[np.ndarray] = [np.eye(3)] * count
    covariance: np.ndarray = np.eye(3 * count)
    apart = 0.0 if shared is None else np.radians(disagreement(shared).mean)
    agreed = TRUST["agreement"][0], float(np.hypot(TRUST["agreement"][1], APART * apart))
    bent = parallel.run(_bent, [(view,) for view in views])
    for _ in range(ROUNDS):
        information, right = np.zeros((3 * count, 3 * count)), np.zeros(3 * count)
        told = parallel.run(_absolute, list(zip(views, turns, bent, strict=True)))
        for v, view in enumerate(views):
            part = slice(3 * v, 3 * v + 3)
            into = view.camera.rotation
            for info, mean in told[v]:
                information[part, part] += into.T @ info @ into
                right[part] += into.T @ info @ mean
        if shared is not None:
            info, mean = gaussian(Agreement(shared, turns), agreed)
            information += info
            right += info @ mean
        now = np.concatenate([vector_of(t) for t in turns])
        strength = 1 / (PRIOR**2 + np.square(now).reshape(count, 3).sum(-1)).repeat(3)
        total = information + np.diag(strength)
        step = np.linalg.solve(total, right - strength * now)
        longest = np.linalg.norm(step.reshape(count, 3), axis=-1).max()
        step *= min(1.0, FARTHEST / max(longest, 1e-9))
        turns = [rotation(step[3 * v : 3 * v + 3]) @ turns[v] for v in range(count)]
        covariance = np.linalg.inv(total)
        if longest < SETTLED:
            break
    vectors = _without_common([vector_of(t) for t in turns])
    return [Turn(w, covariance[3 * v : 3 * v + 3, 3 * v : 3 * v + 3]) for v, w in enumerate(vectors)]


def _bent(view: Observation) -> float:
    """By how much (radians) a view's normals are bent, however they are turned."""
    turn = np.eye(3)
    for _ in range(STRAIGHTENED):
        normals = (view.normals @ turn.T).astype(np.float64)
        turn = rotation(gaussian(integrability(view, normals), TRUST["integrability"])[1]) @ turn
    return float(np.radians(bending(view.normals @ turn.T, view.solid, view.towards)))


def _absolute(view: Observation, turn: np.ndarray, bent: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """What a view, its normals turned already (world frame), says by itself: information and mean by kind (camera
    frame). The more they are bent, the less they tell."""
    into = view.camera.rotation
    normals = (view.normals @ (into @ turn @ into.T).T).astype(np.float64)
    return [
        gaussian(kind(view, normals), (TRUST[name][0], float(np.hypot(TRUST[name][1], BENT[name] * bent))))
        for name, kind in (("integrability", integrability), ("rim", rim))
    ]


def _without_common(vectors: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What all views' turns have in common, their geometric median, is no view's own error, and normals that many maps
    are drawn with alike may well have it. A view that does not have it makes it the others' error."""
    every = np.stack(vectors)
    centre = np.median(every, axis=0)
    for _ in range(MEDIAN_STEPS):
        weight = 1 / np.maximum(np.linalg.norm(every - centre, axis=1), np.radians(0.1))
        centre = (weight[:, None] * every).sum(0) / weight.sum()
    length = float(np.linalg.norm(centre))
    without = int((np.linalg.norm(every - centre, axis=1) > SHARED * length).sum())
    shared = len(every) > 2 and length > COMMON and without <= len(every) // EXCEPT
    return list(every - centre) if shared else list(every)


def gaussian(equations: Equations | Agreement, trust: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Information and mean of what the equations say of w; see TRUST."""
    times, floor = trust
    a = equations.normal_matrix
    size = len(a)
    if len(equations) < FEW or np.trace(a) <= 0:
        return np.zeros((size, size)), np.zeros(size)
    small = 1e-6 * np.trace(a) / size * np.eye(size)
    mean = np.linalg.solve(a + small, equations.right_side)
    inverse = np.linalg.inv(a + small)
    spread = times**2 * inverse @ equations.scatter(mean) @ inverse + floor**2 * np.eye(size)
    if size == 3:
        return np.linalg.inv(spread), mean
    # what all views have in common is not known: directions without information stay without
    values, vectors = np.linalg.eigh(a)
    known = vectors[:, values > 1e-3 * values.max()]
    inner = np.linalg.inv(known.T @ spread @ known)
    return known @ inner @ known.T, mean
