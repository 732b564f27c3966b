"""Compiled loops of depth estimation: costs of depth labels, belief propagation, and the continuous solve.

A view's P pixels have L depth labels; pixel p may take the labels [start[p], stop[p]). Costs and messages are [P,L].
"""
# mypy: disable-error-code="no-untyped-def, operator, call-overload, assignment"

from __future__ import annotations

import numpy as np
from numba import njit

from meshopt.compilation import INNER, KERNEL
from meshopt.initial.field_kernels import sample

NEVER = np.float32(1e9)


@njit(**INNER)
def on_ray(rays, c, r, t):
    """The point of pixel (c, r)'s ray at a depth, see `PixelCamera.rays`."""
    x = rays[0, 0] + c * rays[1, 0] + r * rays[2, 0] + t * (rays[3, 0] + c * rays[4, 0] + r * rays[5, 0])
    y = rays[0, 1] + c * rays[1, 1] + r * rays[2, 1] + t * (rays[3, 1] + c * rays[4, 1] + r * rays[5, 1])
    z = rays[0, 2] + c * rays[1, 2] + r * rays[2, 2] + t * (rays[3, 2] + c * rays[4, 2] + r * rays[5, 2])
    return x, y, z


@njit(**KERNEL)
def add_hull(cost, start, stop, rays, columns, rows, depths, values, origin, spacing, tolerance, weight):
    """Cost of points outside the field: grows over three tolerances from half a tolerance outside."""
    for p in range(cost.shape[0]):
        c, r = columns[p], rows[p]
        for d in range(start[p], stop[p]):
            x, y, z = on_ray(rays, c, r, depths[d])
            x, y, z = (x - origin[0]) / spacing, (y - origin[1]) / spacing, (z - origin[2]) / spacing
            outside = -sample(values, x, y, z) / tolerance - 0.5
            cost[p, d] += weight * min(max(outside, 0.0), 3.0)


@njit(**KERNEL)
def add_disagreement(cost, start, stop, rays, columns, rows, depths, normals, eye, other, matrix, perspective, weight):
    """Cost of points where another view's normal map [H,W,3] (zero outside its mask) differs from normals [P,3].

    `eye` is the other viewer, homogeneous. Counts in the measure in which that viewer would see the surface frontally
    (from 81 degrees, fully from 50), and saturates at 20 degrees.
    """
    height, width = other.shape[0], other.shape[1]
    for p in range(cost.shape[0]):
        c, r = columns[p], rows[p]
        nx, ny, nz = normals[p, 0], normals[p, 1], normals[p, 2]
        for d in range(start[p], stop[p]):
            x, y, z = on_ray(rays, c, r, depths[d])
            vx, vy, vz = eye[0] - eye[3] * x, eye[1] - eye[3] * y, eye[2] - eye[3] * z
            facing = (nx * vx + ny * vy + nz * vz) / np.sqrt(vx * vx + vy * vy + vz * vz)
            share = min((facing - 0.15) * 2.0, 1.0)
            if share <= 0.0:
                if perspective:
                    continue
                break  # the same for all depths
            u = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
            v = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
            if perspective:
                w = max(matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3], 1e-6)
                u, v = u / w, v / w
            a, b = int(np.floor(u)), int(np.floor(v))
            mx, my, mz = 0.0, 0.0, 0.0
            for corner in range(4):
                i, j = a + (corner & 1), b + (corner >> 1)
                if 0 <= i < width and 0 <= j < height:
                    s = (1 - abs(u - i)) * (1 - abs(v - j))
                    mx += s * other[j, i, 0]
                    my += s * other[j, i, 1]
                    mz += s * other[j, i, 2]
            length = np.sqrt(mx * mx + my * my + mz * mz)
            differs = 1.0 - (mx * nx + my * ny + mz * nz) / length if length > 1e-6 else 1.0
            cost[p, d] += weight * share * min(differs / 0.06, 1.0)


@njit(**INNER, inline="always")
def between(total, skip, a0, a1, i, part):
    """total - skip at the label i - part, linear between labels; NEVER outside [a0, a1)."""
    value = NEVER
    if a0 <= i < a1:
        value = total[i] - skip[i]
        if i > a0:
            value += part * (total[i - 1] - skip[i - 1] - value)
    elif i == a1 and part > 0:
        value = total[i - 1] - skip[i - 1]
    return value


