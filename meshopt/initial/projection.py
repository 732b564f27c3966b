"""A camera in pixels of an image of some size: the form in which the kernels of this package take it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshopt.cameras import Camera


@dataclass(frozen=True, eq=False)
class PixelCamera:
    """A camera and the pixel grid of one image size. Pixel centres have whole numbers as (column, row).

    `matrix` takes a point (x, y, z, 1) to (column * w, row * w, depth), where w is the depth for a perspective camera
    and 1 for an orthographic one. `rays` are six vectors: the ray of pixel (c, r) starts at
    rays[0] + c * rays[1] + r * rays[2] and runs along rays[3] + c * rays[4] + r * rays[5] times the depth.
    """

    camera: Camera
    size: tuple[int, int]
    matrix: Float[np.ndarray, "3 4"]
    rays: Float[np.ndarray, "6 3"]

    @staticmethod
    def of(camera: Camera, height: int, width: int) -> PixelCamera:
        """The camera over an image of `height` rows and `width` columns."""
        right, up, back = camera.rotation
        shift = camera.world_to_camera[:3, 3]
        depth = -np.append(back, shift[2])
        w = depth if camera.projection == "perspective" else np.array([0.0, 0.0, 0.0, 1.0])
        pitch_x, pitch_y = pixel_pitch(camera, height, width)
        middle_x = (camera.centre[0] + 1) / 2 * width - 0.5
        middle_y = (1 - camera.centre[1]) / 2 * height - 0.5
        matrix = np.stack(
            [
                np.append(right, shift[0]) / pitch_x + middle_x * w,
                -np.append(up, shift[1]) / pitch_y + middle_y * w,
                depth,
            ]
        )
        corner = -middle_x * pitch_x * right + middle_y * pitch_y * up
        steps = (pitch_x * right, -pitch_y * up)
        still = np.zeros(3)
        position = camera.position
        if camera.projection == "perspective":
            rays = np.stack([position, still, still, corner - back, *steps])
        else:
            rays = np.stack([position + corner, *steps, -back, still, still])
        return PixelCamera(camera, (height, width), matrix, rays)

    @property
    def perspective(self) -> bool:
        """Whether rays diverge."""
        return self.camera.projection == "perspective"

    @property
    def pitch(self) -> float:
        """Width of a pixel in scene units, where the scene's origin is."""
        distance = max(-float(self.camera.world_to_camera[2, 3]), 1e-6) if self.perspective else 1.0
        return float(np.sqrt(np.prod(pixel_pitch(self.camera, *self.size)))) * distance

    def project(
        self, points: Float[np.ndarray, "*N 3"]
    ) -> tuple[Float[np.ndarray, "*N"], Float[np.ndarray, "*N"], Float[np.ndarray, "*N"]]:
        """Column, row and depth of world points."""
        column, row, depth = np.moveaxis(points @ self.matrix[:, :3].T + self.matrix[:, 3], -1, 0)
        if self.perspective:
            w = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
            return column / w, row / w, depth
        return column, row, depth

    def points(
        self, columns: Float[np.ndarray, "*#N"], rows: Float[np.ndarray, "*#N"], depth: Float[np.ndarray, "*#N"]
    ) -> Float[np.ndarray, "*N 3"]:
        """World points on the rays of pixels, at a depth along the view axis. The arguments are broadcast."""
        c, r, t = columns[..., None], rows[..., None], depth[..., None]
        start = self.rays[0] + c * self.rays[1] + r * self.rays[2]
        return start + t * (self.rays[3] + c * self.rays[4] + r * self.rays[5])


def pixel_pitch(camera: Camera, height: int, width: int) -> tuple[float, float]:
    """Width and height of a pixel: scene units, or tangents for a perspective camera."""
    return 2 * camera.half_extent[0] / width, 2 * camera.half_extent[1] / height


def scaled_size(height: int, width: int, longest: int) -> tuple[int, int]:
    """The size with sides in the same ratio of which the longer one is `longest`."""
    scale = longest / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
