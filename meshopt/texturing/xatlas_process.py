"""A process of its own for xatlas, which holds Python's lock, may run for hours and cannot be asked to stop.

Run by its path, so that it imports nothing but numpy and xatlas: two .npy arrays on standard input (positions, faces),
three on standard output (uv, the vertex of each row of uv, faces as rows of uv), one after the other.
"""

from __future__ import annotations

import io
import os
import signal
import sys

if __name__ == "__main__":
    sys.path.pop(0)  # this file's folder, whose modules are not meant to be found

import numpy as np

# charts are fewer and rounder than by the defaults (2, .01), and sooner found: growing takes the square of their faces
MAX_COST, ROUNDNESS, MOST_FACES = 8.0, 0.1, 1800
# that all charts have, and along the largest: xatlas stretches charts to whole texels
TEXELS, LONGEST = 16e6, 8192.0


def charts(points: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """xatlas' charts of (N 3) float32 points and (F 3) uint32 faces: uv (M 2), vertices (M), faces (F 3) of uv rows.

    uv in the units of the points, one chart not over the other but rows of faces that are in none, which are NaN.
    The faces' areas should be about 1, as xatlas has absolute bounds.
    """
    import xatlas

    atlas = xatlas.Atlas()
    atlas.add_mesh(points, faces)
    chart_options, pack_options = xatlas.ChartOptions(), xatlas.PackOptions()
    chart_options.max_cost, chart_options.roundness_weight = MAX_COST, ROUNDNESS
    chart_options.max_chart_area = MOST_FACES
    diagonal = max(float(np.linalg.norm(np.ptp(points, axis=0))), 1e-9)
    pack_options.texels_per_unit = min((TEXELS / len(faces)) ** 0.5, LONGEST / diagonal)
    pack_options.blockAlign = True
    atlas.generate(chart_options, pack_options)
    vertices, corners, uv = atlas.get_mesh(0)
    uv = uv * (np.array([atlas.width, atlas.height], np.float32) / np.float32(pack_options.texels_per_unit))
    _, chart = atlas.get_mesh_vertex_assignment(0)
    uv[np.asarray(chart).astype(np.int64) >= 1 << 31] = np.nan
    return uv, vertices, corners


def packed(*arrays: np.ndarray) -> bytes:
    """Arrays as .npy files, one after the other."""
    file = io.BytesIO()
    for array in arrays:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()


def unpacked(data: bytes) -> list[np.ndarray]:
    """The arrays that `packed` made bytes of. Raises ValueError where the bytes are something else."""
    file, arrays = io.BytesIO(data), []
    while file.tell() < len(data):
        arrays.append(np.lib.format.read_array(file, allow_pickle=False))
    return arrays


def main() -> None:
    """Reads, works, writes; ends itself after the seconds given as the only argument, where there are alarms."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))  # not handled: ends the process even inside xatlas
    points, faces = unpacked(sys.stdin.buffer.read())
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)  # what xatlas itself prints
        answer.write(packed(*charts(points, faces)))


if __name__ == "__main__":
    main()
