"""Meshes that several tests measure."""

from __future__ import annotations

import numpy as np
import torch
import trimesh

from meshopt.evaluate.surfaces import Surface
from meshopt.mesh import Mesh


def mesh_of(*shapes: trimesh.Trimesh) -> Mesh:
    whole = trimesh.util.concatenate(list(shapes))
    return Mesh(torch.tensor(np.array(whole.vertices)).double(), torch.tensor(np.array(whole.faces)))


def surface_of(*shapes: trimesh.Trimesh) -> Surface:
    return Surface.of(mesh_of(*shapes))


def ball(radius: float, subdivisions: int = 4) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions, radius=radius)


def lump() -> trimesh.Trimesh:
    """A closed surface without any symmetry."""
    shape = ball(1.0)
    x, y, z = shape.vertices.T
    factor = 1 + 0.3 * x - 0.2 * y * z + 0.25 * np.sin(3 * y + 1) * z + 0.2 * x * y
    shape.vertices = shape.vertices * factor[:, None] * [1.0, 0.8, 0.6]
    return shape
