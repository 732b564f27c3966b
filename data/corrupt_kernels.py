"""Numba kernels that damage images the way generators do, written out so that every machine rounds alike."""

import math

import numpy as np
from numba import njit


@njit(nogil=True)
def waves(size, table):
    """A smooth vector field [size, size, 3]: the sum over rows (fx, fy, phase, a) of a cos(2 pi f.x + phase).

    Frequencies are in periods per image, phases in radians.
    """
    out = np.zeros((size, size, 3))
    for j in range(size):
        for i in range(size):
            for k in range(len(table)):
                turns = (table[k, 0] * (i + 0.5) + table[k, 1] * (j + 0.5)) / size
                value = math.cos(2.0 * math.pi * turns + table[k, 2])
                for c in range(3):
                    out[j, i, c] += value * table[k, 3 + c]
    return out


@njit(nogil=True)
def turned(vectors, turns):
    """Vectors [H, W, 3] turned by rotation vectors [H, W, 3] (radians), after Rodrigues."""
    out = np.empty_like(vectors)
    for j in range(vectors.shape[0]):
        for i in range(vectors.shape[1]):
            v, w = vectors[j, i], turns[j, i]
            angle = math.sqrt(w[0] * w[0] + w[1] * w[1] + w[2] * w[2])
            if angle < 1e-12:
                out[j, i] = v
                continue
            c, s = math.cos(angle), math.sin(angle) / angle
            dot = (w[0] * v[0] + w[1] * v[1] + w[2] * v[2]) * (1.0 - c) / (angle * angle)
            out[j, i, 0] = c * v[0] + s * (w[1] * v[2] - w[2] * v[1]) + dot * w[0]
            out[j, i, 1] = c * v[1] + s * (w[2] * v[0] - w[0] * v[2]) + dot * w[1]
            out[j, i, 2] = c * v[2] + s * (w[0] * v[1] - w[1] * v[0]) + dot * w[2]
    return out


@njit(nogil=True)
def blurred(image, sigma):
    """Gaussian blur of [H, W, C] with standard deviation `sigma` pixels; the border is repeated."""
    height, width, channels = image.shape
    reach = math.ceil(3.0 * sigma)
    weights = np.empty(2 * reach + 1)
    for k in range(2 * reach + 1):
        weights[k] = math.exp(-0.5 * ((k - reach) / sigma) ** 2)
    total = 0.0
    for k in range(2 * reach + 1):
        total += weights[k]
    rows, out = np.zeros_like(image), np.zeros_like(image)
    for j in range(height):
        for i in range(width):
            for k in range(2 * reach + 1):
                for c in range(channels):
                    rows[j, i, c] += weights[k] / total * image[j, min(max(i + k - reach, 0), width - 1), c]
    for j in range(height):
        for i in range(width):
            for k in range(2 * reach + 1):
                for c in range(channels):
                    out[j, i, c] += weights[k] / total * rows[min(max(j + k - reach, 0), height - 1), i, c]
    return out


@njit(nogil=True)
def zoomed(image, zoom, shift_x, shift_y):
    """[H, W, C] enlarged about its centre by `zoom`, then moved right and down by pixels; bilinear."""
    height, width, channels = image.shape
    out = np.zeros_like(image)
    for j in range(height):
        for i in range(width):
            x = (i + 0.5 - 0.5 * width - shift_x) / zoom + 0.5 * width - 0.5
            y = (j + 0.5 - 0.5 * height - shift_y) / zoom + 0.5 * height - 0.5
            x, y = min(max(x, 0.0), width - 1.001), min(max(y, 0.0), height - 1.001)
            a, b = int(x), int(y)
            for c in range(channels):
                top = image[b, a, c] * (a + 1 - x) + image[b, a + 1, c] * (x - a)
                low = image[b + 1, a, c] * (a + 1 - x) + image[b + 1, a + 1, c] * (x - a)
                out[j, i, c] = top * (b + 1 - y) + low * (y - b)
    return out


@njit(nogil=True)
def quantised(image, table):
    """[H, W, C] in 0..255, its 8 x 8 cosine coefficients rounded to multiples of `table`, as in JPEG."""
    basis = np.empty((8, 8))
    for k in range(8):
        for n in range(8):
            basis[k, n] = math.cos((2 * n + 1) * k * math.pi / 16) * (math.sqrt(0.125) if k == 0 else 0.5)
    out, work, block = np.empty_like(image), np.empty((8, 8)), np.empty((8, 8))
    for c in range(image.shape[2]):
        for j in range(0, image.shape[0], 8):
            for i in range(0, image.shape[1], 8):
                for k in range(8):
                    for n in range(8):
                        work[k, n] = 0.0
                        for m in range(8):
                            work[k, n] += basis[k, m] * image[j + m, i + n, c]
                for k in range(8):
                    for n in range(8):
                        total = 1e-7  # breaks ties the same way everywhere
                        for m in range(8):
                            total += work[k, m] * basis[n, m]
                        block[k, n] = math.floor(total / table[k, n] + 0.5) * table[k, n]
                for k in range(8):
                    for n in range(8):
                        work[k, n] = 0.0
                        for m in range(8):
                            work[k, n] += basis[m, k] * block[m, n]
                for k in range(8):
                    for n in range(8):
                        total = 0.0
                        for m in range(8):
                            total += work[k, m] * basis[m, n]
                        out[j + k, i + n, c] = total
    return out
