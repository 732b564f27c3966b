"""Closed shapes of known topology, as (vertices, faces)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

Surface = tuple[Tensor, Tensor]


def tensors(mesh: trimesh.Trimesh) -> Surface:
    return (
        torch.tensor(np.asarray(mesh.vertices), dtype=torch.float32),
        torch.tensor(np.asarray(mesh.faces), dtype=torch.int32),
    )


@pytest.fixture(scope="session")
def sphere() -> Surface:
    return tensors(trimesh.creation.icosphere(subdivisions=3))


@pytest.fixture(scope="session")
def torus() -> Surface:
    return tensors(trimesh.creation.torus(0.7, 0.3, major_sections=36, minor_sections=18))


@pytest.fixture(scope="session")
def cube() -> Surface:
    mesh = trimesh.creation.box((1.0, 1.0, 1.0))
    for _ in range(3):
        mesh = mesh.subdivide()
    return tensors(mesh)


@pytest.fixture(scope="session")
def two_tetrahedra() -> Surface:
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    faces = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]], dtype=torch.int32)
    return torch.cat([points, points + 3]), torch.cat([faces, faces + 4])
