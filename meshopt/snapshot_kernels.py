"""Compiled loops of snapshots: what the samples of a band of rows see, summed up by pixel.

A band holds `samples` rows and columns of samples for each of its pixels. `faces`, `shading_faces` and `uv_faces` [F,3]
are a mesh's; `turned` [F] says which faces are seen from behind.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from meshopt.compilation import INNER, KERNEL


@njit(**KERNEL, error_model="numpy")
def add_normals(face, bary, samples, shading_faces, normals, turned, total, count):
    """Adds the samples' unit normals, on `turned` faces turned, to the pixels' `total` [h,w,3], and counts them."""
    for row in range(face.shape[0]):
        for column in range(face.shape[1]):
            f = face[row, column]
            if f < 0:
                continue
            b0, b1 = np.float64(bary[row, column, 0]), np.float64(bary[row, column, 1])
            b2 = 1.0 - b0 - b1
            i, j, k = shading_faces[f, 0], shading_faces[f, 1], shading_faces[f, 2]
            x = b0 * normals[i, 0] + b1 * normals[j, 0] + b2 * normals[k, 0]
            y = b0 * normals[i, 1] + b1 * normals[j, 1] + b2 * normals[k, 1]
            z = b0 * normals[i, 2] + b1 * normals[j, 2] + b2 * normals[k, 2]
            length = np.sqrt(x * x + y * y + z * z)
            scale = 0.0 if length < 1e-12 else (-1.0 if turned[f] else 1.0) / length
            pixel = total[row // samples, column // samples]
            pixel[0] += scale * x
            pixel[1] += scale * y
            pixel[2] += scale * z
            count[row // samples, column // samples] += 1.0


@njit(**KERNEL, error_model="numpy")
def add_colors(face, bary, samples, faces, colors, total):
    """Adds the samples' colours, linear between those of vertices [N,3], to the pixels' `total` [h,w,3]."""
    for row in range(face.shape[0]):
        for column in range(face.shape[1]):
            f = face[row, column]
            if f < 0:
                continue
            b0, b1 = np.float64(bary[row, column, 0]), np.float64(bary[row, column, 1])
            b2 = 1.0 - b0 - b1
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            pixel = total[row // samples, column // samples]
            for c in range(3):
                pixel[c] += b0 * colors[i, c] + b1 * colors[j, c] + b2 * colors[k, c]


@njit(**KERNEL, error_model="numpy")
def add_texels(face, bary, samples, uv_faces, uv, image, total):
    """Adds the samples' colours, bilinear between texels of an 8-bit image, to the pixels' `total` [h,w,3]."""
    height, width = image.shape[0], image.shape[1]
    for row in range(face.shape[0]):
        for column in range(face.shape[1]):
            f = face[row, column]
            if f < 0:
                continue
            b0, b1 = np.float64(bary[row, column, 0]), np.float64(bary[row, column, 1])
            b2 = 1.0 - b0 - b1
            i, j, k = uv_faces[f, 0], uv_faces[f, 1], uv_faces[f, 2]
            left, right, across = _texels(b0 * uv[i, 0] + b1 * uv[j, 0] + b2 * uv[k, 0], width)
            top, bottom, down = _texels(b0 * uv[i, 1] + b1 * uv[j, 1] + b2 * uv[k, 1], height)
            pixel = total[row // samples, column // samples]
            for c in range(3):
                above = image[top, left, c] * (1.0 - across) + image[top, right, c] * across
                below = image[bottom, left, c] * (1.0 - across) + image[bottom, right, c] * across
                pixel[c] += (above * (1.0 - down) + below * down) / 255.0


@njit(**INNER, error_model="numpy", inline="always")
def _texels(position, length):
    """Of `length` texels along [0, 1] those before and after a position, and the share of the latter."""
    place = min(max(position * length - 0.5, 0.0), length - 1.0)
    first = int(place)
    return first, min(first + 1, length - 1), place - first
