"""Compiled loops of the CPU rasteriser: coverage, the nearest face at every pixel centre.

`cover` works on one view and on a band of rows [top, bottom). Vertices are snapped to 1/256 pixel for
coverage only, so that edge functions are exact integers and a pixel on a shared edge belongs to one face.
`faces` come as uint32: numba then leaves out what it does for negative indices.
"""
# mypy: disable-error-code="no-untyped-def, operator, call-overload"

from __future__ import annotations

import numpy as np
from numba import njit

SUBPIXELS = 256  # per pixel
GUARD = 1 << 14  # pixels: beyond, a vertex is not snapped; keeps the arithmetic of `cover` exact in float64
SNAPPED, LOOSE, INVALID = 0, 1, 2  # state of a vertex: LOOSE = behind the camera or beyond the guard band
LANES = 16  # pixels painted at once: a fixed number, which compilers turn into vector instructions


@njit(cache=True, nogil=True)
def project(clip, height, width, screen, depth, state):
    """Snapped raster position [N,2] (1/256 pixel), z/w [N] and state [N] of each vertex of one view."""
    sx, sy = 0.5 * width * SUBPIXELS, 0.5 * height * SUBPIXELS
    bound = float(GUARD * SUBPIXELS)
    for i in range(clip.shape[0]):
        w = float(clip[i, 3])
        x, y, z = float(clip[i, 0]), float(clip[i, 1]), float(clip[i, 2])
        if not np.isfinite(x + y + z + w):
            state[i] = INVALID
            continue
        state[i] = LOOSE
        if w > 0.0:
            px, py = (x / w + 1.0) * sx, (y / w + 1.0) * sy
            if abs(px) < bound and abs(py) < bound:
                screen[i, 0] = np.int32(np.floor(px + 0.5))
                screen[i, 1] = np.int32(np.floor(py + 0.5))
                depth[i] = z / w
                state[i] = SNAPPED


@njit(cache=True, nogil=True)
def cover(clip, faces, screen, vertex_depth, state, top, bottom, face, depth):
    """The nearest face (-1: none) at each pixel centre, and its z/w. Of equal depths the lower face wins."""
    width, half = face.shape[1], SUBPIXELS // 2
    face[top:bottom] = -1
    depth[top:bottom] = 1.0000001
    faces_at, depths_at = face.reshape(-1), depth.reshape(-1)
    for f in range(faces.shape[0]):
        i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
        worst = max(state[i0], state[i1], state[i2])
        if worst != SNAPPED:
            if worst == LOOSE:
                cover_loose(clip, faces, f, screen, state, top, bottom, face, depth)
            continue
        y0, y1, y2 = np.int64(screen[i0, 1]), np.int64(screen[i1, 1]), np.int64(screen[i2, 1])
        first_row = (min(y0, y1, y2) + half - 1) >> 8  # the first centre at or below the top vertex
        last_row = (max(y0, y1, y2) - half) >> 8
        if first_row >= bottom or last_row < top or first_row > last_row:
            continue
        x0, x1, x2 = np.int64(screen[i0, 0]), np.int64(screen[i1, 0]), np.int64(screen[i2, 0])
        first = max((min(x0, x1, x2) + half - 1) >> 8, 0)
        last = min((max(x0, x1, x2) - half) >> 8, width - 1)
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if first > last or area == 0:
            continue
        z0, z1, z2 = float(vertex_depth[i0]), float(vertex_depth[i1]), float(vertex_depth[i2])
        if area < 0:  # no culling: give the two kinds the same turn
            x1, x2, y1, y2, z1, z2, area = x2, x1, y2, y1, z2, z1, -area
        # edge functions at the first centre (zero on the edge opposite their vertex, positive inside), and
        # what they gain by a step right and down
        px, py = first * SUBPIXELS + half, first_row * SUBPIXELS + half
        e0 = (x2 - x1) * (py - y1) - (y2 - y1) * (px - x1)
        e1 = (x0 - x2) * (py - y2) - (y0 - y2) * (px - x2)
        e2 = area - e0 - e1
        r0, r1, r2 = (y1 - y2) * SUBPIXELS, (y2 - y0) * SUBPIXELS, (y0 - y1) * SUBPIXELS
        d0, d1, d2 = (x2 - x1) * SUBPIXELS, (x0 - x2) * SUBPIXELS, (x1 - x0) * SUBPIXELS
        per_area = 1.0 / area
        z = (e0 * z0 + e1 * z1 + e2 * z2) * per_area
        z_right = (r0 * z0 + r1 * z1 + r2 * z2) * per_area
        z_down = (d0 * z0 + d1 * z1 + d2 * z2) * per_area
        row, down = max(first_row, top), max(first_row, top) - first_row
        # top-left rule: a centre on another kind of edge is outside
        f0 = float(e0 - (not owns(r0, d0)) + down * d0)
        f1 = float(e1 - (not owns(r1, d1)) + down * d1)
        f2 = float(e2 - (not owns(r2, d2)) + down * d2)
        low0, from0, high0, to0 = crossing(r0)
        low1, from1, high1, to1 = crossing(r1)
        low2, from2, high2, to2 = crossing(r2)
        end = float(last - first)
        while row < bottom and row <= last_row:
            low = np.floor(max(max(f0 * low0 + from0, f1 * low1 + from1), max(f2 * low2 + from2, 0.0)))
            high = np.floor(min(min(f0 * high0 + to0, f1 * high1 + to1), min(f2 * high2 + to2, end)))
            if high >= low:
                left, right = int(low), int(high)
                here = z + (row - first_row) * z_down + left * z_right
                paint(faces_at, depths_at, row, width, first + left, right - left + 1, f, here, z_right)
            row, f0, f1, f2 = row + 1, f0 + d0, f1 + d1, f2 + d2


