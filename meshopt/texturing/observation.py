"""What each view says of points of a surface, and how surely: not hidden, not close to a border, seen frontally."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32

from meshopt import parallel, raster
from meshopt.cameras import Camera
from meshopt.mesh import Mesh
from meshopt.raster.cpu import CpuRasterizer
from meshopt.texturing import observation_kernels
from meshopt.texturing.pixels import nearest_known
from meshopt.views import ViewSet

FINER = 2  # times finer than the views are the depth maps that tell what is hidden, ...
FINEST = 2048  # ... unless that were more rows
TOLERANCE = 1.5  # pixels by which a point may lie behind the surface that a pixel shows
JUMP = 6.0  # pixels: a larger step of depth from one pixel to the next is a border
RAMP = 5.0  # pixels of 512 from a border to where a view is fully trusted
LEAST_RAMP = 4.0  # pixels, however coarse the views are: their borders are mixed with what lies behind
LEAST = 0.02  # trust right at a border: where nothing better is to be had
LEAST_COSINE = 0.1  # to the eye
RIM = 2  # outermost pixels of an object, whose colours are not taken where there are others within as many
SURE = 0.95  # coverage of a pixel that shows nothing of the background
CHUNK = 65536  # points of one task


@dataclass(frozen=True)
class Observation:
    """Of P points in V views, what the images show and how it counts.

    `sure` says whether a point is seen (0: not, 1: frontally and far from borders), whatever the other views do;
    `weight`, how much a view counts against the others at the same point: as it is sure, by its resolution there, and
    by how far it is trusted.
    """

    sure: Float32[np.ndarray, "V P"]
    weight: Float32[np.ndarray, "V P"]
    color: Float32[np.ndarray, "V P C"]

    def trusted(self, trust: Float[np.ndarray, " V"]) -> Observation:
        """With the views' weights multiplied; one with 0 sees nothing."""
        share = trust[:, None].astype(np.float32)
        return replace(self, sure=self.sure * (share > 0), weight=self.weight * share)


