"""A scalar field on a regular grid over the scene, positive inside the object, and what all stages do with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from scipy import ndimage

from meshopt import parallel
from meshopt.initial import field_kernels as kernels
from meshopt.initial.projection import PixelCamera
from meshopt.initial.tetrahedra import marching_tetrahedra
from meshopt.mesh import Mesh

SLABS = 8  # parts of a grid that threads work on
NEIGHBOURS = np.array(  # along the edges of the tetrahedra that `marching_tetrahedra` cuts cells into
    [
        [[1, 1, 0], [1, 1, 0], [0, 0, 0]],
        [[1, 1, 0], [1, 1, 1], [0, 1, 1]],
        [[0, 0, 0], [0, 1, 1], [0, 1, 1]],
    ]
)


@dataclass(frozen=True, eq=False)
class Field:
    """`values` [X,Y,Z] at origin + spacing * (i, j, k), scene units: about the signed distance, positive inside."""

    values: Float32[np.ndarray, "X Y Z"]
    origin: Float[np.ndarray, "3"]
    spacing: float

    def with_values(self, values: Float[np.ndarray, "X Y Z"]) -> Field:
        """Another field on the same grid."""
        return replace(self, values=np.ascontiguousarray(values, np.float32))

    @property
    def inside(self) -> Bool[np.ndarray, "X Y Z"]:
        """Which samples are inside the object."""
        return self.values > 0

    @property
    def slabs(self) -> list[tuple[int, int]]:
        """Ranges of the first axis to work on side by side."""
        ends = np.linspace(0, len(self.values), min(SLABS, len(self.values)) + 1).astype(int)
        return [(int(a), int(b)) for a, b in pairwise(ends)]

    def points(self, index: Int[np.ndarray, "*N 3"]) -> Float[np.ndarray, "*N 3"]:
        """Where samples stand in the scene."""
        return self.origin + self.spacing * index

    def cast(self, camera: PixelCamera, columns: np.ndarray, rows: np.ndarray, step: float = 0.5) -> RayHits:
        """What the rays of pixels [P] meet, sampled every `step` grid spacings."""
        found = np.empty((len(columns), 4))
        kernels.cast(self.values, self.origin, self.spacing, camera.rays, columns, rows, step, found)
        return RayHits(*found.T)

    def at(self, points: Float[np.ndarray, "*N 3"]) -> Float[np.ndarray, "*N"]:
        """Values at points of the scene, trilinear; far outside off the grid."""
        place = (points - self.origin) / self.spacing
        flat = place.reshape(-1, 3).T
        found = ndimage.map_coordinates(self.values, flat, order=1, mode="constant", cval=kernels.OUTSIDE)
        return found.reshape(points.shape[:-1])

    def mesh(self) -> Mesh:
        """The surface, closed and 2-manifold."""
        vertices, faces = marching_tetrahedra(self.values, self.origin, self.spacing)
        return Mesh(torch.from_numpy(vertices), torch.from_numpy(faces))


@dataclass(frozen=True, eq=False)
class RayHits:
    """For each of P rays: depths of the first entry and of the last exit (inf, -inf where the ray stays outside), the
    largest value of the field on it, and its depth."""

    first: Float[np.ndarray, "P"]
    last: Float[np.ndarray, "P"]
    best: Float[np.ndarray, "P"]
    best_depth: Float[np.ndarray, "P"]


def grid_over(low: Float[np.ndarray, "3"], high: Float[np.ndarray, "3"], spacing: float) -> Field:
    """An empty field that covers a box: samples at odd multiples of half the spacing, one more all around."""
    first = np.floor(low / spacing - 0.5).astype(int)
    last = np.ceil(high / spacing - 0.5).astype(int)
    shape = np.maximum(last - first + 1, 2)
    return Field(np.full(shape, kernels.OUTSIDE, np.float32), (first + 0.5) * spacing, spacing)


def carve(field: Field, camera: PixelCamera, depth: np.ndarray, cosine: np.ndarray, jump: float) -> None:
    """Lowers the field IN PLACE to the signed distance behind a depth map; see `field_kernels.carve`."""
    common = (field.values, field.origin, field.spacing, depth, cosine, camera.matrix, camera.perspective)
    reach = 1.5 * field.spacing
    parallel.run(kernels.carve, [(*common, jump, reach, begin, end) for begin, end in field.slabs])


def smoothed(field: Field, sigma: float) -> Field:
    """The field after a Gaussian of `sigma` grid spacings, cut off beyond four spacings from the surface."""
    if sigma <= 0:
        return field
    band = 4 * field.spacing
    clipped = np.clip(field.values, -band, band)
    return field.with_values(ndimage.gaussian_filter(clipped, sigma, mode="nearest"))


def without_voids(field: Field) -> Field:
    """The field without hollows that no outside sample is connected to."""
    padded = np.pad(~field.inside, 1, constant_values=True)
    labels, count = ndimage.label(padded, NEIGHBOURS)
    if count <= 1:
        return field
    hollow = (labels[1:-1, 1:-1, 1:-1] > 0) & (labels[1:-1, 1:-1, 1:-1] != labels[0, 0, 0])
    return field.with_values(np.where(hollow, 0.5 * field.spacing, field.values))
