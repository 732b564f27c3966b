"""Numba kernels of surfaces.py: nearest points and rays in a complete binary tree of boxes.

Node i has the children 2i + 1 and 2i + 2; the last level's nodes are the leaves, each with LEAF triangles in a row of
`corners`. All float64.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from meshopt.compilation import INNER, KERNEL

LEAF = 4
DEPTH = 64  # of the stack; a tree of 2^60 leaves needs less


@njit(**INNER)
def square_to_box(point, low, high):
    """Squared distance to a box, 0 inside."""
    total = 0.0
    for k in range(3):
        gap = max(low[k] - point[k], point[k] - high[k], 0.0)
        total += gap * gap
    return total


@njit(**INNER)
def square_to_segment(px, py, pz, ax, ay, az, bx, by, bz):
    """Squared distance of a point to a segment; a segment without length is its end."""
    ux, uy, uz = bx - ax, by - ay, bz - az
    length = ux * ux + uy * uy + uz * uz
    along = 0.0
    if length > 0.0:
        along = min(max(((px - ax) * ux + (py - ay) * uy + (pz - az) * uz) / length, 0.0), 1.0)
    x, y, z = px - ax - along * ux, py - ay - along * uy, pz - az - along * uz
    return x * x + y * y + z * z


@njit(**INNER)
def square_to_triangle(point, t):
    """Squared distance to a triangle t [3, 3]: to its plane where the foot lies inside, else to its nearest edge."""
    px, py, pz = point[0], point[1], point[2]
    ux, uy, uz = t[1, 0] - t[0, 0], t[1, 1] - t[0, 1], t[1, 2] - t[0, 2]
    vx, vy, vz = t[2, 0] - t[0, 0], t[2, 1] - t[0, 1], t[2, 2] - t[0, 2]
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    double = nx * nx + ny * ny + nz * nz
    if double > 0.0:
        wx, wy, wz = px - t[0, 0], py - t[0, 1], pz - t[0, 2]
        b = ((wy * vz - wz * vy) * nx + (wz * vx - wx * vz) * ny + (wx * vy - wy * vx) * nz) / double
        c = ((uy * wz - uz * wy) * nx + (uz * wx - ux * wz) * ny + (ux * wy - uy * wx) * nz) / double
        if b >= 0.0 and c >= 0.0 and b + c <= 1.0:
            height = wx * nx + wy * ny + wz * nz
            return height * height / double
    one = square_to_segment(px, py, pz, t[0, 0], t[0, 1], t[0, 2], t[1, 0], t[1, 1], t[1, 2])
    two = square_to_segment(px, py, pz, t[1, 0], t[1, 1], t[1, 2], t[2, 0], t[2, 1], t[2, 2])
    three = square_to_segment(px, py, pz, t[2, 0], t[2, 1], t[2, 2], t[0, 0], t[0, 1], t[0, 2])
    return min(one, two, three)


@njit(**INNER)
def place_on_segment(point, a, b, place):
    """Fills `place` with the point of a segment that is nearest."""
    length, along = 0.0, 0.0
    for k in range(3):
        length += (b[k] - a[k]) * (b[k] - a[k])
        along += (point[k] - a[k]) * (b[k] - a[k])
    along = min(max(along / length, 0.0), 1.0) if length > 0.0 else 0.0
    for k in range(3):
        place[k] = a[k] + along * (b[k] - a[k])


@njit(**INNER)
def place_on_triangle(point, t, square, place):
    """Fills `place` with the point of a triangle that is nearest, at that squared distance."""
    for k in range(3):
        a, b = t[k], t[(k + 1) % 3]
        if square_to_segment(point[0], point[1], point[2], a[0], a[1], a[2], b[0], b[1], b[2]) <= square:
            place_on_segment(point, a, b, place)
            return
    ux, uy, uz = t[1, 0] - t[0, 0], t[1, 1] - t[0, 1], t[1, 2] - t[0, 2]
    vx, vy, vz = t[2, 0] - t[0, 0], t[2, 1] - t[0, 1], t[2, 2] - t[0, 2]
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    height = (point[0] - t[0, 0]) * nx + (point[1] - t[0, 1]) * ny + (point[2] - t[0, 2]) * nz
    height /= nx * nx + ny * ny + nz * nz
    place[0], place[1], place[2] = point[0] - height * nx, point[1] - height * ny, point[2] - height * nz


@njit(**KERNEL)
def nearest(points, corners, low, high, distance, triangle, places):
    """For each point the distance to the surface, the row of `corners` that is nearest, and the place on it."""
    inner = len(low) // 2
    stack, bound = np.empty(DEPTH, np.int64), np.empty(DEPTH)
    for i in range(len(points)):
        point, best, found, size = points[i], np.inf, -1, 1
        stack[0], bound[0] = 0, 0.0
        while size:
            size -= 1
            node = stack[size]
            if bound[size] >= best:
                continue
            if node >= inner:
                first = (node - inner) * LEAF
                for k in range(first, first + LEAF):
                    square = square_to_triangle(point, corners[k])
                    if square < best:
                        best, found = square, k
                continue
            near, far = 2 * node + 1, 2 * node + 2
            to_near, to_far = (
                square_to_box(point, low[near], high[near]),
                square_to_box(point, low[far], high[far]),
            )
            if to_far < to_near:
                near, far, to_near, to_far = far, near, to_far, to_near
            stack[size], bound[size] = far, to_far
            stack[size + 1], bound[size + 1] = near, to_near
            size += 2
        distance[i], triangle[i] = np.sqrt(best), found
        place_on_triangle(point, corners[found], best, places[i])


@njit(**INNER)
def hits_box(origin, inverse, low, high):
    """Whether a ray meets a box; `inverse` are the direction's reciprocals, finite."""
    first, last = 0.0, np.inf
    for k in range(3):
        one, two = (low[k] - origin[k]) * inverse[k], (high[k] - origin[k]) * inverse[k]
        first, last = max(first, min(one, two)), min(last, max(one, two))
    return first <= last


