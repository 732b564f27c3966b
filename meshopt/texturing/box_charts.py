"""Charts by the side that faces look to: box projection, in linear time and for any mesh."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int32, Int64

from meshopt.texturing.charts import Pieces, graph, neighbours

DIRECTIONS = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float64)
RIGHT = np.array([[0, 0, -1], [0, 0, 1], [1, 0, 0], [1, 0, 0], [1, 0, 0], [-1, 0, 0]], np.float64)
UP = np.array([[0, 1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1], [0, 1, 0], [0, 1, 0]], np.float64)  # RIGHT x UP: outwards
STEEPEST = 0.3  # cosine between a face's normal and its direction
PASSES = 8
SWAY = 0.5  # of all neighbours together, against a cosine


def box_sides(points: Float64[np.ndarray, "N 3"], faces: Int32[np.ndarray, "F 3"]) -> Int64[np.ndarray, " F"]:
    """The number of the axis direction that each face is seen from, alike among neighbours where the face allows.

    No face with area is given a direction more than acos(0.3) from its normal: projected, none is turned over.
    """
    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
    joined = graph(neighbours(faces), len(faces))
    smooth = normals
    for _ in range(PASSES):
        smooth = smooth + joined @ smooth
        smooth /= np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-300)
    cosine = smooth @ DIRECTIONS.T
    has_area = np.abs(normals).max(axis=1) > 0
    cosine[(normals @ DIRECTIONS.T < STEEPEST) & has_area[:, None]] = -np.inf
    side = cosine.argmax(axis=1)
    for _ in range(PASSES):
        votes = joined @ np.eye(6)[side]
        votes /= np.maximum(votes.sum(axis=1, keepdims=True), 1)
        side = (cosine + SWAY * votes + 0.01 * np.eye(6)[side]).argmax(axis=1)
    return side


def box_pieces(points: Float64[np.ndarray, "N 3"], faces: Int32[np.ndarray, "F 3"]) -> Pieces:
    """Parts of the surface that are seen from one side each, projected along it; parts may overlap themselves."""
    side = box_sides(points, faces)
    keys, corner = np.unique(side[:, None] * len(points) + faces, return_inverse=True)
    vertices, of = keys % len(points), keys // len(points)
    place = points[vertices]
    flat = np.stack([(place * RIGHT[of]).sum(axis=1), (place * UP[of]).sum(axis=1)], axis=1)
    return Pieces(flat, vertices, corner.reshape(-1, 3).astype(np.int32))
