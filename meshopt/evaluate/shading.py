"""The normals that a mesh is shaded with where a file states none: smooth but across sharp edges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshopt.evaluate import surface_kernels as kernels
from meshopt.mesh import Mesh

CREASE = 50.0  # degrees between faces above which they are not blended


def shaded(mesh: Mesh, degrees: float = CREASE) -> tuple[Mesh, Float[Tensor, "M 3"]]:
    """The mesh with vertices of its own for each face, and their unit normals.

    A corner's normal is the mean, weighted by angles, over those faces at its vertex whose normals differ by at most
    `degrees` from its own face's: any mesh will do, and no neighbourhood is walked. Faces without area have none.
    """
    faces = mesh.faces.cpu().long()
    corners = mesh.vertices.detach().cpu().double().numpy()[faces.numpy()]
    ahead, back = np.roll(corners, -1, 1) - corners, np.roll(corners, 1, 1) - corners
    cross = np.cross(ahead, back)
    weights = np.arctan2(np.linalg.norm(cross, axis=-1), (ahead * back).sum(-1)).reshape(-1)
    normals = cross[:, 0] / np.maximum(np.linalg.norm(cross[:, 0], axis=1, keepdims=True), 1e-300)
    weights[(np.abs(normals).sum(1) == 0).repeat(3)] = 0
    index = faces.numpy().reshape(-1)
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(len(mesh.vertices) + 1))
    total = np.zeros((len(index), 3))
    kernels.blend(order, starts, weights, normals, np.cos(np.radians(degrees)), total)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    total = np.where(length > 1e-12, total / np.maximum(length, 1e-300), normals.repeat(3, 0))
    own = torch.arange(len(index), dtype=torch.int32).reshape(-1, 3)
    colors = None if mesh.colors is None else mesh.colors[faces.reshape(-1)]
    apart = replace(mesh, vertices=mesh.vertices[faces.reshape(-1)], faces=own, colors=colors)
    return apart, torch.from_numpy(total).to(mesh.vertices)
