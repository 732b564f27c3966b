"""Compiled loops that compare a mesh's normals and silhouette with images, and give the gradient to its vertices.

Within a visible face the interpolated normal, up to its length, is linear in the pixel: with v_k = (x_k, y_k, w_k) the
corners in clip space, relative to a pixel of the face, n_k their normals and (dx, dy) the offset from that pixel,

    N(dx, dy) = sum_k n_k (l_k . (dx, dy, 1)) / det,  l_k = v_k+1 x v_k+2,  det = v_0 . l_0,

for any camera (Olano and Greer 1997). So N = G (dx, dy, 1) with one 3 x 3 matrix G a face, and all that the pixels have
to tell a face's corners is the loss's gradient to G. As only N's direction counts, det is a constant there.

Functions work on one view. A list of faces has numbers ("slots"): `listed` [S] is the
face, `origin` [S,2] its pixel (column, row), `work` [S,18] holds G and the gradient to it, row by row, and `corners`
[S/CHUNK,18,CHUNK] is what `gather` found.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from meshopt.compilation import INNER, KERNEL

CHUNK = 64  # faces at once: one per lane of vector instructions
ROWS = 32  # at once: what they need then stays in a core's cache
SLIVER = np.float32(1.0 / 256.0)  # doubled pixel area: below, snapping decides what a pixel shows, and N is the mean


@njit(**INNER)
def number(face, top, bottom, slot_of, runs, run_from, listed, origin):
    """Numbers the visible faces, and finds the runs of pixels of a row that see one face. Gives how many faces.

    `runs` [R,3] are first column, one past the last and slot; those of a row begin at `run_from` [ROWS+1]. `slot_of`
    [F] is -1 everywhere before and after.
    """
    count, found, width = np.int32(0), 0, face.shape[1]
    for row in range(top, bottom):
        run_from[row - top] = found
        before = np.int32(-1)
        for column in range(width):
            f = face[row, column]
            if f != before:
                if before >= 0:
                    runs[found, 1] = column
                    found += 1
                before = f
                if f >= 0:
                    slot = slot_of[f]
                    if slot < 0:
                        slot = count
                        slot_of[f], listed[slot], origin[slot, 0], origin[slot, 1] = slot, f, column, row
                        count += np.int32(1)
                    runs[found, 0], runs[found, 2] = column, slot
        if before >= 0:
            runs[found, 1] = width
            found += 1
    run_from[bottom - top] = found
    for slot in range(count):
        slot_of[listed[slot]] = -1
    return count


@njit(**KERNEL)
def transform(vertices, normals, matrix, clip, packed):
    """Clip positions [N,4] of world positions [N,3], and those with the normals: `packed` [N,8] is x, y, w, normal."""
    for i in range(vertices.shape[0]):
        a, b, c = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        for k in range(4):
            clip[i, k] = matrix[k, 0] * a + matrix[k, 1] * b + matrix[k, 2] * c + matrix[k, 3]
        packed[i, 0], packed[i, 1], packed[i, 2] = clip[i, 0], clip[i, 1], clip[i, 3]
        packed[i, 3], packed[i, 4], packed[i, 5] = normals[i, 0], normals[i, 1], normals[i, 2]


@njit(**KERNEL)
def to_world(grad, matrix, to_vertices, to_normals):
    """Adds the gradient to x, y, w and normal of each vertex [N,8] to those to world positions and normals [N,3]."""
    for i in range(grad.shape[0]):
        gx, gy, gw = grad[i, 0], grad[i, 1], grad[i, 2]
        for k in range(3):
            to_vertices[i, k] += matrix[0, k] * gx + matrix[1, k] * gy + matrix[3, k] * gw
            to_normals[i, k] += grad[i, 3 + k]


@njit(**INNER)
def gather(packed, faces, listed, origin, start, stop, height, width, lanes):
    """Corners relative to the origin, in pixels (x, y, w of each), and normals of the faces [start, stop), by lane."""
    one, two = np.float32(1), np.float32(2)
    sx, sy = np.float32(0.5 * width), np.float32(0.5 * height)
    for n in range(start, stop):
        lane, f = n - start, listed[n]
        x = (two * np.float32(origin[n, 0]) + one) / np.float32(width) - one
        y = (two * np.float32(origin[n, 1]) + one) / np.float32(height) - one
        for k in range(3):
            i = faces[f, k]
            w = packed[i, 2]
            lanes[3 * k, lane], lanes[3 * k + 1, lane] = (packed[i, 0] - x * w) * sx, (packed[i, 1] - y * w) * sy
            lanes[3 * k + 2, lane] = w
            for c in range(3):
                lanes[9 + 3 * k + c, lane] = packed[i, 3 + c]


@njit(**INNER, error_model="numpy", inline="always")
def lines(lanes, j):
    """l_k (a, b, c of each), the factor 1 / det, and the weight of the plain mean: one of the two is 0."""
    x0, y0, w0, x1, y1, w1 = lanes[0, j], lanes[1, j], lanes[2, j], lanes[3, j], lanes[4, j], lanes[5, j]
    x2, y2, w2 = lanes[6, j], lanes[7, j], lanes[8, j]
    a0, b0, c0 = y1 * w2 - w1 * y2, w1 * x2 - x1 * w2, x1 * y2 - y1 * x2
    a1, b1, c1 = y2 * w0 - w2 * y0, w2 * x0 - x2 * w0, x2 * y0 - y2 * x0
    a2, b2, c2 = y0 * w1 - w0 * y1, w0 * x1 - x0 * w1, x0 * y1 - y0 * x1
    det = a0 * x0 + b0 * y0 + c0 * w0
    flat = not (abs(det) >= SLIVER * abs(w0 * w1 * w2))
    scale = np.float32(0) if flat else np.float32(1) / det
    mean = np.float32(1 / 3) if flat else np.float32(0)
    return a0, b0, c0, a1, b1, c1, a2, b2, c2, scale, mean


@njit(**KERNEL, error_model="numpy")
def planes(packed, faces, listed, origin, count, height, width, work, corners):
    """G of the first `count` listed faces, and zeros for its gradient."""
    lanes = np.zeros((27, CHUNK), np.float32)
    for start in range(0, count, CHUNK):
        stop = min(start + CHUNK, count)
        gather(packed, faces, listed, origin, start, stop, height, width, lanes)
        for j in range(CHUNK):
            a0, b0, c0, a1, b1, c1, a2, b2, c2, scale, mean = lines(lanes, j)
            u0, u1, u2, v0, v1, v2 = lanes[9, j], lanes[10, j], lanes[11, j], lanes[12, j], lanes[13, j], lanes[14, j]
            q0, q1, q2 = lanes[15, j], lanes[16, j], lanes[17, j]
            lanes[18, j] = scale * (u0 * a0 + v0 * a1 + q0 * a2)
            lanes[19, j] = scale * (u0 * b0 + v0 * b1 + q0 * b2)
            lanes[20, j] = scale * (u0 * c0 + v0 * c1 + q0 * c2) + mean * (u0 + v0 + q0)
            lanes[21, j] = scale * (u1 * a0 + v1 * a1 + q1 * a2)
            lanes[22, j] = scale * (u1 * b0 + v1 * b1 + q1 * b2)
            lanes[23, j] = scale * (u1 * c0 + v1 * c1 + q1 * c2) + mean * (u1 + v1 + q1)
            lanes[24, j] = scale * (u2 * a0 + v2 * a1 + q2 * a2)
            lanes[25, j] = scale * (u2 * b0 + v2 * b1 + q2 * b2)
            lanes[26, j] = scale * (u2 * c0 + v2 * c1 + q2 * c2) + mean * (u2 + v2 + q2)
        copy_corners(lanes, corners[start // CHUNK])
        for n in range(start, stop):
            for c in range(9):
                work[n, c], work[n, 9 + c] = lanes[18 + c, n - start], np.float32(0)


@njit(**INNER)
def copy_corners(source, target):
    """The first 18 rows, see `gather`."""
    for c in range(18):
        for j in range(CHUNK):
            target[c, j] = source[c, j]


@njit(**KERNEL, error_model="numpy")
def scatter(faces, listed, origin, count, height, width, work, corners, grad):
    """Adds to `grad` [N,8], of x, y, w and of the normal, what the gradient to G means for them."""
    lanes = np.zeros((45, CHUNK), np.float32)
    sx, sy, one, two = np.float32(0.5 * width), np.float32(0.5 * height), np.float32(1), np.float32(2)
    for start in range(0, count, CHUNK):
        stop = min(start + CHUNK, count)
        copy_corners(corners[start // CHUNK], lanes)
        for n in range(start, stop):
            for c in range(9):
                lanes[18 + c, n - start] = work[n, 9 + c]
        for j in range(CHUNK):
            corner_gradients(lanes, j)
        for n in range(start, stop):
            j, f = n - start, listed[n]
            x = (two * np.float32(origin[n, 0]) + one) / np.float32(width) - one
            y = (two * np.float32(origin[n, 1]) + one) / np.float32(height) - one
            for k in range(3):
                i = faces[f, k]
                gx, gy = lanes[36 + 3 * k, j] * sx, lanes[37 + 3 * k, j] * sy
                grad[i, 0] += gx
                grad[i, 1] += gy
                grad[i, 2] += lanes[38 + 3 * k, j] - x * gx - y * gy
                for c in range(3):
                    grad[i, 3 + c] += lanes[27 + 3 * k + c, j]


@njit(**INNER, error_model="numpy", inline="always")
def corner_gradients(lanes, j):
    """From the gradient g to G (rows 18 to 26) those to the normals (27 to 35) and to the corners (36 to 44).

    g_n_k = g l_k / det; g_l_k = g^T n_k / det; and for l = a x b: g_a = b x g_l, g_b = g_l x a.
    """
    a0, b0, c0, a1, b1, c1, a2, b2, c2, s, mean = lines(lanes, j)
    x0, y0, w0, x1, y1, w1 = lanes[0, j], lanes[1, j], lanes[2, j], lanes[3, j], lanes[4, j], lanes[5, j]
    x2, y2, w2 = lanes[6, j], lanes[7, j], lanes[8, j]
    u0, u1, u2, v0, v1, v2 = lanes[9, j], lanes[10, j], lanes[11, j], lanes[12, j], lanes[13, j], lanes[14, j]
    q0, q1, q2 = lanes[15, j], lanes[16, j], lanes[17, j]
    g0, g1, g2, g3, g4, g5 = lanes[18, j], lanes[19, j], lanes[20, j], lanes[21, j], lanes[22, j], lanes[23, j]
    g6, g7, g8 = lanes[24, j], lanes[25, j], lanes[26, j]
    lanes[27, j] = s * (g0 * a0 + g1 * b0 + g2 * c0) + mean * g2
    lanes[28, j] = s * (g3 * a0 + g4 * b0 + g5 * c0) + mean * g5
    lanes[29, j] = s * (g6 * a0 + g7 * b0 + g8 * c0) + mean * g8
    lanes[30, j] = s * (g0 * a1 + g1 * b1 + g2 * c1) + mean * g2
    lanes[31, j] = s * (g3 * a1 + g4 * b1 + g5 * c1) + mean * g5
    lanes[32, j] = s * (g6 * a1 + g7 * b1 + g8 * c1) + mean * g8
    lanes[33, j] = s * (g0 * a2 + g1 * b2 + g2 * c2) + mean * g2
    lanes[34, j] = s * (g3 * a2 + g4 * b2 + g5 * c2) + mean * g5
    lanes[35, j] = s * (g6 * a2 + g7 * b2 + g8 * c2) + mean * g8
    ga0, gb0, gc0 = (
        s * (g0 * u0 + g3 * u1 + g6 * u2),
        s * (g1 * u0 + g4 * u1 + g7 * u2),
        s * (g2 * u0 + g5 * u1 + g8 * u2),
    )
    ga1, gb1, gc1 = (
        s * (g0 * v0 + g3 * v1 + g6 * v2),
        s * (g1 * v0 + g4 * v1 + g7 * v2),
        s * (g2 * v0 + g5 * v1 + g8 * v2),
    )
    ga2, gb2, gc2 = (
        s * (g0 * q0 + g3 * q1 + g6 * q2),
        s * (g1 * q0 + g4 * q1 + g7 * q2),
        s * (g2 * q0 + g5 * q1 + g8 * q2),
    )
    lanes[36, j] = gb1 * w2 - gc1 * y2 + y1 * gc2 - w1 * gb2
    lanes[37, j] = gc1 * x2 - ga1 * w2 + w1 * ga2 - x1 * gc2
    lanes[38, j] = ga1 * y2 - gb1 * x2 + x1 * gb2 - y1 * ga2
    lanes[39, j] = gb2 * w0 - gc2 * y0 + y2 * gc0 - w2 * gb0
    lanes[40, j] = gc2 * x0 - ga2 * w0 + w2 * ga0 - x2 * gc0
    lanes[41, j] = ga2 * y0 - gb2 * x0 + x2 * gb0 - y2 * ga0
    lanes[42, j] = gb0 * w1 - gc0 * y1 + y0 * gc1 - w0 * gb1
    lanes[43, j] = gc0 * x1 - ga0 * w1 + w0 * ga1 - x0 * gc1
    lanes[44, j] = ga0 * y1 - gb0 * x1 + x0 * gb1 - y0 * ga1


@njit(**KERNEL)
def compare(packed, faces, face, target, weight, factors, slot_of, lists, grad):
    """Costs of all pixels, those without a face included; adds to the gradient `grad` [N,8].

    `target` [4,H,W] is a normal and a coverage. Work space: `slot_of` [F], all -1, and `lists` for the faces that ROWS
    rows can show: listed, origin, work, corners, runs.
    """
    height, width = face.shape
    listed, origin, work, corners, runs = lists
    run_from = np.empty(ROWS + 1, np.int64)
    normal_row = np.zeros((3, width), np.float32)  # of any length; then the gradient to them
    of_normals, of_coverage = 0.0, 0.0
    for start in range(0, height, ROWS):
        stop = min(start + ROWS, height)
        count = number(face, start, stop, slot_of, runs, run_from, listed, origin)
        planes(packed, faces, listed, origin, count, height, width, work, corners)
        for row in range(start, stop):
            first, last = run_from[row - start], run_from[row - start + 1]
            spread(runs, first, last, origin, work, row, normal_row)
            a, b = compare_row(
                normal_row[0], normal_row[1], normal_row[2], target[0, row], target[1, row], target[2, row],
                target[3, row], weight[row], factors,
            )  # fmt: skip
            of_normals, of_coverage = of_normals + a, of_coverage + b
            collect(runs, first, last, origin, work, row, normal_row)
        scatter(faces, listed, origin, count, height, width, work, corners, grad)
    return of_normals, of_coverage


@njit(**INNER)
def spread(runs, first, last, origin, work, row, normals):
    """N at the pixels of a row; 0 where there is no face."""
    normals[:] = 0
    for r in range(first, last):
        start, stop, s = runs[r, 0], runs[r, 1], runs[r, 2]
        right, down = np.float32(start - origin[s, 0]), np.float32(row - origin[s, 1])
        dx, dy, dz = work[s, 0], work[s, 3], work[s, 6]
        x = dx * right + work[s, 1] * down + work[s, 2]
        y = dy * right + work[s, 4] * down + work[s, 5]
        z = dz * right + work[s, 7] * down + work[s, 8]
        for column in range(start, stop):
            normals[0, column], normals[1, column], normals[2, column] = x, y, z
            x, y, z = x + dx, y + dy, z + dz


@njit(**INNER, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def compare_row(nx, ny, nz, tx, ty, tz, coverage, weight, factors):
    """Costs of a row's pixels; N becomes the gradient to N."""
    of_normals, of_coverage, soft = factors
    normal_sum, coverage_sum = np.float32(0), np.float32(0)
    for c in range(nx.shape[0]):
        x, y, z = nx[c], ny[c], nz[c]
        square = x * x + y * y + z * z
        covered = np.float32(1) if square > np.float32(0) else np.float32(0)
        inverse = covered / np.sqrt(square if square > np.float32(1e-12) else np.float32(1e-12))
        x, y, z = x * inverse, y * inverse, z * inverse
        dx, dy, dz, missing = x - tx[c], y - ty[c], z - tz[c], covered - coverage[c]
        root = np.sqrt(dx * dx + dy * dy + dz * dz + soft * soft)
        normal_sum += weight[c] * (root - soft)
        coverage_sum += weight[c] * missing * missing
        slope = of_normals * weight[c] * soft / root
        dx, dy, dz = slope * dx, slope * dy, slope * dz
        along = dx * x + dy * y + dz * z
        nx[c], ny[c], nz[c] = (dx - along * x) * inverse, (dy - along * y) * inverse, (dz - along * z) * inverse
    return of_normals * soft * normal_sum, of_coverage * coverage_sum


@njit(**INNER)
def collect(runs, first, last, origin, work, row, gradients):
    """Adds a row's gradients to N to the gradients to G."""
    for r in range(first, last):
        start, stop, s = runs[r, 0], runs[r, 1], runs[r, 2]
        x = y = z = mx = my = mz = np.float32(0)
        right, down = np.float32(start - origin[s, 0]), np.float32(row - origin[s, 1])
        for column in range(start, stop):
            gx, gy, gz = gradients[0, column], gradients[1, column], gradients[2, column]
            x, y, z = x + gx, y + gy, z + gz
            mx, my, mz = mx + right * gx, my + right * gy, mz + right * gz
            right += np.float32(1)
        work[s, 9] += mx
        work[s, 10] += down * x
        work[s, 11] += x
        work[s, 12] += my
        work[s, 13] += down * y
        work[s, 14] += y
        work[s, 15] += mz
        work[s, 16] += down * z
        work[s, 17] += z
