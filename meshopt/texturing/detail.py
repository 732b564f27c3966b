"""A coarse surface told by a fine one: where its points lie on the fine one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from meshopt.mesh import Mesh
from meshopt.shading import shading_normals
from meshopt.texturing.baking import unit
from meshopt.texturing.lattice import Lattice

NEIGHBOURS = 8
FACING = 0.2  # least cosine between the normals of a point and of its counterpart: not the other side of a thin part


def onto(lattice: Lattice, detail: Mesh) -> Lattice:
    """The lattice with its points moved onto a fine mesh of the same surface, and with that mesh's normals.

    A point goes to the mean of the tangent planes at the nearest vertices that face its way, nearer ones counting
    more (implicit moving least squares: Kolluri, "Provably good moving least squares", SODA 2005).
    """
    vertices = detail.vertices.detach().cpu().double().numpy()
    normals = shading_normals(detail.vertices, detail.faces).cpu().numpy()
    distance, index = cKDTree(vertices).query(lattice.points, k=min(NEIGHBOURS, len(vertices)))
    distance, index = distance.reshape(len(lattice.points), -1), index.reshape(len(lattice.points), -1)
    facing = (normals[index] * lattice.normals[:, None]).sum(-1) > FACING
    reach = np.where(facing, distance, np.inf).min(1, keepdims=True)
    reach = np.maximum(np.where(np.isfinite(reach), reach, distance[:, :1]), 1e-9)
    weight = np.exp(-np.square(distance / reach) / 2) * (facing | ~facing.any(1, keepdims=True))
    weight /= weight.sum(1, keepdims=True)
    above = ((lattice.points[:, None] - vertices[index]) * normals[index]).sum(-1)
    moved = lattice.points - ((weight * above)[..., None] * normals[index]).sum(1)
    return replace(lattice, points=moved, normals=unit((weight[..., None] * normals[index]).sum(1)))
