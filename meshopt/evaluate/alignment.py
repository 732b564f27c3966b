"""The similarity that lays a found mesh on the true one: by their boxes, or by their surfaces (ICP)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from scipy.spatial.transform import Rotation

from meshopt.evaluate.surfaces import Surface
from meshopt.mesh import Mesh

Method = Literal["none", "bbox", "icp"]
LEVELS = ((1000, 100), (10_000, 50))  # samples of each surface, most rounds
SLIDING = 0.1  # by how much offsets along the surface count
KEPT = 0.9  # share of the nearest pairs that a round fits
STILL = 1e-5  # of the truth's diagonal: samples that move by less on average have arrived


@dataclass(frozen=True)
class Similarity:
    """x -> scale * rotation @ x + translation; `rotation` is a proper one."""

    scale: float
    rotation: Float64[np.ndarray, "3 3"]
    translation: Float64[np.ndarray, "3"]

    @staticmethod
    def identity() -> Similarity:
        """Leaves all points where they are."""
        return Similarity(1.0, np.eye(3), np.zeros(3))

    @property
    def matrix(self) -> Float64[np.ndarray, "4 4"]:
        """For column vectors (x, y, z, 1)."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.scale * self.rotation, self.translation
        return matrix

    @property
    def degrees(self) -> float:
        """Of the rotation, 0 to 180."""
        return float(np.degrees(np.arccos(np.clip((np.trace(self.rotation) - 1) / 2, -1, 1))))

    def of(self, points: Float[np.ndarray, "N 3"]) -> Float64[np.ndarray, "N 3"]:
        """Where the points come to lie."""
        return self.scale * points @ self.rotation.T + self.translation

    def undone(self, points: Float[np.ndarray, "N 3"]) -> Float64[np.ndarray, "N 3"]:
        """The points that come to lie there."""
        return (points - self.translation) @ self.rotation / self.scale

    def after(self, first: Similarity) -> Similarity:
        """Both, one after the other."""
        shift = self.of(first.translation[None])[0]
        return Similarity(self.scale * first.scale, self.rotation @ first.rotation, shift)

    def of_mesh(self, mesh: Mesh) -> Mesh:
        """The mesh moved, in double precision."""
        return mesh.with_vertices(torch.from_numpy(self.of(mesh.vertices.detach().cpu().double().numpy())))

    def as_plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "matrix": self.matrix.tolist(),
            "scale": self.scale,
            "rotation_deg": self.degrees,
            "translation": self.translation.tolist(),
        }


def align(found: Surface, truth: Surface, method: Method) -> Similarity:
    """What lays `found` on `truth`. Deterministic.

    `bbox`: the box's centre and largest side. `icp`: turned and shifted, too, by iterated closest points (Besl & McKay
    1992; across the surface, Chen & Medioni 1992; trimmed, Chetverikov et al. 2002). Pairs are samples of what is seen
    from outside of either surface and the nearest places on the other: those of the found surface alone would shrink
    it. It starts where the mesh lies, or from `bbox` where that is closer, and finds the next optimum: no turns by more
    than about 30 degrees.
    """
    if method == "none":
        return Similarity.identity()
    boxed = _by_boxes(found, truth)
    if method == "bbox":
        return boxed
    few = _Sampled(found, truth, LEVELS[0][0])
    pose = min((Similarity.identity(), boxed), key=few.residual)
    for samples, rounds in LEVELS:
        pose = _refined(_Sampled(found, truth, samples), pose, rounds)
    return pose


def _by_boxes(found: Surface, truth: Surface) -> Similarity:
    scale = truth.side / found.side
    return Similarity(scale, np.eye(3), truth.centre - scale * found.centre)


@dataclass(frozen=True)
class _Pairs:
    """Places on the found surface, moved, the places on the true one that they belong to, and the normals there."""

    moved: Float64[np.ndarray, "K 3"]
    targets: Float64[np.ndarray, "K 3"]
    normals: Float64[np.ndarray, "K 3"]

    @property
    def offsets(self) -> Float64[np.ndarray, "K 3"]:
        return self.targets - self.moved


class _Sampled:
    """Samples of both surfaces, to be paired with the nearest places on the other."""

    def __init__(self, found: Surface, truth: Surface, samples: int) -> None:
        self.found, self.truth = found, truth
        self.on_found, self.on_truth = _outer(found, samples, 2), _outer(truth, samples, 3)

    def under(self, pose: Similarity) -> _Pairs:
        """The nearer pairs in both directions."""
        there, back = self.truth.nearest(pose.of(self.on_found)), self.found.nearest(pose.undone(self.on_truth))
        near, close = _nearer(there.distance), _nearer(back.distance)
        return _Pairs(
            np.concatenate([pose.of(self.on_found[near]), pose.of(back.points[close])]),
            np.concatenate([there.points[near], self.on_truth[close]]),
            np.concatenate([there.normals[near], back.normals[close] @ pose.rotation.T]),
        )

    def residual(self, pose: Similarity) -> float:
        """Mean distance of the nearer pairs."""
        return float(np.linalg.norm(self.under(pose).offsets, axis=1).mean())


def _refined(sampled: _Sampled, pose: Similarity, rounds: int) -> Similarity:
    for _ in range(rounds):
        before = pose.of(sampled.on_found)
        pose = _step(sampled.under(pose)).after(pose)
        if np.linalg.norm(pose.of(sampled.on_found) - before, axis=1).mean() < STILL * sampled.truth.diagonal:
            break
    return pose


def _step(pairs: _Pairs) -> Similarity:
    """The small similarity that brings the pairs together, least squares to first order.

    Offsets across the surface count in full, along it by SLIDING: nearest places lie across, so the optimum is that of
    the plain distances, and it is reached in a tenth of the steps.
    """
    middle = pairs.moved.mean(0)
    arms = pairs.moved - middle
    columns = [np.cross(axis, arms) for axis in np.eye(3)]  # turns about the axes
    columns += [arms, *(np.broadcast_to(axis, arms.shape) for axis in np.eye(3))]  # scaling, shifts
    moves = np.stack(columns, 1)  # [K, 7, 3]
    across, offsets = np.einsum("kpx,kx->kp", moves, pairs.normals), pairs.offsets
    matrix = across.T @ across + SLIDING * np.einsum("kpx,kqx->pq", moves, moves)
    right = across.T @ (offsets * pairs.normals).sum(1) + SLIDING * np.einsum("kpx,kx->p", moves, offsets)
    step = np.linalg.lstsq(matrix, right, rcond=1e-12)[0]
    rotation, scale = Rotation.from_rotvec(step[:3]).as_matrix(), float(np.exp(np.clip(step[3], -0.5, 0.5)))
    return Similarity(scale, rotation, middle + step[4:] - scale * rotation @ middle)


def _outer(surface: Surface, samples: int, seed: int) -> Float64[np.ndarray, "K 3"]:
    """Points on what is seen from outside, as one of both may lack what is inside; on everything where nothing is."""
    drawn = surface.sample(samples, seed)
    seen = surface.reached(drawn)
    return drawn.points[seen] if seen.any() else drawn.points


def _nearer(distance: Float[np.ndarray, "N"]) -> Int[np.ndarray, "K"]:
    """The nearest, as many as are kept, in order of the samples."""
    return np.sort(np.argsort(distance, kind="stable")[: int(KEPT * len(distance))])
