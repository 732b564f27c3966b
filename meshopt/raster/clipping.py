"""Cutting faces at the view's limits, for rasterisers that take points of the image and no clip positions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

GUARD = 4.0  # images: what lies farther out is cut off, so that image coordinates stay small
NEAREST = 1e-6  # of |clip|: smaller w are cut off, as x / w means nothing there

PLANES = (  # inside where plane . (x, y, z, w) >= 0
    (0.0, 0.0, 1.0, 1.0),
    (0.0, 0.0, -1.0, 1.0),
    (1.0, 0.0, 0.0, GUARD),
    (-1.0, 0.0, 0.0, GUARD),
    (0.0, 1.0, 0.0, GUARD),
    (0.0, -1.0, 0.0, GUARD),
)


@dataclass(frozen=True)
class ClippedView:
    """Faces inside the view: `points` are (x, y, z) / w; `origin` is the face that each face is a part of."""

    points: Float[Tensor, "M 3"]
    faces: Int[Tensor, "G 3"]
    origin: Int[Tensor, " G"]


def clip_to_view(clip: Float[Tensor, "N 4"], faces: Int[Tensor, "F 3"]) -> ClippedView:
    """Faces within near and far plane and a wide frame, cut where they cross those. No gradient.

    Faces with a vertex that is not finite are left out. Sutherland and Hodgman, CACM 17(1), 1974.
    """
    clip, faces = clip.detach().double(), faces.long()
    finite = clip.isfinite().all(-1)
    least = NEAREST * clip[finite].abs().amax() if bool(finite.any()) else clip.new_tensor(NEAREST)
    offsets = clip @ clip.new_tensor(PLANES).T
    inside = finite & (offsets >= 0).all(-1) & (clip[:, 3] >= least)
    drawn = finite[faces].all(1)
    whole = inside[faces].all(1)
    beyond = (offsets < 0)[faces].all(1).any(1)  # all three behind one plane
    kept, crossing = whole.nonzero()[:, 0], (drawn & ~whole & ~beyond).nonzero()[:, 0]
    points = clip[:, :3] / torch.where(inside, clip[:, 3], 1.0)[:, None]
    points = torch.where(inside[:, None], points, 0.0)
    if not len(crossing):
        return ClippedView(points, faces[kept], kept)
    parts, sizes = _cut(clip[faces[crossing]], least)
    fans, owner = _fans(sizes, parts.shape[1], len(points))
    flat = parts.flatten(0, 1)
    extra = flat[:, :3] / flat[:, 3:].clamp_min(least)
    return ClippedView(torch.cat([points, extra]), torch.cat([faces[kept], fans]), torch.cat([kept, crossing[owner]]))


def _cut(
    polygons: Float[Tensor, "K 3 4"], least: Float[Tensor, ""]
) -> tuple[Float[Tensor, "K P 4"], Int[Tensor, " K"]]:
    """What of each triangle is inside all planes: corners in order, and how many of them count."""
    sizes = torch.full((len(polygons),), 3, device=polygons.device)
    for plane in PLANES:
        polygons, sizes = _cut_by_plane(polygons, sizes, polygons @ polygons.new_tensor(plane))
    return _cut_by_plane(polygons, sizes, polygons[..., 3] - least)


def _cut_by_plane(
    polygons: Float[Tensor, "K P 4"], sizes: Int[Tensor, " K"], offset: Float[Tensor, "K P"]
) -> tuple[Float[Tensor, "K Q 4"], Int[Tensor, " K"]]:
    """Polygons where `offset`, given at their corners, is not negative."""
    count, length = offset.shape
    index = torch.arange(length, device=offset.device).expand(count, -1)
    valid = index < sizes[:, None]
    following = torch.where(index + 1 < sizes[:, None], index + 1, 0)
    then = polygons.gather(1, following[..., None].expand(-1, -1, 4))
    after = offset.gather(1, following)
    inside = valid & (offset >= 0)
    crossed = valid & ((offset >= 0) != (after >= 0))
    share = torch.where(crossed, offset / torch.where(crossed, offset - after, 1.0), 0.0)
    met = polygons + share[..., None] * (then - polygons)
    corners = torch.stack([polygons, met], 2).flatten(1, 2)
    present = torch.stack([inside, crossed], 2).flatten(1, 2)
    order = torch.argsort((~present).int(), dim=1, stable=True)[:, : length + 1]
    return corners.gather(1, order[..., None].expand(-1, -1, 4)), present.sum(1)


def _fans(sizes: Int[Tensor, " K"], length: int, first: int) -> tuple[Int[Tensor, "G 3"], Int[Tensor, " G"]]:
    """Polygons as triangles from their first corner, and each one's polygon; corners are numbered from `first`."""
    used: Bool[Tensor, "K T"] = torch.arange(2, length, device=sizes.device) < sizes[:, None]
    owner, turn = used.nonzero(as_tuple=True)
    start = first + owner * length
    return torch.stack([start, start + turn + 1, start + turn + 2], 1), owner
