"""Compiled loops of the CPU rasteriser: coverage, the nearest face at every pixel centre.

`cover` works on one view and on a band of rows [top, bottom). Vertices are snapped to 1/256 pixel for
coverage only, so that edge functions are exact integers and a pixel on a shared edge belongs to one face.
`faces` come as uint32: numba then leaves out what it does for negative indices.
"""
# mypy: disable-error-code="no-untyped-def, operator, call-overload"

from __future__ import annotations

import numpy as np
from numba import njit

from meshopt.compilation import INNER, KERNEL
from meshopt.raster.loose_kernels import cover_loose
from meshopt.raster.triangle_kernels import CHUNK, GUARD, INVALID, LOOSE, SNAPPED, SUBPIXELS, draw

TILE = 8  # pixels: side of the squares whose farthest depth is known when the far sides are drawn
DEEPEST = np.float32(1.0000001)  # the first float32 beyond the far plane


@njit(**KERNEL, error_model="numpy")
def project(clip, height, width, points):
    """Raster position (1/256 pixel, whole numbers), z/w and state of each vertex of one view, into [N,4]."""
    sx, sy = 0.5 * width * SUBPIXELS, 0.5 * height * SUBPIXELS
    bound = float(GUARD * SUBPIXELS)
    for i in range(clip.shape[0]):
        w = np.float64(clip[i, 3])
        x, y, z = np.float64(clip[i, 0]), np.float64(clip[i, 1]), np.float64(clip[i, 2])
        state = LOOSE
        if not np.isfinite(x + y + z + w):
            state = INVALID
        elif w > 0.0:
            px, py = (x / w + 1.0) * sx, (y / w + 1.0) * sy
            if abs(px) < bound and abs(py) < bound:
                points[i, 0] = np.floor(px + 0.5)
                points[i, 1] = np.floor(py + 0.5)
                points[i, 2] = z / w
                state = SNAPPED
        points[i, 3] = state


@njit(**KERNEL, error_model="numpy")
def cover(clip, faces, points, top, bottom, later, face, depth, behind, floor):
    """The nearest face (-1: none) at each pixel centre, and its z/w. Of equal depths the lower face wins.

    With `floor` [H,W]: the nearest of those behind it, in the order (depth, face); `behind` are the faces there.
    With `behind` [H,W] alone: those faces again, and their depth. Else both are None. `later` [F+1,4] is work space.
    """
    face[top:bottom] = -1
    depth[top:bottom] = DEEPEST
    ids = np.empty(CHUNK, np.uint32)
    waiting, total = np.int64(0), faces.shape[0]  # a plain 0 would be compiled for twice
    # faces turned to one side first: on a closed mesh they hide most of the others, which are then not drawn
    side = near_side(faces, points) if behind is None else 0.0
    for turn in range(2):
        for start in range(0, total, CHUNK):
            count = min(CHUNK, total - start)
            for k in range(count):
                ids[k] = start + k if turn == 0 else later[start + k, 0]
            waiting = draw(ids, count, side, faces, points, top, bottom, face, depth, behind, floor, later, waiting)
        if turn == 0:
            side, total = 0.0, reveal(later, waiting, depth, top, bottom) if waiting > 0 else 0
    if (points[:, 3] == LOOSE).any():
        for f in range(faces.shape[0]):
            if max(points[faces[f, 0], 3], points[faces[f, 1], 3], points[faces[f, 2], 3]) == LOOSE:
                cover_loose(clip, faces, f, points, top, bottom, face, depth, behind, floor)


@njit(**INNER, error_model="numpy")
def near_side(faces, points):
    """Which sign of the area in the image nearer faces tend to have: a guess from some of them, for speed only."""
    total = 0.0
    for f in range(0, faces.shape[0], faces.shape[0] // 512 + 1):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        if points[i, 3] + points[j, 3] + points[k, 3] == SNAPPED:
            ux, uy = points[j, 0] - points[i, 0], points[j, 1] - points[i, 1]
            vx, vy = points[k, 0] - points[i, 0], points[k, 1] - points[i, 1]
            total -= (ux * vy - uy * vx) * (points[i, 2] + points[j, 2] + points[k, 2])
    return 1.0 if total >= 0.0 else -1.0


@njit(**INNER, error_model="numpy")
def reveal(later, waiting, depth, top, bottom):
    """Moves those of the first `waiting` faces to the front that what is drawn does not hide for sure: their number."""
    tiles, near = tile_depths(depth, top, bottom), later.view(np.float32)
    count = 0
    for k in range(waiting):
        z = near[k, 1]
        first, last = (later[k, 2] & 0xFFFF) // TILE, ((later[k, 2] >> 16) & 0xFFFF) // TILE
        up, down = ((later[k, 3] & 0xFFFF) - top) // TILE, (((later[k, 3] >> 16) & 0xFFFF) - top) // TILE
        shows = z <= tiles[up, first]
        if (up != down) | (first != last):
            for r in range(up, down + 1):
                for c in range(first, last + 1):
                    shows |= z <= tiles[r, c]
        later[count, 0] = later[k, 0]
        count += shows
    return count


@njit(**INNER, error_model="numpy")
def tile_depths(depth, top, bottom):
    """The farthest depth in each square of TILE by TILE pixels."""
    width = depth.shape[1]
    tiles = np.empty(((bottom - top + TILE - 1) // TILE, (width + TILE - 1) // TILE), np.float32)
    farthest = np.empty(width, np.float32)
    for r in range(tiles.shape[0]):
        start = top + r * TILE
        farthest[:] = np.float32(-2.0)
        for row in range(start, min(start + TILE, bottom)):
            line = depth[row]
            for column in range(width):
                farthest[column] = line[column] if line[column] > farthest[column] else farthest[column]
        for c in range(tiles.shape[1]):
            deepest = np.float32(-2.0)
            for column in range(c * TILE, min((c + 1) * TILE, width)):
                deepest = farthest[column] if farthest[column] > deepest else deepest
            tiles[r, c] = deepest
    return tiles
