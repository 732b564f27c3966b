"""Greedy edge collapse in order of quadric error (Garland & Heckbert 1997), cheapest first from a heap."""

import numpy as np
from numba import njit

from meshopt.compilation import INNER, KERNEL
from meshopt.remesh.guard_kernels import NONE, lowest, may_move, place, planes
from meshopt.remesh.halfedge_kernels import after, before, linked, merge


@njit(**INNER, error_model="numpy")
def push(cost, item, size, value, h):
    """Puts half-edge h with a cost into a heap of `size` entries."""
    i = size
    while i > 0 and value < cost[(i - 1) >> 1]:
        cost[i], item[i] = cost[(i - 1) >> 1], item[(i - 1) >> 1]
        i = (i - 1) >> 1
    cost[i], item[i] = value, h


@njit(**INNER, error_model="numpy")
def pop(cost, item, size):
    """Removes the cheapest entry, which the caller has read, from a heap of `size` entries."""
    last = size - 1
    value, h = cost[last], item[last]
    i, child = 0, 1
    while child < last:
        if child + 1 < last and cost[child + 1] < cost[child]:
            child += 1
        if value <= cost[child]:
            break
        cost[i], item[i] = cost[child], item[child]
        i, child = child, 2 * child + 1
    cost[i], item[i] = value, h


@njit(**INNER, error_model="numpy")
def plus(quadrics, a, b):
    """The sum of two rows, as numbers."""
    return (
        quadrics[a, 0] + quadrics[b, 0],
        quadrics[a, 1] + quadrics[b, 1],
        quadrics[a, 2] + quadrics[b, 2],
        quadrics[a, 3] + quadrics[b, 3],
        quadrics[a, 4] + quadrics[b, 4],
        quadrics[a, 5] + quadrics[b, 5],
        quadrics[a, 6] + quadrics[b, 6],
        quadrics[a, 7] + quadrics[b, 7],
        quadrics[a, 8] + quadrics[b, 8],
        quadrics[a, 9] + quadrics[b, 9],
    )


@njit(**INNER, error_model="numpy")
def edge_cost(data, quadrics, a, b, pull):
    """Least quadric error of the merged vertex, plus `pull` area times squared length, for flat places."""
    quadric = plus(quadrics, a, b)
    xx, xy, xz, yy, yz, zz, bx, by, bz, rest = quadric
    ex, ey, ez = data[b, 0] - data[a, 0], data[b, 1] - data[a, 1], data[b, 2] - data[a, 2]
    middle = data[a, 0] + 0.5 * ex, data[a, 1] + 0.5 * ey, data[a, 2] + 0.5 * ez
    x, y, z = lowest(quadric, middle[0], middle[1], middle[2], pull)
    error = x * (xx * x + 2 * (xy * y + xz * z + bx)) + y * (yy * y + 2 * (yz * z + by)) + z * (zz * z + 2 * bz)
    return max(error + rest, 0.0) + pull * (xx + yy + zz) * (ex * ex + ey * ey + ez * ez)


@njit(**KERNEL, error_model="numpy")
def vertex_quadrics(half, quadrics):
    """Fills quadrics [N, 10]: the planes of the faces around each vertex."""
    for v in range(len(half.out)):
        if half.out[v] >= 0:
            q = planes(half, np.int32(v), NONE)
            for k in range(10):
                quadrics[v, k] = q[k]


@njit(**KERNEL, error_model="numpy")
def decimate(half, quadrics, n_faces, goal, pull, limits, scratch):
    """Collapses edges, cheapest first, until `goal` faces are left or nothing allowed is.

    The faces left, and whether the heap was full, so that a new call can go on. Scratch: cost and item of
    the heap, the cost each half-edge last had [3F], `mark` as for `linked`.
    """
    corner, twin, out, data = half.corner, half.twin, half.out, half.data
    cost, item, latest, mark = scratch
    size = 0
    for h in range(len(corner)):
        if h < twin[h] and corner[h - h % 3] >= 0:
            latest[h] = edge_cost(data, quadrics, corner[h], corner[after(h)], pull)
            push(cost, item, size, latest[h], h)
            size += 1
    while size > 0 and n_faces > goal:
        value, h = cost[0], item[0]
        pop(cost, item, size)
        size -= 1
        if corner[h - h % 3] < 0 or latest[h] != value or not linked(half, h, mark):
            continue
        a, b = corner[h], corner[after(h)]
        point, share = place(data, a, b, plus(quadrics, a, b), pull)
        around = planes(half, a, b)[10:]
        if not (may_move(half, a, b, point, around, limits) and may_move(half, b, a, point, around, limits)):
            continue
        merge(half, h, point, share)
        for k in range(10):
            quadrics[a, k] += quadrics[b, k]
        n_faces -= 2
        e = out[a]
        while True:
            first = min(e, twin[e])
            latest[max(e, twin[e])] = -1.0
            latest[first] = edge_cost(data, quadrics, a, corner[after(e)], pull)
            if size == len(cost):
                return n_faces, True
            push(cost, item, size, latest[first], first)
            size += 1
            e = twin[before(e)]
            if e == out[a]:
                break
    return n_faces, False
