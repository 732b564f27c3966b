"""The geometry of single operations: where vertices go, what may move, what may flip and whether it helps."""

import math

import numpy as np
from numba import njit

from meshopt.compilation import INNER, KERNEL
from meshopt.remesh.halfedge_kernels import after, before

SLACK = 1.1  # of lengths, in guesses about collapses
NONE = np.int32(-1)  # no vertex, in the type that vertices have: kernels compile for each type anew


@njit(**INNER, error_model="numpy")
def length_ratio(data, a, b):
    """(length / mean target of the ends) squared."""
    x, y, z = data[a, 0] - data[b, 0], data[a, 1] - data[b, 1], data[a, 2] - data[b, 2]
    mean = 0.5 * (data[a, 3] + data[b, 3])
    return (x * x + y * y + z * z) / (mean * mean)


@njit(**KERNEL, error_model="numpy")
def triangle(data, x, y, z, b, c):
    """Normal of the triangle (x y z), b, c; its length, twice the area; quality, 1 equilateral, 0 flat."""
    ux, uy, uz = data[b, 0] - x, data[b, 1] - y, data[b, 2] - z
    vx, vy, vz = data[c, 0] - x, data[c, 1] - y, data[c, 2] - z
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    size = math.sqrt(nx * nx + ny * ny + nz * nz)
    uu, uv, vv = ux * ux + uy * uy + uz * uz, ux * vx + uy * vy + uz * vz, vx * vx + vy * vy + vz * vz
    return nx, ny, nz, size, 1.7320508 * size / (uu + vv - uv + 1e-300)


@njit(**INNER, error_model="numpy")
def planes(half, a, b):
    """The quadric of the planes of all faces around a and (unless it is NONE) b, weighted by twice their area.

    It is (xx xy xz yy yz zz, x y z, c, nx ny nz, q): A, b, c of error(p) = p.A p + 2 b.p + c, the sum of
    normals, and the worst quality.
    """
    corner, twin, data = half.corner, half.twin, half.data
    xx, xy, xz, yy, yz, zz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    bx, by, bz, rest, mx, my, mz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    worst = 1.0
    v, skip = a, -1
    h = half.out[v]
    while True:
        c, d = corner[after(h)], corner[before(h)]
        if c != skip and d != skip:
            nx, ny, nz, size, quality = triangle(data, data[v, 0], data[v, 1], data[v, 2], c, d)
            worst = min(worst, quality)
            if size > 0:
                w = 1 / size
                off = -w * (nx * data[v, 0] + ny * data[v, 1] + nz * data[v, 2])
                xx, xy, xz = xx + w * nx * nx, xy + w * nx * ny, xz + w * nx * nz
                yy, yz, zz = yy + w * ny * ny, yz + w * ny * nz, zz + w * nz * nz
                bx, by, bz = bx + off * nx, by + off * ny, bz + off * nz
                rest, mx, my, mz = rest + off * off * size, mx + nx, my + ny, mz + nz
        h = twin[before(h)]
        if h == half.out[v]:
            if v == b or b < 0:
                return xx, xy, xz, yy, yz, zz, bx, by, bz, rest, mx, my, mz, worst
            v, skip = b, a
            h = half.out[v]


@njit(**KERNEL, error_model="numpy")
def lowest(quadric, x, y, z, pull):
    """The point of least quadric error, pulled towards (x y z) by `pull` times the trace of A."""
    xx, xy, xz, yy, yz, zz, bx, by, bz = quadric[:9]
    w = pull * (xx + yy + zz) + 1e-30
    a, d, f = xx + w, yy + w, zz + w
    # solve (A + w) t = -(b + A p) for the step t from p, by the adjugate of the symmetric, positive matrix
    rx = -(bx + xx * x + xy * y + xz * z)
    ry = -(by + xy * x + yy * y + yz * z)
    rz = -(bz + xz * x + yz * y + zz * z)
    k0, k1, k2 = d * f - yz * yz, xz * yz - xy * f, xy * yz - xz * d
    m = xy * xz - a * yz
    det = a * k0 + xy * k1 + xz * k2
    tx = (k0 * rx + k1 * ry + k2 * rz) / det
    ty = (k1 * rx + (a * f - xz * xz) * ry + m * rz) / det
    tz = (k2 * rx + m * ry + (a * d - xy * xy) * rz) / det
    return x + tx, y + ty, z + tz


