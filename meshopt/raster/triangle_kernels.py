"""Compiled loops of the CPU rasteriser: many small triangles into the depth buffer.

`draw` prepares CHUNK faces at once, one array per number and one face per lane, and then paints them one by
one, up to LANES pixels at once. Compilers turn loops of this shape into vector instructions: no branches, no
division that checks for zero (error_model), array shapes known from the constants.

numba does not see that a cached function of another file has compiled in one of this file: after a change here,
delete the caches (`find meshopt -name "*.nb[ic]" -delete`).
"""
# mypy: disable-error-code="no-untyped-def, operator, call-overload"

from __future__ import annotations

import numpy as np
from numba import njit

from meshopt.compilation import INNER

SUBPIXELS = 256  # per pixel
GUARD = 1 << 14  # pixels: beyond, a vertex is not snapped; keeps the arithmetic here exact in float64
# state of a vertex: LOOSE = behind the camera or beyond the guard band; sums tell whether all three are SNAPPED
SNAPPED, LOOSE, INVALID = np.float32(0), np.float32(1), np.float32(2)
CHUNK = 128  # faces prepared at once
LANES = 16  # pixels painted at once
SMALL = 10  # pixels: the edge functions of triangles up to this width and height are exact in float32, too
I127, I128, I8, I0 = np.int32(127), np.int32(128), np.int32(8), np.int32(0)


@njit(**INNER, error_model="numpy")
def draw(ids, count, side, faces, points, top, bottom, face, depth, behind, floor, later, waiting):
    """Paints `count` faces whose vertices are all SNAPPED; the others are left out.

    Faces turned away (side * area < 0) are only noted in `later` [F+1,4] from row `waiting` on, which is returned:
    face, nearest depth (as float32), first and last column, first and last row (each two uint16).
    """
    numbers = np.empty(
        (9, CHUNK), np.float32
    )  # edge functions' steps right (3) and down (3); z right, nearest, farthest
    starts = np.empty((6, CHUNK), np.float64)  # edge functions (3) and z at the first pixel; z down; turn
    box = np.empty((6, CHUNK), np.int32)  # first and last column; first row; first and last row in the band; small
    prepare(ids, count, side, faces, points, top, bottom, face.shape[1], numbers, starts, box)
    near, width = later.view(np.float32), face.shape[1]
    face_at, depth_at = face.reshape(-1), depth.reshape(-1)
    behind_at = None if behind is None else behind.reshape(-1)
    floor_at = None if floor is None else floor.reshape(-1)
    small, large, chosen = 0, CHUNK, np.empty(CHUNK, np.int32)  # two lists in one array, from its two ends
    for k in range(count):
        later[waiting, 0] = ids[k]
        near[waiting, 1] = numbers[7, k]
        later[waiting, 2] = box[0, k] | (box[1, k] << 16)
        later[waiting, 3] = box[3, k] | (box[4, k] << 16)
        waiting += starts[5, k] < 0.0
        if starts[5, k] > 0.0:
            if box[5, k] != 0:
                chosen[small] = k
                small += 1
            else:
                large -= 1
                chosen[large] = k
    if width < LANES:
        paint_narrow(chosen[:small], ids, numbers, starts, box, width, face_at, depth_at, behind_at, floor_at)
        paint_narrow(chosen[large:], ids, numbers, starts, box, width, face_at, depth_at, behind_at, floor_at)
        return waiting
    paint_small(chosen[:small], ids, numbers, starts, box, width, face_at, depth_at, behind_at, floor_at)
    paint_rows(chosen[large:], ids, numbers, starts, box, width, face_at, depth_at, behind_at, floor_at)
    return waiting


