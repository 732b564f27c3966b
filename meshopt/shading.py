"""The normals that a mesh is lit with: smooth, or with creases where edges are sharp."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor
from torch.nn.functional import normalize

from meshopt.mesh import Mesh, Shading, vertex_normals

CREASE = 50.0  # degrees between faces: a sharper edge is a crease of meshes whose file says nothing of normals
WIDEST = 1000  # corners at a vertex: where there are more it has no creases, for all pairs of them are compared
PAIRS = 100  # ... and so often as the mesh has corners, at most
ALIKE = 1e-5  # difference of unit normals below which they are, as a rule, one


def shading(mesh: Mesh) -> Shading:
    """The mesh's own, or smooth normals."""
    return mesh.shading or Shading(shading_normals(mesh.vertices, mesh.faces), mesh.faces)


def shading_normals(vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"]) -> Float64[Tensor, "N 3"]:
    """Unit normals per vertex, weighted by area; +Y at vertices that have none.

    From float64, because thin triangles lose their normals to float32.
    """
    normals = vertex_normals(vertices.detach().double(), faces)
    nowhere = ~(normals.abs().sum(1) > 0.5)
    return torch.where(nowhere[:, None], normals.new_tensor([0.0, 1.0, 0.0]), normals)


def creased(vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"], degrees: float = CREASE) -> Shading:
    """Smooth but for sharp edges: a corner's normal is the angle-weighted mean (Thürrner and Wüthrich 1998) over those
    faces at its vertex that are turned by less than `degrees` from its own. Computed on the CPU, in float64.
    """
    index = faces.cpu().long().numpy()
    points = vertices.detach().cpu().double().numpy()[index]
    ahead, back = np.roll(points, -1, 1) - points, np.roll(points, 1, 1) - points
    cross = np.cross(ahead, back)
    weight = np.arctan2(np.linalg.norm(cross, axis=-1), (ahead * back).sum(-1)).reshape(-1)
    normal = (cross[:, 0] / np.maximum(np.linalg.norm(cross[:, 0], axis=1, keepdims=True), 1e-30)).repeat(3, 0)
    vertex = index.reshape(-1)
    order = np.argsort(vertex, kind="stable")
    _, first, count = np.unique(vertex[order], return_index=True, return_counts=True)
    total = np.zeros_like(normal)
    widest = _widest(count)
    for k in range(min(widest, int(count.max(initial=0)))):  # the k-th corner of every vertex is added to all there
        here = np.flatnonzero((count > k) & (count <= widest))
        giver = np.repeat(order[first[here] + k], count[here])
        within = np.arange(len(giver)) - np.repeat(np.cumsum(count[here]) - count[here], count[here])
        taker = order[np.repeat(first[here], count[here]) + within]
        near = (normal[giver] * normal[taker]).sum(1) >= np.cos(np.radians(degrees))
        total[taker[near]] += weight[giver[near], None] * normal[giver[near]]
    return corner_shading(vertices, faces, torch.from_numpy(total).reshape(-1, 3, 3))


def _widest(count: Int[np.ndarray, " N"]) -> int:
    """The most corners that a vertex may have to get creases, so that few enough pairs are compared."""
    widest, most = WIDEST, PAIRS * max(int(count.sum()), 1 << 19)
    while widest > 1 and (count[count <= widest].astype(np.float64) ** 2).sum() > most:
        widest //= 2
    return widest


def corner_shading(
    vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"], normals: Float[Tensor, "F 3 3"]
) -> Shading:
    """From normals of every corner, of any length: those at a vertex that are alike but for rounding become one row.

    What is no direction (zero, not finite) becomes the smooth normal of the vertex.
    """
    vertex = faces.cpu().long().numpy().reshape(-1)
    unit = normalize(normals.cpu().double().reshape(-1, 3), dim=-1, eps=1e-30)
    good = unit.norm(dim=-1, keepdim=True) > 0.5
    if not good.all():
        unit = torch.where(good, unit, shading_normals(vertices, faces).cpu()[torch.from_numpy(vertex)])
    rows = unit.numpy()
    rounded = np.round(rows / ALIKE).astype(np.int64)
    order = np.lexsort((*rounded.T, vertex))
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(vertex[order]) != 0) | (np.diff(rounded[order], axis=0) != 0).any(1)
    index = np.empty(len(order), np.int32)
    index[order] = np.cumsum(new) - 1
    return Shading(
        torch.from_numpy(rows[order][new]).to(vertices.device), torch.from_numpy(index.reshape(-1, 3)).to(faces.device)
    )
