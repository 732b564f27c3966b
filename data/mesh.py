"""The ground-truth mesh of a sample object: extracted, put onto the surface, thinned out, coloured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import mesh_kernels
from .render import Scene

CELLS = 176  # grid points per axis


@dataclass(frozen=True)
class ColouredMesh:
    """Vertices (scene units, float32 [N, 3]), faces counter-clockwise outside (int32 [F, 3]), sRGB bytes."""

    vertices: np.ndarray
    faces: np.ndarray
    colours: np.ndarray


def smallest_heights(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Each triangle's height over its longest side; 0 where it has no area."""
    corners = vertices[triangles].astype(np.float64)
    sides = np.roll(corners, -1, 1) - corners
    cross = np.cross(sides[:, 0], sides[:, 1])
    longest = np.sqrt((sides * sides).sum(-1).max(1))
    return np.sqrt((cross * cross).sum(-1)) / np.maximum(longest, 1e-12)


def settled(scene: Scene, vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Vertices moved onto the surface, but for those that would fall onto one another in a sharp crease."""
    moved = scene.project(vertices)
    for _ in range(3):
        flat = triangles[smallest_heights(moved.astype(np.float32), triangles) < 2e-5].ravel()
        moved[flat] = vertices[flat]
    return moved


def extract(scene: Scene, cells: int = CELLS, half: float = 0.94) -> tuple[np.ndarray, np.ndarray]:
    """The surface, closed, from a grid over [-half, half] along each axis, vertices moved onto it."""
    spacing = 2 * half / (cells - 1)
    values = scene.distances(-half, spacing, cells)
    small = 0.03 * spacing  # values nearer to zero would make slivers
    values = np.where(np.abs(values) < small, np.where(values > 0, small, -small), values)
    vertices, faces = mesh_kernels.marching_tetrahedra(values, -half, spacing)
    return settled(scene, vertices, faces), faces


def ground_truth(scene: Scene, faces: int) -> ColouredMesh:
    """A closed 2-manifold mesh of about `faces` triangles with vertex colours."""
    vertices, triangles = extract(scene)
    alive = mesh_kernels.decimate(vertices, triangles, faces)
    used, triangles = np.unique(triangles[alive], return_inverse=True)
    triangles = triangles.reshape(-1, 3)
    points = settled(scene, vertices[used], triangles).astype(np.float32)
    colours = np.floor(scene.paint(points.astype(np.float64))[1] * 255.0 + 0.5).astype(np.uint8)
    return ColouredMesh(points, triangles.astype(np.int32), colours)


def encode_ply(mesh: ColouredMesh) -> bytes:
    """The mesh as a binary little-endian PLY file."""
    header = (
        "ply\nformat binary_little_endian 1.0\n"
        f"element vertex {len(mesh.vertices)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\n"
        f"element face {len(mesh.faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    points = np.empty(len(mesh.vertices), np.dtype([("p", "<f4", 3), ("c", "u1", 3)]))
    points["p"], points["c"] = mesh.vertices, mesh.colours
    triangles = np.empty(len(mesh.faces), np.dtype([("n", "u1"), ("v", "<i4", 3)]))
    triangles["n"], triangles["v"] = 3, mesh.faces
    return header.encode() + points.tobytes() + triangles.tobytes()
