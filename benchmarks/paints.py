"""Colours of objects, as functions of the place on their surface: the same from wherever one looks.

A paint takes points [N, 3] and gives sRGB in [0, 1], [N, 3]. A mark is a region, negative inside as a distance is, and
its colour. The light is soft and stands in the world, so that pictures of two sides agree where they show the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import torch
from solids import Distance, length
from view_scores import OVERSAMPLING

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.mesh import Mesh

LIGHT = np.array([0.3, 0.8, 0.52], np.float32)  # the direction to it, in the world's frame
AMBIENT = 0.8  # brightness where the light is seen edge-on
BATCH = 1 << 15  # points at once, so that they stay in the cache

Paint = Callable[[np.ndarray], np.ndarray]
Mark = tuple[Distance, np.ndarray]


@dataclass(frozen=True)
class Model:
    """A mesh and its paint, in one frame."""

    mesh: Mesh
    paint: Paint

    def placed(self, side: float, radius: float) -> Model:
        """Its bounding box centred, as large as a box of that side and a sphere of that radius let it be."""
        low, high = self.mesh.vertices.amin(0), self.mesh.vertices.amax(0)
        points = self.mesh.vertices - (low + high) / 2
        scale = min(side / float((high - low).max()), radius / float(points.norm(dim=1).max()))
        centre = ((low + high) / 2).numpy()
        return replace(
            self,
            mesh=self.mesh.with_vertices(points * scale),
            paint=lambda places: self.paint(places / np.float32(scale) + centre),
        )


def stream(name: str) -> np.random.Generator:
    """Random numbers of a name."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def clouds(random: np.random.Generator, waves: float) -> Distance:
    """A smooth field of points, within [-1, 1], about `waves` radians per scene unit."""
    vectors, phases = random.normal(size=(3, 4)) * waves, random.uniform(0, 2 * np.pi, 4)

    def field(points: np.ndarray) -> np.ndarray:
        return np.sin(points @ vectors.astype(points.dtype) + phases.astype(points.dtype)).mean(1)

    return field


def stripes(direction: Sequence[float] | np.ndarray, period: float, share: float = 0.5) -> Distance:
    """Bands across a direction; `share` of the surface is inside."""
    vector = np.asarray(direction) / np.linalg.norm(direction)

    def distance(points: np.ndarray) -> np.ndarray:
        place = points @ vector.astype(points.dtype) / period
        return (np.abs(place - np.round(place)) - share / 2) * period

    return distance


def spots(random: np.random.Generator, spacing: float, radius: float) -> Distance:
    """Balls about the points of a turned lattice."""
    turn, shift = np.linalg.qr(random.normal(size=(3, 3)))[0], random.uniform(size=3)

    def distance(points: np.ndarray) -> np.ndarray:
        place = points @ turn.astype(points.dtype) / spacing + shift.astype(points.dtype)
        return length(place - np.round(place)) * spacing - radius

    return distance


def both(*regions: Distance) -> Distance:
    """Where all regions are."""
    return lambda points: reduce(np.maximum, [region(points) for region in regions])


def side(axis: int, sign: int, level: float = 0.0) -> Distance:
    """The half space of the points whose coordinate, times the sign, is above the level."""
    return lambda points: level - sign * points[:, axis]


def palette(random: np.random.Generator, count: int) -> np.ndarray:
    """Colours [count, 3] that differ in hue and brightness, in a random order."""
    hue = (random.uniform() + np.arange(count) / count) % 1
    pure = np.clip(np.abs((hue[:, None] + [0, 2 / 3, 1 / 3]) % 1 * 6 - 3) - 1, 0, 1)
    value, depth = random.uniform(0.45, 0.95, (count, 1)), random.uniform(0.35, 0.8, (count, 1))
    return random.permutation(value * (1 - depth * (1 - pure)))


def painted(parts: Sequence[Mark], marks: Sequence[Mark], random: np.random.Generator) -> Paint:
    """Each point the colour of the part it is nearest to, a little clouded, under the marks, of which the last wins."""
    colours = np.array([colour for _, colour in parts], np.float32)
    haze = clouds(random, 3.0)

    def some(points: np.ndarray) -> np.ndarray:
        nearest = np.argmin([part(points) for part, _ in parts], axis=0)
        shown = colours[nearest]
        for region, colour in marks:
            shown[region(points) < 0] = colour
        return np.clip(shown * (1 + 0.15 * haze(points)[:, None]), 0, 1)

    def paint(points: np.ndarray) -> np.ndarray:
        points = np.asarray(points, np.float32)
        batches = [some(points[start : start + BATCH]) for start in range(0, len(points), BATCH)]
        return np.concatenate([np.zeros((0, 3), np.float32), *batches])

    return paint


def markings(name: str) -> Paint:
    """For any object: patches of four colours with soft and sharp borders, stripes and spots."""
    random = stream(name)
    colours = palette(random, 6)
    patches = [(clouds(random, 2.0), colour) for colour in colours[:4]]
    marks = [
        (both(stripes(random.normal(size=3), 0.16, 0.4), clouds(random, 2.5)), colours[4]),
        (both(spots(random, 0.28, 0.09), clouds(random, 2.5)), colours[5]),
    ]
    return painted(patches, marks, random)


def picture(mesh: Mesh, normals: torch.Tensor, camera: Camera, size: tuple[int, int], paint: Paint) -> np.ndarray:
    """Colours [H, W, 3] of a mesh, straight (not multiplied by the coverage), zero where nothing is."""
    fine = (OVERSAMPLING * size[0], OVERSAMPLING * size[1])
    clip = raster.transform(mesh.vertices, torch.from_numpy(camera.clip_matrix())[None].to(mesh.vertices))
    backend = raster.get("cpu")
    fragments = backend.rasterize(clip, mesh.faces, fine)
    covered = (fragments.face[0] >= 0).numpy()
    points, facing = (
        backend.interpolate(values[None], fragments, mesh.faces)[0].numpy()[covered]
        for values in (mesh.vertices, normals)
    )
    facing = facing / np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
    light = AMBIENT + (1 - AMBIENT) * (facing @ (LIGHT / np.linalg.norm(LIGHT)))
    row, column = (index // OVERSAMPLING for index in np.nonzero(covered))
    pixel, shown = row * size[1] + column, paint(points) * light[:, None]
    total = np.stack([np.bincount(pixel, shown[:, k], size[0] * size[1]) for k in range(3)], 1)
    count = np.bincount(pixel, minlength=size[0] * size[1])
    return (total / np.maximum(count, 1)[:, None]).reshape(*size, 3)