@njit(**INNER, error_model="numpy", inline="always")
def prepare(ids, count, side, faces, points, top, bottom, width, numbers, starts, box):
    """What painting needs of each face: see `draw`. `turn` is 0 for faces that are not to be drawn."""
    corners = np.empty((12, CHUNK), np.float32)
    for k in range(count):
        i, j, m = faces[ids[k], 0], faces[ids[k], 1], faces[ids[k], 2]
        corners[0, k], corners[1, k], corners[2, k], corners[3, k] = (
            points[i, 0],
            points[i, 1],
            points[i, 2],
            points[i, 3],
        )
        corners[4, k], corners[5, k], corners[6, k], corners[7, k] = (
            points[j, 0],
            points[j, 1],
            points[j, 2],
            points[j, 3],
        )
        corners[8, k], corners[9, k], corners[10, k], corners[11, k] = (
            points[m, 0],
            points[m, 1],
            points[m, 2],
            points[m, 3],
        )
    top_row, last_row, last_column = np.int32(top), np.int32(bottom - 1), np.int32(width - 1)
    for k in range(count):
        x0, y0, z0, x1, y1, z1 = (
            corners[0, k],
            corners[1, k],
            corners[2, k],
            corners[4, k],
            corners[5, k],
            corners[6, k],
        )
        x2, y2, z2, loose = corners[8, k], corners[9, k], corners[10, k], corners[3, k] + corners[7, k] + corners[11, k]
        left = (np.int32(lower(lower(x0, x1), x2)) + I127) >> I8  # the first centre right of the leftmost vertex
        right = (np.int32(upper(upper(x0, x1), x2)) - I128) >> I8
        up, down = (np.int32(lower(lower(y0, y1), y2)) + I127) >> I8, (np.int32(upper(upper(y0, y1), y2)) - I128) >> I8
        first, last = (left if left > I0 else I0), (right if right < last_column else last_column)
        row, stop = (up if up > top_row else top_row), (down if down < last_row else last_row)
        dx1, dy1 = np.float64(x1) - np.float64(x0), np.float64(y1) - np.float64(y0)
        dx2, dy2 = np.float64(x2) - np.float64(x0), np.float64(y2) - np.float64(y0)
        area = dx1 * dy2 - dx2 * dy1
        turn = 1.0 if area > 0.0 else -1.0  # no culling: give the two kinds the same turn
        # edge functions at the first centre (zero on the edge opposite their vertex, positive inside)
        px = np.float64(first * np.int32(SUBPIXELS) + I128) - np.float64(x0)
        py = np.float64(up * np.int32(SUBPIXELS) + I128) - np.float64(y0)
        e1, e2 = turn * (px * dy2 - py * dx2), turn * (py * dx1 - px * dy1)
        e0 = turn * area - e1 - e2
        scale = np.float32(turn * SUBPIXELS)
        r0, r1, r2 = (y1 - y2) * scale, (y2 - y0) * scale, (y0 - y1) * scale
        d0, d1, d2 = (x2 - x1) * scale, (x0 - x2) * scale, (x1 - x0) * scale
        per_area = turn / area
        starts[3, k] = (e0 * z0 + e1 * z1 + e2 * z2) * per_area
        starts[4, k] = (np.float64(d0) * z0 + np.float64(d1) * z1 + np.float64(d2) * z2) * per_area
        numbers[6, k] = (np.float64(r0) * z0 + np.float64(r1) * z1 + np.float64(r2) * z2) * per_area
        numbers[0, k], numbers[1, k], numbers[2, k], numbers[3, k], numbers[4, k], numbers[5, k] = (
            r0,
            r1,
            r2,
            d0,
            d1,
            d2,
        )
        numbers[7, k], numbers[8, k] = lower(lower(z0, z1), z2), upper(upper(z0, z1), z2)
        # top-left rule: a centre on another kind of edge is outside
        starts[0, k], starts[1, k], starts[2, k] = e0 - loses(r0, d0), e1 - loses(r1, d1), e2 - loses(r2, d2)
        box[0, k], box[1, k], box[2, k], box[3, k], box[4, k] = first, last, up, row, stop
        box[5, k] = (right - left < np.int32(SMALL)) & (down - up < np.int32(SMALL))
        usable = (loose == SNAPPED) & (area != 0.0) & (first <= last) & (row <= stop)
        starts[5, k] = (area * side if side != 0.0 else 1.0) if usable else 0.0


@njit(**INNER, inline="always")
def lower(a, b):
    return a if a < b else b


@njit(**INNER, inline="always")
def upper(a, b):
    return a if a > b else b


@njit(**INNER, inline="always")
def loses(right, down):
    """The top-left rule: 0 if a centre exactly on an edge is inside, by the steps of its edge function, else 1."""
    return 0.0 if (right > 0) | ((right == 0) & (down > 0)) else 1.0


@njit(**INNER, inline="always")
def wins(near, number, at, face, depth, behind, floor):
    """Whether a fragment of a face is what `cover` looks for at this pixel."""
    if floor is not None:
        after = (near > floor[at]) | ((near == floor[at]) & (number > behind[at]))
        nearer = (near < depth[at]) | ((near == depth[at]) & (number < face[at]))
        return after & nearer & (near >= np.float32(-1))
    if behind is not None:
        return behind[at] == number
    return (near >= np.float32(-1)) & ((near < depth[at]) | ((near == depth[at]) & (number < face[at])))


