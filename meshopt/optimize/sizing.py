"""Edge lengths that follow the detail: short where the views' normals vary, long where they do not.

With flat triangles of size h the error of the normals is about curvature x h, and there are 1 / h^2 triangles per area:
for a given number of triangles the mean error is least where h is proportional to curvature^(-1/3).
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from meshopt.mesh import face_cross
from meshopt.optimize.facets import sums_over_pixels
from meshopt.optimize.regularizers import neighbour_mean
from meshopt.optimize.targets import Targets

POWER = 1 / 3
SOLID = 0.99  # coverage of pixels that count: normals blended with the background say nothing
SMOOTHING = 3  # rounds over the neighbours, so that triangle sizes change gradually
UNSEEN = 2.0  # how many times longer than the mean edges are where no view sees the surface


def bending(targets: Targets) -> Float[Tensor, "V h w"]:
    """How fast the views' normals turn along the surface, in radians per scene unit; NaN where that is not known.

    Differences of neighbouring pixels, over the distance between the points that they show: pixels on slopes are
    farther apart on the surface than in the image.
    """
    views = range(len(targets.image))
    return torch.stack([_bending(targets.image[v], targets.matrices[v]) for v in views])


def _bending(image: Float[Tensor, "h w 4"], matrix: Float[Tensor, "4 4"]) -> Float[Tensor, "h w"]:
    normal, solid = image[..., :3] / image[..., 3:].clamp_min(SOLID), image[..., 3] >= SOLID
    toward = normalize(matrix[2, :3], dim=0)  # along the axis; its sign does not matter here
    square, known = torch.zeros_like(image[..., 0]), torch.zeros_like(solid)
    for axis, row in ((1, 0), (0, 1)):
        along = normalize(matrix[row, :3], dim=0)
        pixel = 2 * matrix[3, 3] / (matrix[row, :3].norm() * image.shape[axis])
        depth, across = (normal @ toward).square(), (normal @ along).square()
        shortened = depth / (depth + across).clamp_min(1e-6)  # (pixel / distance on the surface) squared
        count = image.shape[axis] - 1
        first, second = (normal.narrow(axis, k, count) for k in (0, 1))
        both = solid.narrow(axis, 0, count) & solid.narrow(axis, 1, count)
        turned = torch.where(both, (second - first).square().sum(-1), 0.0) / pixel.square()
        for k in (0, 1):  # each pixel takes the mean of what its two neighbours say
            square.narrow(axis, k, count).add_(0.5 * turned * shortened.narrow(axis, k, count))
            known.narrow(axis, k, count).logical_or_(both)
    return torch.where(known, square.sqrt(), torch.nan)


def edge_lengths(
    bent: Float[Tensor, "V h w"],
    face: Int[Tensor, "V h w"],
    vertices: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    edge: float,
    spread: float,
) -> Float[Tensor, "N"]:
    """Target edge lengths per vertex, scene units: as many triangles as with `edge` everywhere.

    `face` is what each pixel shows. No length is more than `spread` times shorter or longer than the mean; 1 gives
    `edge` everywhere.
    """
    if spread <= 1:
        return torch.full_like(vertices[:, 0], edge)
    known = torch.stack([bent.nan_to_num(0.0), (~bent.isnan()).to(bent)], 1)
    told = sums_over_pixels(face, known, len(faces)).sum(0)[:, :2]
    of_faces = torch.cat([told, face_cross(vertices, faces).norm(dim=-1)[:, None]], 1)
    sums = vertices.new_zeros(len(vertices), 3)
    for corner in range(3):
        sums = sums.index_add(0, faces[:, corner].long(), of_faces)
    total, count, area = sums.unbind(1)
    seen = count > 0
    mean = (area * total / count.clamp_min(1)).sum() / (area * seen).sum().clamp_min(1e-30)
    relative = (total / count.clamp_min(1) / mean.clamp_min(1e-30)).clamp_min(1e-6)
    scale = torch.where(seen, relative**-POWER, UNSEEN).clamp(1 / spread, spread).log()
    for _ in range(SMOOTHING):
        scale = 0.5 * scale + 0.5 * neighbour_mean(scale[:, None], faces)[:, 0]
    scale = scale.exp()
    return edge * scale * ((area / scale.square()).sum() / area.sum().clamp_min(1e-30)).sqrt()
