"""Compiled loops of marching tetrahedra; see `tetrahedra`."""
# mypy: disable-error-code="no-untyped-def, operator, call-overload"

from __future__ import annotations

import numpy as np
from numba import njit

from meshopt.compilation import KERNEL


@njit(**KERNEL)
def count(values, counts):
    """Numbers of vertices and of mixed cells (corners on both sides), into counts [2]."""
    nx, ny, nz = values.shape
    vertices = 0
    mixed = 0
    for x in range(nx):
        for y in range(ny):
            for z in range(nz):
                inside = values[x, y, z] > 0.0
                same = True
                for corner in range(1, 8):
                    i, j, k = x + (corner & 1), y + (corner >> 1 & 1), z + (corner >> 2)
                    if i < nx and j < ny and k < nz and (values[i, j, k] > 0.0) != inside:
                        vertices += 1
                        same = False
                if not same and x + 1 < nx and y + 1 < ny and z + 1 < nz:
                    mixed += 1
    counts[0] = vertices
    counts[1] = mixed


@njit(**KERNEL)
def march(values, paths, cases, clip, ids, vertices, faces):
    """Fills vertices [N,3] (in grid steps) and faces; gives the number of faces.

    `ids` [2,Y,Z,8] numbers the crossed edges that start in the two planes at hand, by direction (bits of the corner
    they lead to). `paths` [6,4]: the corners of the six tetrahedra. `cases` [6,16,6,2]: for each combination of
    corners inside, up to two triangles as edges (corner where it starts, direction), -1: no more.
    """
    nx, ny, nz = values.shape
    used = 0
    written = 0
    for x in range(nx):
        plane = x & 1
        for y in range(ny):
            for z in range(nz):
                here = values[x, y, z]
                for corner in range(1, 8):
                    dx, dy, dz = corner & 1, corner >> 1 & 1, corner >> 2
                    if x + dx >= nx or y + dy >= ny or z + dz >= nz:
                        continue
                    there = values[x + dx, y + dy, z + dz]
                    if (here > 0.0) != (there > 0.0):
                        t = here / (here - there)
                        t = min(max(t, clip), 1.0 - clip) if np.isfinite(t) else 0.5
                        vertices[used, 0], vertices[used, 1], vertices[used, 2] = x + t * dx, y + t * dy, z + t * dz
                        ids[plane, y, z, corner] = used
                        used += 1
        if x == 0:
            continue
        for y in range(ny - 1):
            for z in range(nz - 1):
                inside = 0
                for corner in range(8):
                    if values[x - 1 + (corner & 1), y + (corner >> 1 & 1), z + (corner >> 2)] > 0.0:
                        inside |= 1 << corner
                if inside == 0 or inside == 255:
                    continue
                for tet in range(6):
                    case = 0
                    for i in range(4):
                        case |= (inside >> paths[tet, i] & 1) << i
                    for i in range(6):
                        start = cases[tet, case, i, 0]
                        if start < 0:
                            break
                        at = ids[(x - 1 + (start & 1)) & 1, y + (start >> 1 & 1), z + (start >> 2)]
                        faces[written // 3, written % 3] = at[cases[tet, case, i, 1]]
                        written += 1
    return written // 3
