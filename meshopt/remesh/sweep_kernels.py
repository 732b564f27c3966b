"""Sweeps over a whole mesh: which edges are too long or short; collapse, flip.

Every operation keeps a closed, oriented 2-manifold one. Its topological guard is the link condition (Dey et
al. 1999) or the absence of the new edge; its geometric guards are in `guard_kernels`.
"""

import math

import numpy as np
from numba import njit

from meshopt.compilation import KERNEL
from meshopt.remesh.guard_kernels import far, gains, length_ratio, may_move, may_turn, place, planes
from meshopt.remesh.halfedge_kernels import after, linked, merge, turn


@njit(**KERNEL, error_model="numpy")
def outside(half, low, high, edges, bins):
    """How many edges have a `length_ratio` below low or above high; one half-edge of each, and the
    logarithm of its ratio in steps of an eighth of an octave, go into `edges` and `bins`."""
    corner, twin, data = half.corner, half.twin, half.data
    count = np.int64(0)
    for first in range(0, len(corner), 3):
        a = corner[first]
        if a < 0:
            continue
        for k in range(3):
            h = first + k
            b = corner[first + (k + 1 if k < 2 else 0)]
            x, y, z = data[a, 0] - data[b, 0], data[a, 1] - data[b, 1], data[a, 2] - data[b, 2]
            mean = 0.5 * (data[a, 3] + data[b, 3])
            square, mean = x * x + y * y + z * z, mean * mean
            if (square < low * mean or square > high * mean) and h < twin[h]:
                edges[count] = h
                bins[count] = int(8 * math.log2(min(max(square / mean, 1e-30), 1e30)))
                count += 1
            a = b
    return count


@njit(**KERNEL, error_model="numpy")
def collapse(half, edges, short, pull, limits, mark):
    """Collapses each edge that is still there and shorter than sqrt(short) times the target, if the guards
    allow; how many were. `mark`: see `linked`."""
    corner, data = half.corner, half.data
    count = np.int64(0)
    for i in range(len(edges)):
        h = edges[i]
        if corner[h - h % 3] < 0:
            continue
        a, b = corner[h], corner[after(h)]
        if length_ratio(data, a, b) >= short or far(half, a, b, limits[2]) or not linked(half, h, mark):
            continue
        quadric = planes(half, a, b)
        point, share = place(data, a, b, quadric, pull)
        if may_move(half, a, b, point, quadric[10:], limits) and may_move(half, b, a, point, quadric[10:], limits):
            merge(half, h, point, share)
            count += 1
    return count


@njit(**KERNEL, error_model="numpy")
def flip(half, dihedral, offset):
    """One sweep of edge flips in the order of the faces; how many were made.

    A flip can only help where an angle opposite the edge is obtuse: of each face's edges, the longest.
    """
    corner, twin, data = half.corner, half.twin, half.data
    count = np.int64(0)
    for first in range(0, len(corner), 3):
        a, b, c = corner[first], corner[first + 1], corner[first + 2]
        if a < 0:
            continue
        u, v, w = 0.0, 0.0, 0.0
        for k in range(3):
            u += (data[a, k] - data[b, k]) ** 2
            v += (data[b, k] - data[c, k]) ** 2
            w += (data[c, k] - data[a, k]) ** 2
        longest = max(u, v, w)
        if not 2 * longest > u + v + w:
            continue
        h = np.int32(first + (0 if longest == u else (1 if longest == v else 2)))
        t = twin[h]
        if gains(half, h, t) and may_turn(half, h, t, dihedral, offset):
            turn(half, h)
            count += 1
    return count
