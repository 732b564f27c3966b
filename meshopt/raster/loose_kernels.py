"""Compiled loops of the CPU rasteriser: faces with a vertex behind the camera or far outside the image."""
# mypy: disable-error-code="no-untyped-def, operator, call-overload"

from __future__ import annotations

import numpy as np
from numba import njit

from meshopt.compilation import INNER
from meshopt.raster.triangle_kernels import SNAPPED, SUBPIXELS, loses, wins


@njit(**INNER)
def outside(clip, i, j, k):
    """Whether a face lies beyond one of the six planes of the view volume."""
    u, v, w = clip[i, 3], clip[j, 3], clip[k, 3]
    for axis in range(3):
        a, b, c = clip[i, axis], clip[j, axis], clip[k, axis]
        if (a > u and b > v and c > w) or (a < -u and b < -v and c < -w):
            return True
    return False


@njit(**INNER)
def edge_line(clip, points, i, j, height, width):
    """Coefficients of a X + b Y + c = v_i x v_j . (X, Y, 1) in subpixels; exactly the negative for (j, i).

    Where both ends are snapped, from their snapped positions: then it agrees with the other faces' integer
    edges.
    """
    flip = 1.0
    if i > j:
        i, j, flip = j, i, -1.0
    if points[i, 3] == SNAPPED and points[j, 3] == SNAPPED:
        xi, yi, wi = np.float64(points[i, 0]), np.float64(points[i, 1]), 1.0
        xj, yj, wj = np.float64(points[j, 0]), np.float64(points[j, 1]), 1.0
    else:
        sx, sy = 0.5 * width * SUBPIXELS, 0.5 * height * SUBPIXELS
        wi, wj = np.float64(clip[i, 3]), np.float64(clip[j, 3])
        xi, yi = (clip[i, 0] + wi) * sx, (clip[i, 1] + wi) * sy
        xj, yj = (clip[j, 0] + wj) * sx, (clip[j, 1] + wj) * sy
    return flip * (yi * wj - wi * yj), flip * (wi * xj - xi * wj), flip * (xi * yj - yi * xj)


@njit(**INNER, error_model="numpy")
def extent(clip, i, j, k, axis, size):
    """First and last pixel along an axis that the part of a face before the near plane (z + w = 0) may touch."""
    low, high = np.inf, -np.inf
    for a, b in ((i, j), (j, k), (k, i)):
        za, zb = np.float64(clip[a, 2]) + clip[a, 3], np.float64(clip[b, 2]) + clip[b, 3]
        for end in range(2):  # the edge's first vertex, and where the edge meets the plane
            t = 0.0 if end == 0 else za / (za - zb)
            if (za < 0.0) if end == 0 else (za < 0.0) == (zb < 0.0):
                continue
            w = (1.0 - t) * clip[a, 3] + t * clip[b, 3]
            if not w > 1e-12:
                return 0, size - 1
            at = (((1.0 - t) * clip[a, axis] + t * clip[b, axis]) / w + 1.0) * (0.5 * size)
            low, high = min(low, at), max(high, at)
    if low > high:
        return 0, -1
    return int(min(max(low - 2.0, 0.0), float(size))), int(max(min(high + 1.0, size - 1.0), -1.0))


@njit(**INNER, error_model="numpy")
def cover_loose(clip, faces, f, points, top, bottom, face, depth, behind, floor):
    """`cover` for such a face: homogeneous edges at each pixel."""
    height, width = face.shape
    i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
    if outside(clip, i0, i1, i2):
        return
    a0, b0, c0 = edge_line(clip, points, i1, i2, height, width)
    a1, b1, c1 = edge_line(clip, points, i2, i0, height, width)
    a2, b2, c2 = edge_line(clip, points, i0, i1, height, width)
    p0, q0, s0 = np.float64(clip[i0, 0]), np.float64(clip[i0, 1]), np.float64(clip[i0, 3])
    p1, q1, s1 = np.float64(clip[i1, 0]), np.float64(clip[i1, 1]), np.float64(clip[i1, 3])
    p2, q2, s2 = np.float64(clip[i2, 0]), np.float64(clip[i2, 1]), np.float64(clip[i2, 3])
    turn = np.sign(p0 * (q1 * s2 - q2 * s1) + p1 * (q2 * s0 - q0 * s2) + p2 * (q0 * s1 - q1 * s0))
    first, last = extent(clip, i0, i1, i2, np.int64(0), width)  # plain numbers would each be compiled for
    first_row, last_row = extent(clip, i0, i1, i2, np.int64(1), height)
    if turn == 0.0:
        return
    face_at, depth_at, number = face.reshape(-1), depth.reshape(-1), np.int32(f)
    behind_at = None if behind is None else behind.reshape(-1)
    floor_at = None if floor is None else floor.reshape(-1)
    for row in range(max(first_row, top), min(last_row + 1, bottom)):
        y, py = (2.0 * row + 1.0) / height - 1.0, (row + 0.5) * SUBPIXELS
        for column in range(first, last + 1):
            px = (column + 0.5) * SUBPIXELS
            e0 = turn * (a0 * px + b0 * py + c0)
            e1 = turn * (a1 * px + b1 * py + c1)
            e2 = turn * (a2 * px + b2 * py + c2)
            if e0 < 0.0 or e1 < 0.0 or e2 < 0.0:
                continue
            if (
                (e0 == 0.0 and loses(turn * a0, turn * b0) > 0.0)
                or (e1 == 0.0 and loses(turn * a1, turn * b1) > 0.0)
                or (e2 == 0.0 and loses(turn * a2, turn * b2) > 0.0)
            ):
                continue
            x = (2.0 * column + 1.0) / width - 1.0
            g0 = (q1 - y * s1) * (x * s2 - p2) - (p1 - x * s1) * (y * s2 - q2)
            g1 = (q2 - y * s2) * (x * s0 - p0) - (p2 - x * s2) * (y * s0 - q0)
            g2 = (q0 - y * s0) * (x * s1 - p1) - (p0 - x * s0) * (y * s1 - q1)
            w = g0 * s0 + g1 * s1 + g2 * s2
            if w == 0.0:
                continue
            near = np.float32((g0 * clip[i0, 2] + g1 * clip[i1, 2] + g2 * clip[i2, 2]) / w)
            at = row * width + column
            if near <= np.float32(1) and wins(near, number, at, face_at, depth_at, behind_at, floor_at):
                depth_at[at] = near
                face_at[at] = number
