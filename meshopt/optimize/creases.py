"""The mesh as it is shaded: parted along its sharp edges, with a normal on each side.

Vertex normals that blend across a sharp edge can only show a bevel, and a step that makes the blend fit bends the faces
beside it. Parted, both sides are compared with their own pixels; and as the rasteriser antialiases open edges, the
pixels that a sharp edge crosses move it sideways to where the views have it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshopt.mesh import face_normals
from meshopt.optimize import crease_kernels
from meshopt.raster.arrays import as_array
from meshopt.remesh.state import Links


@dataclass(frozen=True)
class Parted:
    """Which vertex each of the parted mesh's M vertices is (the first N are themselves), and its faces."""

    origin: Int[Tensor, "M"]
    faces: Int[Tensor, "F 3"]


def parted(vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"], links: Links, degrees: float) -> Parted:
    """A closed mesh parted along edges whose faces differ by more than `degrees`; `links` is its connectivity.

    A vertex becomes as many as sharp edges divide its surroundings into; where a single one ends it stays whole.
    """
    normals = as_array(face_normals(vertices.detach(), faces).float().cpu())
    corner = np.empty(3 * len(faces), np.int32)
    origin = np.empty(len(vertices) + len(corner), np.int64)
    count = crease_kernels.part(links.twin, links.out, normals, math.cos(math.radians(degrees)), corner, origin)
    apart = torch.from_numpy(origin[:count]), torch.from_numpy(corner.reshape(-1, 3))
    return Parted(apart[0].to(faces.device), apart[1].to(faces))
