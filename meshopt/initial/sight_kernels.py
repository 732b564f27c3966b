"""Compiled loops of what views tell each other about depths."""
# mypy: disable-error-code="no-untyped-def, operator, call-overload, assignment"

from __future__ import annotations

import numpy as np
from numba import njit

from meshopt.compilation import KERNEL
from meshopt.initial.depth_kernels import on_ray


@njit(**KERNEL)
def summarise(belief, start, stop, window, price, nearer, best, sure):
    """Per pixel: `nearer` [P,L], the least cost of labels up to each, less the lowest of all; the `best` label; how
    much more others cost that are more than `window` away. Costs are cut off at `price`."""
    for p in range(belief.shape[0]):
        at = start[p]
        for d in range(start[p], stop[p]):
            if belief[p, d] < belief[p, at]:
                at = d
        low, run, other = belief[p, at], np.float32(np.inf), np.float32(np.inf)
        for d in range(belief.shape[1]):
            if start[p] <= d < stop[p]:
                run = min(run, belief[p, d])
                if abs(d - at) > window:
                    other = min(other, belief[p, d])
            nearer[p, d] = min(run - low, price)
        best[p], sure[p] = at, min(other - low, price)


@njit(**KERNEL)
def add_empty(cost, start, stop, rays, columns, rows, depths, matrix, perspective, index, nearer, reach, labels):
    """Adds to the labels of pixels [P] the cost of their points' being in another view's free space.

    That view has the pixels `index` [h,w], costs `nearer` [Q,K] of a depth up to each label, the number of labels
    `reach` [Q] by which a point may be before the surface, and `labels` = (first depth, step). Of the four pixels
    around a point the one that allows it best counts.
    """
    first, step = labels
    height, width = index.shape
    last = nearer.shape[1] - 1
    for p in range(cost.shape[0]):
        c, r = columns[p], rows[p]
        for d in range(start[p], stop[p]):
            x, y, z = on_ray(rays, c, r, depths[d])
            u = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
            v = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
            w = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3]
            if perspective:
                w = max(w, 1e-6)
                u, v = u / w, v / w
                label = np.log(w / first) / step
            else:
                label = (w - first) / step
            i, j = int(np.floor(u)), int(np.floor(v))
            least = np.float32(np.inf)
            for corner in range(4):
                a, b = i + (corner & 1), j + (corner >> 1)
                if 0 <= a < width and 0 <= b < height and index[b, a] >= 0:
                    q = index[b, a]
                    at = int(np.floor(label + reach[q] + 0.5))
                    least = min(least, nearer[q, min(max(at, 0), last)])
            if least < np.inf:
                cost[p, d] += least
