"""Damage to what pictures show: the front where it should not be, other colours."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32

from meshopt.errors import InputError
from meshopt.evaluate.pictures import Change, Changes, Picture, Task, spread, unit
from meshopt.evaluate.placement import mirror_image
from meshopt.frames import front_view


def janus(task: Task) -> Changes:
    """The front's picture, mirrored, fitted into the silhouette of the chosen view, else of the one most
    opposite.
    """
    return _repeated(task, mirrored=True)


def janus_side(task: Task) -> Changes:
    """The front's picture, mirrored or not, fitted into the silhouette of a view from the side."""
    return _repeated(task, mirrored=bool(task.random.integers(2)))


def opposite_view(pictures: tuple[Picture, ...]) -> int:
    """The view that looks most against the front view."""
    return int(np.argmin(_facing(pictures)))


def side_views(pictures: tuple[Picture, ...]) -> list[int]:
    """The views from within 30 degrees of the front view's side, else the one nearest to it."""
    across = np.abs(_facing(pictures))
    return [int(i) for i in np.flatnonzero(across < 0.5 + 1e-6)] or [int(np.argmin(across))]


def _facing(pictures: tuple[Picture, ...]) -> Float[np.ndarray, "V"]:
    """Cosine between each view's direction and the front's."""
    backs = np.stack([picture.camera.rotation[2] for picture in pictures])
    return backs @ backs[front_view([picture.camera for picture in pictures])]


def _repeated(task: Task, mirrored: bool) -> Changes:
    front = front_view([picture.camera for picture in task.pictures])
    target = task.picture
    if front == task.chosen:
        raise InputError(f"view {target.camera.name!r} is the front view, which cannot repeat itself: choose another.")
    source = task.pictures[front]
    shown = fitted(mirror_image(source) if mirrored else source, target)
    return {task.chosen: Change(shown, {"picture_of": source.camera.name, "mirrored": mirrored})}


def fitted(source: Picture, target: Picture) -> Picture:
    """The source's normals, in the cameras' frames, and colours, warped row by row into the target's silhouette.

    The silhouettes' rows are matched from top to bottom, in each row their extents.
    """
    rows, columns = _correspondence(source.solid, target.solid, target.mask > 0)
    normals, rgb = spread(source)
    local = normals @ source.camera.rotation.T.astype(np.float32)
    warped = [
        cv2.remap(layer, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for layer in ([local] if rgb is None else [local, rgb])
    ]
    inside = (target.mask > 0)[..., None]
    colours = target.rgb if rgb is None or target.rgb is None else warped[1] * inside
    return replace(target, rgb=colours).with_camera_normals(unit(warped[0]))


def _correspondence(
    source: Bool[np.ndarray, "H W"], target: Bool[np.ndarray, "H W"], wanted: Bool[np.ndarray, "H W"]
) -> tuple[Float32[np.ndarray, "H W"], Float32[np.ndarray, "H W"]]:
    """Row and column in the source for every pixel of the target."""
    height, width = target.shape
    all_rows, all_columns = np.arange(height), np.arange(width)
    if not source.any() or not target.any():
        grid = np.meshgrid(all_rows, all_columns, indexing="ij")
        return grid[0].astype(np.float32), grid[1].astype(np.float32)
    (source_rows, source_left, source_right), (rows, left, right) = _extents(source), _extents(target)
    span = max(rows[-1] - rows[0], 1)
    matched = source_rows[0] + (all_rows - rows[0]) * (source_rows[-1] - source_rows[0]) / span
    target_left, target_right = (np.interp(all_rows, rows, edge) for edge in (left, right))
    from_left, from_right = (np.interp(matched, source_rows, edge) for edge in (source_left, source_right))
    stretch = (from_right - from_left) / np.maximum(target_right - target_left, 1)
    columns = from_left[:, None] + (all_columns[None, :] - target_left[:, None]) * stretch[:, None]
    row_map = np.broadcast_to(np.clip(matched, 0, height - 1)[:, None], target.shape)
    return row_map.astype(np.float32), np.clip(columns, 0, width - 1).astype(np.float32)


def _extents(solid: Bool[np.ndarray, "H W"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows which the silhouette covers, and its first and last column in each."""
    rows = np.flatnonzero(solid.any(1))
    return rows, solid[rows].argmax(1), solid.shape[1] - 1 - solid[rows, ::-1].argmax(1)


def color(task: Task) -> Changes:
    """One view's channels each by a random factor, the largest off by `strength` percent."""
    picture = task.picture
    gains = task.random.uniform(-1, 1, 3)
    gains = 1 + task.strength / 100 * gains / np.abs(gains).max()
    if picture.rgb is None:
        return {}
    rgb = np.clip(picture.rgb * gains.astype(np.float32), 0, 1)
    return {task.chosen: Change(replace(picture, rgb=rgb), {"gains": gains.tolist()})}