@njit(**INNER)
def hits_triangle(origin, d, t):
    """Whether a ray meets a triangle t [3, 3] ahead of its origin (Möller & Trumbore 1997)."""
    ux, uy, uz = t[1, 0] - t[0, 0], t[1, 1] - t[0, 1], t[1, 2] - t[0, 2]
    vx, vy, vz = t[2, 0] - t[0, 0], t[2, 1] - t[0, 1], t[2, 2] - t[0, 2]
    px, py, pz = d[1] * vz - d[2] * vy, d[2] * vx - d[0] * vz, d[0] * vy - d[1] * vx
    volume = ux * px + uy * py + uz * pz
    if volume == 0.0:
        return False
    wx, wy, wz = origin[0] - t[0, 0], origin[1] - t[0, 1], origin[2] - t[0, 2]
    b = (wx * px + wy * py + wz * pz) / volume
    qx, qy, qz = wy * uz - wz * uy, wz * ux - wx * uz, wx * uy - wy * ux
    c = (d[0] * qx + d[1] * qy + d[2] * qz) / volume
    return b >= 0.0 and c >= 0.0 and b + c <= 1.0 and (vx * qx + vy * qy + vz * qz) / volume > 0.0


@njit(**INNER)
def blocked(origin, direction, corners, low, high, stack):
    """Whether a ray meets the surface."""
    inner, size = len(low) // 2, 1
    inverse = 1.0 / direction
    stack[0] = 0
    while size:
        size -= 1
        node = stack[size]
        if not hits_box(origin, inverse, low[node], high[node]):
            continue
        if node >= inner:
            first = (node - inner) * LEAF
            for k in range(first, first + LEAF):
                if hits_triangle(origin, direction, corners[k]):
                    return True
            continue
        stack[size], stack[size + 1] = 2 * node + 2, 2 * node + 1
        size += 2
    return False


@njit(**KERNEL)
def reached(points, normals, directions, lift, corners, low, high, found):
    """For each point whether some ray leaves the scene from it, from the side of the surface that the ray is on."""
    stack = np.empty(DEPTH, np.int64)
    for i in range(len(points)):
        found[i] = False
        for k in range(len(directions)):
            facing = (normals[i] * directions[k]).sum()
            origin = points[i] + np.sign(facing) * lift * normals[i]
            if not blocked(origin, directions[k], corners, low, high, stack):
                found[i] = True
                break
