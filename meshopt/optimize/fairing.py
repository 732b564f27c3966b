"""How the surface moves where no view sees it.

The losses say nothing there but that it should be smooth, and a step whose length does not depend on the gradient's, as
Adam's, goes all the way to the smoothest surface that the border allows, whatever that weighs: flat undersides get
dents, narrow gaps between limbs fill up. Instead the shape is kept, follows the seen surface at the border, and loses
its roughness by bi-Laplacian flow (Desbrun et al. 1999), which takes long to change what is many edges wide.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor

from meshopt.optimize.regularizers import neighbour_mean
from meshopt.raster.arrays import as_array

RATE = 0.4  # of the flow in each step; beyond 0.5 it could grow instead of fade
SWEEPS = 5  # so many edges far the seen surface takes the unseen one along at most


def faired(
    move: Float[Tensor, "N 3"], vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"], seen: Bool[Tensor, "N"]
) -> Float[Tensor, "N 3"]:
    """The vertices' `move`, scene units, with that of the vertices that are not `seen` replaced. Closed meshes."""
    if vertices.device.type != "cpu":
        return plain_faired(move, vertices, faces, seen)
    kept = as_array(seen)
    if kept.all():
        return move
    unseen, result = np.flatnonzero(~kept), as_array(move).copy()
    near, mean = _neighbour_mean(as_array(faces), kept)
    inner = mean[np.searchsorted(near, unseen)]
    result[unseen] = 0
    for _ in range(SWEEPS):
        result[unseen] = inner @ result
    points = as_array(vertices)
    offset = np.zeros_like(points)
    offset[near] = mean @ points - points[near]
    result[unseen] -= RATE * (inner @ offset - offset[unseen])
    return torch.from_numpy(result).to(move)


def _neighbour_mean(
    faces: Int[np.ndarray, "F 3"], seen: Bool[np.ndarray, " N"]
) -> tuple[Int[np.ndarray, " W"], csr_matrix]:
    """The vertices unseen or next to one, in order, and what takes values [N, C] to the means around them."""
    wanted = np.zeros(len(seen), bool)
    wanted[faces[~seen[faces].all(axis=1)]] = True
    start, end = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    of_wanted = np.flatnonzero(wanted[start])
    start, end = start[of_wanted], end[of_wanted]
    degree = np.bincount(start, minlength=len(seen))[wanted]
    row = (np.cumsum(wanted) - 1)[start]
    share = (1 / degree.astype(np.float32))[row]
    return np.flatnonzero(wanted), csr_matrix((share, (row, end)), shape=(len(degree), len(seen)))


def plain_faired(
    move: Float[Tensor, "N 3"], vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"], seen: Bool[Tensor, "N"]
) -> Float[Tensor, "N 3"]:
    """`faired` on any device."""
    kept = seen[:, None]
    result = torch.where(kept, move, 0.0)
    for _ in range(SWEEPS):
        result = torch.where(kept, move, neighbour_mean(result, faces))
    offset = neighbour_mean(vertices, faces) - vertices
    return torch.where(kept, move, result - RATE * (neighbour_mean(offset, faces) - offset))
