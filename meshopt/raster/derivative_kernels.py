"""Compiled loops of the CPU rasteriser: how weights and attributes change from pixel to pixel, and the gradients back.

Every function works on one view and on a band of rows [top, bottom). Homogeneous weights of the pixel p = (X,
Y, 1): with P_i = (x_i, y_i, w_i) and e_i = P_j x P_k (i, j, k in turn), b_i = e_i.p / t with t = s.p and s =
e_0 + e_1 + e_2, so db_i/dX = (e_i.x - b_i s.x) / t and likewise for Y. All of it in float64: differences of
products of large coordinates.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from meshopt.compilation import INNER, KERNEL

TINY = 1e-14  # |t|, twice the area in clip units: smaller faces have no usable derivatives


@njit(**KERNEL)
def differentiate(clip, faces, top, bottom, face, out):
    """Per pixel du/dX, du/dY, dv/dX, dv/dY [H,W,4]; pixels without a face are left as they are."""
    height, width = face.shape
    per_x, per_y = 2.0 / width, 2.0 / height
    e, points = np.empty((3, 3)), np.empty((3, 3))
    for row in range(top, bottom):
        y, seen = (row + 0.5) * per_y - 1.0, np.int64(-1)
        for column in range(width):
            f = np.int64(face[row, column])
            if f < 0:
                continue
            if f != seen:
                seen = f
                edges(clip, faces, f, points, e)
                sx, sy = e[0, 0] + e[1, 0] + e[2, 0], e[0, 1] + e[1, 1] + e[2, 1]
                sw = e[0, 2] + e[1, 2] + e[2, 2]
            x = (column + 0.5) * per_x - 1.0
            t = sx * x + sy * y + sw
            if not abs(t) > TINY:
                continue
            t = 1.0 / t
            u, v = (e[0, 0] * x + e[0, 1] * y + e[0, 2]) * t, (e[1, 0] * x + e[1, 1] * y + e[1, 2]) * t
            out[row, column, 0] = (e[0, 0] - u * sx) * t * per_x
            out[row, column, 1] = (e[0, 1] - u * sy) * t * per_y
            out[row, column, 2] = (e[1, 0] - v * sx) * t * per_x
            out[row, column, 3] = (e[1, 1] - v * sy) * t * per_y


@njit(**KERNEL)
def differentiate_backward(clip, faces, top, bottom, face, grad, grad_clip):
    """Adds the gradient to x, y, w of each vertex [N,4]: once for each run of pixels that see the same face."""
    height, width = face.shape
    per_x, per_y = 2.0 / width, 2.0 / height
    e, points, total = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    for row in range(top, bottom):
        y, column = (row + 0.5) * per_y - 1.0, np.int64(0)
        while column < width:
            f = np.int64(face[row, column])
            if f < 0:
                column += 1
                continue
            edges(clip, faces, f, points, e)
            sx, sy = e[0, 0] + e[1, 0] + e[2, 0], e[0, 1] + e[1, 1] + e[2, 1]
            sw = e[0, 2] + e[1, 2] + e[2, 2]
            total[:] = 0.0
            while column < width and face[row, column] == f:
                x = (column + 0.5) * per_x - 1.0
                t = sx * x + sy * y + sw
                if abs(t) > TINY:
                    t = 1.0 / t
                    ux, uy = grad[row, column, 0] * per_x * t, grad[row, column, 1] * per_y * t
                    vx, vy = grad[row, column, 2] * per_x * t, grad[row, column, 3] * per_y * t
                    u, v = (e[0, 0] * x + e[0, 1] * y + e[0, 2]) * t, (e[1, 0] * x + e[1, 1] * y + e[1, 2]) * t
                    to_u, to_v = -(ux * sx + uy * sy), -(vx * sx + vy * sy)  # dL/db_i
                    loss = ux * e[0, 0] + uy * e[0, 1] + vx * e[1, 0] + vy * e[1, 1] + u * to_u + v * to_v
                    to_t = -(loss + to_u * u + to_v * v) * t
                    to_u, to_v = to_u * t, to_v * t
                    total[0, 0] += ux + to_u * x
                    total[0, 1] += uy + to_u * y
                    total[0, 2] += to_u
                    total[1, 0] += vx + to_v * x
                    total[1, 1] += vy + to_v * y
                    total[1, 2] += to_v
                    total[2, 0] += to_t * x - ux * u - vx * v  # dL/ds, part of all three
                    total[2, 1] += to_t * y - uy * u - vy * v
                    total[2, 2] += to_t
                column += 1
            scatter(points, total, faces, f, grad_clip)


@njit(**INNER)
def edges(clip, faces, f, points, e):
    """The (x, y, w) of the three corners, and e_i = P_j x P_k."""
    for i in range(3):
        vertex = faces[f, i]
        points[i, 0], points[i, 1], points[i, 2] = clip[vertex, 0], clip[vertex, 1], clip[vertex, 3]
    for i in range(3):
        p, q = points[(i + 1) % 3], points[(i + 2) % 3]
        e[i, 0], e[i, 1], e[i, 2] = p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]


@njit(**INNER)
def scatter(points, total, faces, f, grad_clip):
    """From dL/de_0, dL/de_1 (less dL/ds) and dL/ds to the corners: of g.(p x q), p gets q x g and q gets g x p."""
    for axis in range(3):
        total[0, axis] += total[2, axis]
        total[1, axis] += total[2, axis]
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        for axis in range(3):
            a, b = (axis + 1) % 3, (axis + 2) % 3
            value = points[j, a] * total[k, b] - points[j, b] * total[k, a]  # e_k = P_i x P_j
            value += total[j, a] * points[k, b] - total[j, b] * points[k, a]  # e_j = P_k x P_i
            grad_clip[faces[f, i], axis if axis < 2 else 3] += value


@njit(**KERNEL)
def interpolate(attributes, faces, top, bottom, face, change, out):
    """dA/dX, dA/dY of each attribute [H,W,2C] from those of the weights; pixels without a face stay as they are."""
    width, channels = face.shape[1], attributes.shape[1]
    for row in range(top, bottom):
        for column in range(width):
            f = face[row, column]
            if f < 0:
                continue
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            ux, uy, vx, vy = change[row, column]
            for c in range(channels):
                last = attributes[k, c]
                u, v = attributes[i, c] - last, attributes[j, c] - last
                out[row, column, 2 * c] = u * ux + v * vx
                out[row, column, 2 * c + 1] = u * uy + v * vy


@njit(**KERNEL)
def interpolate_backward(attributes, faces, top, bottom, face, change, grad, grad_attributes, grad_change):
    """Adds the gradient to the attributes [N,C] and to the weights' derivatives; to either only if it has rows."""
    width, channels = face.shape[1], attributes.shape[1]
    to_attributes, to_change = grad_attributes.shape[0] > 0, grad_change.shape[0] > 0
    for row in range(top, bottom):
        for column in range(width):
            f = face[row, column]
            if f < 0:
                continue
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            ux, uy, vx, vy = change[row, column]
            for c in range(channels):
                gx, gy = grad[row, column, 2 * c], grad[row, column, 2 * c + 1]
                if to_change:
                    last = attributes[k, c]
                    u, v = attributes[i, c] - last, attributes[j, c] - last
                    grad_change[row, column, 0] += u * gx
                    grad_change[row, column, 1] += u * gy
                    grad_change[row, column, 2] += v * gx
                    grad_change[row, column, 3] += v * gy
                if to_attributes:
                    to_i, to_j = ux * gx + uy * gy, vx * gx + vy * gy
                    grad_attributes[i, c] += to_i
                    grad_attributes[j, c] += to_j
                    grad_attributes[k, c] -= to_i + to_j
