"""A surface to measure to: points spread over it, exact distances to its triangles, and what is seen from outside.

Any triangles will do: open, non-manifold, in several parts. All float64, the same on any number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from meshopt import parallel
from meshopt.errors import InputError
from meshopt.evaluate import surface_kernels as kernels
from meshopt.mesh import Mesh

DIRECTIONS, CHUNK = 32, 4096
LIFT = 1e-4  # of the largest side: how far above the surface its rays start


@dataclass(frozen=True)
class Samples:
    """Points on a surface and the unit normals of the faces they lie on."""

    points: Float64[np.ndarray, "N 3"]
    normals: Float64[np.ndarray, "N 3"]

    def __getitem__(self, chosen: Bool[np.ndarray, "N"] | slice) -> Samples:
        return Samples(self.points[chosen], self.normals[chosen])

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True)
class Nearest:
    """Of some points: the distance to a surface, the place there, and the unit normal of the triangle it lies in."""

    distance: Float64[np.ndarray, "N"]
    points: Float64[np.ndarray, "N 3"]
    normals: Float64[np.ndarray, "N 3"]


@dataclass(frozen=True)
class Surface:
    """Triangles with area."""

    triangles: Float64[np.ndarray, "F 3 3"]

    @staticmethod
    def of(mesh: Mesh, name: str = "the mesh") -> Surface:
        """The faces that have area; `name` is for messages. Raises InputError where there are none, and for what is no
        mesh."""
        if not len(mesh.faces):
            raise InputError(f"{name} has no faces, expected a triangle mesh.")
        points, faces = mesh.vertices.detach().cpu().double().numpy(), mesh.faces.cpu().long().numpy()
        if faces.min() < 0 or faces.max() >= len(points):
            found = f"{faces.min()} to {faces.max()}"
            raise InputError(f"{name} has faces with the vertices {found}, expected 0 to {len(points) - 1}.")
        corners = points[faces]
        if not np.isfinite(corners).all():
            raise InputError(f"{name} has vertices that are NaN or infinite, expected finite coordinates.")
        whole = _double_area(corners) > 0
        if not whole.any():
            raise InputError(f"all {len(whole)} faces of {name} are without area, expected a surface.")
        return Surface(corners[whole])

    @cached_property
    def cross(self) -> Float64[np.ndarray, "F 3"]:
        """The triangles' normals, twice as long as their area."""
        t = self.triangles
        return np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])

    @cached_property
    def area(self) -> float:
        """Of one side."""
        return float(np.linalg.norm(self.cross, axis=1).sum() / 2)

    @cached_property
    def box(self) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
        """Least and greatest coordinates."""
        return self.triangles.min((0, 1)), self.triangles.max((0, 1))

    @property
    def centre(self) -> Float64[np.ndarray, "3"]:
        """Of the bounding box."""
        return (self.box[0] + self.box[1]) / 2

    @property
    def side(self) -> float:
        """The largest of the bounding box."""
        return float((self.box[1] - self.box[0]).max())

    @property
    def diagonal(self) -> float:
        """Of the bounding box."""
        return float(np.linalg.norm(self.box[1] - self.box[0]))

    @cached_property
    def radius(self) -> float:
        """Of the bounding sphere about the centre of the bounding box."""
        return float(np.linalg.norm(self.triangles.reshape(-1, 3) - self.centre, axis=1).max())

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

    def _morton(self) -> Int[np.ndarray, "F"]:
        """Interleaved bits of the triangles' centres on a grid of 1024 per axis."""
        low, high = self.box
        cells = (1023 * (self.triangles.mean(1) - low) / np.maximum(high - low, 1e-30)).astype(np.int64)
        bits = (cells[:, :, None] >> np.arange(10)) & 1
        return (bits << (3 * np.arange(10) + np.arange(3)[:, None])).sum((1, 2))

    def sample(self, count: int, seed: int) -> Samples:
        """Points spread evenly over the area, one in each of `count` parts of equal area along the list of faces."""
        area = np.linalg.norm(self.cross, axis=1)
        face, weights = spread(area, count, seed)
        points = np.einsum("nk,nkx->nx", weights, self.triangles[face])
        return Samples(points, self.cross[face] / area[face][:, None])

    def nearest(self, points: Float[np.ndarray, "N 3"]) -> Nearest:
        """The nearest place on the surface for each point; exact, not from samples."""
        points = np.ascontiguousarray(points, np.float64)
        distance, triangle = np.empty(len(points)), np.empty(len(points), np.int64)
        places = np.empty_like(points)
        parallel.run(
            lambda part: kernels.nearest(points[part], *self.tree, distance[part], triangle[part], places[part]),
            _parts(len(points), self.tree),
        )
        corners = self.tree[0][triangle]
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return Nearest(distance, places, cross / np.linalg.norm(cross, axis=1, keepdims=True))

    def reached(self, samples: Samples) -> Bool[np.ndarray, "N"]:
        """Which samples of this surface are seen from outside: one of 32 straight lines leads away from them."""
        found = np.empty(len(samples), bool)
        lift, directions = LIFT * self.side, _directions(DIRECTIONS)
        parallel.run(
            lambda part: kernels.reached(
                samples.points[part], samples.normals[part], directions, lift, *self.tree, found[part]
            ),
            _parts(len(found), self.tree),
        )
        return found


def spread(
    area: Float[np.ndarray, "F"], count: int, seed: int
) -> tuple[Int[np.ndarray, "N"], Float64[np.ndarray, "N 3"]]:
    """Triangles by their area, one in each of `count` equal parts of it, and barycentric weights of places in them."""
    random = np.random.default_rng(seed)
    cumulated = np.cumsum(area)
    drawn = (np.arange(count) + random.random(count)) / count * cumulated[-1]
    face = np.minimum(np.searchsorted(cumulated, drawn, side="right"), len(area) - 1)
    u, v = np.sqrt(random.random(count)), random.random(count)
    return face, np.stack([1 - u, u * (1 - v), u * v], 1)


def _parts(count: int, tree: object) -> list[tuple[slice]]:
    """Chunks; the tree is named so that it exists before threads ask for it."""
    return [(slice(start, min(start + CHUNK, count)),) for start in range(0, count, CHUNK)]


def _double_area(corners: Float[np.ndarray, "F 3 3"]) -> Float[np.ndarray, "F"]:
    return np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)


def _directions(count: int) -> Float64[np.ndarray, "D 3"]:
    """Evenly spread unit vectors (spherical Fibonacci points), none along an axis."""
    height = 1 - (2 * np.arange(count) + 1) / count
    turn = np.pi * (1 + 5**0.5) * (np.arange(count) + 0.5)
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), height, radius * np.sin(turn)], 1)
