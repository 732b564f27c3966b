"""How a view's normals are bent: a rotation that varies smoothly over the picture, by what the view itself tells.

As for the rotation of a whole view (`turn_evidence`), every pixel's curl and the outline's normals are linear in a
small rotation; here that is a bicubic B-spline over the picture. Both kinds of evidence are absolute: no other view is
needed, so that none is blamed. What bends on a finer scale than the spline stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch.nn.functional import normalize

from meshopt.config import CheckConfig
from meshopt.consistency.findings import Finding, severity
from meshopt.consistency.observation import Observation, observe
from meshopt.consistency.surface import disagreement, reduced, rough_surface, shared_points
from meshopt.consistency.turn_evidence import LEAST_CURL, LEAST_RIM, Equations, parts, robust, turned
from meshopt.consistency.turns import estimate_turns
from meshopt.curl import bending, curl, slopes, smooth_pixels
from meshopt.frames.evidence import outline
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

Grid = Float[np.ndarray, "rows columns 3"]


@dataclass(frozen=True)
class Unbent:
    """A view's normals turned by a smooth field of rotation vectors: `grid` are the coefficients of uniform cubic
    B-splines over the picture (rows from the top, radians, camera frame)."""

    view: int
    grid: Grid

    def apply(self, views: ViewSet) -> ViewSet:
        """The views with these normals."""
        vectors = torch.from_numpy(field(self.grid, *views.resolution) @ views.cameras[self.view].rotation)
        normals = views.normals.clone()
        n = normals[self.view].double()
        vectors = vectors.to(n)
        angle = vectors.norm(dim=-1, keepdim=True)
        axis = normalize(vectors, dim=-1)
        along = (axis * n).sum(-1, keepdim=True)
        n = n * angle.cos() + torch.linalg.cross(axis, n) * angle.sin() + axis * along * (1 - angle.cos())
        normals[self.view] = n.to(normals)
        return replace(views, normals=normals)

    def as_plain(self, names: Sequence[str]) -> dict[str, Any]:
        """The coefficients, row by row."""
        return {"kind": "bending", "view": names[self.view], "grid": self.grid.tolist()}


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
    apart, kept = _disagreement(views), []
    for bend in bends:
        mended = bend.correction.apply(views)
        after = _disagreement(mended)
        if after <= FITTING * apart:
            views, apart = mended, after
            kept.append(bend)
    return kept


def of_bend(views: ViewSet, bend: Bend, settings: CheckConfig) -> Finding:
    """What is said about it."""
    name, (before, after) = views.cameras[bend.view].name, bend.bending
    return Finding(
        "bent", severity(bend.degrees, settings.field), (name,),
        f"the normals of {name} are bent smoothly by {bend.degrees:.1f} ± {bend.uncertainty:.1f} degrees (root mean"
        f" square): a field that turns them back leaves {after:.1f} of {before:.1f} degrees of bending.",
        "make this view's normals anew, or let the correction do it.",
        bend.degrees, "degrees", bend.uncertainty, settings.field, "check.field",
        {"bending": list(bend.bending)},
    )  # fmt: skip


def _disagreement(views: ViewSet) -> float:
    small = reduced(views)
    surface = rough_surface(small, GRID)
    return 0.0 if surface is None else disagreement(shared_points(small, surface)).mean


def _unturned(view: Observation) -> float:
    """Degrees of bending beyond what turning the whole view would take away."""
    if view.bending <= UNTURNED:
        return 0.0
    turn = estimate_turns([view], None)[0].vector @ view.camera.rotation.T
    return min(view.bending, _bending(view, np.broadcast_to(turn, view.normals.shape)))


def _bending(view: Observation, vectors: Float[np.ndarray, "h w 3"]) -> float:
    return bending(rotated(view.normals, vectors).astype(np.float32), view.solid, view.towards)


def rotated(normals: Float[np.ndarray, "*N 3"], vectors: Float[np.ndarray, "*N 3"]) -> Float[np.ndarray, "*N 3"]:
    """Each turned by its rotation vector (Rodrigues)."""
    angle = np.linalg.norm(vectors, axis=-1, keepdims=True)
    axis = vectors / np.maximum(angle, 1e-12)
    along = (axis * normals).sum(-1, keepdims=True)
    return normals * np.cos(angle) + np.cross(axis, normals) * np.sin(angle) + axis * along * (1 - np.cos(angle))


def splines(count: int, nodes: int) -> Float[np.ndarray, "count nodes"]:
    """Uniform cubic B-splines over [0, 1], at the centres of `count` pixels."""
    place = (np.arange(count) + 0.5) / count * (nodes - 3)
    distance = np.abs(place[:, None] + 1 - np.arange(nodes))
    near, far = 2 / 3 - distance**2 + distance**3 / 2, np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far)


def field(grid: Grid, height: int, width: int) -> Float[np.ndarray, "height width 3"]:
    """The spline at the pixels' centres."""
    rows, columns = splines(height, grid.shape[0]), splines(width, grid.shape[1])
    return np.einsum("hr,wc,rck->hwk", rows, columns, grid, optimize=True)


