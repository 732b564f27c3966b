"""How far one surface is from another: point samples, exact distances to triangles, and what can be seen from outside.

Distances are from points sampled on one surface to the nearest point of the other's triangles, in both directions, so
that they have no floor from sampling.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import surface_kernels as kernels

from meshopt import parallel
from meshopt.mesh import Mesh

SAMPLES, DIRECTIONS, CHUNK = 100_000, 32, 4096
LIFT = 1e-4  # of the largest side: how far above the surface its rays start


@dataclass(frozen=True)
class Samples:
    """Points on a surface and the unit normals of the faces they lie on."""

    points: np.ndarray  # [N, 3]
    normals: np.ndarray  # [N, 3]

    def __getitem__(self, chosen: np.ndarray) -> Samples:
        return Samples(self.points[chosen], self.normals[chosen])


@dataclass(frozen=True)
class Surface:
    """Triangles [F, 3, 3] to measure to; those without area are left out."""

    triangles: np.ndarray

    @staticmethod
    def of(mesh: Mesh) -> Surface:
        corners = mesh.vertices.double().numpy()[mesh.faces.long().numpy()]
        return Surface(corners[_double_area(corners) > 0])

    @cached_property
    def cross(self) -> np.ndarray:
        t = self.triangles
        return np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])

    @cached_property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        return self.triangles.min((0, 1)), self.triangles.max((0, 1))

    @property
    def diagonal(self) -> float:
        """Of the bounding box."""
        return float(np.linalg.norm(self.box[1] - self.box[0]))

    @property
    def radius(self) -> float:
        """Of the bounding sphere about the centre of the bounding box."""
        return float(np.linalg.norm(self.triangles.reshape(-1, 3) - np.mean(self.box, 0), axis=1).max())

    @cached_property
    def tree(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Triangles along a Morton curve, filled up to 2^k leaves, and the boxes of all nodes, root first."""
        leaves = 1 << max(0, int(np.ceil(np.log2(len(self.triangles) / kernels.LEAF))))
        order = np.argsort(self._morton(), kind="stable")
        corners = self.triangles[np.resize(order, leaves * kernels.LEAF)]  # what is repeated fills the last leaves
        corners[len(order) :] = corners[len(order) - 1]
        boxes = corners.reshape(leaves, -1, 3)
        low, high = [boxes.min(1)], [boxes.max(1)]
        while len(low[0]) > 1:
            low.insert(0, low[0].reshape(-1, 2, 3).min(1))
            high.insert(0, high[0].reshape(-1, 2, 3).max(1))
        return np.ascontiguousarray(corners), np.concatenate(low), np.concatenate(high)

    def _morton(self) -> np.ndarray:
        """Interleaved bits of the triangles' centres on a grid of 1024 per axis."""
        low, high = self.box
        cells = (1023 * (self.triangles.mean(1) - low) / np.maximum(high - low, 1e-30)).astype(np.int64)
        bits = (cells[:, :, None] >> np.arange(10)) & 1
        return (bits << (3 * np.arange(10) + np.arange(3)[:, None])).sum((1, 2))

    def sample(self, count: int, seed: int) -> Samples:
        """Points spread evenly over the area."""
        random = np.random.default_rng(seed)
        area = np.linalg.norm(self.cross, axis=1)
        cumulated = np.cumsum(area)
        drawn = (np.arange(count) + random.random(count)) / count * cumulated[-1]  # stratified
        face = np.minimum(np.searchsorted(cumulated, drawn, side="right"), len(area) - 1)
        u, v = np.sqrt(random.random(count)), random.random(count)
        weights = np.stack([1 - u, u * (1 - v), u * v], 1)
        points = np.einsum("nk,nkx->nx", weights, self.triangles[face])
        return Samples(points, self.cross[face] / area[face][:, None])

    def nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance of each point, and the unit normal of the triangle that is nearest."""
        distance, triangle = np.empty(len(points)), np.empty(len(points), np.int64)
        points = np.ascontiguousarray(points, np.float64)
        parallel.run(
            lambda part: kernels.nearest(points[part], *self.tree, distance[part], triangle[part]),
            _parts(len(points), self.tree),
        )
        corners = self.tree[0][triangle]
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return distance, cross / np.linalg.norm(cross, axis=1, keepdims=True)

    def reached(self, samples: Samples) -> np.ndarray:
        """Which samples of this surface are seen from outside: a straight line leads away from them."""
        found = np.empty(len(samples.points), bool)
        lift = LIFT * float((self.box[1] - self.box[0]).max())
        directions = _directions(DIRECTIONS)
        parallel.run(
            lambda part: kernels.reached(
                samples.points[part], samples.normals[part], directions, lift, *self.tree, found[part]
            ),
            _parts(len(found), self.tree),
        )
        return found


def compare(found: Surface, truth: Surface, samples: int = SAMPLES) -> dict[str, float]:
    """How well `found` fits `truth`: means of both directions.

    `chamfer_pct` in per cent of the truth's diagonal; `p2s`, `f_01` and `f_005` for the truth scaled to the unit
    sphere; `fscore_0.5pct` at half a per cent of the diagonal; `normal_angle_deg` between the normals of the faces.
    `..._visible`: between the parts of both that are seen from outside, as of game assets' hidden inner surfaces.
    """
    on_found, on_truth = found.sample(samples, 0), truth.sample(samples, 1)
    to_truth, to_found = truth.nearest(on_found.points), found.nearest(on_truth.points)
    seen, shown = found.reached(on_found), truth.reached(on_truth)
    result = {}
    for name, first, second in (("", np.ones_like(seen), np.ones_like(shown)), ("_visible", seen, shown)):
        distances = to_truth[0][first], to_found[0][second]
        mean = (distances[0].mean() + distances[1].mean()) / 2
        angles = _angles(on_found.normals, to_truth[1])[first], _angles(on_truth.normals, to_found[1])[second]
        result |= {
            f"chamfer_pct{name}": 100 * mean / truth.diagonal,
            f"p2s{name}": mean / truth.radius,
            f"f_01{name}": _f_score(*distances, 0.01 * truth.radius),
            f"f_005{name}": _f_score(*distances, 0.005 * truth.radius),
            f"fscore_0.5pct{name}": _f_score(*distances, 0.005 * truth.diagonal),
            f"normal_angle_deg{name}": (angles[0].mean() + angles[1].mean()) / 2,
        }
    result |= {"seen_share": seen.mean(), "seen_share_truth": shown.mean()}
    return {key: float(value) for key, value in result.items()}


def _parts(count: int, tree: object) -> list[tuple[slice]]:
    """Chunks; the tree is named so that it exists before threads ask for it."""
    return [(slice(start, min(start + CHUNK, count)),) for start in range(0, count, CHUNK)]


def _f_score(of_found: np.ndarray, of_truth: np.ndarray, limit: float) -> float:
    """Harmonic mean of the shares within the limit."""
    precision, recall = (of_found < limit).mean(), (of_truth < limit).mean()
    return float(2 * precision * recall / max(precision + recall, 1e-12))


def _angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip((first * second).sum(1), -1, 1)))


def _double_area(corners: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)


def _directions(count: int) -> np.ndarray:
    """Evenly spread unit vectors (spherical Fibonacci points), none along an axis."""
    height = 1 - (2 * np.arange(count) + 1) / count
    turn = np.pi * (1 + 5**0.5) * (np.arange(count) + 0.5)
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), height, radius * np.sin(turn)], 1)
