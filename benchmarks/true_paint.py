"""The colours of a true mesh at any place near it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from meshopt import parallel
from meshopt.evaluate.surfaces import spread
from meshopt.mesh import Mesh, face_cross

SAMPLES = 3_000_000  # on its surface: about a texel of a usual texture apart


@dataclass(frozen=True)
class Paint:
    """Samples of a painted surface."""

    tree: cKDTree
    colors: np.ndarray  # [N, 3] sRGB, 0 to 255

    @staticmethod
    def of(mesh: Mesh) -> Paint:
        """Of a mesh with a texture, or with colours of its vertices."""
        points, faces = mesh.vertices.double().numpy(), mesh.faces.long().numpy()
        corners = points[faces]
        face, weights = spread(face_cross(mesh.vertices.double(), mesh.faces).norm(dim=1).numpy(), SAMPLES, 0)
        if mesh.texture is not None:
            places = mesh.texture.uv.double().numpy()[mesh.texture.faces.long().numpy()[face]]
            colors = bilinear(mesh.texture.color.numpy(), np.einsum("nk,nkx->nx", weights, places))
        else:
            assert mesh.colors is not None
            colors = 255 * np.einsum("nk,nkx->nx", weights, mesh.colors.double().numpy()[faces[face]])
        return Paint(cKDTree(np.einsum("nk,nkx->nx", weights, corners[face])), colors)

    def at(self, points: np.ndarray) -> np.ndarray:
        """Of the nearest sample."""
        return self.colors[self.tree.query(points, workers=parallel.threads())[1]]


def bilinear(image: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """An image [H, W, C] at places in [0, 1], v down, between its texels' centres."""
    size = np.array(image.shape[1::-1])
    x = np.clip(uv * size - 0.5, 0, size - 1.001)
    (j, k), (a, b) = np.floor(x).astype(int).T, (x - np.floor(x)).T[..., None]
    upper = (1 - a) * image[k, j] + a * image[k, j + 1]
    return (1 - b) * upper + b * ((1 - a) * image[k + 1, j] + a * image[k + 1, j + 1])
