"""Neighbours, winding labels and smoothing of the parts of a surface that cross others."""

import math

from numba import njit

from meshopt.intersections_kernels import follower, minus, through

UNKNOWN = -100  # label of faces not asked about


@njit(cache=True, nogil=True, error_model="numpy")
def neighbours(faces, start, ring, fan):
    """The vertices next to each vertex v of a closed surface, ring[start[v]:start[v + 1]], and its faces, alike in
    `fan`. `start` [N + 2] is 0."""
    for f in range(len(faces)):
        for k in range(3):
            start[faces[f, k] + 2] += 1
    for v in range(2, len(start)):
        start[v] += start[v - 1]
    for f in range(len(faces)):
        for k in range(3):
            v = faces[f, k]
            ring[start[v + 1]] = faces[f, (k + 1) % 3]
            fan[start[v + 1]] = f
            start[v + 1] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def grow(start, ring, reach, region, count):
    """Adds to `region`, of which `count` are given, the vertices around: fewer edges away than the `reach` of one.

    The reach of those added is what is left of it; that of all others is 0. How many there are then.
    """
    most = 0
    for i in range(count):
        most = max(most, reach[region[i]])
    for here in range(most, 1, -1):
        for i in range(count):
            v = region[i]
            if reach[v] == here:
                for j in range(start[v], start[v + 1]):
                    if reach[ring[j]] == 0:
                        region[count] = ring[j]
                        count += 1
                    reach[ring[j]] = max(reach[ring[j]], here - 1)
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def smooth(points, start, ring, region, weight, sweeps):
    """Moves each vertex of the region by its weight towards the mean of its neighbours, one after another."""
    for _ in range(sweeps):
        for i in range(len(region)):
            v = region[i]
            x, y, z = 0.0, 0.0, 0.0
            for j in range(start[v], start[v + 1]):
                x += points[ring[j], 0]
                y += points[ring[j], 1]
                z += points[ring[j], 2]
            k = 1 / (start[v + 1] - start[v])
            points[v, 0] += weight[i] * (x * k - points[v, 0])
            points[v, 1] += weight[i] * (y * k - points[v, 1])
            points[v, 2] += weight[i] * (z * k - points[v, 2])


@njit(cache=True, nogil=True, error_model="numpy")
def winding(search, x, y, z, direction):
    """The winding number of a closed surface at (x y z), by the signs with which a ray leaves it."""
    points, faces, order, box, plane = search
    leaves, found = len(box) // 2, 0
    dx, dy, dz = direction
    node = 1
    while node:
        first, last = 0.0, math.inf
        for axis in range(3):
            o, d = (x, dx) if axis == 0 else ((y, dy) if axis == 1 else (z, dz))  # all positive
            first, last = max(first, (box[node, axis] - o) / d), min(last, (box[node, axis + 3] - o) / d)
        if first <= last:
            if node < leaves:
                node *= 2
                continue
            f = order[node - leaves]
            ux, uy, uz = minus(points, faces[f, 0], x, y, z)
            slope = plane[f, 0] * dx + plane[f, 1] * dy + plane[f, 2] * dz
            height = plane[f, 0] * ux + plane[f, 1] * uy + plane[f, 2] * uz
            if height * slope > 0 and through(points, faces[f], x, y, z, dx, dy, dz, 0.0):
                found += 1 if slope > 0 else -1
        node = follower(node)
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def label(search, start, fan, labels, queue, count, offset, direction):
    """Labels the `count` faces in `queue`, and those around any that is misplaced, with the winding number just in
    front of them (`offset` away): 0 is right, above the face is inside something else, below it is inside out.

    How many there are then, at most all that have room. Labels come in as 0 for faces in the queue, UNKNOWN for the
    others.
    """
    points, faces, _, _, plane = search
    i = 0
    while i < count:
        f = queue[i]
        i += 1
        size = math.sqrt(plane[f, 0] ** 2 + plane[f, 1] ** 2 + plane[f, 2] ** 2)
        away = offset / max(size, 1e-300)
        x, y, z = plane[f, 0] * away, plane[f, 1] * away, plane[f, 2] * away
        for k in range(3):
            x += points[faces[f, k], 0] / 3
            y += points[faces[f, k], 1] / 3
            z += points[faces[f, k], 2] / 3
        labels[f] = winding(search, x, y, z, direction)
        if labels[f] != 0:
            for k in range(3):
                v = faces[f, k]
                for j in range(start[v], start[v + 1]):
                    if labels[fan[j]] == UNKNOWN and count < len(queue):
                        labels[fan[j]] = 0
                        queue[count] = fan[j]
                        count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def uneven(plane, start, fan, v):
    """Whether the normal of some face around vertex v is more than 45 degrees from their area-weighted mean."""
    x, y, z = 0.0, 0.0, 0.0
    for j in range(start[v], start[v + 1]):
        x, y, z = x + plane[fan[j], 0], y + plane[fan[j], 1], z + plane[fan[j], 2]
    half = 0.5 * (x * x + y * y + z * z)
    for j in range(start[v], start[v + 1]):
        nx, ny, nz = plane[fan[j], 0], plane[fan[j], 1], plane[fan[j], 2]
        along = x * nx + y * ny + z * nz
        if not (along > 0 and along * along >= half * (nx * nx + ny * ny + nz * nz)):
            return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def find_rough(faces, plane, start, fan, wanted, known, found):
    """How many of the wanted faces (of all, if it is empty) have two or three uneven vertices; first in `found`.

    No other face can be folded over. `known` [N] is scratch, zeros.
    """
    count = 0
    for f in range(len(faces)):
        if len(wanted) and not wanted[f]:
            continue
        rough = 0
        for k in range(3):
            v = faces[f, k]
            if known[v] == 0:
                known[v] = 2 if uneven(plane, start, fan, v) else 1
            rough += known[v] > 1
        if rough > 1:
            found[count] = f
            count += 1
    return count
