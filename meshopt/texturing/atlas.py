"""The atlas: where on a texture each face of a mesh lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshopt.texturing.charts import signed_areas
from meshopt.texturing.overlap import overlapping_pairs

TOUCH = 1e-6  # of the texture's side: faces that share less in depth only touch
FLAT = 1e-12  # of the texture: faces with less are points or lines


@dataclass(frozen=True)
class Atlas:
    """A flat place on a texture for every face of a mesh.

    Corner k of the mesh's face f lies at `uv[faces[f, k]]`: in [0, 1], u to the right, v down, (0, 0) the outer corner
    of the first texel. Faces are in the mesh's order, corners in its orientation; on the texture they are
    counter-clockwise where the mesh's are so from outside, unless their chart is mirrored. `vertices` is the mesh's
    vertex of every row of `uv`, `chart` the number of every face's chart. `method` is "xatlas" or "box", and `notes`
    are sentences on how it came about.
    """

    uv: Float[Tensor, "M 2"]
    faces: Int[Tensor, "F 3"]
    vertices: Int[Tensor, " M"]
    chart: Int[Tensor, " F"]
    method: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AtlasFigures:
    """How good an atlas is."""

    charts: int
    mirrored: int
    """Charts that are seen from inside."""
    flipped: int
    """Faces turned over against the rest of their chart."""
    collapsed: int
    """Faces that are a point or a line on the texture."""
    overlaps: int
    """Pairs of faces that overlap."""
    coverage: float
    """Share of the texture that lies in faces."""
    stretch: float
    """L2 stretch of Sander et al. (SIGGRAPH 2001): sqrt(sum of A (S^2 + s^2) / 2 over sum of A) times sqrt(sum of a
    over sum of A), where S and s are the larger and smaller singular value of the map from the texture to a face, A
    and a the face's areas there and here; 1 where texels are everywhere alike and square, else more. Faces that are
    points are left out."""
    anisotropy: tuple[float, float]
    """S / s of the faces: the median over their area, and what 95 % of it do not exceed."""


def overlapping(atlas: Atlas) -> Int[Tensor, "P 2"]:
    """Pairs of faces whose interiors overlap on the texture, by more than 1e-6 of its side in depth.

    Smaller index first, sorted; where there are millions of pairs, only the first of them are found.
    """
    corners = _corners(atlas)
    pairs = overlapping_pairs(corners, np.zeros(len(corners), np.int64), TOUCH)
    return torch.from_numpy(pairs.astype(np.int64)).to(atlas.faces.device)


def figures(atlas: Atlas, vertices: Float[Tensor, "N 3"]) -> AtlasFigures:
    """The figures of an atlas of a mesh with these vertices."""
    corners = _corners(atlas)
    chart = atlas.chart.cpu().numpy().astype(np.int64)
    area = -signed_areas(corners)  # v goes down
    mirrored = np.bincount(chart, area) < 0
    flat = np.abs(area) <= FLAT
    index = atlas.vertices.long()[atlas.faces.long()]
    solid = vertices.detach().to(index.device)[index].cpu().numpy().astype(np.float64)
    stretch, anisotropy = _stretch(corners[~flat], solid[~flat])
    return AtlasFigures(
        charts=int(chart.max()) + 1,
        mirrored=int(mirrored.sum()),
        flipped=int((((area < 0) != mirrored[chart]) & ~flat).sum()),
        collapsed=int(flat.sum()),
        overlaps=len(overlapping(atlas)),
        coverage=float(np.abs(area).sum()),
        stretch=stretch,
        anisotropy=anisotropy,
    )


def _corners(atlas: Atlas) -> np.ndarray:
    return atlas.uv.detach().cpu().numpy().astype(np.float64)[atlas.faces.cpu().numpy()]


def _stretch(flat: np.ndarray, solid: np.ndarray) -> tuple[float, tuple[float, float]]:
    """L2 stretch, and quantiles of the singular values' ratio, of faces with area on the texture."""
    one, two = solid[:, 1] - solid[:, 0], solid[:, 2] - solid[:, 0]
    area = np.linalg.norm(np.cross(one, two), axis=1) / 2
    if not area.sum() > 0:
        return float("nan"), (float("nan"), float("nan"))
    here = signed_areas(flat)
    (a, b), (c, d) = (flat[:, 1] - flat[:, 0]).T, (flat[:, 2] - flat[:, 0]).T
    along_u = (one * d[:, None] - two * b[:, None]) / (2 * here)[:, None]
    along_v = (two * a[:, None] - one * c[:, None]) / (2 * here)[:, None]
    squares = (along_u**2).sum(axis=1) + (along_v**2).sum(axis=1)  # S^2 + s^2
    product = area / np.abs(here)  # S s
    root = np.sqrt(np.maximum(squares**2 - 4 * product**2, 0))
    ratio = (squares + root) / np.maximum(2 * product, 1e-300)  # S^2 / S s
    stretch = np.sqrt((area * squares / 2).sum() / area.sum()) * np.sqrt(np.abs(here).sum() / area.sum())
    order = np.argsort(ratio)
    share = np.cumsum(area[order]) / area.sum()
    median, most = (float(ratio[order][min(np.searchsorted(share, q), len(ratio) - 1)]) for q in (0.5, 0.95))
    return float(stretch), (median, most)