@njit(cache=True, nogil=True)
def owns(right, down):
    """The top-left rule: whether a centre exactly on an edge is inside, by the steps of its edge function."""
    return right > 0 or (right == 0 and down > 0)


@njit(cache=True, nogil=True)
def crossing(step):
    """Columns where an integer edge function e >= 0: a, b, c, d of floor(e a + b) to floor(e c + d).

    Half an integer is added before the division, so that rounding never meets the next one.
    """
    if step > 0:
        inverse = 1.0 / step
        return -inverse, (step - 0.5) * inverse, 0.0, 1e9
    if step < 0:
        inverse = 1.0 / step
        return 0.0, 0.0, -inverse, -0.5 * inverse
    return 0.0, 0.0, 1e9, 5e8  # all of the row or nothing


@njit(cache=True, nogil=True, inline="always")  # or else the lanes are not turned into vector instructions
def paint(face, depth, row, width, left, count, f, here, step):
    """Face f at `count` pixels from column `left`, where it is nearer and not before the near plane."""
    if width < LANES:
        for column in range(left, left + count):
            near = np.float32(here + (column - left) * step)
            if near < depth[row * width + column] and near >= -1.0:
                depth[row * width + column] = near
                face[row * width + column] = f
        return
    number, slope = np.int32(f), np.float32(step)
    while count > 0:
        start = min(left, width - LANES)  # all lanes lie in the row: another band may own the next one
        skip = np.int32(left - start)
        stop = np.int32(count + left - start)
        origin = np.float32(here - (left - start) * step)
        at = row * width + start
        depths, faces = depth[at : at + LANES], face[at : at + LANES]
        for lane in range(LANES):
            near, old = origin + np.float32(lane) * slope, depths[lane]
            hit = (near < old) & (near >= np.float32(-1.0)) & (np.int32(lane) >= skip) & (np.int32(lane) < stop)
            depths[lane] = near if hit else old
            faces[lane] = number if hit else faces[lane]
        left, count, here = left + LANES, count - LANES, here + LANES * step


@njit(cache=True, nogil=True)
def outside(clip, i, j, k):
    """Whether a face lies beyond one of the six planes of the view volume."""
    u, v, w = clip[i, 3], clip[j, 3], clip[k, 3]
    for axis in range(3):
        a, b, c = clip[i, axis], clip[j, axis], clip[k, axis]
        if (a > u and b > v and c > w) or (a < -u and b < -v and c < -w):
            return True
    return False


