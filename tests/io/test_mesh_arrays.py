"""Meshes as files hold them: no two positions equal, and one index for position and texture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from meshopt.io.mesh_arrays import distinct_positions, mesh_arrays, split_vertices
from meshopt.mesh import Mesh
from meshopt.shading import creased


def test_distinct_positions_touches_only_what_meets() -> None:
    points = np.array([[1.0, 2, 3], [1, 2, 3], [1, 2, 3], [-0.0, 0, 0], [0.0, 0, 0], [0.5, 0.5, 0.5]])
    moved = distinct_positions(points)
    assert len(np.unique(moved, axis=0)) == len(points)
    assert np.abs(moved - points).max() < 1e-5
    assert (moved[[0, 3, 5]] == points[[0, 3, 5]]).all()
    apart = np.random.default_rng(0).normal(size=(100, 3))
    assert (distinct_positions(apart) == apart.astype(np.float32)).all()
    assert distinct_positions(np.zeros((0, 3))).shape == (0, 3)
    assert len(np.unique(distinct_positions(np.zeros((500, 3))), axis=0)) == 500


def test_split_vertices_are_where_the_mesh_and_the_texture_have_them(box: Mesh) -> None:
    assert box.texture is not None
    arrays = mesh_arrays(box, 1.0, (0.0, 0.0, 0.0))
    split = split_vertices(arrays)
    assert (split.vertex[split.faces] == box.faces.numpy()).all()
    assert (split.place[split.faces] == box.texture.faces.numpy()).all()
    assert len(split.vertex) == len(box.texture.uv)  # no more of them than the texture needs


def test_rows_without_faces_go_and_shared_ones_are_split(box: Mesh) -> None:
    assert box.texture is not None
    uv = torch.cat([box.texture.uv, torch.ones(5, 2)])
    corner = box.texture.faces.clone()
    corner[0] = 3  # three vertices of the mesh at one place of the image
    arrays = mesh_arrays(replace(box, texture=replace(box.texture, uv=uv, faces=corner)), 1.0, (0.0, 0.0, 0.0))
    split = split_vertices(arrays)
    assert (split.vertex[split.faces] == box.faces.numpy()).all()
    assert (split.place[split.faces] == corner.numpy()).all()
    assert sorted(np.unique(split.faces)) == list(range(len(split.vertex)))


def test_vertices_are_split_at_creases_and_nowhere_else(box: Mesh) -> None:
    plain = replace(box, texture=None)
    assert len(split_vertices(mesh_arrays(plain, 1.0, (0.0, 0.0, 0.0))).vertex) == len(box.vertices)
    sharp = replace(plain, shading=creased(box.vertices, box.faces))
    arrays = mesh_arrays(sharp, 1.0, (0.0, 0.0, 0.0))
    split = split_vertices(arrays)
    inner = ((box.vertices.abs() - box.vertices.abs().amax(0)).abs() < 1e-5).sum(1)  # 1 on a side, 2 on an edge, 3
    assert len(split.vertex) == int(inner.sum())
    assert (split.vertex[split.faces] == box.faces.numpy()).all()
    assert (split.normal[split.faces] == arrays.normal_faces).all()
