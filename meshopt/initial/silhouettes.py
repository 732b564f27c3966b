"""Masks as signed distances in the image, and the views in the form in which the initial mesh needs them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32
from scipy import ndimage

from meshopt.cameras import Camera
from meshopt.initial.projection import PixelCamera, scaled_size


@dataclass(frozen=True, eq=False)
class Outline:
    """One view's silhouette. `distance` is signed, in pixels, positive inside, with one more pixel around the image:
    beyond the image's border there is no object."""

    number: int
    name: str
    camera: PixelCamera
    mask: Float32[np.ndarray, "H W"]
    distance: Float32[np.ndarray, "H+2 W+2"]

    @staticmethod
    def of(number: int, camera: Camera, mask: Float32[np.ndarray, "H W"]) -> Outline:
        """The outline of view `number`'s mask (coverage in [0, 1])."""
        return Outline(number, camera.name, PixelCamera.of(camera, *mask.shape), mask, signed_distance(mask))

    def pixels(self, longest: int) -> tuple[PixelCamera, Bool[np.ndarray, "h w"]]:
        """The camera and the covered pixels at a lower resolution."""
        size = scaled_size(self.mask.shape[0], self.mask.shape[1], min(longest, max(self.mask.shape)))
        return PixelCamera.of(self.camera.camera, *size), resized(self.mask, size) > 0.5

    def thin_share(self, width: float) -> float:
        """Share of the silhouette's area in parts thinner than `width`, scene units at the origin's depth."""
        camera, inside = self.camera.camera, self.distance[1:-1, 1:-1] > 0
        height = 2 * camera.half_extent[1]
        if camera.projection != "orthographic":
            height *= abs(float(camera.world_to_camera[2, 3]))
        radius = 0.5 * width / (height / len(inside))
        core = self.distance[1:-1, 1:-1] >= radius
        if not core.any():
            return float(inside.any())
        away = cv2.distanceTransform((~core).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return float((inside & (away > radius + 1.0)).sum() / inside.sum())


def signed_distance(mask: Float32[np.ndarray, "H W"]) -> Float32[np.ndarray, "H+2 W+2"]:
    """Distance in pixels to the line where coverage is one half, positive inside; 0 beyond the image counts as outside.

    Within half a pixel of the line it follows the coverage itself, so that it is exact below a pixel.
    """
    padded = np.pad(mask, 1)
    inside = (padded > 0.5).astype(np.uint8)
    if not inside.any():
        return np.full(padded.shape, -float(max(mask.shape)), np.float32)
    within = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    beyond = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    distance = np.where(inside > 0, within - 0.5, 0.5 - beyond).astype(np.float32)
    rim = np.abs(distance) < 0.6
    return np.where(rim, np.clip(padded - 0.5, -0.5, 0.5), distance).astype(np.float32)


def resized(image: Float32[np.ndarray, "H W *C"], size: tuple[int, int]) -> Float32[np.ndarray, "h w *C"]:
    """The image averaged down (or interpolated up) to (rows, columns)."""
    if image.shape[:2] == size:
        return image
    smaller = size[0] <= image.shape[0] and size[1] <= image.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(image, (size[1], size[0]), interpolation=way)


def voxel_distance(inside: Bool[np.ndarray, "X Y Z"]) -> Float32[np.ndarray, "X Y Z"]:
    """Signed distance in samples to the border between inside (positive) and outside."""
    padded = np.pad(inside, 1)
    within, beyond = (ndimage.distance_transform_edt(part) for part in (padded, ~padded))
    return np.where(padded, within - 0.5, 0.5 - beyond)[1:-1, 1:-1, 1:-1].astype(np.float32)
