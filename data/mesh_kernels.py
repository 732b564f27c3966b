"""Numba kernels: a closed mesh from a grid (marching tetrahedra), and thinning it (edge collapse)."""

import heapq
import math

import numpy as np
from numba import njit

AXES = np.array([[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 2, 1], [2, 1, 0], [1, 0, 2]])  # the first three are even
LONE = np.array([[0, 1, 2, 3], [1, 0, 3, 2], [2, 0, 1, 3], [3, 0, 2, 1]])  # even orders that start with each corner
PAIRS = np.array([[0, 1, 2, 3], [0, 2, 3, 1], [0, 3, 1, 2], [1, 2, 0, 3], [1, 3, 2, 0], [2, 3, 0, 1]])


@njit(nogil=True)
def marching_tetrahedra(values, origin, spacing):
    """The zero surface of a cubic grid: vertices [N, 3], faces [F, 3]; closed if the border is positive.

    Every cube is cut into the six tetrahedra around its main diagonal. Normals point to positive values.
    """
    n = values.shape[0]
    vertex_of = np.full((n, n, n, 8), -1, np.int32)  # by lower end and bit mask of the axes stepped along
    vertices, faces = [(0.0, 0.0, 0.0)], [(0, 0, 0)]
    corner, masks, level, inside = (
        np.zeros((4, 3), np.int64),
        np.zeros(4, np.int64),
        np.zeros(4),
        np.zeros(4, np.bool_),
    )
    quad = np.zeros(4, np.int64)
    for i in range(n - 1):
        for j in range(n - 1):
            for k in range(n - 1):
                cube = values[i : i + 2, j : j + 2, k : k + 2]
                if cube.min() > 0.0 or cube.max() <= 0.0:
                    continue
                for t in range(6):
                    corner[0, :] = (i, j, k)
                    masks[0] = 0
                    for c in range(1, 4):
                        corner[c] = corner[c - 1]
                        corner[c, AXES[t, c - 1]] += 1
                        masks[c] = masks[c - 1] | (1 << AXES[t, c - 1])
                    count = 0
                    for c in range(4):
                        level[c] = values[corner[c, 0], corner[c, 1], corner[c, 2]]
                        inside[c] = level[c] <= 0.0
                        count += inside[c]
                    if count == 0 or count == 4:
                        continue
                    order = PAIRS[0]
                    if count == 2:
                        for p in range(6):
                            if inside[PAIRS[p, 0]] and inside[PAIRS[p, 1]]:
                                order = PAIRS[p]
                    else:
                        for c in range(4):
                            if inside[c] == (count == 1):
                                order = LONE[c]
                    corners = 4 if count == 2 else 3
                    for e in range(corners):
                        a = order[0] if corners == 3 else order[e // 2]
                        b = order[e + 1] if corners == 3 else order[3 if e in (1, 2) else 2]
                        low, high = min(a, b), max(a, b)
                        x, y, z, mask = (
                            corner[low, 0],
                            corner[low, 1],
                            corner[low, 2],
                            masks[high] - masks[low],
                        )
                        if vertex_of[x, y, z, mask] < 0:
                            s = level[low] / (level[low] - level[high])
                            vertex_of[x, y, z, mask] = len(vertices)
                            vertices.append(
                                (
                                    origin + spacing * (x + s * (mask & 1)),
                                    origin + spacing * (y + s * ((mask >> 1) & 1)),
                                    origin + spacing * (z + s * ((mask >> 2) & 1)),
                                )
                            )
                        quad[e] = vertex_of[x, y, z, mask] - 1
                    turned = (t >= 3) != (count == 3)
                    for e in range(corners - 2):
                        a, b, c = quad[0], quad[e + 1], quad[e + 2]
                        faces.append((a, c, b) if turned else (a, b, c))
    return np.array(vertices[1:]), np.array(faces[1:])


@njit(nogil=True)
def _best_point(q, a, b):
    """Where the quadric q (10 numbers) is smallest, else (far, ill-posed) the edge's middle; and its cost."""
    mx, my, mz = 0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1]), 0.5 * (a[2] + b[2])
    size = (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2
    soft = 1e-3 * (q[0] + q[3] + q[5]) + 1e-20  # keeps the point near the middle where the surface is flat
    xx, xy, xz, yy, yz, zz = q[0] + soft, q[1], q[2], q[3] + soft, q[4], q[5] + soft
    rx, ry, rz = soft * mx - q[6], soft * my - q[7], soft * mz - q[8]
    cx, cy, cz = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    det = xx * cx + xy * cy + xz * cz
    x = (cx * rx + cy * ry + cz * rz) / det
    y = (cy * rx + (xx * zz - xz * xz) * ry + (xy * xz - xx * yz) * rz) / det
    z = (cz * rx + (xy * xz - xx * yz) * ry + (xx * yy - xy * xy) * rz) / det
    if not (x - mx) ** 2 + (y - my) ** 2 + (z - mz) ** 2 < size:
        x, y, z = mx, my, mz
    cost = q[0] * x * x + q[3] * y * y + q[5] * z * z + 2 * (q[1] * x * y + q[2] * x * z + q[4] * y * z)
    cost += 2 * (q[6] * x + q[7] * y + q[8] * z) + q[9]
    return x, y, z, max(cost, 0.0) + 1e-3 * size * size


@njit(nogil=True)
def _cross(a, b, c):
    """Twice the area vector of a triangle."""
    ux, uy, uz, vx, vy, vz = b[0] - a[0], b[1] - a[1], b[2] - a[2], c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx


@njit(nogil=True)
def _folds(vertices, faces, ring, count, moved, other, point):
    """Would moving `moved` to `point` turn by 60 degrees, or flatten, a face that lacks `other`?"""
    for r in range(count):
        f = faces[ring[r]]
        if f[0] == other or f[1] == other or f[2] == other:
            continue
        bx, by, bz = _cross(vertices[f[0]], vertices[f[1]], vertices[f[2]])
        p = point if f[0] == moved else vertices[f[0]]
        q = point if f[1] == moved else vertices[f[1]]
        s = point if f[2] == moved else vertices[f[2]]
        ax, ay, az = _cross(p, q, s)
        before, after = math.sqrt(bx * bx + by * by + bz * bz), math.sqrt(ax * ax + ay * ay + az * az)
        if ax * bx + ay * by + az * bz < 0.5 * before * after or after < min(before, 1e-9):
            return True
        longest = max(((p - q) ** 2).sum(), ((q - s) ** 2).sum(), ((s - p) ** 2).sum())
        if after < 0.08 * longest and after < before:
            return True
    return False


@njit(nogil=True)
def _gather(head, following, faces, alive, v, ring):
    """The living faces around vertex v, into `ring`; how many."""
    count, node = 0, head[v]
    while node >= 0:
        if alive[node // 3]:
            ring[count] = node // 3
            count += 1
        node = following[node]
    return count


@njit(nogil=True)
def _common(faces, ring_u, count_u, ring_v, count_v, u, v, mark, stamp):
    """How many vertices neighbour both u and v."""
    for r in range(count_u):
        for c in range(3):
            mark[faces[ring_u[r], c]] = stamp
    common = 0
    for r in range(count_v):
        for c in range(3):
            w = faces[ring_v[r], c]
            if mark[w] == stamp and w != u and w != v:
                common += 1
                mark[w] = 0
    return common


@njit(nogil=True)
def decimate(vertices, faces, target):
    """Collapses edges, least quadric error first, until `target` faces are left; stays closed, 2-manifold.

    Changes its arguments; returns the mask of living faces. An edge is collapsed only if its ends have
    exactly two common neighbours and no face folds over. After Garland and Heckbert 1997.
    """
    n, m = len(vertices), len(faces)
    quadrics, stamps, mark = np.zeros((n, 10)), np.zeros(n, np.int64), np.zeros(n, np.int64)
    head, tail, following = np.full(n, -1, np.int64), np.full(n, -1, np.int64), np.full(3 * m, -1, np.int64)
    for f in range(m):
        x, y, z = _cross(vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]])
        size = math.sqrt(x * x + y * y + z * z) + 1e-30
        a, b, c = x / size, y / size, z / size
        p = vertices[faces[f, 0]]
        d = -(a * p[0] + b * p[1] + c * p[2])
        for k in range(3):
            v = faces[f, k]
            quadrics[v] += size / 6 * np.array([a * a, a * b, a * c, b * b, b * c, c * c, a * d, b * d, c * d, d * d])
            node = 3 * f + k
            if head[v] < 0:
                head[v] = node
            else:
                following[tail[v]] = node
            tail[v] = node
    queue = [(0.0, 0, 0, 0)]
    for f in range(m):
        for k in range(3):
            u, v = faces[f, k], faces[f, (k + 1) % 3]
            if u < v:
                cost = _best_point(quadrics[u] + quadrics[v], vertices[u], vertices[v])[3]
                queue.append((cost, u, v, 0))
    heapq.heapify(queue)
    alive, left, stamp = np.ones(m, np.bool_), m, 0
    ring_u, ring_v, point = np.zeros(4096, np.int64), np.zeros(4096, np.int64), np.zeros(3)
    while left > target and len(queue) > 0:
        _, u, v, when = heapq.heappop(queue)
        if when != stamps[u] + stamps[v] or head[u] < 0 or head[v] < 0 or u == v:
            continue
        count_u = _gather(head, following, faces, alive, u, ring_u)
        count_v = _gather(head, following, faces, alive, v, ring_v)
        stamp += 1
        if count_u + count_v < 9 or _common(faces, ring_u, count_u, ring_v, count_v, u, v, mark, stamp) != 2:
            continue
        total = quadrics[u] + quadrics[v]
        x, y, z, _ = _best_point(total, vertices[u], vertices[v])
        point[0], point[1], point[2] = x, y, z
        if _folds(vertices, faces, ring_u, count_u, u, v, point) or _folds(
            vertices, faces, ring_v, count_v, v, u, point
        ):
            continue
        vertices[u] = point
        quadrics[u] = total
        for r in range(count_v):
            f = ring_v[r]
            if faces[f, 0] == u or faces[f, 1] == u or faces[f, 2] == u:
                alive[f] = False
                left -= 1
            for k in range(3):
                if faces[f, k] == v:
                    faces[f, k] = u
        following[tail[u]] = head[v]
        tail[u], head[v] = tail[v], -1
        stamps[u] += stamps[v] + 1
        count_u = _gather(head, following, faces, alive, u, ring_u)
        stamp += 1
        for r in range(count_u):
            for k in range(3):
                w = faces[ring_u[r], k]
                if w != u and mark[w] != stamp:
                    mark[w] = stamp
                    cost = _best_point(quadrics[u] + quadrics[w], vertices[u], vertices[w])[3]
                    heapq.heappush(queue, (cost, u, w, stamps[u] + stamps[w]))
    return alive