@njit(**INNER, error_model="numpy")
def place(data, a, b, quadric, pull):
    """Where edge a b collapses to, as (x y z, target), and b's share of it; within a ball about the edge."""
    ex, ey, ez = data[b, 0] - data[a, 0], data[b, 1] - data[a, 1], data[b, 2] - data[a, 2]
    x, y, z = data[a, 0] + 0.5 * ex, data[a, 1] + 0.5 * ey, data[a, 2] + 0.5 * ez
    square = ex * ex + ey * ey + ez * ez
    px, py, pz = lowest(quadric, x, y, z, pull)
    away = (px - x) ** 2 + (py - y) ** 2 + (pz - z) ** 2
    if not away <= square:
        px, py, pz = x, y, z
    share = 0.5
    if square > 0:
        along = ((px - x) * ex + (py - y) * ey + (pz - z) * ez) / square
        share = min(max(0.5 + along, 0.0), 1.0)
    return (px, py, pz, (1 - share) * data[a, 3] + share * data[b, 3]), share


@njit(**INNER, error_model="numpy")
def far(half, a, b, longest):
    """Whether a collapse of a b would most likely leave an edge longer than `longest` times the target: the
    midpoint would, with some slack, as the point that `place` finds is not known before much more work."""
    corner, twin, data = half.corner, half.twin, half.data
    x, y, z = 0.5 * (data[a, 0] + data[b, 0]), 0.5 * (data[a, 1] + data[b, 1]), 0.5 * (data[a, 2] + data[b, 2])
    target = 0.5 * (data[a, 3] + data[b, 3])
    slack = 0.5 * SLACK * longest
    v = a
    first = half.out[v]
    h = first
    while True:
        c = corner[after(h)]
        dx, dy, dz = data[c, 0] - x, data[c, 1] - y, data[c, 2] - z
        limit = slack * (target + data[c, 3])
        if dx * dx + dy * dy + dz * dz > limit * limit:
            return True
        h = twin[before(h)]
        if h == first:
            if v == b:
                return False
            v = b
            first = half.out[v]
            h = first


@njit(**INNER, error_model="numpy")
def may_move(half, v, skip, point, around, limits):
    """Whether v may move to point (x y z, target): no face around it but those with `skip` turns by more
    than the angle of cosine limits[0], gets a quality below limits[1], or an edge longer than limits[2]
    times the target.

    `around` is the sum of normals and worst quality so far (see `planes`): a face folded against that
    normal, or degenerate, need only end up on its side; and where one was as bad, a face may be as bad.
    """
    corner, twin, data = half.corner, half.twin, half.data
    x, y, z, target = point
    mx, my, mz, worst = around
    floor = min(limits[1], worst)
    h = half.out[v]
    while True:
        b, c = corner[after(h)], corner[before(h)]
        if b != skip:
            dx, dy, dz = data[b, 0] - x, data[b, 1] - y, data[b, 2] - z
            longest = 0.5 * limits[2] * (target + data[b, 3])
            if dx * dx + dy * dy + dz * dz > longest * longest:
                return False
            if c != skip:
                ox, oy, oz, was, old = triangle(data, data[v, 0], data[v, 1], data[v, 2], b, c)
                nx, ny, nz, size, new = triangle(data, x, y, z, b, c)
                if new < floor:
                    return False
                if old < 1e-2 or ox * mx + oy * my + oz * mz < 0:
                    if nx * mx + ny * my + nz * mz < 0:
                        return False
                elif ox * nx + oy * ny + oz * nz < limits[0] * was * size:
                    return False
        h = twin[before(h)]
        if h == half.out[v]:
            return True


