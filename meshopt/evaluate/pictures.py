"""One view's picture as the corruptions see it, and how pictures are resampled."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32
from scipy import ndimage

from meshopt.cameras import Camera

REFERENCE = 512  # rows of the image in whose pixels strengths are stated
FAINT = 1e-3  # a resampled mask below this is 0


@dataclass(frozen=True, eq=False)
class Picture:
    """One view: unit normals in the WORLD frame and sRGB, both 0 where the mask, in [0, 1], is 0."""

    camera: Camera
    normals: Float32[np.ndarray, "H W 3"]
    mask: Float32[np.ndarray, "H W"]
    rgb: Float32[np.ndarray, "H W 3"] | None

    @property
    def side(self) -> int:
        """The longer side of the image in pixels."""
        return max(self.mask.shape)

    @property
    def pixel(self) -> float:
        """How many of this image's pixels a pixel of an image of 512 is."""
        return self.side / REFERENCE

    @property
    def solid(self) -> Bool[np.ndarray, "H W"]:
        """Where the mask covers at least half a pixel."""
        return self.mask >= 0.5

    @property
    def camera_normals(self) -> Float32[np.ndarray, "H W 3"]:
        """The normals in the camera's frame: x right, y up, z towards the viewer."""
        return self.normals @ self.camera.rotation.T.astype(np.float32)

    def with_normals(self, normals: Float[np.ndarray, "H W 3"]) -> Picture:
        """Other normals in the world, of any length but 0."""
        return replace(self, normals=unit(normals) * (self.mask > 0)[..., None])

    def with_camera_normals(self, normals: Float[np.ndarray, "H W 3"]) -> Picture:
        """Other normals, given in the camera's frame, of any length but 0."""
        return self.with_normals(normals @ self.camera.rotation.astype(np.float32))

    def seen_by(self, camera: Camera) -> Picture:
        """The same picture, normals in the camera's frame and all, said to be another camera's."""
        return replace(self, camera=camera).with_camera_normals(self.camera_normals)


@dataclass(frozen=True, eq=False)
class Change:
    """A view's damaged picture and what was done to it, JSON-able."""

    picture: Picture
    parameters: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Task:
    """What a corruption is asked to do, to these pictures, `chosen` being the one to damage if it is one."""

    pictures: tuple[Picture, ...]
    strength: float
    chosen: int
    random: np.random.Generator
    area: float = 10.0
    """Percent of the object's pixels which a patch covers."""

    @property
    def picture(self) -> Picture:
        """The picture to be damaged."""
        return self.pictures[self.chosen]


Changes = dict[int, Change]


def unit(vectors: Float[np.ndarray, "*S 3"]) -> Float32[np.ndarray, "*S 3"]:
    """Vectors at unit length; what is shorter than 1e-6 becomes 0."""
    v = vectors.astype(np.float32, copy=False)
    square = np.einsum("...i,...i->...", v, v)
    return v * np.where(square > 1e-12, 1 / np.sqrt(np.maximum(square, 1e-12)), 0)[..., None].astype(np.float32)


def crossed(a: Float[np.ndarray, "*#S 3"], b: Float[np.ndarray, "*#S 3"]) -> Float[np.ndarray, "*#S 3"]:
    """The cross product, several times faster than numpy's."""
    (ax, ay, az), (bx, by, bz) = np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0)
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], -1)


def random_direction(random: np.random.Generator) -> Float[np.ndarray, "3"]:
    """A unit vector, uniform on the sphere."""
    vector = random.standard_normal(3)
    return vector / np.linalg.norm(vector)


def moved(picture: Picture, zoom: float, shift: tuple[float, float]) -> Picture:
    """The picture scaled by `zoom` about the image's centre, then shifted by pixels (right, down).

    Bilinear; normals keep their directions.
    """
    height, width = picture.mask.shape
    cx, cy = (width - 1) / 2, (height - 1) / 2
    matrix = np.array([[zoom, 0, cx * (1 - zoom) + shift[0]], [0, zoom, cy * (1 - zoom) + shift[1]]])
    mask = picture.mask[..., None]
    layers = [mask, mask * picture.normals] + ([] if picture.rgb is None else [mask * picture.rgb])
    warped = [cv2.warpAffine(layer, matrix, (width, height), flags=cv2.INTER_LINEAR) for layer in layers]
    return unmixed(replace(picture, mask=np.where(warped[0] > FAINT, np.minimum(warped[0], 1), 0)), *warped)


def unmixed(
    picture: Picture,
    weight: Float[np.ndarray, "H W"],
    normals: Float[np.ndarray, "H W 3"],
    rgb: Float[np.ndarray, "H W 3"] | None = None,
) -> Picture:
    """The picture, its mask kept, with filtered normals and colours, which come multiplied by the filtered
    `weight`; where that is faint, the old ones stay.
    """
    known = (weight > FAINT / 2)[..., None]
    directions = unit(np.where(known, normals, picture.normals))
    colours = None
    if rgb is not None and picture.rgb is not None:
        colours = np.where(known, rgb / np.maximum(weight, FAINT / 2)[..., None], picture.rgb)
        colours = np.clip(colours, 0, 1).astype(np.float32) * (picture.mask > 0)[..., None]
    return replace(picture, normals=directions * (picture.mask > 0)[..., None], rgb=colours)


def spread(picture: Picture) -> tuple[Float32[np.ndarray, "H W 3"], Float32[np.ndarray, "H W 3"] | None]:
    """Normals and colours at all pixels: outside the object those of its nearest pixel."""
    if not picture.solid.any():
        return picture.normals, picture.rgb
    rows, columns = ndimage.distance_transform_edt(~picture.solid, return_distances=False, return_indices=True)
    return picture.normals[rows, columns], None if picture.rgb is None else picture.rgb[rows, columns]
