"""The frames in which a mesh's normal map is told: normals per vertex, tangents per vertex of the uv map.

What bakes a normal map and what writes the mesh must take the same frames, or the light falls from the wrong side:
both take them from here.

In a frame, x is the tangent (u grows along it), z the vertex normal, and y = cross(z, x) * w. Images of glTF have y up
(green grows upwards in the picture), so y points to where v, which grows down, falls. A chart laid out as seen
from outside has w = 1, a mirrored one w = -1.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

_NOWHERE = 1e-30  # shorter than any length that means something


def tangents(
    vertices: Float[Tensor, "N 3"],
    normals: Float[Tensor, "K 3"],
    faces: Int[Tensor, "F 3"],
    uv: Float[Tensor, "M 2"],
    uv_faces: Int[Tensor, "F 3"],
    normal_faces: Int[Tensor, "F 3"] | None = None,
) -> Float64[Tensor, "M 4"]:
    """Tangents (x, y, z, w) per row of `uv` (v down), as MikkTSpace and with it glTF 2.0 define them.

    `normals` are the vertices', or, with `normal_faces`, those of the rows that it names for every face's corners; all
    corners of a row of `uv` have the same.

    The directions in which u grows on the faces at a uv vertex, each laid into the plane of the unit vertex normal and
    made unit, are averaged with the faces' angles there as weights. Faces that are mirrored in uv while most at
    that vertex (by angle) are not, or the reverse, do not count. Unit, and orthogonal to the normal: any such direction
    where the uv map gives none. Computed on the CPU in one thread: the same on all devices.

    Source: M. S. Mikkelsen, Simulation of Wrinkled Surfaces Revisited, 2008, and his mikktspace.c.
    """
    points, up, places = (t.detach().cpu().double().numpy() for t in (vertices, normals, uv))
    corners, rows = faces.cpu().numpy(), uv_faces.cpu().numpy()
    shaded = corners if normal_faces is None else normal_faces.cpu().numpy()
    along, turn = _face_tangents(points[corners], places[rows])
    sides = {side: np.zeros((len(places), 4)) for side in (1, -1)}  # sums of tangents, and of angles
    for corner in range(3):
        normal = up[shaded[:, corner]]
        angle = _angles(points[corners], normal, corner)
        share = np.concatenate([angle[:, None] * _in_plane(along, normal), angle[:, None]], 1)
        for side, total in sides.items():
            weight = np.where(turn == side, 1.0, 0.0)
            for axis in range(4):  # bincount adds in the order of the faces
                total[:, axis] += np.bincount(rows[:, corner], share[:, axis] * weight, len(places))
    upright = sides[1][:, 3] >= sides[-1][:, 3]
    total = np.where(upright[:, None], sides[1], sides[-1])[:, :3]
    normal = np.tile([0.0, 1.0, 0.0], (len(places), 1))
    normal[rows.reshape(-1)] = up[shaded.reshape(-1)]
    tangent = _in_plane(total, normal)
    lost = np.linalg.norm(tangent, axis=1) < 0.5
    tangent[lost] = _perpendicular(normal[lost])
    found = np.concatenate([tangent, np.where(upright, 1.0, -1.0)[:, None]], 1)
    return torch.from_numpy(found).to(uv.device)


def _face_tangents(
    points: Float64[np.ndarray, "F 3 3"], places: Float64[np.ndarray, "F 3 2"]
) -> tuple[Float64[np.ndarray, "F 3"], Float64[np.ndarray, "F"]]:
    """Where u grows on each face, and whether the face is seen from outside in uv (1), mirrored (-1) or flat (0)."""
    d1, d2 = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
    (u1, v1), (u2, v2) = ((places[:, k] - places[:, 0]).T for k in (1, 2))
    turn = np.sign(u2 * v1 - u1 * v2)  # v runs down, so that outside is clockwise
    return turn[:, None] * (v1[:, None] * d2 - v2[:, None] * d1), turn


def _angles(points: Float64[np.ndarray, "F 3 3"], normal: Float64[np.ndarray, "F 3"], corner: int) -> np.ndarray:
    """A corner's angle on each face, seen along the normal, in radians."""
    here, after, before = (points[:, (corner + k) % 3] for k in range(3))
    cosine = (_in_plane(after - here, normal) * _in_plane(before - here, normal)).sum(1)
    return np.arccos(np.clip(cosine, -1.0, 1.0))


def _in_plane(vectors: Float64[np.ndarray, "n 3"], normals: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
    """The vectors' parts at right angles to the unit normals, made unit; zero where nothing is left."""
    flat = vectors - (vectors * normals).sum(1, keepdims=True) * normals
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    whole = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(length > np.maximum(1e-9 * whole, _NOWHERE), flat / np.maximum(length, _NOWHERE), 0.0)


def _perpendicular(normals: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
    """Some unit vector at right angles to each unit normal."""
    axis = np.eye(3)[np.abs(normals).argmin(1)]
    return _in_plane(axis, normals)