@njit(**KERNEL, error_model="numpy")
def smallest_angle(data, a, b, c):
    """Cosine of the smallest angle of a triangle (1 where it is degenerate)."""
    u, v, w = 0.0, 0.0, 0.0
    for k in range(3):
        u += (data[b, k] - data[c, k]) ** 2
        v += (data[c, k] - data[a, k]) ** 2
        w += (data[a, k] - data[b, k]) ** 2
    least = min(u, v, w)  # the smallest angle is opposite the shortest side
    product = u * v * w
    if not product > 0:
        return 1.0
    return (u + v + w - 2 * least) * 0.5 * math.sqrt(least / product)


@njit(**INNER, error_model="numpy")
def gains(half, h, t):
    """Whether a flip makes the smallest angle of the two faces larger and leaves every vertex three edges."""
    corner, valence, data = half.corner, half.valence, half.data
    a, b, c, d = corner[h], corner[t], corner[before(h)], corner[before(t)]
    if valence[a] < 4 or valence[b] < 4:
        return False
    at_c, at_d = 0.0, 0.0
    for k in range(3):
        at_c += (data[a, k] - data[c, k]) * (data[b, k] - data[c, k])
        at_d += (data[a, k] - data[d, k]) * (data[b, k] - data[d, k])
    if at_c >= 0 and at_d >= 0:
        return False  # neither angle opposite the edge is obtuse: Delaunay
    old = max(smallest_angle(data, a, b, c), smallest_angle(data, b, a, d))
    return max(smallest_angle(data, d, b, c), smallest_angle(data, c, a, d)) < old - 0.005


@njit(**INNER, error_model="numpy")
def may_turn(half, h, t, dihedral, offset):
    """Whether a flip keeps the surface: neither new face folds over, the old ones meet at less than the
    angle of cosine `dihedral` or the diagonals pass within `offset` of the edge's length, and the new edge
    is new."""
    corner, twin, data = half.corner, half.twin, half.data
    a, b, c, d = corner[h], corner[t], corner[before(h)], corner[before(t)]
    px, py, pz, p, _ = triangle(data, data[a, 0], data[a, 1], data[a, 2], b, c)
    qx, qy, qz, q, _ = triangle(data, data[a, 0], data[a, 1], data[a, 2], d, b)
    rx, ry, rz, r, good = triangle(data, data[c, 0], data[c, 1], data[c, 2], d, b)
    sx, sy, sz, s, well = triangle(data, data[c, 0], data[c, 1], data[c, 2], a, d)
    x, y, z = px + qx, py + qy, pz + qz  # the vector area of the four edges: the same before and after
    half_total = 0.5 * math.sqrt(x * x + y * y + z * z)
    if rx * x + ry * y + rz * z <= half_total * r or sx * x + sy * y + sz * z <= half_total * s:
        return False
    if min(good, well) < 1e-3:
        return False
    if px * qx + py * qy + pz * qz < dihedral * p * q:
        ex, ey, ez = data[b, 0] - data[a, 0], data[b, 1] - data[a, 1], data[b, 2] - data[a, 2]
        fx, fy, fz = data[d, 0] - data[c, 0], data[d, 1] - data[c, 1], data[d, 2] - data[c, 2]
        wx, wy, wz = ey * fz - ez * fy, ez * fx - ex * fz, ex * fy - ey * fx
        gap = wx * (data[c, 0] - data[a, 0]) + wy * (data[c, 1] - data[a, 1]) + wz * (data[c, 2] - data[a, 2])
        square = ex * ex + ey * ey + ez * ez
        if gap * gap > offset * offset * square * (wx * wx + wy * wy + wz * wz):
            return False
    first = before(h)
    e = first
    while True:
        if corner[after(e)] == d:
            return False
        e = twin[before(e)]
        if e == first:
            return True
