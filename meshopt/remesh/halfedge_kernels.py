"""Half-edge connectivity, and the local operations that change it in place.

Half-edge h = 3 * face + k runs from `corner[h]` to the next corner of its face; `twin[h]` is the opposite
one. A removed face has corner -1 in its first place, a removed vertex has `out` -1.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

OK, BOUNDARY, NONMANIFOLD_EDGE, NONMANIFOLD_VERTEX, DOUBLED, REPEATED = range(6)  # what `connect` finds


class Half(NamedTuple):
    """A half-edge mesh in flat arrays."""

    corner: np.ndarray  # [3F] int32, start vertex of each half-edge
    twin: np.ndarray  # [3F] int32
    out: np.ndarray  # [N] int32, some half-edge that starts at the vertex
    valence: np.ndarray  # [N] int32
    data: np.ndarray  # [N, 4 + K] float64


@njit(cache=True, nogil=True, error_model="numpy")
def after(h):
    """The next half-edge of the same face."""
    return h - 2 if h % 3 == 2 else h + 1


@njit(cache=True, nogil=True, error_model="numpy")
def before(h):
    """The previous half-edge of the same face."""
    return h + 2 if h % 3 == 0 else h - 1


@njit(cache=True, nogil=True, error_model="numpy")
def connect(half, start, order, end):
    """Fills twin, out and valence from the corners; (what was found, at which half-edge or vertex). O(F).

    Scratch: `start` [N + 2] zeros; `order`, `end` [3F], filled with the half-edges sorted by start vertex
    and the vertices they end at, those from vertex v at start[v] to start[v + 1].
    """
    corner, twin, out, valence = half.corner, half.twin, half.out, half.valence
    n = len(out)
    for h in range(len(corner)):
        start[corner[h] + 2] += 1
    for v in range(n):
        valence[v] = start[v + 2]
        start[v + 2] += start[v + 1]
    for h in range(len(corner)):
        a, b = corner[h], corner[after(h)]
        if a == b:
            return REPEATED, h
        order[start[a + 1]], end[start[a + 1]] = h, b
        start[a + 1] += 1
    for h in range(len(corner)):
        a, b = corner[h], corner[after(h)]
        found = 0
        for i in range(start[b], start[b + 1]):
            if end[i] == a:
                found += 1
                twin[h] = order[i]
        if found != 1:
            return (BOUNDARY if found == 0 else NONMANIFOLD_EDGE), h
    for v in range(n):
        out[v] = -1 if valence[v] == 0 else order[start[v]]
        if valence[v] == 0:
            continue
        h, turns = twin[before(out[v])], 1
        while h != out[v]:
            h = twin[before(h)]
            turns += 1
        if turns != valence[v]:
            return NONMANIFOLD_VERTEX, v
        if turns < 3:
            return DOUBLED, v
    return OK, 0


@njit(cache=True, nogil=True, error_model="numpy")
def split(half, edges, n_vertices, n_faces):
    """Puts a vertex at the middle of each edge, last first; the arrays must have room. Surface unchanged."""
    corner, twin, out, valence, data = half.corner, half.twin, half.out, half.valence, half.data
    for i in range(len(edges) - 1, -1, -1):
        h = edges[i]
        t = twin[h]
        nh, pt = after(h), before(t)
        a, b, c, d = corner[h], corner[nh], corner[before(h)], corner[pt]
        m, q, r = n_vertices, 3 * n_faces, 3 * n_faces + 3
        n_vertices, n_faces = n_vertices + 1, n_faces + 2
        for k in range(data.shape[1]):
            data[m, k] = 0.5 * (data[a, k] + data[b, k])
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


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def merge(half, h, point, share):
    """Collapses half-edge a -> b into a at `point`, attributes (1 - share) a + share b. No guards."""
    corner, twin, out, valence, data = half.corner, half.twin, half.out, half.valence, half.data
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
    for k in range(3, data.shape[1]):
        data[a, k] += share * (data[b, k] - data[a, k])


@njit(cache=True, nogil=True, error_model="numpy")
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
