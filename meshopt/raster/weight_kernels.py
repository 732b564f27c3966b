"""Compiled loops of the CPU rasteriser: perspective-correct weights of the visible faces, and their gradient.

Every function works on one view and on a band of rows [top, bottom); `faces` come as uint32. Homogeneous
weights: with q_i = (x_i - X w_i, y_i - Y w_i) at the pixel (X, Y), the doubled areas a_i = q_j x q_k give b_i
= a_i / sum(a), for any signs of w (Olano and Greer 1997, "Triangle scan conversion using 2D homogeneous
coordinates").
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from meshopt.compilation import INNER, KERNEL

TINY = np.float32(1e-7)  # of the products whose difference is a face's area: below, that is rounding


@njit(**KERNEL, error_model="numpy")
def weigh(clip, faces, top, bottom, face, depth, bary):
    """Perspective-correct weights of the first two vertices, in [0, 1], and z/w (0 where no face is)."""
    height, width = face.shape
    zero, one, two = np.float32(0.0), np.float32(1.0), np.float32(2.0)
    scale, shift = two / np.float32(width), one / np.float32(width) - one
    for row in range(top, bottom):
        y = (two * np.float32(row) + one) / np.float32(height) - one
        seen = np.int32(-1)
        x0 = x1 = x2 = w0 = w1 = w2 = y0 = y1 = y2 = z0 = z1 = z2 = zero
        for column in range(width):
            f = face[row, column]
            if f < 0:
                depth[row, column] = bary[row, column, 0] = bary[row, column, 1] = zero
                continue
            if f != seen:
                seen = f
                i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
                x0, z0, w0 = clip[i0, 0], clip[i0, 2], clip[i0, 3]
                x1, z1, w1 = clip[i1, 0], clip[i1, 2], clip[i1, 3]
                x2, z2, w2 = clip[i2, 0], clip[i2, 2], clip[i2, 3]
                y0, y1, y2 = clip[i0, 1] - y * w0, clip[i1, 1] - y * w1, clip[i2, 1] - y * w2
            x = scale * np.float32(column) + shift
            q0, q1, q2 = x0 - x * w0, x1 - x * w1, x2 - x * w2
            a0, a1, a2 = q1 * y2 - y1 * q2, q2 * y0 - y2 * q0, q0 * y1 - y0 * q1
            total, w = a0 + a1 + a2, a0 * w0 + a1 * w1 + a2 * w2
            inverse = one / (total * w)  # one division for 1 / total and 1 / w
            b0, b1, b2 = a0 * inverse * w, a1 * inverse * w, a2 * inverse * w
            z = (a0 * z0 + a1 * z1 + a2 * z2) * inverse * total
            if not min(b0, b1, b2) >= zero:  # the centre is outside by less than the snapping distance
                b0 = min(max(b0, zero), one) if b0 == b0 else np.float32(1.0 / 3.0)
                b1 = min(max(b1, zero), one - b0) if b1 == b1 else np.float32(1.0 / 3.0)
                b2 = one - b0 - b1
                z = (b0 * z0 + b1 * z1 + b2 * z2) / (b0 * w0 + b1 * w1 + b2 * w2)
            bary[row, column, 0] = b0
            bary[row, column, 1] = b1
            depth[row, column] = min(max(z, -one), one)


@njit(**KERNEL, error_model="numpy")
def weigh_backward(clip, faces, top, bottom, face, bary, grad_bary, grad_clip):
    """Adds the gradient to x, y, w of each vertex [N,4].

    From sum(b_i q_i) = 0 and sum(b_i) = 1: dL/dq_i = -b_i h with [q_0 - q_2, q_1 - q_2]^T h = dL/d(b_0, b_1).
    """
    height, width = face.shape
    zero, one, two = np.float32(0.0), np.float32(1.0), np.float32(2.0)
    scale, shift = two / np.float32(width), one / np.float32(width) - one
    for row in range(top, bottom):
        y = (two * np.float32(row) + one) / np.float32(height) - one
        column = 0
        while column < width:
            f = face[row, column]
            if f < 0:
                column += 1
                continue
            i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
            w2 = clip[i2, 3]
            ux, uw = clip[i0, 0] - clip[i2, 0], clip[i0, 3] - w2
            vx, vw = clip[i1, 0] - clip[i2, 0], clip[i1, 3] - w2
            uy = clip[i0, 1] - clip[i2, 1] - y * uw
            vy = clip[i1, 1] - clip[i2, 1] - y * vw
            gx0 = gx1 = gx2 = gy0 = gy1 = gy2 = gw0 = gw1 = gw2 = zero
            while column < width and face[row, column] == f:
                g0, g1 = grad_bary[row, column, 0], grad_bary[row, column, 1]
                x = scale * np.float32(column) + shift
                u, v = ux - x * uw, vx - x * vw
                total = u * vy - uy * v
                per = -one / total if abs(total) > TINY * (abs(u * vy) + abs(uy * v)) else zero
                b0, b1 = bary[row, column, 0], bary[row, column, 1]
                b2 = one - b0 - b1
                hx = (vy * g0 - uy * g1) * per
                hy = (u * g1 - v * g0) * per
                hw = -(x * hx + y * hy)
                gx0 += b0 * hx
                gx1 += b1 * hx
                gx2 += b2 * hx
                gy0 += b0 * hy
                gy1 += b1 * hy
                gy2 += b2 * hy
                gw0 += b0 * hw
                gw1 += b1 * hw
                gw2 += b2 * hw
                column += 1
            add_point(grad_clip, i0, gx0, gy0, gw0)
            add_point(grad_clip, i1, gx1, gy1, gw1)
            add_point(grad_clip, i2, gx2, gy2, gw2)


@njit(**INNER, error_model="numpy")
def add_point(gradient, i, x, y, w):
    """Adds to x, y, w of a vertex."""
    gradient[i, 0] += x
    gradient[i, 1] += y
    gradient[i, 3] += w
