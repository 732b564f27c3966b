"""Compiled loop that parts a mesh along its sharp edges."""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from meshopt.compilation import INNER, KERNEL
from meshopt.remesh.halfedge_kernels import before


@njit(**INNER, error_model="numpy")
def sharp(normals, twin, h, cosine):
    """Whether the faces on both sides of half-edge h differ by more than the angle of that cosine."""
    f, g = h // 3, twin[h] // 3
    return normals[f, 0] * normals[g, 0] + normals[f, 1] * normals[g, 1] + normals[f, 2] * normals[g, 2] < cosine


@njit(**KERNEL, error_model="numpy")
def part(twin, out, normals, cosine, corner, origin):
    """Fills `corner` [3F] with a vertex for each corner, one for each part of its surroundings between sharp edges,
    and `origin` with the old vertex of each; how many there are."""
    count = len(out)
    for v in range(len(out)):
        origin[v] = v
        first, edges = out[v], 0
        h = first
        while True:
            corner[h] = v
            if sharp(normals, twin, h, cosine):
                edges += 1
                first = h
            h = twin[before(h)]
            if h == out[v]:
                break
        if edges < 2:
            continue
        own, h = v, twin[before(first)]
        while h != first:
            if sharp(normals, twin, h, cosine):
                own = count
                origin[own] = v
                count += 1
            corner[h] = own
            h = twin[before(h)]
    return count
