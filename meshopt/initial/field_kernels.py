"""Compiled loops over the voxels of a field and along rays through it.

A field `values` [X,Y,Z] is sampled at origin + spacing * (i, j, k) and is positive inside. Cameras come as
`PixelCamera.matrix` and `.rays`. Functions with [begin, end) work on a slab of the first axis.
"""
# mypy: disable-error-code="no-untyped-def, operator, call-overload"

from __future__ import annotations

import numpy as np
from numba import njit

from meshopt.compilation import INNER, KERNEL

OUTSIDE = -1.0  # scene units: the field's value off its grid


@njit(**INNER)
def sample(values, x, y, z):
    """The field at grid coordinates, trilinear."""
    nx, ny, nz = values.shape
    if not (0.0 <= x <= nx - 1 and 0.0 <= y <= ny - 1 and 0.0 <= z <= nz - 1):
        return OUTSIDE
    i, j, k = min(int(x), nx - 2), min(int(y), ny - 2), min(int(z), nz - 2)
    x, y, z = x - i, y - j, z - k
    below = (values[i, j, k] * (1 - x) + values[i + 1, j, k] * x) * (1 - y) + (
        values[i, j + 1, k] * (1 - x) + values[i + 1, j + 1, k] * x
    ) * y
    above = (values[i, j, k + 1] * (1 - x) + values[i + 1, j, k + 1] * x) * (1 - y) + (
        values[i, j + 1, k + 1] * (1 - x) + values[i + 1, j + 1, k + 1] * x
    ) * y
    return below * (1 - z) + above * z


@njit(**KERNEL)
def add_silhouette(first, second, which, view, origin, spacing, distance, matrix, perspective, pitch, begin, end):
    """Lowers first and second [X,Y,Z], the two smallest of the views' silhouette distances, `which` gave the first.

    `distance` is in pixels of an image that has one more pixel around; beyond it falls by one per pixel.
    """
    height, width = distance.shape
    for i in range(begin, end):
        for j in range(first.shape[1]):
            for k in range(first.shape[2]):
                x, y, z = origin[0] + spacing * i, origin[1] + spacing * j, origin[2] + spacing * k
                depth = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3]
                c = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
                r = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
                value = OUTSIDE
                scale = pitch
                if perspective:
                    scale = pitch * depth
                    if depth > 1e-6:
                        c, r = c / depth, r / depth
                if not perspective or depth > 1e-6:
                    c, r = c + 1.0, r + 1.0
                    u, v = min(max(c, 0.0), width - 1.0), min(max(r, 0.0), height - 1.0)
                    a, b = min(int(u), width - 2), min(int(v), height - 2)
                    fu, fv = u - a, v - b
                    value = (distance[b, a] * (1 - fu) + distance[b, a + 1] * fu) * (1 - fv) + (
                        distance[b + 1, a] * (1 - fu) + distance[b + 1, a + 1] * fu
                    ) * fv
                    value = (value - np.hypot(c - u, r - v)) * scale
                if value < first[i, j, k]:
                    second[i, j, k] = first[i, j, k]
                    first[i, j, k] = value
                    which[i, j, k] = view
                elif value < second[i, j, k]:
                    second[i, j, k] = value


@njit(**KERNEL)
def cast(values, origin, spacing, rays, columns, rows, step, found):
    """Into found [P,4], for each ray: depths of the first entry and of the last exit (inf, -inf: it stays outside),
    the largest value met, and its depth. `step` is in grid steps."""
    low, high = np.empty(3), np.empty(3)
    start, along = np.empty(3), np.empty(3)
    for axis in range(3):
        low[axis] = 0.0
        high[axis] = values.shape[axis] - 1.0
    for p in range(columns.shape[0]):
        near, far = -1e30, 1e30
        for axis in range(3):
            o = rays[0, axis] + columns[p] * rays[1, axis] + rows[p] * rays[2, axis]
            d = rays[3, axis] + columns[p] * rays[4, axis] + rows[p] * rays[5, axis]
            start[axis], along[axis] = (o - origin[axis]) / spacing, d / spacing
            if abs(along[axis]) > 1e-12:
                a, b = (low[axis] - start[axis]) / along[axis], (high[axis] - start[axis]) / along[axis]
                near, far = max(near, min(a, b)), min(far, max(a, b))
            elif not low[axis] <= start[axis] <= high[axis]:
                far = -1e30
        found[p, 0], found[p, 1], found[p, 2], found[p, 3] = np.inf, -np.inf, OUTSIDE, near
        if far <= near:
            continue
        pace = step / np.sqrt(along[0] ** 2 + along[1] ** 2 + along[2] ** 2)
        count = int((far - near) / pace) + 1
        before = OUTSIDE
        for s in range(count + 1):
            t = min(near + s * pace, far - 1e-9)
            value = sample(values, start[0] + t * along[0], start[1] + t * along[1], start[2] + t * along[2])
            if value > found[p, 2]:
                found[p, 2], found[p, 3] = value, t
            if value > 0.0 and before <= 0.0 and found[p, 0] == np.inf:
                found[p, 0] = t if s == 0 else t - pace * value / (value - before)
            if value <= 0.0 and before > 0.0:
                found[p, 1] = t - pace * value / (value - before)
            before = value
        if before > 0.0:
            found[p, 1] = far


@njit(**KERNEL)
def carve(values, origin, spacing, depth, cosine, matrix, perspective, jump, reach, begin, end):
    """Lowers the field to the signed distance behind a depth map [H,W] (inf: unknown), along its normals.

    Where the depths around differ by more than `jump` (perspective: times the depth), the nearest counts. Voxels
    below -reach stay as they are.
    """
    height, width = depth.shape
    for i in range(begin, end):
        for j in range(values.shape[1]):
            for k in range(values.shape[2]):
                if not values[i, j, k] > -reach:
                    continue
                x, y, z = origin[0] + spacing * i, origin[1] + spacing * j, origin[2] + spacing * k
                d = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3]
                c = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
                r = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
                limit = jump
                if perspective:
                    if d <= 1e-6:
                        continue
                    c, r, limit = c / d, r / d, jump * d
                a, b = int(np.floor(c)), int(np.floor(r))
                nearest, farthest, total, weight = np.inf, -np.inf, 0.0, 0.0
                for corner in range(4):
                    u, v = a + (corner & 1), b + (corner >> 1)
                    if 0 <= u < width and 0 <= v < height and depth[v, u] < np.inf:
                        w = (1 - abs(c - u)) * (1 - abs(r - v))
                        nearest, farthest = min(nearest, depth[v, u]), max(farthest, depth[v, u])
                        total += w * depth[v, u]
                        weight += w
                if weight <= 0.0:
                    continue
                front = total / weight if farthest - nearest < limit else nearest
                u, v = min(max(int(c + 0.5), 0), width - 1), min(max(int(r + 0.5), 0), height - 1)
                values[i, j, k] = min(values[i, j, k], (d - front) * cosine[v, u])
