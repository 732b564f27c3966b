"""A coarse surface told by a fine one: where its points lie on the fine one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float64
from scipy.spatial import cKDTree

from meshopt.mesh import Mesh
from meshopt.shading import shading
from meshopt.texturing.baking import unit
from meshopt.texturing.lattice import Lattice

NEIGHBOURS = 8
FACING = 0.2  # least cosine between the normals of a point and of its counterpart: not the other side of a thin part
MOST_STEPS = 64  # that a face's sides are cut into


def onto(lattice: Lattice, detail: Mesh, longest: float) -> Lattice:
    """The lattice with its points moved onto a fine mesh of the same surface, and with that mesh's normals.

    A point goes to the mean of the tangent planes at the nearest places that face its way, nearer ones counting
    more (implicit moving least squares: Kolluri, "Provably good moving least squares", SODA 2005). Places are no
    further apart than `longest` (scene units), however large the fine mesh's faces are.
    """
    places, normals = _places(detail, longest)
    distance, index = cKDTree(places).query(lattice.points, k=min(NEIGHBOURS, len(places)))
    distance, index = distance.reshape(len(lattice.points), -1), index.reshape(len(lattice.points), -1)
    facing = (normals[index] * lattice.normals[:, None]).sum(-1) > FACING
    reach = np.where(facing, distance, np.inf).min(1, keepdims=True)
    reach = np.maximum(np.where(np.isfinite(reach), reach, distance[:, :1]), 1e-9)
    weight = np.exp(-np.square(distance / reach) / 2) * (facing | ~facing.any(1, keepdims=True))
    weight /= weight.sum(1, keepdims=True)
    above = ((lattice.points[:, None] - places[index]) * normals[index]).sum(-1)
    moved = lattice.points - ((weight * above)[..., None] * normals[index]).sum(1)
    return replace(lattice, points=moved, normals=unit((weight[..., None] * normals[index]).sum(1)))


def _places(mesh: Mesh, longest: float) -> tuple[Float64[np.ndarray, "P 3"], Float64[np.ndarray, "P 3"]]:
    """A mesh's vertices, and the middles of its faces, large ones cut into small ones; and the normals there, which at
    creases are those of either side.
    """
    shaded = shading(mesh)
    rows, index = shaded.normals.cpu().double().numpy(), shaded.faces.cpu().numpy()
    corners = mesh.vertices.detach().cpu().double().numpy()[mesh.faces.cpu().numpy()]
    side = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1).max(1)
    steps = np.clip(np.ceil(side / longest), 1, MOST_STEPS).astype(np.int64)
    own = np.empty_like(rows)
    own[index] = corners
    used = np.unique(index)
    places, normals = [own[used]], [rows[used]]
    for count in np.unique(steps):
        share = _middles(int(count))
        places.append((share @ corners[steps == count]).reshape(-1, 3))
        normals.append(unit((share @ rows[index[steps == count]]).reshape(-1, 3)))
    return np.concatenate(places), np.concatenate(normals)


def _middles(count: int) -> Float[np.ndarray, "M 3"]:
    """Barycentric coordinates of the middles of count^2 triangles that a triangle is cut into."""
    i, j = np.divmod(np.arange(count**2), count)
    place = np.concatenate([np.stack([i, j], 1)[i + j < count] + 1 / 3, np.stack([i, j], 1)[i + j < count - 1] + 2 / 3])
    return np.concatenate([place, count - place.sum(1, keepdims=True)], axis=1) / count
