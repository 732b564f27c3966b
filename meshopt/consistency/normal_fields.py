"""Whether a view's normals are those of a surface: the curl of their slopes, and the outline's own normals.

Slopes of a surface have no curl. It is taken bilinear in the normals, over the four corners of every plaquette, without
dividing by z: B(n, dx, dy) = (n t)(dy_x - dx_y) - n_x (dy t) + n_y (dx t), t towards the eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int

from meshopt.consistency.observation import Observation

PIXELS = 3000  # of the object, at most: finer views are averaged down
LEAST_NOISE = 0.004  # curl that counts as none
LEAST_RIM = 0.05  # component along the outline that counts as none
GROSS = 0.25  # of either: larger is an occlusion, and counts less and less
OUTLINE_BLUR = 1.2  # pixels
OUTWARD = 0.3, 0.6  # outward component from and up to which a normal at the outline is taken for an outline's

CORNERS = ((-1, 1), (1, 1), (-1, -1), (1, -1))  # x to the right, y up; in the order 00, 01, 10, 11 of (row, column)


@dataclass(frozen=True, eq=False)
class NormalField:
    """A view's normals where its object is, in the camera's frame.

    `whole`: plaquettes whose corners are all covered. `tangent`: along the outline; `rim`: its length in each pixel, 0
    elsewhere and where the normals do not look like an outline's. `noise`: typical curl. `origin`: of the crop.
    """

    normals: Float[np.ndarray, "h w 3"]
    inside: Bool[np.ndarray, "h w"]
    towards: Float[np.ndarray, "h w 3"]
    whole: Bool[np.ndarray, "rows columns"]
    tangent: Float[np.ndarray, "h w 3"]
    rim: Float[np.ndarray, "h w"]
    noise: float

    def cut(self, rows: slice, columns: slice) -> NormalField:
        """A window of it."""
        shorter = slice(rows.start, rows.stop - 1), slice(columns.start, columns.stop - 1)
        part = rows, columns
        return NormalField(
            self.normals[part],
            self.inside[part],
            self.towards[part],
            self.whole[shorter],
            self.tangent[part],
            self.rim[part],
            self.noise,
        )

    @cached_property
    def plaquettes(self) -> Int[np.ndarray, "4 K"]:
        """Flat indices of the corners of whole plaquettes."""
        width = self.inside.shape[1]
        first = np.flatnonzero(np.pad(self.whole, ((0, 1), (0, 1))))
        return first + np.array([0, 1, width, width + 1])[:, None]

    @cached_property
    def outline(self) -> Int[np.ndarray, "R"]:
        """Flat indices of the pixels with a part of the outline."""
        return np.flatnonzero(self.rim)

    def residuals(self, normals: Float[np.ndarray, "h w 3"]) -> Residuals:
        """Curl and rim components of other normals in place of these."""
        flat, eye = normals.reshape(-1, 3), self.towards.reshape(-1, 3)[self.plaquettes[0]]
        corner = flat[self.plaquettes]
        mean = corner.mean(axis=0)
        dx = (corner[1] + corner[3] - corner[0] - corner[2]) / 2
        dy = (corner[0] + corner[1] - corner[2] - corner[3]) / 2
        facing, x_eye, y_eye = ((a * eye).sum(axis=-1) for a in (mean, dx, dy))
        twist = dy[:, 0] - dx[:, 1]
        curl = facing * twist - mean[:, 0] * y_eye + mean[:, 1] * x_eye
        by_mean = eye * twist[:, None]
        by_mean[:, 0] -= y_eye
        by_mean[:, 1] += x_eye
        by_dx = mean[:, 1:2] * eye
        by_dx[:, 1] -= facing
        by_dy = -mean[:, 0:1] * eye
        by_dy[:, 0] += facing
        slope = np.stack([by_mean / 4 + sx * by_dx / 2 + sy * by_dy / 2 for sx, sy in CORNERS])
        tangent = self.tangent.reshape(-1, 3)[self.outline]
        return Residuals(curl, slope, (flat[self.outline] * tangent).sum(axis=-1), tangent)


@dataclass(frozen=True, eq=False)
class Residuals:
    """Of every whole plaquette its curl and that one's derivatives by the corners' normals; of every pixel of the
    outline the normal's component along it and its derivative.
    """

    curl: Float[np.ndarray, "K"]
    slope: Float[np.ndarray, "4 K 3"]
    along: Float[np.ndarray, "R"]
    tangent: Float[np.ndarray, "R 3"]

    def weights(self, field: NormalField) -> Float[np.ndarray, "D"]:
        """Of least squares that amount to a robust norm: linear beyond the noise, and saturating."""
        rim = field.rim.ravel()[field.outline]
        return np.concatenate([robust(self.curl, field.noise), rim * robust(self.along, max(LEAST_RIM, field.noise))])

    def moved(self, change: Float[np.ndarray, "D"]) -> Residuals:
        """With other values, to first order."""
        count = len(self.curl)
        return Residuals(self.curl + change[:count], self.slope, self.along + change[count:], self.tangent)

    @property
    def all(self) -> Float[np.ndarray, "D"]:
        return np.concatenate([self.curl, self.along])


def robust(residual: np.ndarray, least: float) -> np.ndarray:
    """Weight of a residual in reweighted least squares."""
    return 1.0 / (np.sqrt(residual**2 + least**2) * (1 + (residual / GROSS) ** 2))


def normal_field(observation: Observation) -> tuple[NormalField, tuple[slice, slice]] | None:
    """The view's object at up to `PIXELS` pixels, and the rows and columns of the observation that it was cut from.

    None where there is too little of it.
    """
    present = observation.mask > 0.5
    if present.sum() < 100:
        return None
    rows, columns = (_span(np.any(present, axis=axis)) for axis in (1, 0))
    scale = min(1.0, float(np.sqrt(PIXELS / present.sum())))
    shape = tuple(max(8, round((s.stop - s.start) * scale)) for s in (columns, rows))
    cover = observation.mask[..., None]
    layers = (observation.normals * cover, observation.mask, observation.towards)
    sums, mask, towards = (shrunk(layer[rows, columns], shape) for layer in layers)
    length = np.linalg.norm(sums, axis=-1)
    normals = np.where((length > 0.5)[..., None], sums / np.maximum(length, 1e-6)[..., None], 0.0)
    solid = (mask > 0.98) & (length > 0.5)
    whole = solid[:-1, :-1] & solid[:-1, 1:] & solid[1:, :-1] & solid[1:, 1:]
    if whole.sum() < 50:
        return None
    inside = (mask > 0.5) & (length > 0.5)
    tangent, rim = _outline(mask, normals, inside)
    field = NormalField(normals, inside, towards, whole, tangent, rim, LEAST_NOISE)
    noise = 1.4826 * float(np.median(np.abs(field.residuals(normals).curl)))
    return NormalField(normals, inside, towards, whole, tangent, rim, max(noise, LEAST_NOISE)), (rows, columns)


def shrunk(layer: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Averaged to (columns, rows)."""
    small = cv2.resize(np.ascontiguousarray(layer, np.float32), shape[:2], interpolation=cv2.INTER_AREA)
    return small.astype(np.float64)


def _span(present: np.ndarray) -> slice:
    places = np.flatnonzero(present)
    return slice(max(int(places[0]) - 2, 0), min(int(places[-1]) + 3, len(present)))


def _outline(mask: np.ndarray, normals: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit tangents of the outline, and its length in each pixel."""
    smooth = cv2.GaussianBlur(mask, (0, 0), OUTLINE_BLUR, borderType=cv2.BORDER_REPLICATE)
    down, right = np.gradient(smooth)
    steep = np.hypot(right, down)
    inward = np.stack([right, -down], axis=-1) / np.maximum(steep, 1e-6)[..., None]
    outward = -(normals[..., :2] * inward).sum(axis=-1)
    likely = np.clip((outward - OUTWARD[0]) / (OUTWARD[1] - OUTWARD[0]), 0, 1)
    rim = np.where((steep > 0.15) & inside, steep * likely, 0.0)
    tangent = np.stack([-inward[..., 1], inward[..., 0], np.zeros_like(steep)], axis=-1)
    return tangent, rim
