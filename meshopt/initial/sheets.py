"""Sheets thinner than depths are precise: what one side sees must not stand in front of what the other side sees.

A little behind the surface that a view sees, the object is solid. Where a view from the other side takes that for empty
by no more than the precision of depths, carving would tear the sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from meshopt.initial.depth import DepthMap

THICKNESS = 1.0  # pixels that a sheet has at least
REACH = 5.0  # pixels by which depths may contradict that
OTHER_SIDE = -0.2  # cosine between a normal and the direction to a viewer that sees the surface's other side


def kept_apart(maps: Sequence[DepthMap]) -> list[DepthMap]:
    """The depth maps, nearer where they would tear what a view from the other side sees."""
    depths = [found.depth.copy() for found in maps]
    for found in maps:
        points, normals = _solid(found)
        for depth, other in zip(depths, maps, strict=True):
            if other is not found:
                eye = other.view.camera.camera.eye
                toward = eye[:3] - eye[3] * points
                behind = (toward * normals).sum(axis=-1) < OTHER_SIDE * np.linalg.norm(toward, axis=-1)
                _bring_nearer(depth, other, points[behind])
    return [replace(found, depth=depth) for found, depth in zip(maps, depths, strict=True)]


def _solid(found: DepthMap) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N 3"]]:
    """Points inside the object, THICKNESS behind the surface that the view sees, and the normals there."""
    known = np.isfinite(found.depth)
    rows, columns = (axis.astype(float) for axis in np.nonzero(known))
    camera, normals = found.view.camera, found.view.normals[known].astype(float)
    return camera.points(columns, rows, found.depth[known]) - THICKNESS * camera.pitch * normals, normals


def _bring_nearer(depth: Float[np.ndarray, "h w"], other: DepthMap, points: Float[np.ndarray, "N 3"]) -> None:
    """Lowers a view's `depth` IN PLACE to that of the points, in the pixels around each that are little beyond it."""
    column, row, at = other.view.camera.project(points)
    for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
        c, r = np.floor(column).astype(int) + right, np.floor(row).astype(int) + down
        inside = (c >= 0) & (c < depth.shape[1]) & (r >= 0) & (r < depth.shape[0])
        c, r, near = c[inside], r[inside], at[inside]
        beyond = (other.depth[r, c] - near) * other.cosine[r, c]
        little = (beyond > 0) & (beyond < REACH * other.view.camera.pitch)
        np.minimum.at(depth, (r[little], c[little]), near[little])
