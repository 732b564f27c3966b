"""Vertex colours from the RGB views."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshopt.harmonic import harmonic, links, unreached
from meshopt.mesh import Mesh, vertex_normals
from meshopt.optimize.sampling import sample_views
from meshopt.raster.protocol import Rasterizer
from meshopt.views import ViewSet

POWER = 4.0  # of the cosine to the camera in the blend: a view that looks straight at the surface wins
SURE = 0.02  # blended weight above which a colour is taken as it is
GREY = 0.7  # sRGB, where no view gives a colour at all


def blend_colors(
    backend: Rasterizer, mesh: Mesh, views: ViewSet, trust: Float[Tensor, " V"] | None = None
) -> Float[Tensor, "N 3"]:
    """sRGB per vertex: the views blended where they see it, spread smoothly along the surface where none does.

    `trust`: how much single views count, 1 by default; 0 leaves a view out.
    """
    if views.rgb is None:
        return torch.full_like(mesh.vertices, GREY)
    normals = vertex_normals(mesh.vertices, mesh.faces)
    samples = sample_views(backend, views, views.rgb, mesh.vertices, normals, mesh.faces, POWER)
    weight = samples.weight if trust is None else samples.weight * trust[:, None]
    total = weight.sum(0)
    blended = (samples.values * weight[..., None]).sum(0) / total[:, None].clamp_min(1e-9)
    return spread(blended, total > SURE, mesh.faces).clamp(0.0, 1.0)


def spread(values: Float[Tensor, "N C"], known: Tensor, faces: Int[Tensor, "F 3"]) -> Float[Tensor, "N C"]:
    """Fills the vertices that are not `known` [N] with the harmonic interpolation along the surface.

    A component without a known vertex becomes GREY.
    """
    array, fixed = values.detach().cpu().double().numpy(), known.cpu().numpy()
    adjacency = links(faces.cpu().numpy(), len(array))
    lost = unreached(fixed, adjacency)
    filled = harmonic(np.where(lost[:, None], GREY, array), fixed | lost, adjacency)
    return torch.from_numpy(filled).to(values)
