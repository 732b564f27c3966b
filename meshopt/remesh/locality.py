"""The order of a mesh in memory: neighbours on the surface close together, as every sweep over it goes faster then."""

from __future__ import annotations

import numpy as np

from meshopt.remesh.state import Arrays

SMALL = 4096  # vertices; fewer fit the caches in any order
SAMPLES = 4096  # faces looked at
FAR, MANY = 1 / 16, 0.2  # of the vertices, between an edge's ends; of the edges
BITS = 10  # per axis, of the Morton code


def scattered(arrays: Arrays) -> bool:
    """Whether many edges lead far away in memory."""
    n, faces = len(arrays.data), arrays.faces
    some = faces[:: max(1, len(faces) // SAMPLES)]
    return n > SMALL and bool((np.abs(some[:, 0] - some[:, 1]) > FAR * n).mean() > MANY)


def gathered(arrays: Arrays) -> Arrays:
    """The mesh with its vertices along a Morton curve and its faces by their first vertices on it."""
    order = np.argsort(morton(arrays.data[:, :3]), kind="stable")
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    faces = rank[arrays.faces]
    faces = faces[np.argsort(faces.min(axis=1), kind="stable")]
    return Arrays(arrays.data[order], arrays.extra[order], faces)


def morton(points: np.ndarray) -> np.ndarray:
    """Place of each point [N, 3] on a Morton curve through their bounding box: the axes' bits in turn."""
    low, high = points.min(axis=0), points.max(axis=0)
    cells = ((points - low) * ((2**BITS - 1) / max(float((high - low).max()), 1e-300))).astype(np.uint32)
    code = np.zeros(len(points), np.uint32)
    for bit in range(BITS):
        for axis in range(3):
            code |= ((cells[:, axis] >> np.uint32(bit)) & np.uint32(1)) << np.uint32(3 * bit + axis)
    return code
