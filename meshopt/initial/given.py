"""A mesh that the user gives: checked, and repaired where it is not closed."""

from __future__ import annotations

import numpy as np
import torch

from meshopt.errors import InputError
from meshopt.initial import given_kernels as kernels
from meshopt.initial.grid import Field, grid_over, smoothed, without_voids
from meshopt.initial.silhouettes import voxel_distance
from meshopt.mesh import Mesh
from meshopt.topology import topology, weld

AGREEMENT = 0.9  # share of a repaired mesh's voxels about which all three directions agree
REACH = 1.5  # largest |coordinate| of a mesh that belongs to the scene
SMOOTHING = 0.7  # grid spacings


def given_mesh(mesh: Mesh, steps: int = 128) -> tuple[Mesh, tuple[str, ...]]:
    """The mesh with equal vertices welded, closed and 2-manifold, and notes on what was done to it.

    A mesh with holes or non-manifold edges is filled on a grid of 2 / `steps` spacing. Raises InputError where that is
    not possible either, or where the mesh lies outside the scene's cube [-1, 1].
    """
    if not len(mesh.faces) or not bool(torch.isfinite(mesh.vertices).all()):
        raise InputError("the given initial mesh (--init) has no faces, or coordinates that are not numbers.")
    reach = float(mesh.vertices[mesh.faces.long()].abs().max())
    if reach > REACH:
        raise InputError(
            f"the given initial mesh (--init) reaches to {reach:.3g} in the scene's units, where the object fits 1: "
            "expected a mesh in the frame and units of the cameras."
        )
    vertices, faces, left = weld(mesh.vertices.float(), mesh.faces.int())
    colors = None if mesh.colors is None else mesh.colors[left]
    found = topology(vertices, faces)
    if not (found.closed and found.manifold and found.oriented):
        return _filled(vertices, faces, steps)
    if found.volume < 0:
        return Mesh(vertices, faces.flip(1), colors), ("the given mesh was inside out: its faces were turned.",)
    return Mesh(vertices, faces, colors), ()


def _filled(vertices: torch.Tensor, faces: torch.Tensor, steps: int) -> tuple[Mesh, tuple[str, ...]]:
    """The surface around all that lies inside, by the parity of crossings along the three axes."""
    points = vertices.detach().cpu().double().numpy()
    grid = grid_over(points.min(axis=0), points.max(axis=0), 2.0 / steps)
    corners = points[faces.cpu().long().numpy()]
    votes = np.sum([_parity(corners, grid, axis) for axis in range(3)], axis=0)
    inside = votes >= 2
    sure = int((votes == 3).sum())
    if not inside.any() or sure < AGREEMENT * int((votes > 0).sum()):
        raise InputError(
            "the given initial mesh (--init) is not closed, and its holes are too large to tell inside from outside: "
            "expected a closed, 2-manifold mesh."
        )
    field = grid.with_values(voxel_distance(inside) * grid.spacing)
    filled = smoothed(without_voids(field), SMOOTHING).mesh().to(vertices.device)
    return filled, ("the given mesh was not closed and 2-manifold: it was filled on the grid and its surface taken.",)


def _parity(corners: np.ndarray, grid: Field, axis: int) -> np.ndarray:
    """Whether each sample sees an odd number of faces [F,3,3] along one axis, int8 [X,Y,Z]."""
    order = [(axis + 1) % 3, (axis + 2) % 3, axis]
    place = ((corners - grid.origin) / grid.spacing)[..., order]
    shape = tuple(grid.values.shape[i] for i in order)
    crossings = np.zeros(shape, np.int8)
    kernels.toggle(np.ascontiguousarray(place), crossings)
    odd = np.cumsum(crossings, axis=2, dtype=np.int64) % 2
    return np.transpose(odd, np.argsort(order)).astype(np.int8)
