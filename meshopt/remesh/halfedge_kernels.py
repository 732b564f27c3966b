"""Half-edge connectivity, and the local operations that change it in place.

Half-edge h = 3 * face + k runs from `corner[h]` to the next corner of its face; `twin[h]` is the opposite
one. A removed face has corner -1 in its first place, a removed vertex has `out` -1.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from meshopt.compilation import INNER, KERNEL

OK, BOUNDARY, NONMANIFOLD_EDGE, NONMANIFOLD_VERTEX, DOUBLED, REPEATED = range(6)  # what `connect` finds


class Half(NamedTuple):
    """A half-edge mesh in flat arrays."""

    corner: np.ndarray  # [3F] int32, start vertex of each half-edge
    twin: np.ndarray  # [3F] int32
    out: np.ndarray  # [N] int32, some half-edge that starts at the vertex
    valence: np.ndarray  # [N] int32
    data: np.ndarray  # [N, 4] float64, position and target length
    extra: np.ndarray  # [N, K] float32 or float64, attributes


@njit(**KERNEL, error_model="numpy")
def after(h):
    """The next half-edge of the same face."""
    return h - 2 if h % 3 == 2 else h + 1


@njit(**INNER, error_model="numpy")
def before(h):
    """The previous half-edge of the same face."""
    return h + 2 if h % 3 == 0 else h - 1


@njit(**INNER, error_model="numpy")
def sort_by_start(half, start, order, end):
    """Fills `valence` and the scratch of `connect`; False if a face names a vertex twice."""
    corner = half.corner.view(np.uint32)  # unsigned: cheaper indices
    for h in range(len(corner)):
        start[corner[h] + 2] += 1
    for v in range(len(half.out)):
        half.valence[v] = start[v + 2]
        start[v + 2] += start[v + 1]
    fine = True
    for h in range(0, len(corner), 3):
        a, b, c = corner[h], corner[h + 1], corner[h + 2]
        fine &= (a != b) & (b != c) & (c != a)
        i = start[a + 1]
        order[i], end[i], start[a + 1] = h, b, i + 1
        i = start[b + 1]
        order[i], end[i], start[b + 1] = h + 1, c, i + 1
        i = start[c + 1]
        order[i], end[i], start[c + 1] = h + 2, a, i + 1
    return fine


@njit(**KERNEL, error_model="numpy")
def connect(half, start, order, end, leaving):
    """Fills twin, out and valence from the corners, if the mesh is a closed manifold; whether it is. O(F).

    Scratch: `start` [N + 2] zeros; `order`, `end` [3F], filled with the half-edges sorted by start vertex
    and the vertices they end at, those from vertex v at start[v] to start[v + 1]; `leaving` [N].
    """
    out, valence = half.out, half.valence
    if not sort_by_start(half, start, order, end):
        return False
    corner, twin, follow = half.corner.view(np.uint32), half.twin.view(np.uint32), order.view(np.uint32)
    other = end.view(np.uint32)
    for v in range(len(out)):
        out[v] = -1 if valence[v] == 0 else order[start[v]]
        leaving[v] = out[v]  # the half-edge that leads from the vertex at hand to v, or one from elsewhere
    for v in range(len(out)):
        if valence[v] == 0:
            continue
        for i in range(start[v], start[v + 1]):
            leaving[other[i]] = order[i]
        fine = True
        for i in range(start[v], start[v + 1]):
            coming = before(follow[i])
            twin[coming] = leaving[corner[coming]]
            fine &= corner[twin[coming]] == v
        first = follow[start[v]]
        h, turns = twin[before(first)], 1
        while fine and h != first and turns <= valence[v]:
            h = twin[before(h)]
            turns += 1
        if not fine or turns != valence[v] or turns < 3:  # one turn through all that leave: each is a twin once
            return False
    return True


@njit(**KERNEL, error_model="numpy")
def fault(half, start, order, end):
    """What kept `connect`, which has filled `start`, `order`, `end`: (what, at which half-edge or vertex)."""
    corner, twin, valence = half.corner, half.twin, half.valence
    for h in range(len(corner)):
        a, b = corner[h], corner[after(h)]
        if a == b:
            return REPEATED, h
        found = 0
        for i in range(start[b], start[b + 1]):
            if end[i] == a:
                found += 1
                twin[h] = order[i]
        if found != 1:
            return (BOUNDARY if found == 0 else NONMANIFOLD_EDGE), h
    for v in range(len(valence)):
        if valence[v] > 0:
            first = order[start[v]]
            h, turns = twin[before(first)], 1
            while h != first:
                h = twin[before(h)]
                turns += 1
            if turns != valence[v]:
                return NONMANIFOLD_VERTEX, v
            if turns < 3:
                return DOUBLED, v
    return OK, 0


@njit(**INNER, error_model="numpy")
def between(half, h, a, b):
    """The half-edge a -> b, which was h once; splits beside it move it to a new face."""
    corner, twin = half.corner, half.twin
    if corner[h] != a or corner[after(h)] != b:
        h = half.out[a]
        while corner[after(h)] != b:
            h = twin[before(h)]
    return h


@njit(**KERNEL, error_model="numpy")
def split(half, edges, ends, n_vertices, n_faces, parents):
    """Puts a vertex at the middle of each edge, last first; the arrays must have room. Surface unchanged.

    `ends` [S, 2] are the edges' vertices. Fills `parents` [S, 3]: the old vertex that each new vertex and the
    old faces that its two new faces came from.
    """
    corner, twin, out, valence, data, extra = half
    first_face = n_faces
    for i in range(len(edges) - 1, -1, -1):
        a, b = ends[i]
        h = between(half, edges[i], a, b)
        t = twin[h]
        nh, pt = after(h), before(t)
        c, d = corner[before(h)], corner[pt]
        m, q, r = n_vertices, 3 * n_faces, 3 * n_faces + 3
        row = len(edges) - 1 - i
        parents[row, 0] = a
        for side in range(2):
            face = (h if side == 0 else t) // 3
            parents[row, 1 + side] = (
                face if face < first_face else parents[(face - first_face) >> 1, 1 + ((face - first_face) & 1)]
            )
        n_vertices, n_faces = n_vertices + 1, n_faces + 2
        for k in range(4):
            data[m, k] = 0.5 * (data[a, k] + data[b, k])
        for k in range(extra.shape[1]):
            extra[m, k] = 0.5 * (extra[a, k] + extra[b, k])
        corner[nh] = m  # face a b c becomes a m c, and m b c is new; b a d becomes m a d, and b m d is new
        corner[t] = m
        corner[q], corner[q + 1], corner[q + 2] = m, b, c
        corner[r], corner[r + 1], corner[r + 2] = b, m, d
        tb, td = twin[nh], twin[pt]
        twin[nh], twin[q + 2] = q + 2, nh
        twin[q + 1], twin[tb] = tb, q + 1
        twin[q], twin[r] = r, q
        twin[r + 1], twin[pt] = pt, r + 1
        twin[r + 2], twin[td] = td, r + 2
        out[m], out[b] = t, q + 1
        valence[m] = 4
        valence[c] += 1
        valence[d] += 1


@njit(**KERNEL, error_model="numpy")
def linked(half, h, mark):
    """Whether the edge of h meets the link condition: its ends have exactly the two opposite vertices in
    common, and no vertex is left with fewer than three edges. `mark` is scratch [N], -1 everywhere, and
    left so."""
    corner, twin, valence = half.corner, half.twin, half.valence
    a, b = corner[h], corner[after(h)]
    c, d = corner[before(h)], corner[before(twin[h])]
    if valence[c] < 4 or valence[d] < 4 or valence[a] + valence[b] < 7:
        return False
    e = h
    while True:
        mark[corner[after(e)]] = a
        e = twin[before(e)]
        if e == h:
            break
    common = 0
    first = twin[h]
    e = first
    while True:
        common += mark[corner[after(e)]] == a
        e = twin[before(e)]
        if e == first:
            break
    e = h
    while True:
        mark[corner[after(e)]] = -1
        e = twin[before(e)]
        if e == h:
            break
    return common == 2


@njit(**INNER, error_model="numpy")
def merge(half, h, point, share):
    """Collapses half-edge a -> b into a at `point`, attributes (1 - share) a + share b. No guards."""
    corner, twin, out, valence, data, extra = half
    t = twin[h]
    a, b, c, d = corner[h], corner[t], corner[before(h)], corner[before(t)]
    e = t
    while True:
        corner[e] = a
        e = twin[before(e)]
        if e == t:
            break
    bc, ca, ad, db = twin[after(h)], twin[before(h)], twin[after(t)], twin[before(t)]
    twin[bc], twin[ca], twin[ad], twin[db] = ca, bc, db, ad
    out[a], out[b], out[c], out[d] = ca, -1, bc, ad
    valence[a] += valence[b] - 4
    valence[c] -= 1
    valence[d] -= 1
    corner[h - h % 3] = -1
    corner[t - t % 3] = -1
    for k in range(3):
        data[a, k] = point[k]
    data[a, 3] += share * (data[b, 3] - data[a, 3])
    for k in range(extra.shape[1]):
        extra[a, k] += share * (extra[b, k] - extra[a, k])


@njit(**INNER, error_model="numpy")
def turn(half, h):
    """Flips the edge a b of faces a b c and b a d to d c. No guards."""
    corner, twin, out, valence = half.corner, half.twin, half.out, half.valence
    t = twin[h]
    nh, ph, nt, pt = after(h), before(h), after(t), before(t)
    a, b, c, d = corner[h], corner[t], corner[ph], corner[pt]
    db, ca = twin[pt], twin[ph]
    corner[h], corner[t] = d, c
    twin[h], twin[db] = db, h
    twin[t], twin[ca] = ca, t
    twin[ph], twin[pt] = pt, ph
    out[a], out[b] = nt, nh
    valence[a] -= 1
    valence[b] -= 1
    valence[c] += 1
    valence[d] += 1


@njit(**KERNEL, error_model="numpy")
def ranks(alive, stride, parents, order, rank):
    """Fills `rank` with the places of the rows with alive[stride * row] >= 0, and returns their number. Rows
    keep their order, but the last ones, one for each entry of `parents`, follow their parents; `order` sorts
    these."""
    old, j, total = len(rank) - len(parents), np.int64(0), np.int32(0)
    for i in range(old):
        rank[i] = total
        total += np.int32(alive[stride * i] >= 0)
        while j < len(order) and parents[order[j]] == i:
            row = old + order[j]
            rank[row] = total
            total += np.int32(alive[stride * row] >= 0)
            j += 1
    return total


@njit(**KERNEL, error_model="numpy")
def compact(half, vertex, face, new):
    """Copies what is left into `new`, by the ranks of vertices and faces."""
    corner, twin, to = half.corner.view(np.uint32), half.twin.view(np.uint32), face.view(np.uint32)
    for f in range(len(face)):
        if half.corner[3 * f] >= 0:
            for k in range(3):
                t, h = twin[3 * f + k], 3 * to[f] + k
                new.corner[h] = vertex[corner[3 * f + k]]
                new.twin[h] = 3 * to[t // 3] + t % 3
    for v in range(len(vertex)):
        if half.out[v] >= 0:
            row = np.uint32(vertex[v])
            new.valence[row] = half.valence[v]
            for k in range(4):
                new.data[row, k] = half.data[v, k]
            for k in range(half.extra.shape[1]):
                new.extra[row, k] = half.extra[v, k]
    for h in range(len(new.corner) - 1, -1, -1):
        new.out[new.corner[h]] = h  # the first one, as `connect` has it
