"""How large and where the object is in each picture: what silhouettes of two views have to have in common.

Two cameras and a point span a plane; the planes that just touch an object touch both silhouettes (epipolar tangency).
For parallel rays: two views see the object reach equally far along the direction that both image planes contain, and
views from opposite sides see each other's mirrored outline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations

import cv2
import numpy as np
from jaxtyping import Float

from meshopt.cameras import Camera
from meshopt.views import ViewSet

DIRECTIONS = 16  # in which opposite views are compared
OPPOSITE = 0.05  # sine of the angle between axes below which they are opposite
NOISE = 0.4  # pixels: of the silhouettes' extremes
PRIOR = 0.6  # pixels: width of the heavy-tailed prior of a view's change
FIRST = 2.0  # how many times narrower it is for the first view, which shows what was asked for
HELD = 1e3  # ... and where no majority agrees on a size and place
STILL = 1.0  # pixels: a smaller change is none
WIDE = 20.0  # pixels: width of the prior of the fit from which the second start comes
FITS = 4
FARTHEST = 0.15  # of the image's width; no view is that far off, or as much larger
ROUNDS = 30
CLOSE = 1e-3  # pixels
FLAT = 0.05  # equations that change by a pixel per pixel; with fewer a shift is not seen


Measure = Callable[["_Outline", np.ndarray], tuple[float, np.ndarray]]  # a number and its slope, by the change
Value = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of points, after a change


@dataclass(frozen=True)
class Placement:
    """What mends a view: the picture enlarged by `zoom` - 1 about the image's centre, then moved (pixels).

    `covariance` of (zoom in pixels at half the image's side, right, down). `unseen`: the direction in the image (unit,
    right and down) in which this picture may slide without any silhouette's telling; None: there is none.
    """

    zoom: float
    right: float
    down: float
    covariance: Float[np.ndarray, "3 3"]
    unseen: Float[np.ndarray, "2"] | None = None

    @property
    def pixels(self) -> float:
        """Length of the shift."""
        return float(np.hypot(self.right, self.down))

    @property
    def uncertainty(self) -> float:
        """Standard deviation of the shift along itself, in pixels."""
        along = np.array([self.right, self.down]) / max(self.pixels, 1e-9)
        return float(np.sqrt(along @ self.covariance[1:, 1:] @ along))


@dataclass(frozen=True)
class _Outline:
    """Points of an outline in (u, v), v up, and their rays."""

    camera: Camera
    points: Float[np.ndarray, "P 2"]
    width: int

    @staticmethod
    def of(camera: Camera, mask: Float[np.ndarray, "H W"]) -> _Outline:
        """Where coverage crosses one half, between the centres of neighbouring pixels."""
        padded = np.pad(mask.astype(np.float64), 1)
        height, width = mask.shape
        found = []
        for axis in (0, 1):
            a = padded[:-1] if axis == 0 else padded[:, :-1]
            b = padded[1:] if axis == 0 else padded[:, 1:]
            rows, columns = np.nonzero((a > 0.5) != (b > 0.5))
            share = (0.5 - a[rows, columns]) / (b[rows, columns] - a[rows, columns])
            place = np.stack([columns, rows], -1) - 1.0
            place[:, 1 - axis] += share
            found.append(place)
        pixels = np.concatenate(found)
        pixels = cv2.convexHull(pixels.astype(np.float32))[:, 0].astype(np.float64)  # extremes lie on it
        u = (2 * pixels[:, 0] + 1) / width - 1
        v = 1 - (2 * pixels[:, 1] + 1) / height
        return _Outline(camera, np.stack([u, v], -1), width)

    def plane(self, points: Float[np.ndarray, "P 2"]) -> Float[np.ndarray, "P 2"]:
        """On the image plane: scene units, or tangents."""
        return (points - np.asarray(self.camera.centre)) * np.asarray(self.camera.half_extent)


def _moved(points: np.ndarray, change: np.ndarray, width: int) -> np.ndarray:
    """(u, v) after a zoom (change[..., 0], pixels at half the side) and a shift (pixels right, down), one for all or
    one for each."""
    half = width / 2
    return np.asarray(points * (1 + change[..., :1] / half) + change[..., 1:] * (1.0, -1.0) / half)


def estimate_placements(views: ViewSet) -> list[Placement]:
    """The zoom and shift of every view that make the silhouettes fit each other.

    Found from two starts, the pictures as they are and a least-squares fit of all; the likelier end counts. What all
    views have in common no silhouette tells: the size and place that most views agree on are the right ones, and where
    no majority agrees, those of the first.
    """
    masks = views.masks.detach().cpu().numpy()
    if not (masks > 0.5).any(axis=(1, 2)).all():
        return [Placement(1.0, 0.0, 0.0, np.eye(3)) for _ in views.cameras]
    outlines = [_Outline.of(c, m) for c, m in zip(views.cameras, masks, strict=True)]
    problem = _Problem(
        outlines,
        [(i, j, f) for i, j in combinations(range(len(outlines)), 2) for f in _common(outlines[i], outlines[j])],
    )
    start = np.zeros((len(outlines), 3))
    ends = [problem.solved(start), problem.solved(problem.fitted(start))]
    change, covariance = min(ends, key=lambda end: problem.cost(end[0]))
    still = np.linalg.norm(change, axis=1) < STILL
    if not still[0] and 2 * still.sum() <= len(still):
        change, covariance = replace(problem, first=HELD).solved(change - change[0])
    if np.abs(change).max() > FARTHEST * outlines[0].width:  # no common object: that is another finding's business
        change = start
    return [
        Placement(
            1 + c[0] / (o.width / 2), c[1], c[2], covariance[3 * i : 3 * i + 3, 3 * i : 3 * i + 3],
            problem.unseen(change, i),
        )
        for i, (c, o) in enumerate(zip(change, outlines, strict=True))
    ]  # fmt: skip


@dataclass(frozen=True)
class _Problem:
    """What pairs of outlines have in common, as equations for their changes [V,3]."""

    outlines: list[_Outline]
    pairs: list[tuple[int, int, Measure]]
    first: float = FIRST

    def equations(self, change: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals [K] in pixels, and their slopes [K, 3 V]."""
        residual, jacobian = np.zeros(len(self.pairs)), np.zeros((len(self.pairs), change.size))
        for k, (i, j, measure) in enumerate(self.pairs):
            a, ja = measure(self.outlines[i], change[i])
            b, jb = measure(self.outlines[j], change[j])
            unit = (np.linalg.norm(ja[1:]) + np.linalg.norm(jb[1:])) / 2  # per pixel
            residual[k] = (a - b) / unit
            jacobian[k, 3 * i : 3 * i + 3], jacobian[k, 3 * j : 3 * j + 3] = ja / unit, -jb / unit
        return residual, jacobian

    def fitted(self, change: np.ndarray) -> np.ndarray:
        """Least squares, the first view held the most."""
        held = np.full(change.shape, WIDE**-2)
        held[0] *= self.first**2
        for _ in range(FITS):
            residual, jacobian = self.equations(change)
            total = jacobian.T @ jacobian + np.diag(held.reshape(-1))
            step = np.linalg.solve(total, -jacobian.T @ residual - held.reshape(-1) * change.reshape(-1))
            change = change + step.reshape(change.shape)
        return change

    def solved(self, change: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The likeliest changes near a start, and their covariance; both residuals and changes have heavy tails."""
        for _ in range(ROUNDS):
            residual, jacobian = self.equations(change)
            weight = 1 / (NOISE**2 + residual**2)
            prior = (1 / (self.widths**2 + np.square(change).sum(1))).repeat(3)
            total = (jacobian * weight[:, None]).T @ jacobian + np.diag(prior)
            step = np.linalg.solve(total, -jacobian.T @ (weight * residual) - prior * change.reshape(-1))
            change = change + step.reshape(change.shape)
            if np.abs(step).max() < CLOSE:
                break
        return change, np.linalg.inv(total)

    def unseen(self, change: np.ndarray, view: int) -> np.ndarray | None:
        """The direction of a shift of one view, the others held, that changes no equation."""
        _, jacobian = self.equations(change)
        own = jacobian[:, 3 * view + 1 : 3 * view + 3]
        values, vectors = np.linalg.eigh(own.T @ own)
        return np.asarray(vectors[:, 0]) if values[0] < FLAT else None

    @property
    def widths(self) -> np.ndarray:
        """Of the prior of each view's change, pixels."""
        return np.where(np.arange(len(self.outlines)) == 0, PRIOR / self.first, PRIOR)

    def cost(self, change: np.ndarray) -> float:
        """Minus the logarithm of the likelihood."""
        residual, _ = self.equations(change)
        large = np.log1p((np.linalg.norm(change, axis=1) / self.widths) ** 2)
        return float(np.log1p((residual / NOISE) ** 2).sum() + 1.5 * large.sum())


def _common(one: _Outline, other: _Outline) -> list[Measure]:
    """What both see alike: functions of an outline and its change that give a number and its slope."""
    if one.camera.projection == "orthographic" and other.camera.projection == "orthographic":
        backs = one.camera.rotation[2], other.camera.rotation[2]
        axis = np.cross(*backs)
        if np.linalg.norm(axis) > OPPOSITE:
            axes = [axis / np.linalg.norm(axis)]
        else:
            right, up = one.camera.rotation[:2]
            angles = np.pi * np.arange(DIRECTIONS // 2) / (DIRECTIONS // 2)
            axes = [np.cos(a) * right + np.sin(a) * up for a in angles]
        return [_reach(sign * axis) for axis in axes for sign in (1, -1)]
    baseline = other.camera.position - one.camera.position
    baseline = baseline / np.linalg.norm(baseline)
    towards = -(one.camera.position + other.camera.position) / 2
    first = towards - (towards @ baseline) * baseline
    first /= np.linalg.norm(first)
    return [_swing(first, np.cross(baseline, first), sign) for sign in (1, -1)]


def _reach(axis: np.ndarray) -> Measure:
    def measure(outline: _Outline, change: np.ndarray) -> tuple[float, np.ndarray]:
        camera = outline.camera
        direction = np.array([camera.rotation[0] @ axis, camera.rotation[1] @ axis])
        origin = camera.world_to_camera[:2, 3] @ direction  # of the world, seen from the camera

        return _extreme(
            outline, change, lambda points, c: outline.plane(_moved(points, c, outline.width)) @ direction - origin
        )

    return measure


def _swing(first: np.ndarray, second: np.ndarray, sign: float) -> Measure:
    def measure(outline: _Outline, change: np.ndarray) -> tuple[float, np.ndarray]:
        rotation = outline.camera.rotation

        return _extreme(
            outline, change,
            lambda points, c: _angle(outline.plane(_moved(points, c, outline.width)), rotation, first, second, sign),
        )  # fmt: skip

    return measure


def _angle(plane: np.ndarray, rotation: np.ndarray, first: np.ndarray, second: np.ndarray, sign: float) -> np.ndarray:
    """Of the rays through points of the image plane, from `first` towards `second`."""
    rays = np.concatenate([plane, -np.ones((len(plane), 1))], 1) @ rotation
    return np.asarray(sign * np.arctan2(rays @ second, rays @ first))


def _extreme(outline: _Outline, change: np.ndarray, value: Value) -> tuple[float, np.ndarray]:
    """The largest value over the outline, and its slope."""
    values = value(outline.points, change)
    place = int(np.argmax(values))
    steps = np.concatenate([np.eye(3), -np.eye(3)]) / 2
    there, back = value(np.broadcast_to(outline.points[place], (6, 2)), change + steps).reshape(2, 3)
    return float(values[place]), there - back
