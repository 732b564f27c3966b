"""How well a mesh fits the views it was made from, as the rows of tables have it; and normals that show sharp edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.functional import normalize

from meshopt.evaluate.images import image_scores
from meshopt.mesh import Mesh
from meshopt.views import ViewSet

CREASE = 50.0  # degrees between faces, above which an edge is sharp


def creased(mesh: Mesh, degrees: float = CREASE) -> tuple[Mesh, torch.Tensor]:
    """The mesh with corners of its own for each face, and their normals: smooth but for sharp edges.

    A corner's normal is the angle-weighted mean over those faces at its vertex that are turned by less than `degrees`
    from its own: as the ground-truth views of models with few faces are shaded.
    """
    faces = mesh.faces.long().numpy()
    corners = mesh.vertices.double().numpy()[faces]
    ahead, back = np.roll(corners, -1, 1) - corners, np.roll(corners, 1, 1) - corners
    cross = np.cross(ahead, back)
    weight = np.arctan2(np.linalg.norm(cross, axis=-1), (ahead * back).sum(-1)).reshape(-1)
    normal = (cross[:, 0] / np.maximum(np.linalg.norm(cross[:, 0], axis=1, keepdims=True), 1e-30)).repeat(3, 0)
    order = np.argsort(faces.reshape(-1), kind="stable")
    _, first, count = np.unique(faces.reshape(-1)[order], return_index=True, return_counts=True)
    total = np.zeros_like(normal)
    for k in range(int(count.max())):  # the k-th corner of every vertex is added to all corners there
        vertices = np.flatnonzero(count > k)
        giver = np.repeat(order[first[vertices] + k], count[vertices])
        within = np.arange(len(giver)) - np.repeat(np.cumsum(count[vertices]) - count[vertices], count[vertices])
        taker = order[np.repeat(first[vertices], count[vertices]) + within]
        near = (normal[giver] * normal[taker]).sum(1) >= np.cos(np.radians(degrees))
        total[taker[near]] += weight[giver[near], None] * normal[giver[near]]
    total = np.where(np.abs(total).sum(1, keepdims=True) > 1e-12, total, normal)
    own = torch.arange(faces.size, dtype=torch.int32).reshape(-1, 3)
    vertices = mesh.vertices[mesh.faces.long().reshape(-1)]
    return Mesh(vertices, own), normalize(torch.from_numpy(total), dim=-1).to(vertices)


def view_scores(mesh: Mesh, views: ViewSet) -> dict[str, Any]:
    """Least silhouette IoU; mean angle of the normals in degrees, mean of the views; share of pixels below 10 degrees.

    `mesh` is in the user's units.
    """
    found = image_scores(mesh, views)
    return {
        "min_iou": min(view.silhouette_iou or 0.0 for view in found.views),
        "view_normal_deg": found.whole.normals and found.whole.normals.mean_deg,
        "under_10deg": found.whole.normals and found.whole.normals.under_10,
    }
