"""Relaxation: all vertices at once towards the mean of their neighbours, in the surface and along creases."""

import math

import numpy as np
from numba import njit

from meshopt.compilation import INNER, KERNEL
from meshopt.remesh.guard_kernels import lowest
from meshopt.remesh.halfedge_kernels import after, before


@njit(**INNER, error_model="numpy")
def face_planes(half, plane):
    """Fills `plane` [F, 6] with each face's unit normal, twice its area, normal . point and quality (1 equilateral,
    0 flat)."""
    corner, data = half.corner, half.data
    for f in range(len(plane)):
        a, b, c = corner[3 * f], corner[3 * f + 1], corner[3 * f + 2]
        if a < 0:
            continue
        ux, uy, uz = data[b, 0] - data[a, 0], data[b, 1] - data[a, 1], data[b, 2] - data[a, 2]
        vx, vy, vz = data[c, 0] - data[a, 0], data[c, 1] - data[a, 1], data[c, 2] - data[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        size = math.sqrt(nx * nx + ny * ny + nz * nz)
        w = 1 / (size + 1e-300)
        nx, ny, nz = w * nx, w * ny, w * nz
        uu, uv, vv = ux * ux + uy * uy + uz * uz, ux * vx + uy * vy + uz * vz, vx * vx + vy * vy + vz * vz
        plane[f, 0], plane[f, 1], plane[f, 2], plane[f, 3] = nx, ny, nz, size
        plane[f, 4] = nx * data[a, 0] + ny * data[a, 1] + nz * data[a, 2]
        plane[f, 5] = 1.7320508 * size / (uu + vv - uv + 1e-300)


@njit(**INNER, error_model="numpy")
def aims(half, amount, pull, plane, aim):
    """Fills `aim` [N, 7] with where each vertex should go, the sum of normals around it and the worst quality.

    Neighbours weigh as one over the target length towards them, so that a graded mesh stays graded. The
    quadric of its faces leaves of that step what slides in planes and along creases. `pull` (see `lowest`)
    holds where the surroundings are flat, 1 % of it where they are not: a sharp corner stays.
    """
    data, corner, twin = half.data, half.corner.view(np.uint32), half.twin.view(np.uint32)  # unsigned: cheaper indices
    for v in range(len(half.out)):
        if half.out[v] < 0:
            continue
        px, py, pz, target = data[v, 0], data[v, 1], data[v, 2], data[v, 3]
        x, y, z, weight = 0.0, 0.0, 0.0, 0.0
        xx, xy, xz, yy, yz, zz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        bx, by, bz, mx, my, mz, worst = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0
        first = np.uint32(half.out[v])
        h = first
        while True:
            b, f = corner[after(h)], h // np.uint32(3)
            s = 1 / (target + data[b, 3])
            x, y, z = x + s * (data[b, 0] - px), y + s * (data[b, 1] - py), z + s * (data[b, 2] - pz)
            weight += s
            nx, ny, nz, size, off = plane[f, 0], plane[f, 1], plane[f, 2], plane[f, 3], plane[f, 4]
            wx, wy, wz = size * nx, size * ny, size * nz
            xx, xy, xz = xx + wx * nx, xy + wx * ny, xz + wx * nz
            yy, yz, zz = yy + wy * ny, yz + wy * nz, zz + wz * nz
            bx, by, bz = bx - off * wx, by - off * wy, bz - off * wz
            mx, my, mz = mx + wx, my + wy, mz + wz
            worst = min(worst, plane[f, 5])
            h = twin[before(h)]
            if h == first:
                break
        k = amount / weight
        flat = math.sqrt(mx * mx + my * my + mz * mz) / (xx + yy + zz + 1e-300)
        here = pull * min(max(10 * flat - 9, 0.01), 1.0)
        quadric = xx, xy, xz, yy, yz, zz, bx, by, bz
        aim[v, 0], aim[v, 1], aim[v, 2] = lowest(quadric, px + k * x, py + k * y, pz + k * z, here)
        aim[v, 3], aim[v, 4], aim[v, 5], aim[v, 6] = mx, my, mz, worst


@njit(**INNER, error_model="numpy")
def doubt(half, plane, aim, limits, doubtful):
    """Fills `doubtful` [F]: 1 where `may_follow` might say no. Without branches, so that it takes next to no time."""
    corner, data = half.corner, half.data
    share = 0.5 * limits[2]
    for f in range(len(plane)):
        a, b, c = max(corner[3 * f], 0), corner[3 * f + 1], corner[3 * f + 2]
        ux, uy, uz = aim[b, 0] - aim[a, 0], aim[b, 1] - aim[a, 1], aim[b, 2] - aim[a, 2]
        vx, vy, vz = aim[c, 0] - aim[a, 0], aim[c, 1] - aim[a, 1], aim[c, 2] - aim[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        square = nx * nx + ny * ny + nz * nz
        uu, uv, vv = ux * ux + uy * uy + uz * uz, ux * vx + uy * vy + uz * vz, vx * vx + vy * vy + vz * vz
        ab, bc, ca = data[a, 3] + data[b, 3], data[b, 3] + data[c, 3], data[c, 3] + data[a, 3]
        ab, bc, ca = share * ab, share * bc, share * ca
        fine = (uu <= ab * ab) & (vv <= ca * ca) & (uu + vv - 2 * uv <= bc * bc)
        least = limits[1] * (uu + vv - uv)
        fine &= 3 * square >= least * least
        ox, oy, oz = plane[f, 0], plane[f, 1], plane[f, 2]
        along = ox * nx + oy * ny + oz * nz
        fine &= (along >= 0) & (along * along >= limits[0] * limits[0] * square)
        mx, my, mz = (
            aim[a, 3] + aim[b, 3] + aim[c, 3],
            aim[a, 4] + aim[b, 4] + aim[c, 4],
            aim[a, 5] + aim[b, 5] + aim[c, 5],
        )
        fine &= (ox * mx + oy * my + oz * mz >= 0) & (plane[f, 5] >= 1e-2)
        doubtful[f] = not fine


@njit(**INNER, error_model="numpy")
def shorter(data, aim, a, b):
    """Whether edge a b gets no longer."""
    x, y, z = aim[a, 0] - aim[b, 0], aim[a, 1] - aim[b, 1], aim[a, 2] - aim[b, 2]
    u, v, w = data[a, 0] - data[b, 0], data[a, 1] - data[b, 1], data[a, 2] - data[b, 2]
    return x * x + y * y + z * z <= u * u + v * v + w * w


@njit(**INNER, error_model="numpy")
def may_follow(data, aim, a, b, c, old, limits):
    """Whether a face may go where its vertices a b c aim; `old` is its plane. The guards are those of `may_move`,
    but an edge that is too long may get shorter."""
    ux, uy, uz = aim[b, 0] - aim[a, 0], aim[b, 1] - aim[a, 1], aim[b, 2] - aim[a, 2]
    vx, vy, vz = aim[c, 0] - aim[a, 0], aim[c, 1] - aim[a, 1], aim[c, 2] - aim[a, 2]
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    size = math.sqrt(nx * nx + ny * ny + nz * nz)
    uu, uv, vv = ux * ux + uy * uy + uz * uz, ux * vx + uy * vy + uz * vz, vx * vx + vy * vy + vz * vz
    half = 0.5 * limits[2]
    ab, bc, ca = half * (data[a, 3] + data[b, 3]), half * (data[b, 3] + data[c, 3]), half * (data[c, 3] + data[a, 3])
    if uu > ab * ab and not shorter(data, aim, a, b):
        return False
    if uu - 2 * uv + vv > bc * bc and not shorter(data, aim, b, c):
        return False
    if vv > ca * ca and not shorter(data, aim, c, a):
        return False
    floor = min(limits[1], min(aim[a, 6], min(aim[b, 6], aim[c, 6])))
    if not 1.7320508 * size >= floor * (uu + vv - uv):  # not a number is no way either
        return False
    ox, oy, oz, quality = old
    mx, my, mz = aim[a, 3] + aim[b, 3] + aim[c, 3], aim[a, 4] + aim[b, 4] + aim[c, 4], aim[a, 5] + aim[b, 5] + aim[c, 5]
    if quality < 1e-2 or ox * mx + oy * my + oz * mz < 0:
        return nx * mx + ny * my + nz * mz >= 0
    return ox * nx + oy * ny + oz * nz >= limits[0] * size


@njit(**INNER, error_model="numpy")
def hold(half, v, aim, stack, size):
    """Keeps v where it is, and puts the faces around it on the stack, if it was to move; the stack's size."""
    data, twin = half.data, half.twin
    if aim[v, 0] != data[v, 0] or aim[v, 1] != data[v, 1] or aim[v, 2] != data[v, 2]:
        aim[v, 0], aim[v, 1], aim[v, 2] = data[v, 0], data[v, 1], data[v, 2]
        first = half.out[v]
        h = first
        while True:
            stack[size] = h // 3
            size += 1
            h = twin[before(h)]
            if h == first:
                break
    return size


@njit(**KERNEL, error_model="numpy")
def relax(half, amount, pull, limits, scratch):
    """Moves all vertices to their `aims` but those of faces that may not follow. Scratch: `plane` [F, 6], `aim`
    [N, 7], `doubtful` [F] bool, a stack [3F + 1] int32."""
    corner, out, data = half.corner, half.out, half.data
    plane, aim, doubtful, stack = scratch
    face_planes(half, plane)
    aims(half, amount, pull, plane, aim)
    doubt(half, plane, aim, limits, doubtful)
    for i in range(len(plane)):
        if not doubtful[i] or corner[3 * i] < 0:
            continue
        stack[0], size = i, np.int64(1)
        while size > 0:  # a face beside a vertex that is held has another aim: look again
            size -= 1
            f = stack[size]
            a, b, c = corner[3 * f], corner[3 * f + 1], corner[3 * f + 2]
            old = plane[f, 0], plane[f, 1], plane[f, 2], plane[f, 5]
            if not may_follow(data, aim, a, b, c, old, limits):
                for v in (a, b, c):
                    size = hold(half, v, aim, stack, size)
    for v in range(len(out)):
        if out[v] >= 0:
            data[v, 0], data[v, 1], data[v, 2] = aim[v, 0], aim[v, 1], aim[v, 2]
