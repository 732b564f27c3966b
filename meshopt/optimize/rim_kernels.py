"""Compiled loops for the pixels that silhouette edges blend, of which there are few: see `comparison_kernels`.

They are taken out of the image, compared one by one with their blended values, and put back.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from meshopt.compilation import INNER, KERNEL


@njit(**KERNEL)
def take_out(face, index, place, kept):
    """Marks the pixels of all pairs in `face` [H*W] as below -1, and lists them: their number.

    `place` is the pixel and `kept` the face of each. In `index` [P,4] the pair's pixels become positions in the list.
    """
    count = np.int32(0)
    for n in range(index.shape[0]):
        for side in range(2):
            pixel = index[n, side]
            if face[pixel] >= -1:
                place[count], kept[count] = pixel, face[pixel]
                face[pixel] = np.int32(-2) - count
                count += np.int32(1)
            index[n, side] = np.int32(-2) - face[pixel]
    return count


@njit(**KERNEL)
def put_back(face, place, kept, width, listed, origin, slot):
    """Undoes `take_out`, and lists those of the pixels that show a face: their number.

    `slot` is each pixel's position in that list, -1 if it shows none.
    """
    count = np.int32(0)
    for k in range(place.shape[0]):
        face[place[k]], slot[k] = kept[k], np.int32(-1)
        if kept[k] >= 0:
            slot[k], listed[count] = count, kept[k]
            origin[count, 0], origin[count, 1] = place[k] % width, place[k] // width
            count += np.int32(1)
    return count


@njit(**KERNEL, error_model="numpy")
def compare_blended(slot, work, place, index, value, target, weight, factors, grad):
    """What blending changes in the costs that `compare` found with these pixels empty.

    Fills in the gradients to G, and adds to `grad` [N,8] those to x, y, w of the edges that blend.
    """
    of_normals, of_coverage, soft = factors
    count, one, zero = place.shape[0], np.float32(1), np.float32(0)
    image, normal_sum, coverage_sum = np.zeros((count, 4), np.float32), 0.0, 0.0
    for k in range(count):
        s = slot[k]
        if s >= 0:
            scale = one / np.sqrt(max(work[s, 2] ** 2 + work[s, 5] ** 2 + work[s, 8] ** 2, np.float32(1e-12)))
            image[k, 0], image[k, 1], image[k, 2] = work[s, 2] * scale, work[s, 5] * scale, work[s, 8] * scale
            image[k, 3] = one
    blended = image.copy()
    for n in range(index.shape[0]):
        inner, outer, share = index[n, 0], index[n, 1], value[n, 0] - np.float32(0.5)
        into = outer if share > zero else inner
        for c in range(4):
            blended[into, c] += share * (image[inner, c] - image[outer, c])
    slope = np.empty((count, 4), np.float32)
    for k in range(count):
        pixel, weighs = place[k], weight[place[k]]
        tx, ty, tz, tc = target[0, pixel], target[1, pixel], target[2, pixel], target[3, pixel]
        dx, dy, dz, dc = blended[k, 0] - tx, blended[k, 1] - ty, blended[k, 2] - tz, blended[k, 3] - tc
        root = np.sqrt(dx * dx + dy * dy + dz * dz + soft * soft)
        empty = np.sqrt(tx * tx + ty * ty + tz * tz + soft * soft)
        normal_sum += weighs * (root - empty)
        coverage_sum += weighs * (dc * dc - tc * tc)
        pull = of_normals * weighs * soft / root
        slope[k, 0], slope[k, 1], slope[k, 2] = pull * dx, pull * dy, pull * dz
        slope[k, 3] = of_coverage * weighs * np.float32(2) * dc
    blend_back(index, value, image, slope, grad)
    for k in range(count):
        s = slot[k]
        if s >= 0:
            x, y, z = image[k, 0], image[k, 1], image[k, 2]
            scale = one / np.sqrt(max(work[s, 2] ** 2 + work[s, 5] ** 2 + work[s, 8] ** 2, np.float32(1e-12)))
            along = slope[k, 0] * x + slope[k, 1] * y + slope[k, 2] * z
            work[s, 11] = (slope[k, 0] - along * x) * scale
            work[s, 14] = (slope[k, 1] - along * y) * scale
            work[s, 17] = (slope[k, 2] - along * z) * scale
    return of_normals * soft * normal_sum, of_coverage * coverage_sum


@njit(**INNER)
def blend_back(index, value, image, slope, grad):
    """From the gradients to blended pixels, in place, those to the pixels before; adds those to the edges' ends."""
    blended = slope.copy()
    for n in range(index.shape[0]):
        inner, outer, share = index[n, 0], index[n, 1], value[n, 0] - np.float32(0.5)
        into = outer if share > np.float32(0) else inner
        moves = np.float32(0)
        for c in range(4):
            g = blended[into, c]
            slope[inner, c] += share * g
            slope[outer, c] -= share * g
            moves += g * (image[inner, c] - image[outer, c])
        for end in range(2):
            i, pull = index[n, 2 + end], moves * value[n, 1 + end]
            grad[i, 0] += pull * value[n, 3]
            grad[i, 1] += pull * value[n, 4]
            grad[i, 2] += pull * value[n, 5]