@njit(cache=True, nogil=True)
def edge_line(clip, screen, state, i, j, height, width):
    """Coefficients of a X + b Y + c = v_i x v_j . (X, Y, 1) in subpixels; exactly the negative for (j, i).

    Where both ends are snapped, from their snapped positions: then it agrees with the other faces' integer
    edges.
    """
    flip = 1.0
    if i > j:
        i, j, flip = j, i, -1.0
    if state[i] == SNAPPED and state[j] == SNAPPED:
        xi, yi, wi = float(screen[i, 0]), float(screen[i, 1]), 1.0
        xj, yj, wj = float(screen[j, 0]), float(screen[j, 1]), 1.0
    else:
        sx, sy = 0.5 * width * SUBPIXELS, 0.5 * height * SUBPIXELS
        wi, wj = float(clip[i, 3]), float(clip[j, 3])
        xi, yi = (clip[i, 0] + wi) * sx, (clip[i, 1] + wi) * sy
        xj, yj = (clip[j, 0] + wj) * sx, (clip[j, 1] + wj) * sy
    return flip * (yi * wj - wi * yj), flip * (wi * xj - xi * wj), flip * (xi * yj - yi * xj)


@njit(cache=True, nogil=True)
def cover_loose(clip, faces, f, screen, state, top, bottom, face, depth):
    """`cover` for a face with a vertex behind the camera or far outside: homogeneous edges at each pixel."""
    height, width = face.shape
    i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
    if outside(clip, i0, i1, i2):
        return
    a0, b0, c0 = edge_line(clip, screen, state, i1, i2, height, width)
    a1, b1, c1 = edge_line(clip, screen, state, i2, i0, height, width)
    a2, b2, c2 = edge_line(clip, screen, state, i0, i1, height, width)
    p0, q0, s0 = float(clip[i0, 0]), float(clip[i0, 1]), float(clip[i0, 3])
    p1, q1, s1 = float(clip[i1, 0]), float(clip[i1, 1]), float(clip[i1, 3])
    p2, q2, s2 = float(clip[i2, 0]), float(clip[i2, 1]), float(clip[i2, 3])
    turn = np.sign(p0 * (q1 * s2 - q2 * s1) + p1 * (q2 * s0 - q0 * s2) + p2 * (q0 * s1 - q1 * s0))
    if turn == 0.0:
        return
    for row in range(top, bottom):
        y, py = (2.0 * row + 1.0) / height - 1.0, (row + 0.5) * SUBPIXELS
        for column in range(width):
            px = (column + 0.5) * SUBPIXELS
            e0 = turn * (a0 * px + b0 * py + c0)
            e1 = turn * (a1 * px + b1 * py + c1)
            e2 = turn * (a2 * px + b2 * py + c2)
            if e0 < 0.0 or e1 < 0.0 or e2 < 0.0:
                continue
            if (
                (e0 == 0.0 and not owns(turn * a0, turn * b0))
                or (e1 == 0.0 and not owns(turn * a1, turn * b1))
                or (e2 == 0.0 and not owns(turn * a2, turn * b2))
            ):
                continue
            x = (2.0 * column + 1.0) / width - 1.0
            g0 = (q1 - y * s1) * (x * s2 - p2) - (p1 - x * s1) * (y * s2 - q2)
            g1 = (q2 - y * s2) * (x * s0 - p0) - (p2 - x * s2) * (y * s0 - q0)
            g2 = (q0 - y * s0) * (x * s1 - p1) - (p0 - x * s0) * (y * s1 - q1)
            w = g0 * s0 + g1 * s1 + g2 * s2
            if w == 0.0:
                continue
            z = g0 * float(clip[i0, 2]) + g1 * float(clip[i1, 2]) + g2 * float(clip[i2, 2])
            near = np.float32(z / w)
            if near < depth[row, column] and near >= -1.0:
                depth[row, column] = near
                face[row, column] = f