@njit(**INNER)
def pass_on(total, skip, a0, a1, edge, sign, out, b0, b1):
    """One min-sum message: out[d] = min over a of total[a] - skip[a] + cost of labels a and d at the edge's ends.

    `edge` = (slope in labels, price per label off the slope, price of a jump to farther, of one to nearer), seen in
    the edge's direction if sign > 0, else against it. Lower envelopes by two passes (Felzenszwalb and Huttenlocher
    2006, "Efficient belief propagation for early vision").
    """
    slope, rate = edge[0] * sign, edge[1]
    far, near = (edge[2], edge[3]) if sign > 0 else (edge[3], edge[2])
    whole = int(np.floor(slope))
    part = np.float32(slope - whole)
    lowest = NEVER
    run, best = NEVER, NEVER
    for d in range(min(a0, a0 + whole, b0), b1):
        run = min(run + rate, between(total, skip, a0, a1, d - whole, part))
        if a0 <= d < a1:
            best = min(best, total[d] - skip[d])
        if d >= b0:
            out[d] = min(run, best + far)
    run, best = NEVER, NEVER
    for d in range(max(a1, a1 + whole + 1, b1) - 1, b0 - 1, -1):
        run = min(run + rate, between(total, skip, a0, a1, d - whole, part))
        if a0 <= d < a1:
            best = min(best, total[d] - skip[d])
        if d < b1:
            out[d] = min(out[d], min(run, best + near))
            lowest = min(lowest, out[d])
    for d in range(b0, b1):
        out[d] -= lowest


@njit(**KERNEL)
def propagate(belief, start, stop, index, edges, messages, sweeps):
    """Min-sum belief propagation by sweeps to the right, left, down and up.

    `belief` [P,L]: costs plus all messages [4,P,L] on entry and on exit. `index` [H,W]: pixel or -1. `edges`
    [2,H,W,4]: to the right neighbour, to the lower one; see `pass_on`.
    """
    height, width = index.shape
    labels = belief.shape[1]
    fresh = np.empty(labels, np.float32)
    for sweep in range(4 * sweeps):
        way = sweep % 4
        axis, back = way >> 1, way & 1
        lines, steps = (height, width) if axis == 0 else (width, height)
        sign = 1.0 - 2.0 * back
        for line in range(lines):
            for s in range(steps - 1):
                at = steps - 1 - s if back else s
                to = at - 1 if back else at + 1
                low = min(at, to)
                if axis == 0:
                    p, q = index[line, at], index[line, to]
                    edge = edges[0, line, low]
                else:
                    p, q = index[at, line], index[to, line]
                    edge = edges[1, low, line]
                if p < 0 or q < 0:
                    continue
                # what p heard from q is left out
                pass_on(belief[p], messages[way ^ 1, p], start[p], stop[p], edge, sign, fresh, start[q], stop[q])
                heard = messages[way, q]
                for d in range(start[q], stop[q]):
                    belief[q, d] += fresh[d] - heard[d]
                    heard[d] = fresh[d]


@njit(**KERNEL)
def relax(x, anchor, hold, neighbour, weight, target, steps):
    """Minimises sum weight (x[q] - x[p] - target)^2 + hold (x - anchor)^2 by conjugate gradients, from x [P] on.

    `neighbour`, `weight` and `target` are [2,P]: the link of p to its right and to its lower neighbour (-1: none).
    """
    count = x.shape[0]
    residual, diagonal = np.empty(count), np.empty(count)
    for p in range(count):
        residual[p] = hold[p] * (anchor[p] - x[p])
        diagonal[p] = hold[p] + 1e-12
    for axis in range(2):
        for p in range(count):
            q = neighbour[axis, p]
            if q >= 0:
                w = weight[axis, p]
                off = w * (x[q] - x[p] - target[axis, p])
                residual[p] += off
                residual[q] -= off
                diagonal[p] += w
                diagonal[q] += w
    direction, image = residual / diagonal, np.empty(count)
    power = np.sum(residual * direction)
    enough = 1e-7 * power
    for _ in range(steps):
        if power <= enough:
            break
        for p in range(count):
            image[p] = hold[p] * direction[p]
        for axis in range(2):
            for p in range(count):
                q = neighbour[axis, p]
                if q >= 0:
                    off = weight[axis, p] * (direction[p] - direction[q])
                    image[p] += off
                    image[q] -= off
        pace = power / np.sum(direction * image)
        before = power
        power = 0.0
        for p in range(count):
            x[p] += pace * direction[p]
            residual[p] -= pace * image[p]
            power += residual[p] * residual[p] / diagonal[p]
        for p in range(count):
            direction[p] = residual[p] / diagonal[p] + power / before * direction[p]
