"""Sweeps over a whole mesh: which edges are too long or short; collapse, flip, relax.

Every operation keeps a closed, oriented 2-manifold one. Its topological guard is the link condition (Dey et
al. 1999) or the absence of the new edge; its geometric guards are in `guard_kernels`.
"""

import math

import numpy as np
from numba import njit

from meshopt.remesh.guard_kernels import (
    NONE,
    gains,
    length_ratio,
    lowest,
    may_move,
    may_turn,
    place,
    planes,
)
from meshopt.remesh.halfedge_kernels import after, before, linked, merge, turn


@njit(cache=True, nogil=True, error_model="numpy")
def outside(half, low, high, edges, bins):
    """How many edges have a `length_ratio` below low or above high; one half-edge of each, and the
    logarithm of its ratio in steps of an eighth of an octave, go into `edges` and `bins`."""
    corner, twin, data = half.corner, half.twin, half.data
    count = 0
    for h in range(len(corner)):
        if h < twin[h] and corner[h - h % 3] >= 0:
            ratio = length_ratio(data, corner[h], corner[after(h)])
            if ratio < low or ratio > high:
                edges[count] = h
                bins[count] = int(8 * math.log2(min(max(ratio, 1e-30), 1e30)))
                count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def collapse(half, edges, short, pull, limits, mark):
    """Collapses each edge that is still there and shorter than sqrt(short) times the target, if the guards
    allow; how many were. `mark`: see `linked`."""
    corner, data = half.corner, half.data
    count = 0
    for i in range(len(edges)):
        h = edges[i]
        if corner[h - h % 3] < 0:
            continue
        a, b = corner[h], corner[after(h)]
        if length_ratio(data, a, b) >= short or not linked(half, h, mark):
            continue
        quadric = planes(half, a, b)
        point, share = place(data, a, b, quadric, pull)
        if may_move(half, a, b, point, quadric[10:], limits) and may_move(half, b, a, point, quadric[10:], limits):
            merge(half, h, point, share)
            count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def flip(half, dihedral, offset):
    """One sweep of edge flips in index order; how many were made."""
    corner, twin = half.corner, half.twin
    count = 0
    for h in range(len(corner)):
        t = twin[h]
        if h < t and corner[h - h % 3] >= 0 and gains(half, h, t) and may_turn(half, h, t, dihedral, offset):
            turn(half, h)
            count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def relax(half, amount, pull, limits):
    """Moves each vertex towards the mean of its neighbours, one after another, guarded.

    The quadric of its faces leaves of that step what slides in planes and along creases. `pull` (see
    `lowest`) holds where the surroundings are flat, 1 % of it where they are not: a sharp corner stays.
    """
    corner, twin, out, data = half.corner, half.twin, half.out, half.data
    for v in range(len(out)):
        if out[v] < 0:
            continue
        x, y, z, weight = 0.0, 0.0, 0.0, 0.0
        h = out[v]
        while True:
            b = corner[after(h)]
            x += data[b, 0] - data[v, 0]
            y += data[b, 1] - data[v, 1]
            z += data[b, 2] - data[v, 2]
            weight += 1
            h = twin[before(h)]
            if h == out[v]:
                break
        k = amount / weight
        quadric = planes(half, np.int32(v), NONE)
        mx, my, mz = quadric[10:13]
        flat = math.sqrt(mx * mx + my * my + mz * mz) / (quadric[0] + quadric[3] + quadric[5] + 1e-300)
        here = pull * min(max(10 * flat - 9, 0.01), 1.0)
        x, y, z = lowest(quadric, data[v, 0] + k * x, data[v, 1] + k * y, data[v, 2] + k * z, here)
        point = (x, y, z, data[v, 3])
        if may_move(half, np.int32(v), NONE, point, quadric[10:], limits):
            for i in range(3):
                data[v, i] = point[i]