class Observer:
    """Looks at points of a mesh in all views."""

    def __init__(self, mesh: Mesh, views: ViewSet, images: Float[np.ndarray, "V H W C"]) -> None:
        """`images`: what the views show, valid inside the masks."""
        rows, columns = views.resolution
        finer = max(1, min(FINER, FINEST // max(rows, columns)))
        masks = self.masks = views.masks.cpu().float().numpy()
        self.depths = depth_maps(mesh, views.cameras, (rows * finer, columns * finer))
        self.pixels = np.array([_pixel_size(camera, rows) for camera in views.cameras])
        self.borders = np.stack([
            trust(depth, mask, pixel / finer, finer * max(RAMP * rows / 512, LEAST_RAMP))
            for depth, mask, pixel in zip(self.depths, masks, self.pixels, strict=True)
        ])  # fmt: skip
        self.cameras = np.stack([_packed(camera) for camera in views.cameras])
        self.images = self._continued(images)

    def showing(self, images: Float[np.ndarray, "V H W C"]) -> Observer:
        """The same views of the same mesh with other images."""
        other = copy(self)
        other.images = self._continued(images)
        return other

    def _continued(self, images: Float[np.ndarray, "V H W C"]) -> Float32[np.ndarray, "V H W C"]:
        finer = self.depths.shape[1] // self.masks.shape[1]
        shown = self.depths[:, finer // 2 :: finer, finer // 2 :: finer]
        parts = zip(images, self.masks, shown, self.pixels, strict=True)
        return np.stack([continued(image, mask, depth, JUMP * pixel) for image, mask, depth, pixel in parts])

    @property
    def fit(self) -> Float[np.ndarray, " V"]:
        """Intersection over union of the mesh's silhouette and the mask in every view."""
        rows, columns = self.masks.shape[1:]
        scores = []
        for depth, mask in zip(self.depths, self.masks, strict=True):
            found = (
                cv2.resize(np.isfinite(depth).astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA) > 0.5
            )
            scores.append((found & (mask > 0.5)).sum() / max(1, (found | (mask > 0.5)).sum()))
        return np.array(scores)

    def at(self, points: Float[np.ndarray, "P 3"], normals: Float[np.ndarray, "P 3"]) -> Observation:
        """What the views show at points of the mesh with these unit normals."""
        sure, weight = np.empty((2, len(self.cameras), len(points)), np.float32)
        color = np.empty((*weight.shape, self.images.shape[-1]), np.float32)
        places, up = np.ascontiguousarray(points, np.float64), np.ascontiguousarray(normals, np.float64)

        def observe(first: int) -> None:
            observation_kernels.observe(
                first, min(first + CHUNK, len(places)), places, up,
                self.cameras, self.images, self.depths, self.borders,
                float(self.pixels.min()), LEAST_COSINE, TOLERANCE, sure, weight, color,
            )  # fmt: skip

        parallel.run(observe, [(first,) for first in range(0, len(places), CHUNK)])
        return Observation(sure, weight, color)


def depth_maps(mesh: Mesh, cameras: Sequence[Camera], resolution: tuple[int, int]) -> Float32[np.ndarray, "V D E"]:
    """Depth along the view axis at every pixel, scene units; infinite where a camera sees nothing."""
    vertices = mesh.vertices.detach().cpu().float()
    faces = mesh.faces.cpu()
    backend = CpuRasterizer()
    maps = []
    for camera in cameras:
        clip = raster.transform(vertices, torch.from_numpy(camera.clip_matrix())[None].to(vertices))
        depth = torch.from_numpy(camera.project(vertices.double().numpy())[1]).float()
        fragments = backend.rasterize(clip, faces, resolution)
        found = backend.interpolate(depth[None, :, None], fragments, faces)[0, ..., 0]
        maps.append(torch.where(fragments.face[0] < 0, torch.inf, found).numpy())
    return np.stack(maps)


def trust(
    depth: Float32[np.ndarray, "D E"], mask: Float32[np.ndarray, "H W"], pixel: float, ramp: float
) -> Float32[np.ndarray, "D E"]:
    """How far a pixel of the depth map is from where depth jumps or the mask ends: 0 outside, 1 from `ramp` pixels on.

    `pixel`: its side in scene units.
    """
    rows, columns = depth.shape
    inside = np.isfinite(depth) & (cv2.resize(mask, (columns, rows), interpolation=cv2.INTER_LINEAR) > 0.5)
    background = np.where(np.isfinite(depth), depth, 1e3).astype(np.float32)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    behind = background - cv2.erode(background, cross) > JUMP * pixel
    before = cv2.dilate(background, cross) - background > JUMP * pixel
    clear = (inside & ~behind & ~before).astype(np.uint8)
    distance = cv2.distanceTransform(np.pad(clear, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    share = np.clip(distance / ramp, 0.0, 1.0)
    return np.where(inside, LEAST + (1 - LEAST) * share * share * (3 - 2 * share), 0.0).astype(np.float32)


def core(mask: Float[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Pixels that show the object alone: of wide parts not the outermost either, which the background may tint."""
    sure = (mask > SURE).astype(np.uint8)
    if not sure.any():
        return mask > 0.5
    inner = cv2.erode(sure, np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8), borderValue=1)
    near = cv2.dilate(inner, np.ones((4 * RIM + 1, 4 * RIM + 1), np.uint8))
    return np.where(near > 0, inner, sure) > 0


def continued(
    image: Float[np.ndarray, "H W C"],
    mask: Float[np.ndarray, "H W"],
    depth: Float32[np.ndarray, "H W"] | None = None,
    jump: float = np.inf,
) -> Float32[np.ndarray, "H W C"]:
    """The image with what lies outside, and the outermost pixels, as the nearest pixel that is surely inside.

    Not from another surface: pixels whose depth is off the other's by more than `jump` for each pixel between stay.
    """
    source = core(mask)
    image = np.ascontiguousarray(image, np.float32)
    if not source.any():
        return image
    place, distance = nearest_known(source)
    taken = image.reshape(-1, image.shape[-1])[place]
    if depth is None:
        return taken
    here = np.where(np.isfinite(depth), depth, 0)
    both = np.isfinite(depth) & np.isfinite(depth.reshape(-1)[place])
    other = both & (np.abs(here - here.reshape(-1)[place]) > jump * (distance + 1))
    return np.where(other[..., None], image, taken)


def _pixel_size(camera: Camera, rows: int) -> float:
    """Side of a pixel at the scene's origin, scene units."""
    distance = -float(camera.world_to_camera[2, 3]) if camera.projection == "perspective" else 1.0
    return 2 * camera.half_extent[1] * abs(distance) / rows


def _packed(camera: Camera) -> Float[np.ndarray, "24"]:
    """As the kernel takes it."""
    axis = np.append(-camera.rotation[2], -camera.world_to_camera[2, 3])
    return np.concatenate([camera.clip_matrix().reshape(-1), axis, camera.eye])
