"""The views as the checks look at them: small, in each camera's frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Bool, Float

from meshopt.cameras import Camera
from meshopt.curl import bending
from meshopt.frames.evidence import outline
from meshopt.initial.projection import scaled_size
from meshopt.views import ViewSet

SIZE = 256  # pixels of the longer side, at most


@dataclass(frozen=True, eq=False)
class Observation:
    """One view over h x w pixels.

    `normals` are unit and in the camera's frame (x right, y up, z to the viewer), 0 where unknown; `mask` is coverage
    in [0, 1]; `rgb` is sRGB in [0, 1], straight, where there is any.
    """

    number: int
    camera: Camera
    normals: Float[np.ndarray, "h w 3"]
    mask: Float[np.ndarray, "h w"]
    rgb: Float[np.ndarray, "h w 3"] | None

    @property
    def name(self) -> str:
        """The view's name."""
        return self.camera.name

    @cached_property
    def known(self) -> Bool[np.ndarray, "h w"]:
        """Pixels that have a normal."""
        return np.abs(self.normals).max(axis=-1) > 0

    @cached_property
    def solid(self) -> Bool[np.ndarray, "h w"]:
        """Pixels that are wholly covered and have a normal."""
        return self.known & (self.mask > 0.99)

    @cached_property
    def towards(self) -> Float[np.ndarray, "h w 3"]:
        """`Camera.towards_eye` of every pixel."""
        return self.camera.towards_eye(*self.mask.shape)

    @cached_property
    def outline(self) -> tuple[Bool[np.ndarray, "h w"], Float[np.ndarray, "h w 3"]]:
        """Pixels along the outline that have a normal, and the outward one of the outline."""
        at, outward = outline(self.mask, self.towards)
        return at & self.known, outward

    @cached_property
    def bending(self) -> float:
        """`meshopt.curl.bending` of the normals, degrees."""
        return bending(self.normals, self.solid, self.towards)


def observe(views: ViewSet, size: int = SIZE) -> tuple[Observation, ...]:
    """Every view, averaged down so that its longer side has at most `size` pixels."""
    normals, masks = (t.detach().cpu().float().numpy() for t in (views.normals, views.masks))
    rgb = None if views.rgb is None else views.rgb.detach().cpu().float().numpy()
    return tuple(
        _reduced(i, camera, normals[i], masks[i], None if rgb is None else rgb[i], size)
        for i, camera in enumerate(views.cameras)
    )


def _reduced(
    number: int, camera: Camera, normals: np.ndarray, mask: np.ndarray, rgb: np.ndarray | None, size: int
) -> Observation:
    height, width = mask.shape
    shape = scaled_size(height, width, min(size, max(height, width)))[::-1]  # as OpenCV has it
    cover = mask[..., None]
    layers = [normals * cover, cover] + ([] if rgb is None else [rgb * cover])
    small = np.dstack([cv2.resize(layer, shape, interpolation=cv2.INTER_AREA) for layer in layers])
    coverage = small[..., 3]
    length = np.linalg.norm(small[..., :3], axis=-1)
    known = (coverage > 0.5) & (length > 0.5 * coverage)
    unit = np.where(known[..., None], small[..., :3] / np.maximum(length, 1e-6)[..., None], 0.0)
    local = unit @ camera.rotation.T.astype(np.float32)
    colour = None if rgb is None else small[..., 4:] / np.maximum(coverage, 1e-3)[..., None]
    return Observation(number, camera, local, coverage, colour)
