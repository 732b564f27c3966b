"""Compiled loops of the CPU rasteriser's antialiasing: silhouette edges, pixel pairs they part, blending.

After Laine et al. 2020, "Modular primitives for high-performance differentiable rendering", with one
difference: an edge is found from the mesh, not from the pixel. Each silhouette edge visits the pixel pairs it
crosses; a pair counts if the inner pixel's face is reached from the edge along the pair without crossing
another silhouette edge. So edges of triangles too small or too oblique to own a pixel keep their gradient.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from meshopt.compilation import INNER, KERNEL

MAX_STEPS = 1024  # faces between a silhouette edge and the pixel it belongs to
MARGIN = 1.0 / 128.0  # pixels: an edge this near to a pixel's centre may lie on either side of it; snapping moves it


@njit(**KERNEL, error_model="numpy")
def neighbours(faces, start, entry, across):
    """The face across each edge, into `across` [F,3]; edge k is opposite vertex k.

    It is -1 where there is none, and is -2 - g where face g runs along the edge in the same direction
    (inconsistent orientation). Faces meet if their third vertices differ: copies of a face, turned over or not, do
    not, and a later copy has itself across. Where more than two third vertices meet, the first two count. Faces
    with a repeated vertex have no neighbours and are none. Work space: `start` [N+2] and `entry` [3F,3].
    """
    across[:], start[:] = -1, 0
    for f in range(faces.shape[0]):
        if repeats(faces, f):
            continue
        for k in range(3):
            start[min(faces[f, k], faces[f, (k + 1) % 3]) + 2] += 1
    for i in range(2, start.shape[0]):
        start[i] += start[i - 1]
    for f in range(faces.shape[0]):  # edges by lower vertex: higher vertex; 6 f + 2 k + direction; third vertex
        if repeats(faces, f):
            continue
        for k in range(3):
            i, j = faces[f, (k + 1) % 3], faces[f, (k + 2) % 3]
            slot = start[min(i, j) + 1]
            entry[slot, 0], entry[slot, 2] = max(i, j), faces[f, k]
            entry[slot, 1] = 6 * f + 2 * k + (1 if i < j else 0)
            start[min(i, j) + 1] = slot + 1
    for i in range(start.shape[0] - 2):
        for s in range(start[i], start[i + 1]):
            first = second = -1  # the first faces of this edge with different third vertices
            for t in range(start[i], start[i + 1]):
                if entry[t, 0] == entry[s, 0]:
                    if first < 0:
                        first = t
                    elif second < 0 and entry[t, 2] != entry[first, 2]:
                        second = t
            code, alike = entry[s, 1], first
            if second >= 0 and entry[s, 2] == entry[second, 2]:
                alike = second
            if entry[s, 2] == entry[alike, 2] and alike != s:
                across[code // 6, code % 6 // 2] = code // 6
            elif second >= 0 and alike == s:
                other = entry[first if alike == second else second, 1]
                along = (code ^ other) & 1 == 0
                across[code // 6, code % 6 // 2] = -2 - other // 6 if along else other // 6


@njit(**INNER, error_model="numpy")
def repeats(faces, f):
    """Whether a face has a repeated vertex."""
    return faces[f, 0] == faces[f, 1] or faces[f, 1] == faces[f, 2] or faces[f, 2] == faces[f, 0]


@njit(**KERNEL, error_model="numpy")
def facing(clip, faces, front):
    """Which of its two sides each face shows: whether v_0 . (v_1 x v_2) > 0 with v = (x, y, w)."""
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        x, y, w = np.float64(clip[i, 0]), np.float64(clip[i, 1]), np.float64(clip[i, 3])
        ux, uy, uw = clip[j, 0] - x, clip[j, 1] - y, clip[j, 3] - w
        vx, vy, vw = clip[k, 0] - x, clip[k, 1] - y, clip[k, 3] - w
        front[f] = x * (uy * vw - uw * vy) + y * (uw * vx - ux * vw) + w * (ux * vy - uy * vx) > 0.0


@njit(**INNER, error_model="numpy")
def folds(across, front, f, k):
    """Whether edge k of face f is a silhouette: its faces lie on one side of it in the image."""
    g = across[f, k]
    if g >= 0:
        return front[g] != front[f]
    return g == -1 or front[-2 - g] == front[f]


@njit(**INNER, error_model="numpy")
def above(clip, i, p, level):
    """On which side of the line s/w = level a vertex lies, s being the other axis than p."""
    return clip[i, 1 - p] - level * clip[i, 3] >= 0.0


@njit(**INNER, error_model="numpy")
def cross(clip, i, j, p, level):
    """Where edge (i, j) meets the line s/w = level, p and s = 1 - p being axes.

    Gives alpha, beta and alpha p_i + beta p_j, where alpha v_i + beta v_j is that point with w = 1; one of
    them is negative where it is not in front of the camera. The ends must lie on different sides of the line.
    """
    qi = clip[i, 1 - p] - level * clip[i, 3]
    qj = clip[j, 1 - p] - level * clip[j, 3]
    slope = qi * clip[j, 3] - qj * clip[i, 3]
    if slope == 0.0:
        return -1.0, -1.0, 0.0
    alpha, beta = -qj / slope, qi / slope
    return alpha, beta, alpha * clip[i, p] + beta * clip[j, p]


@njit(**INNER, error_model="numpy")
def reaches(clip, faces, across, front, f, i, j, target, beyond, p, level, limit, sign):
    """Whether the walk from edge (i, j) into face f, along the line s/w = level, meets face `target`, not `beyond`.

    It ends at a silhouette edge, and beyond `limit` (p/w) in the direction of `sign`.
    """
    i_above = above(clip, i, p, level)
    for _ in range(MAX_STEPS):
        if f == target:
            return True
        if f == beyond:
            return False
        local = 0
        while faces[f, local] == i or faces[f, local] == j:
            local += 1
        third = faces[f, local]
        if above(clip, third, p, level) == i_above:  # leave through (third, j)
            i, leave = third, i
        else:
            j, leave = third, j
        alpha, beta, at = cross(clip, i, j, p, level)
        if alpha < 0.0 or beta < 0.0 or (at - limit) * sign > 0.0:
            return False
        local = 0
        while faces[f, local] != leave:
            local += 1
        if folds(across, front, f, local):
            return False
        f = across[f, local] if across[f, local] >= 0 else -2 - across[f, local]
    return False


@njit(**INNER, error_model="numpy")
def lines(clip, i, j, s, size):
    """First and one past the last pixel line across axis s whose centres edge (i, j) may meet."""
    wi, wj = np.float64(clip[i, 3]), np.float64(clip[j, 3])
    if wi <= 0.0 and wj <= 0.0:
        return 0, 0
    if wi <= 0.0 or wj <= 0.0:
        return 0, size
    a, b = 0.5 * (clip[i, s] / wi + 1.0) * size - 0.5, 0.5 * (clip[j, s] / wj + 1.0) * size - 0.5
    low, high = max(min(a, b), -1.0), min(max(a, b), float(size))
    if not low <= high:
        return 0, 0
    return max(int(np.floor(low)), 0), min(int(np.floor(high)) + 2, size)


@njit(**KERNEL, error_model="numpy")
def part(clip, faces, across, front, face, depth, index, value):
    """The pixel pairs of one view that silhouette edges part: their number; the first ones in the arrays.

    In `index` [P,4]: inner pixel, outer pixel (row * W + column), the edge's two vertices.
    In `value` [P,6]: the edge's distance from the inner pixel's centre in pixels; alpha and beta, with the
    edge's point = alpha v_i + beta v_j; the distance's gradient to x, y, w of that point.
    """
    count = np.int64(0)  # a plain 0 would be compiled for twice
    shape, face_at, depth_at = face.shape, face.reshape(-1), depth.reshape(-1)
    for f in range(faces.shape[0]):
        for k in range(3):
            if folds(across, front, f, k) and not repeats(faces, f):
                count = part_edge(clip, faces, across, front, shape, face_at, depth_at, f, k, index, value, count)
    return count


@njit(**INNER, error_model="numpy")
def part_edge(clip, faces, across, front, shape, face, depth, f, k, index, value, count):
    """`part` for edge k of face f, from that face's side: the number of pairs so far."""
    height, width = shape
    i, j = faces[f, (k + 1) % 3], faces[f, (k + 2) % 3]
    xi, yi, wi = np.float64(clip[i, 0]), np.float64(clip[i, 1]), np.float64(clip[i, 3])
    xj, yj, wj = np.float64(clip[j, 0]), np.float64(clip[j, 1]), np.float64(clip[j, 3])
    nx, ny, nw = yi * wj - wi * yj, wi * xj - xi * wj, xi * yj - yi * xj
    # an edge steeper than 45 degrees parts horizontal pairs (p = 0), another vertical ones: one pair per line
    p = 0 if abs(nx) * height >= abs(ny) * width else 1
    dominant, size = (nx, width) if p == 0 else (ny, height)
    if not abs(dominant) > 0.0:
        return count
    inward = 1 if (dominant > 0.0) == front[f] else -1
    first, last = lines(clip, i, j, 1 - p, width + height - size)
    for line in range(first, last):
        level = (2.0 * line + 1.0) / (width + height - size) - 1.0
        if above(clip, i, p, level) == above(clip, j, p, level):
            continue
        alpha, beta, at = cross(clip, i, j, p, level)
        position = 0.5 * (at + 1.0) * size - 0.5
        if alpha < 0.0 or beta < 0.0 or not -1.0 <= position <= size:
            continue
        z, base = alpha * clip[i, 2] + beta * clip[j, 2], int(np.floor(position))
        # between the centres of pixels low and low + 1; near a centre, also on its other side
        for low in range(base - (position - base < MARGIN), base + 1 + (position - base > 1.0 - MARGIN)):
            inner, outer = (low + 1, low) if inward > 0 else (low, low + 1)
            if low < 0 or low + 1 >= size:
                continue
            inner_at = line * width + inner if p == 0 else inner * width + line
            outer_at = line * width + outer if p == 0 else outer * width + line
            target, beyond = face[inner_at], face[outer_at]
            if target < 0 or target == beyond or (beyond >= 0 and not z < depth[outer_at]):
                continue
            limit = (2.0 * (inner + inward * MARGIN) + 1.0) / size - 1.0
            if reaches(clip, faces, across, front, f, i, j, target, beyond, p, level, limit, inward):
                if count < index.shape[0]:
                    index[count, 0], index[count, 1], index[count, 2], index[count, 3] = inner_at, outer_at, i, j
                    scale = -0.5 * inward * size / dominant
                    value[count, 0] = min(max(inward * (inner - position), 0.0), 1.0)
                    value[count, 1], value[count, 2] = alpha, beta
                    value[count, 3], value[count, 4], value[count, 5] = scale * nx, scale * ny, scale * nw
                count += 1
    return count


