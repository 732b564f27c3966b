"""Compiled loops of the CPU rasteriser: vertex attributes at pixels, and the gradients back.

Every function works on one view and on a band of rows [top, bottom); `faces` come as uint32. Neighbouring
pixels of a row mostly see the same face: what belongs to a face is fetched, and gradients are scattered, once
for such a run.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from meshopt.compilation import INNER, KERNEL


@njit(**KERNEL, error_model="numpy")
def interpolate(attributes, faces, top, bottom, face, bary, image):
    """Attributes [N,C] at the pixels that see a face; the others are left as they are."""
    width, channels = image.shape[1], image.shape[2]
    one = np.float32(1.0)
    for row in range(top, bottom):
        for column in range(width):
            f = face[row, column]
            if f < 0:
                continue
            i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
            b0, b1 = bary[row, column, 0], bary[row, column, 1]
            b2 = one - b0 - b1
            for c in range(channels):
                image[row, column, c] = b0 * attributes[i0, c] + b1 * attributes[i1, c] + b2 * attributes[i2, c]


@njit(**KERNEL, error_model="numpy")
def interpolate_backward(attributes, faces, top, bottom, face, bary, grad_image, grad_attributes, grad_bary):
    """Adds the gradient to the attributes [N,C] and to the weights; to either only if its array has rows."""
    width, channels = grad_image.shape[1], grad_image.shape[2]
    quads = channels // 4 * 4
    for row in range(top, bottom):
        start = np.int64(0)  # a plain 0 would be compiled for twice
        while start < width:
            f = face[row, start]
            if f < 0:
                start += 1
                continue
            stop = start + 1
            while stop < width and face[row, stop] == f:
                stop += 1
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            for c in range(0, quads, 4):
                four_channels(attributes, row, start, stop, i, j, k, c, bary, grad_image, grad_attributes, grad_bary)
            for c in range(quads, channels):
                one_channel(attributes, row, start, stop, i, j, k, c, bary, grad_image, grad_attributes, grad_bary)
            start = stop


@njit(**INNER, error_model="numpy", inline="always")
def one_channel(attributes, row, start, stop, i, j, k, c, bary, grad_image, grad_attributes, grad_bary):
    """`interpolate_backward` for the pixels [start, stop) of a row, which see the face (i, j, k)."""
    one = np.float32(1.0)
    u, v = attributes[i, c] - attributes[k, c], attributes[j, c] - attributes[k, c]
    si = sj = sk = np.float32(0.0)
    for column in range(start, stop):
        g = grad_image[row, column, c]
        b0, b1 = bary[row, column, 0], bary[row, column, 1]
        si += b0 * g
        sj += b1 * g
        sk += (one - b0 - b1) * g
        if grad_bary.shape[0] > 0:
            grad_bary[row, column, 0] += u * g
            grad_bary[row, column, 1] += v * g
    if grad_attributes.shape[0] > 0:
        grad_attributes[i, c] += si
        grad_attributes[j, c] += sj
        grad_attributes[k, c] += sk


@njit(**INNER, error_model="numpy", inline="always")
def four_channels(attributes, row, start, stop, i, j, k, c, bary, grad_image, grad_attributes, grad_bary):
    """`one_channel` for c, c + 1, c + 2, c + 3, written out: half the time, as the pixels are read once."""
    one, c1, c2, c3 = np.float32(1.0), c + 1, c + 2, c + 3
    k0, k1, k2, k3 = attributes[k, c], attributes[k, c1], attributes[k, c2], attributes[k, c3]
    u0, u1, u2, u3 = (
        attributes[i, c] - k0,
        attributes[i, c1] - k1,
        attributes[i, c2] - k2,
        attributes[i, c3] - k3,
    )
    v0, v1, v2, v3 = (
        attributes[j, c] - k0,
        attributes[j, c1] - k1,
        attributes[j, c2] - k2,
        attributes[j, c3] - k3,
    )
    p0 = p1 = p2 = p3 = q0 = q1 = q2 = q3 = r0 = r1 = r2 = r3 = np.float32(0.0)
    for column in range(start, stop):
        g0, g1 = grad_image[row, column, c], grad_image[row, column, c1]
        g2, g3 = grad_image[row, column, c2], grad_image[row, column, c3]
        bi, bj = bary[row, column, 0], bary[row, column, 1]
        bk = one - bi - bj
        p0, p1, p2, p3 = p0 + bi * g0, p1 + bi * g1, p2 + bi * g2, p3 + bi * g3
        q0, q1, q2, q3 = q0 + bj * g0, q1 + bj * g1, q2 + bj * g2, q3 + bj * g3
        r0, r1, r2, r3 = r0 + bk * g0, r1 + bk * g1, r2 + bk * g2, r3 + bk * g3
        if grad_bary.shape[0] > 0:
            grad_bary[row, column, 0] += u0 * g0 + u1 * g1 + u2 * g2 + u3 * g3
            grad_bary[row, column, 1] += v0 * g0 + v1 * g1 + v2 * g2 + v3 * g3
    if grad_attributes.shape[0] > 0:
        add_four(grad_attributes, i, c, p0, p1, p2, p3)
        add_four(grad_attributes, j, c, q0, q1, q2, q3)
        add_four(grad_attributes, k, c, r0, r1, r2, r3)


@njit(**INNER, error_model="numpy", inline="always")
def add_four(gradient, i, c, g0, g1, g2, g3):
    """Adds to four channels of a vertex."""
    gradient[i, c] += g0
    gradient[i, c + 1] += g1
    gradient[i, c + 2] += g2
    gradient[i, c + 3] += g3
