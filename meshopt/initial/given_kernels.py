"""Compiled loop of filling a mesh on a grid."""
# mypy: disable-error-code="no-untyped-def, operator, call-overload"

from __future__ import annotations

import numpy as np
from numba import njit

from meshopt.compilation import KERNEL


@njit(**KERNEL)
def toggle(corners, crossings):
    """Counts, at the first sample behind it, each crossing of a face [F,3,3] (grid coordinates) with a grid line
    along the last axis. Of lines through an edge, one of the two faces gets it (top-left rule)."""
    nx, ny, nz = crossings.shape
    for f in range(corners.shape[0]):
        x0, y0 = corners[f, 0, 0], corners[f, 0, 1]
        x1, y1 = corners[f, 1, 0], corners[f, 1, 1]
        x2, y2 = corners[f, 2, 0], corners[f, 2, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0.0:
            continue
        for i in range(max(0, int(np.ceil(min(x0, x1, x2)))), min(nx - 1, int(np.floor(max(x0, x1, x2)))) + 1):
            for j in range(max(0, int(np.ceil(min(y0, y1, y2)))), min(ny - 1, int(np.floor(max(y0, y1, y2)))) + 1):
                inside = True
                height = 0.0
                for side in range(3):
                    a, b, c = side, (side + 1) % 3, (side + 2) % 3
                    ax, ay, bx, by = corners[f, a, 0], corners[f, a, 1], corners[f, b, 0], corners[f, b, 1]
                    swapped = ax > bx or (ax == bx and ay > by)  # the same arithmetic for both faces of an edge
                    if swapped:
                        ax, ay, bx, by = bx, by, ax, ay
                    cross = (bx - ax) * (j - ay) - (by - ay) * (i - ax)
                    if swapped:
                        cross = -cross
                    if area < 0:
                        cross = -cross
                    if cross < 0.0 or (cross == 0.0 and swapped == (area > 0)):
                        inside = False
                        break
                    height += cross / abs(area) * corners[f, c, 2]
                if inside:
                    k = max(0, int(np.ceil(height)))
                    if k < nz:
                        crossings[i, j, k] ^= 1
