"""Cameras: pose, projection, and what follows from them.

World frame: right-handed, +Y up, the object's front faces +Z. Camera frame: OpenGL (x right, y up, z towards the
viewer). Image: row 0 on top; the centre of the pixel in column i, row j of a W x H image lies at
u = (2i + 1) / W - 1, v = 1 - (2j + 1) / H, both in [-1, 1], v pointing up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

Projection = Literal["orthographic", "perspective"]
SCENE_RADIUS = math.sqrt(3.0)  # the cube [-1, 1] lies inside
ONE_LINE = 0.97  # cosine between the axes of cameras that look along one line, from either end


@dataclass(frozen=True, eq=False)
class Camera:
    """One view's camera.

    `world_to_camera` is rigid (float64). `half_extent` is half the width and height of the image: in scene units for
    an orthographic camera, as tangents of the half field of view for a perspective one. `centre` is where the view
    axis meets the image, in (u, v).
    """

    name: str
    world_to_camera: Float[np.ndarray, "4 4"]
    projection: Projection
    half_extent: tuple[float, float] = (1.0, 1.0)
    centre: tuple[float, float] = (0.0, 0.0)

    @staticmethod
    def orbit(
        name: str,
        azimuth: float,
        elevation: float = 0.0,
        *,
        half_extent: float = 1.0,
        fov: float | None = None,
        distance: float | None = None,
    ) -> Camera:
        """A camera that looks at the origin, up = +Y.

        `azimuth` in degrees counter-clockwise seen from above (0 on +Z, 90 on +X), `elevation` in degrees upwards.
        With `fov` (full vertical angle, degrees) the camera is perspective at `distance` (scene units; by default
        so far that the unit sphere just fits); otherwise orthographic with `half_extent`.
        """
        a, e = math.radians(azimuth), math.radians(elevation)
        back = np.array([math.sin(a) * math.cos(e), math.sin(e), math.cos(a) * math.cos(e)])
        right = np.array([math.cos(a), 0.0, -math.sin(a)])
        pose = np.eye(4)
        pose[:3, :3] = np.stack([right, np.cross(back, right), back])
        if fov is None:
            pose[2, 3] = -(distance if distance is not None else 10.0)
            return Camera(name, pose, "orthographic", (half_extent, half_extent))
        tangent = math.tan(math.radians(fov) / 2)
        pose[2, 3] = -(distance if distance is not None else 1.0 / tangent)
        return Camera(name, pose, "perspective", (tangent, tangent))

    @property
    def rotation(self) -> Float[np.ndarray, "3 3"]:
        """World to camera; its rows are the camera's right, up and back axes in the world."""
        return self.world_to_camera[:3, :3]

    @property
    def position(self) -> Float[np.ndarray, "3"]:
        """The camera's centre in the world (for an orthographic camera: a point on its axis)."""
        return -self.rotation.T @ self.world_to_camera[:3, 3]

    @property
    def eye(self) -> Float[np.ndarray, "4"]:
        """The viewer, homogeneous: the centre and 1, or the direction towards one infinitely far away and 0."""
        if self.projection == "perspective":
            return np.append(self.position, 1.0)
        return np.append(self.rotation[2], 0.0)

    @property
    def azimuth(self) -> float:
        """Degrees in [0, 360): where the camera stands around +Y."""
        back = self.rotation[2]
        return math.degrees(math.atan2(back[0], back[2])) % 360.0

    @property
    def elevation(self) -> float:
        """Degrees in [-90, 90]: how far above the horizon the camera stands."""
        return math.degrees(math.asin(float(np.clip(self.rotation[2, 1], -1.0, 1.0))))

    def clip_matrix(self, radius: float = SCENE_RADIUS) -> Float[np.ndarray, "4 4"]:
        """World to clip space (float64). Clip y points DOWN, so that row 0 of a raster is the top of the image.

        Depth spans the sphere of `radius` about the origin: z/w = -1 nearest, +1 farthest.
        """
        middle = -float(self.world_to_camera[2, 3])  # distance of the origin along the view axis
        (hx, hy), (cx, cy) = self.half_extent, self.centre
        m = np.zeros((4, 4))
        if self.projection == "orthographic":
            m[0, 0], m[0, 3] = 1 / hx, cx
            m[1, 1], m[1, 3] = -1 / hy, -cy
            m[2, 2], m[2, 3] = -1 / radius, -middle / radius
            m[3, 3] = 1.0
        else:
            far = middle + radius
            near = max(middle - radius, 0.02 * far)
            m[0, 0], m[0, 2] = 1 / hx, -cx
            m[1, 1], m[1, 2] = -1 / hy, cy
            m[2, 2], m[2, 3] = -(far + near) / (far - near), -2 * far * near / (far - near)
            m[3, 2] = -1.0
        return m @ self.world_to_camera

    def project(self, points: Float[np.ndarray, "N 3"]) -> tuple[Float[np.ndarray, "N 2"], Float[np.ndarray, "N"]]:
        """World points to (u, v) in [-1, 1] inside the image (v up), and depth along the view axis, scene units."""
        p = points @ self.rotation.T + self.world_to_camera[:3, 3]
        depth = -p[:, 2]
        scale = np.asarray(self.half_extent)
        xy = p[:, :2] / scale if self.projection == "orthographic" else p[:, :2] / (scale * depth[:, None])
        return xy + np.asarray(self.centre), depth

    def rays(self, height: int, width: int) -> tuple[Float[np.ndarray, "H W 3"], Float[np.ndarray, "H W 3"]]:
        """Origins and directions through the pixel centres, in the world: origin + depth * direction.

        Directions are scaled so that `depth` is measured along the view axis, as `project` returns it.
        """
        u = (2 * np.arange(width) + 1) / width - 1 - self.centre[0]
        v = 1 - (2 * np.arange(height) + 1) / height - self.centre[1]
        plane = np.zeros((height, width, 3))
        plane[..., 0] = u[None, :] * self.half_extent[0]
        plane[..., 1] = v[:, None] * self.half_extent[1]
        right_up_back = self.rotation
        if self.projection == "orthographic":
            directions = np.broadcast_to(-right_up_back[2], plane.shape).copy()
            return self.position + plane @ right_up_back, directions
        plane[..., 2] = -1.0
        return np.broadcast_to(self.position, plane.shape).copy(), plane @ right_up_back

    def towards_eye(self, height: int, width: int) -> Float[np.ndarray, "H W 3"]:
        """From the surface that each pixel shows to the eye, in the camera's frame, z = 1: (0, 0, 1) where rays are
        parallel."""
        towards = np.zeros((height, width, 3))
        towards[..., 2] = 1.0
        if self.projection == "perspective":
            (hx, hy), (cx, cy) = self.half_extent, self.centre
            towards[..., 0] = -hx * ((2 * np.arange(width) + 1) / width - 1 - cx)[None, :]
            towards[..., 1] = -hy * (1 - (2 * np.arange(height) + 1) / height - cy)[:, None]
        return towards

    def raised(self, degrees: float) -> Camera:
        """The camera turned about its right axis to stand so much higher, the scene's origin where it was in the
        image."""
        angle = math.radians(degrees)
        pose = self.world_to_camera.copy()
        pose[1:3, :3] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]] @ pose[1:3, :3]
        return replace(self, world_to_camera=pose)

    def transformed(self, scale: float, offset: Float[np.ndarray, "3"]) -> Camera:
        """The camera for a scene whose points have become `scale * (point - offset)`."""
        pose = self.world_to_camera.copy()
        pose[:3, 3] = scale * (pose[:3, 3] + self.rotation @ offset)
        if self.projection == "perspective":
            return replace(self, world_to_camera=pose)
        width, height = self.half_extent
        return replace(self, world_to_camera=pose, half_extent=(scale * width, scale * height))


def along_one_line(cameras: Sequence[Camera]) -> bool:
    """Whether all look along one line, from either end: together they show no depth."""
    axes = np.stack([camera.rotation[2] for camera in cameras])
    return bool((np.abs(axes @ axes[0]) > ONE_LINE).all())