@njit(**INNER, error_model="numpy")
def paint_small(chosen, ids, numbers, starts, box, width, face, depth, behind, floor):
    """Triangles of up to SMALL by SMALL pixels: their edge functions at LANES pixels of each row."""
    for k in chosen:
        number = np.int32(ids[k])
        first, row, stop = np.int64(box[0, k]), np.int64(box[3, k]), np.int64(box[4, k])
        left = min(first, width - LANES)  # all lanes lie in the row: another band may own the next one
        shift, down, slope, nearest, farthest = (
            np.float32(first - left),
            row - box[2, k],
            numbers[6, k],
            numbers[7, k],
            numbers[8, k],
        )
        r0, r1, r2, d0, d1, d2 = (
            numbers[0, k],
            numbers[1, k],
            numbers[2, k],
            numbers[3, k],
            numbers[4, k],
            numbers[5, k],
        )
        e0 = np.float32(starts[0, k]) + np.float32(down) * d0
        e1 = np.float32(starts[1, k]) + np.float32(down) * d1
        e2 = np.float32(starts[2, k]) + np.float32(down) * d2
        while row <= stop:
            z = np.float32(starts[3, k] + down * starts[4, k])
            origin = np.uint64(row * width + left)
            for lane in range(LANES):
                at, step = origin + np.uint64(lane), np.float32(lane) - shift
                near = upper(lower(z + step * slope, farthest), nearest)
                inside = (
                    (e0 + step * r0 >= np.float32(0))
                    & (e1 + step * r1 >= np.float32(0))
                    & (e2 + step * r2 >= np.float32(0))
                )
                hit = inside & wins(near, number, at, face, depth, behind, floor)
                depth[at] = near if hit else depth[at]
                face[at] = number if hit else face[at]
            row, down, e0, e1, e2 = row + 1, down + 1, e0 + d0, e1 + d1, e2 + d2


@njit(**INNER, error_model="numpy")
def paint_rows(chosen, ids, numbers, starts, box, width, face, depth, behind, floor):
    """Triangles of any size: first the columns between their edges, row by row."""
    for k in chosen:
        number = np.int32(ids[k])
        first, row, stop, slope = np.int64(box[0, k]), np.int64(box[3, k]), np.int64(box[4, k]), numbers[6, k]
        low0, from0, high0, to0 = crossing(np.float64(numbers[0, k]))
        low1, from1, high1, to1 = crossing(np.float64(numbers[1, k]))
        low2, from2, high2, to2 = crossing(np.float64(numbers[2, k]))
        down, end, nearest, farthest = row - box[2, k], np.float64(box[1, k] - box[0, k]), numbers[7, k], numbers[8, k]
        while row <= stop:
            e0, e1 = starts[0, k] + down * numbers[3, k], starts[1, k] + down * numbers[4, k]
            e2, z = starts[2, k] + down * numbers[5, k], np.float32(starts[3, k] + down * starts[4, k])
            low = np.floor(upper(upper(e0 * low0 + from0, e1 * low1 + from1), upper(e2 * low2 + from2, 0.0)))
            high = np.floor(lower(lower(e0 * high0 + to0, e1 * high1 + to1), lower(e2 * high2 + to2, end)))
            column, last = first + np.int64(low), first + np.int64(high)
            while column <= last:
                left = min(column, width - LANES)
                shift, skip, past = np.float32(left - first), np.int32(column - left), np.int32(last - left)
                origin = np.uint64(row * width + left)
                for lane in range(LANES):
                    at = origin + np.uint64(lane)
                    near = upper(lower(z + (np.float32(lane) + shift) * slope, farthest), nearest)
                    hit = (np.int32(lane) >= skip) & (np.int32(lane) <= past)
                    hit = hit & wins(near, number, at, face, depth, behind, floor)
                    depth[at] = near if hit else depth[at]
                    face[at] = number if hit else face[at]
                column = left + LANES
            row, down = row + 1, down + 1


@njit(**INNER, error_model="numpy")
def paint_narrow(chosen, ids, numbers, starts, box, width, face, depth, behind, floor):
    """Triangles in images of fewer than LANES columns: pixel by pixel."""
    for k in chosen:
        number, first, last = np.int32(ids[k]), np.int64(box[0, k]), np.int64(box[1, k])
        for row in range(box[3, k], box[4, k] + 1):
            down = row - box[2, k]
            z = np.float32(starts[3, k] + down * starts[4, k])
            for column in range(first, last + 1):
                at, step = row * width + column, np.float64(column - first)
                e0 = starts[0, k] + down * numbers[3, k] + step * numbers[0, k]
                e1 = starts[1, k] + down * numbers[4, k] + step * numbers[1, k]
                e2 = starts[2, k] + down * numbers[5, k] + step * numbers[2, k]
                near = upper(lower(z + np.float32(step) * numbers[6, k], numbers[8, k]), numbers[7, k])
                if min(e0, e1, e2) >= 0.0 and wins(near, number, at, face, depth, behind, floor):
                    depth[at] = near
                    face[at] = number


@njit(**INNER, error_model="numpy", inline="always")
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