@njit(**KERNEL, error_model="numpy")
def blend(image, index, value, out):
    """Adds to `out` [H*W,C], a copy of `image`, what each pair mixes.

    The inner pixel's colour into the covered share of the outer one, or the reverse into the uncovered share.
    """
    for n in range(index.shape[0]):
        inner, outer = index[n, 0], index[n, 1]
        share = value[n, 0] - np.float32(0.5)
        into = outer if share > 0 else inner
        for c in range(image.shape[1]):
            out[into, c] += share * (image[inner, c] - image[outer, c])


@njit(**KERNEL, error_model="numpy")
def blend_backward(image, index, value, grad_out, grad_image, grad_clip):
    """Adds the gradients to the image (a copy of `grad_out`) and, if those have rows, to clip positions."""
    to_clip = grad_clip.shape[0] > 0
    for n in range(index.shape[0]):
        inner, outer = index[n, 0], index[n, 1]
        share = value[n, 0] - np.float32(0.5)
        into = outer if share > 0 else inner
        slope = np.float32(0.0)
        for c in range(image.shape[1]):
            g = grad_out[into, c]
            grad_image[inner, c] += share * g
            grad_image[outer, c] -= share * g
            slope += g * (image[inner, c] - image[outer, c])
        if to_clip:
            for end in range(2):
                vertex, weight = index[n, 2 + end], slope * value[n, 1 + end]
                grad_clip[vertex, 0] += weight * value[n, 3]
                grad_clip[vertex, 1] += weight * value[n, 4]
                grad_clip[vertex, 3] += weight * value[n, 5]
