"""Where the object stands, from cameras and masks alone, so that any scene can be brought into the cube
[-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.io.images import resample

HULL_PIXELS = 256  # masks are reduced to this for the coarse hull
GRIDS = (32, 32, 48)  # samples along each side of the searched box, which shrinks from pass to pass
FILL = 0.95  # share of the cube that the object's box takes up
SPAN = (1e-9, 1e9)  # half sizes of an object, in the cameras' units, that float32 coordinates can hold
USUAL = (0.5, 1.0)  # largest |coordinate| of an object that is left where it is


@dataclass(frozen=True)
class Extent:
    """User units = scene * `scale` + `offset`."""

    scale: float = 1.0
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    notes: tuple[str, ...] = ()

    def apply(self, cameras: Sequence[Camera]) -> tuple[Camera, ...]:
        """The cameras in the scene's units."""
        if self.scale == 1.0 and not any(self.offset):
            return tuple(cameras)
        return tuple(camera.transformed(1 / self.scale, np.asarray(self.offset)) for camera in cameras)


UNIT = Extent()


def scene_extent(cameras: Sequence[Camera], masks: Float[np.ndarray, "V H W"]) -> Extent:
    """The scale and offset that bring the object, bounded by its coarse visual hull, into [-1, 1].

    A scene that already stands in the cube and fills it is left as it is. Raises InputError where no point of
    space is seen inside all masks: cameras and images do not belong together.
    """
    low, high = object_box(cameras, masks)
    reach = max(float(np.abs(low).max()), float(np.abs(high).max()))
    if USUAL[0] <= reach <= USUAL[1]:
        return UNIT
    middle = (low + high) / 2
    scale = float((high - low).max()) / 2 / FILL
    if not SPAN[0] <= scale <= SPAN[1]:
        raise InputError(
            f"the object would be {2 * scale:.3g} units large by the cameras file: expected {SPAN[0]:g} to "
            f"{SPAN[1]:g}; check its 'half', 'distance' and shifts (--rig)."
        )
    x, y, z = (round(float(c) / scale, 9) * scale + 0.0 for c in middle)
    note = f"scene: 1 unit is {scale:.4g} of the cameras file's, centred at ({x:.4g}, {y:.4g}, {z:.4g})."
    return Extent(scale, (x, y, z), (note,))


def object_box(
    cameras: Sequence[Camera], masks: Float[np.ndarray, "V H W"]
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """A box around the object in the cameras' units: that of its visual hull on a coarse grid, refined
    twice.
    """
    middle, radius = _searched(cameras)
    masks = np.stack([resample(m, *(min(n, HULL_PIXELS) for n in m.shape)) for m in masks])
    low, high = middle - radius, middle + radius
    for grid in GRIDS:
        inside, centres, step = _hull(cameras, masks, low, high, grid)
        points = centres[inside]
        low, high = points.min(axis=0) - step / 2, points.max(axis=0) + step / 2
    return low, high


def _searched(cameras: Sequence[Camera]) -> tuple[Float[np.ndarray, "3"], float]:
    """The point nearest to all views' middle rays (drawn a little to the origin), and how far around it
    images reach.
    """
    rows, values = [1e-3 * np.eye(3)], [np.zeros(3)]
    for camera in cameras:
        origins, directions = camera.rays(1, 1)
        along = directions[0, 0] / np.linalg.norm(directions[0, 0])
        across = np.eye(3) - np.outer(along, along)
        rows.append(across)
        values.append(across @ origins[0, 0])
    middle = np.linalg.lstsq(np.concatenate(rows), np.concatenate(values), rcond=None)[0]
    reaches = []
    for camera in cameras:
        depth = float(camera.project(middle[None])[1][0])
        scale = 1.0 if camera.projection == "orthographic" else max(depth, 1e-6)
        reaches.append(scale * max(h * (1 + abs(c)) for h, c in zip(camera.half_extent, camera.centre, strict=True)))
    return middle, 1.5 * max(reaches)


def _hull(
    cameras: Sequence[Camera],
    masks: Float[np.ndarray, "V H W"],
    low: Float[np.ndarray, "3"],
    high: Float[np.ndarray, "3"],
    grid: int,
) -> tuple[Bool[np.ndarray, " G"], Float[np.ndarray, "G 3"], Float[np.ndarray, "3"]]:
    """Grid points of a box that lie inside the masks of all views, or of all but one where no point does."""
    step = (high - low) / grid
    axes = [low[i] + (np.arange(grid) + 0.5) * step[i] for i in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    radius = float(np.linalg.norm(step)) / 2
    votes = np.zeros(len(points), np.int64)
    for camera, mask in zip(cameras, masks, strict=True):
        votes += _covered(camera, mask, points, radius)
    for missing in (0, 1) if len(cameras) > 3 else (0,):
        inside = votes >= len(cameras) - missing
        if inside.any():
            return inside, points, step
    raise InputError(
        "the masks and the cameras do not belong together: no point in space lies inside all masks; check "
        "the pairing of files and the cameras (--rig)."
    )


def _covered(camera: Camera, mask: np.ndarray, points: np.ndarray, radius: float) -> Bool[np.ndarray, " G"]:
    """Whether the mask covers anything within `radius` of each point. A mask that is cut by the rim goes
    on beyond it.
    """
    uv, depth = camera.project(points)
    front = depth > 0 if camera.projection == "perspective" else np.ones(len(points), bool)
    if not front.any():
        return front
    scale = 1.0 if camera.projection == "orthographic" else float(np.median(depth[front]))
    rows, columns = mask.shape
    reach = np.ceil(radius / scale / np.asarray(camera.half_extent) * np.array([columns, rows]) / 2)
    wide, high = (int(r) for r in np.minimum(reach, (columns, rows)))
    grown = cv2.dilate((mask > 0.5).astype(np.uint8), np.ones((2 * high + 1, 2 * wide + 1), np.uint8))
    uv = np.clip(uv[front], -1, 1)
    x = np.minimum((uv[:, 0] + 1) / 2 * columns, columns - 1).astype(np.int64)
    y = np.minimum((1 - uv[:, 1]) / 2 * rows, rows - 1).astype(np.int64)
    result = np.zeros(len(points), bool)
    result[front] = grown[y, x] > 0
    return result
