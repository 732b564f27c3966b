"""Initial meshes that need no views."""

from __future__ import annotations

import numpy as np
import torch

from meshopt.mesh import Mesh


def icosphere(centre: tuple[float, float, float], radius: float, levels: int = 4) -> Mesh:
    """A sphere of 20 * 4^levels faces of about the same size, outward, scene units."""
    golden = (1 + 5**0.5) / 2
    pairs = [(a, b * golden) for a in (-1, 1) for b in (-1, 1)]
    points = np.array([p for a, b in pairs for p in ((0, a, b), (a, b, 0), (b, 0, a))])
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    near = np.abs(distance - 2) < 1e-6
    triples = [
        (i, j, k) for i in range(12) for j in range(12) for k in range(12) if near[i, j] and near[j, k] and near[k, i]
    ]
    outward = [t for t in triples if np.linalg.det(points[list(t)]) > 0 and t[0] == min(t)]
    faces = np.array(sorted(outward))
    for _ in range(levels):
        points, faces = _divided(points, faces)
    points = points / np.linalg.norm(points, axis=1, keepdims=True)
    vertices = (np.asarray(centre) + radius * points).astype(np.float32)
    return Mesh(torch.from_numpy(vertices), torch.from_numpy(faces.astype(np.int32)))


def _divided(points: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each face cut into four at the middles of its edges, which go to the sphere."""
    points = points / np.linalg.norm(points, axis=1, keepdims=True)
    sides = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    edges, which = np.unique(sides, axis=0, return_inverse=True)
    middle = (len(points) + which).reshape(-1, 3)
    (a, b, c), (ab, bc, ca) = faces.T, middle.T
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    divided = np.concatenate([np.stack(part, axis=1) for part in parts])
    return np.concatenate([points, points[edges].mean(axis=1)]), divided
