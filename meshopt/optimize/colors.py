"""Vertex colours from the RGB views."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import spsolve
from torch import Tensor

from meshopt.mesh import Mesh, vertex_normals
from meshopt.optimize.sampling import sample_views
from meshopt.raster.protocol import Rasterizer
from meshopt.views import ViewSet

POWER = 4.0  # of the cosine to the camera in the blend: a view that looks straight at the surface wins
SURE = 0.02  # blended weight above which a colour is taken as it is
GREY = 0.7  # sRGB, where no view gives a colour at all


def blend_colors(backend: Rasterizer, mesh: Mesh, views: ViewSet) -> Float[Tensor, "N 3"]:
    """sRGB per vertex: the views blended where they see it, spread smoothly along the surface where none does."""
    if views.rgb is None:
        return torch.full_like(mesh.vertices, GREY)
    normals = vertex_normals(mesh.vertices, mesh.faces)
    samples = sample_views(backend, views, views.rgb, mesh.vertices, normals, mesh.faces, POWER)
    total = samples.weight.sum(0)
    blended = (samples.values * samples.weight[..., None]).sum(0) / total[:, None].clamp_min(1e-9)
    return spread(blended, total > SURE, mesh.faces).clamp(0.0, 1.0)


def spread(values: Float[Tensor, "N C"], known: Tensor, faces: Int[Tensor, "F 3"]) -> Float[Tensor, "N C"]:
    """Fills the vertices that are not `known` [N] with the harmonic interpolation along the surface.

    A component without a known vertex becomes GREY.
    """
    array, fixed = values.detach().cpu().double().numpy(), known.cpu().numpy()
    if fixed.all():
        return values
    f = faces.cpu().numpy()
    i, j = np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]]).T
    n = len(array)
    adjacency = coo_matrix((np.ones(len(i)), (i, j)), shape=(n, n)).tocsr()
    free = ~fixed
    slack = 1e-9  # towards GREY: decides only where nothing is known
    laplacian = diags(np.asarray(adjacency.sum(1)).ravel() + slack) - adjacency
    right = adjacency[free][:, fixed] @ array[fixed] + slack * GREY
    array[free] = np.asarray(spsolve(laplacian.tocsr()[free][:, free].tocsc(), right)).reshape(free.sum(), -1)
    return torch.from_numpy(array).to(values)