def fitted(view: Observation) -> tuple[Grid, Float[np.ndarray, "D D"]]:
    """The field that makes the view's normals a surface's, and the covariance of its coefficients."""
    height, width = view.mask.shape
    basis = np.einsum("hr,wc->hwrc", splines(height, NODES), splines(width, NODES)).reshape(height, width, -1)
    prior = _prior()
    grid: np.ndarray = np.zeros((NODES, NODES, 3))
    total = prior
    for _ in range(ROUNDS):
        now = rotated(view.normals.astype(np.float64), field(grid, height, width))
        total, right = prior, -prior @ grid.reshape(-1)
        for name, kind in (("integrability", _integrability), ("rim", _rim)):
            information, mean = _information(kind(view, now, basis), prior, FLOOR[name])
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


def _integrability(
    view: Observation, normals: Float[np.ndarray, "h w 3"], basis: Float[np.ndarray, "h w B"]
) -> Equations:
    """Curl of every pixel away from edges, in the coefficients."""
    core = smooth_pixels(normals, view.solid)
    n, right, up, eye = (a[core] for a in (normals, *slopes(normals), view.towards))
    value, to_right, to_up = (a[core] for a in (basis, np.gradient(basis, axis=1), -np.gradient(basis, axis=0)))
    none, columns = np.zeros_like(n), []
    for k in range(3):
        change = turned(n, k)
        by_value = curl(change, right, up, eye) + curl(n, turned(right, k), turned(up, k), eye)
        by_slope = curl(n, change, none, eye), curl(n, none, change, eye)
        columns.append(value * by_value[:, None] + to_right * by_slope[0][:, None] + to_up * by_slope[1][:, None])
    residual = curl(n, right, up, eye)
    jacobian = np.stack(columns, axis=-1).reshape(len(n), 3 * basis.shape[-1])
    return Equations(residual, jacobian, robust(residual, LEAST_CURL, 1.0), parts(view.mask.shape)[core])


def _rim(view: Observation, normals: Float[np.ndarray, "h w 3"], basis: Float[np.ndarray, "h w B"]) -> Equations:
    """Of the pixels along the outline, as `turn_evidence.rim`, in the coefficients."""
    at, outward = outline(view.mask, view.towards)
    at &= view.known
    n, eye, value = normals[at], view.towards[at], basis[at]
    eye = eye / np.linalg.norm(eye, axis=-1, keepdims=True)
    jacobian, residual = [], []
    for direction in (np.cross(outward[at], eye), eye):
        local = np.stack([(turned(n, k) * direction).sum(-1) for k in range(3)], axis=-1)
        jacobian.append((value[:, :, None] * local[:, None]).reshape(len(n), 3 * basis.shape[-1]))
        residual.append((n * direction).sum(-1))
    if len(n):
        residual[1], jacobian[1] = residual[1] - np.median(residual[1]), jacobian[1] - jacobian[1].mean(0)
    weight = np.concatenate([robust(r, LEAST_RIM, 2.0) for r in residual])
    place = parts(view.mask.shape)[at]
    return Equations(np.concatenate(residual), np.concatenate(jacobian), weight, np.concatenate([place, place]))


def _size(view: Observation, grid: Grid, covariance: Float[np.ndarray, "D D"]) -> tuple[float, float]:
    """Root mean square over the object of the angles by which normals change, and the posterior's spread of it."""
    height, width = view.mask.shape
    n, vectors = view.normals[view.known], field(grid, height, width)[view.known]
    vectors = vectors - vectors.mean(0)
    across = vectors - n * (vectors * n).sum(-1, keepdims=True)
    basis = np.einsum("hr,wc->hwrc", splines(height, NODES), splines(width, NODES))[view.known].reshape(
        len(n), NODES**2
    )
    gram = np.kron(basis.T @ basis / max(len(n), 1), np.eye(3))
    mean = np.sqrt(np.square(across).sum(-1).mean()) if len(n) else 0.0
    return float(np.degrees(mean)), float(np.degrees(np.sqrt(np.trace(gram @ covariance) * 2 / 3)))
