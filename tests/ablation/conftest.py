"""A ball and an egg, seen from six sides, as objects of an ablation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from meshopt.ablation.objects import Subject, rendered
from meshopt.mesh import Mesh
from meshopt.rigs import load_rig
from meshopt.views import ViewSet

SIZE = 64


def solid(*radii: float) -> Mesh:
    """An ellipsoid."""
    shape = trimesh.creation.icosphere(subdivisions=4)
    vertices = torch.tensor(np.array(shape.vertices) * radii, dtype=torch.float32)
    return Mesh(vertices, torch.tensor(np.array(shape.faces), dtype=torch.int32))


def seen(mesh: Mesh) -> ViewSet:
    """From wonder3d's cameras."""
    cameras = load_rig("wonder3d").cameras()
    empty = torch.zeros(len(cameras), SIZE, SIZE)
    return rendered(ViewSet(cameras, torch.zeros(*empty.shape, 3), empty), mesh)


@pytest.fixture(scope="session")
def egg() -> Mesh:
    return solid(0.5, 0.8, 0.6)


@pytest.fixture(scope="session")
def subject(egg: Mesh) -> Subject:
    """The egg, and for generated views those of one that is a little too slim."""
    return Subject("egg", seen(egg), seen(solid(0.45, 0.8, 0.6)), egg)


@pytest.fixture
def mesh_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes an ellipsoid as NAME.ply."""

    def write(name: str, *radii: float, shift: float = 0.0) -> Path:
        mesh = solid(*radii)
        shape = trimesh.Trimesh(mesh.vertices.numpy() + shift, mesh.faces.numpy(), process=False)
        file = tmp_path / f"{name}.ply"
        shape.export(file)
        return file

    return write
