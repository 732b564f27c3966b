"""Antialiasing at silhouettes in plain torch, for any device: what backends without that operation use.

As meshopt's own rasterisers do: for every two neighbouring pixels that see different faces, the surface seen at one
of them (the inner) is followed from face to face towards the other until it ends in a silhouette edge.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from meshopt.raster.protocol import Fragments
from meshopt.raster.reference import MARGIN


@dataclass(frozen=True)
class _Pairs:
    """Neighbouring pixels [P] of a row: the inner one, the side on which the outer one lies (+1, -1), what they see.

    `beyond` and `far` are the outer pixel's face and depth: -1 and infinite where it sees nothing.
    """

    view: Tensor
    row: Tensor
    column: Tensor
    step: Tensor
    face: Tensor
    beyond: Tensor
    far: Tensor

    def __getitem__(self, which: Tensor) -> _Pairs:
        return _Pairs(*(getattr(self, part.name)[which] for part in fields(self)))


@dataclass(frozen=True)
class _Rows:
    """A mesh in images [V,`height`,`width`] whose pixels have their neighbours in rows.

    `clip`: float64 positions [V*N,4]; `across`, `turned` [F,3]: see `neighbours`; `front` [V,F]: which faces show it.
    `diagonal`: whether edges as steep as they are flat, in pixels, part pixels of a row.
    """

    clip: Tensor
    vertices: int
    faces: Tensor
    across: Tensor
    turned: Tensor
    front: Tensor
    height: int
    width: int
    diagonal: bool

    def level(self, pairs: _Pairs) -> Tensor:
        """y/w of the pairs' rows."""
        return (2 * pairs.row + 1).double() / self.height - 1

    def distance(self, pairs: _Pairs, x: Tensor) -> Tensor:
        """How far x/w [P] or [P,3] is from the inner pixels' centres towards the outer ones', in pixels."""
        column, step = (v.reshape(-1, *[1] * (x.ndim - 1)) for v in (pairs.column, pairs.step))
        return step * ((x + 1) * self.width / 2 - 0.5 - column)


def antialias(
    image: Float[Tensor, "V H W C"],
    fragments: Fragments,
    clip: Float[Tensor, "V N 4"],
    faces: Int[Tensor, "F 3"],
) -> Float[Tensor, "V H W C"]:
    """The image, blended where silhouette edges part pixels; gradients to `image` and to x, y, w of `clip`."""
    _, height, width, _ = image.shape
    pixels, corners, topology = image.flatten(0, 2), faces.long(), neighbours(faces.long())
    out = pixels
    for axes in ((0, 1), (1, 0)):  # for columns, all is mirrored at the diagonal, and they are rows
        mirrored = axes == (1, 0)
        positions = clip.double()[..., [*axes, 2, 3]]
        across, up = (height, width) if mirrored else (width, height)
        rows = _rows(positions.detach(), corners, topology, (up, across), not mirrored)
        face, depth = (f.transpose(1, 2) if mirrored else f for f in (fragments.face.long(), fragments.depth.double()))
        pairs = _pairs(face, torch.where(face >= 0, depth, torch.inf))
        which, first, second = _silhouettes(rows, pairs)
        pairs, flat = pairs[which], positions.reshape(-1, 4)
        at = _meeting(flat.index_select(0, first), flat.index_select(0, second), rows.level(pairs))
        distance = rows.distance(pairs, at)
        share = distance + (distance.clamp(0, 1) - distance).detach() - 0.5
        row, column = (pairs.column, pairs.row) if mirrored else (pairs.row, pairs.column)
        inner = (pairs.view * height + row) * width + column
        outer = inner + pairs.step * (width if mirrored else 1)
        change = share.to(image.dtype)[:, None] * (pixels.index_select(0, inner) - pixels.index_select(0, outer))
        out = out.index_add(0, torch.where(share > 0, outer, inner), change)
    return out.reshape(image.shape)


def neighbours(faces: Int[Tensor, "F 3"]) -> tuple[Int[Tensor, "F 3"], Bool[Tensor, "F 3"]]:
    """For the edge opposite to each corner: the face across it (-1: none), and whether that runs along it the other
    way, as in an oriented mesh.

    Faces meet across an edge if their third vertices differ; where more than two do, the first two count. Faces that
    name a vertex twice meet none.
    """
    start, end, third = faces[:, [1, 2, 0]].flatten(), faces[:, [2, 0, 1]].flatten(), faces.flatten()
    sound = ((faces != faces.roll(1, 1)).all(1))[:, None].expand(-1, 3).flatten().nonzero()[:, 0]
    low, high = torch.minimum(start, end)[sound], torch.maximum(start, end)[sound]
    _, group = torch.unique(low * (1 << 31) + high, return_inverse=True)  # vertices are counted in 31 bits
    count, none = len(sound), len(sound)
    place = torch.arange(count, device=faces.device)
    corner = third[sound]
    empty = torch.full_like(place, none)
    head = empty.scatter_reduce(0, group, place, "amin")[group]  # the group's first, then its first with another corner
    other = corner != corner[head]
    rival = empty.scatter_reduce(0, group, torch.where(other, place, none), "amin")[group]
    met = (rival < none) & (~other | (corner == corner[rival.clamp_max(max(count - 1, 0))]))
    partner = sound[torch.where(met, torch.where(other, head, rival), place)]
    across, turned = torch.full_like(start, -1), torch.zeros_like(start, dtype=torch.bool)
    across[sound] = torch.where(met, partner // 3, -1)
    turned[sound] = start[partner] != start[sound]
    return across.reshape(-1, 3), turned.reshape(-1, 3)


def _rows(
    clip: Float[Tensor, "V N 4"],
    faces: Int[Tensor, "F 3"],
    topology: tuple[Int[Tensor, "F 3"], Bool[Tensor, "F 3"]],
    shape: tuple[int, int],
    diagonal: bool,
) -> _Rows:
    a, b, c = clip[..., [0, 1, 3]][:, faces].unbind(2)
    front = (a * torch.linalg.cross(b - a, c - a)).sum(-1) > 0
    return _Rows(clip.reshape(-1, 4), clip.shape[1], faces, *topology, front, *shape, diagonal)


def _pairs(face: Int[Tensor, "V H W"], depth: Float[Tensor, "V H W"]) -> _Pairs:
    """All neighbours in rows that see different faces, each order of the two of which the first sees one."""
    found = []
    ends = [(face[..., :-1], depth[..., :-1]), (face[..., 1:], depth[..., 1:])]
    for step, (a, b) in ((1, ends), (-1, ends[::-1])):
        view, row, column = ((a[0] != b[0]) & (a[0] >= 0)).nonzero(as_tuple=True)
        seen = a[0][view, row, column], b[0][view, row, column], b[1][view, row, column]
        found.append((view, row, column + int(step < 0), torch.full_like(view, step), *seen))
    return _Pairs(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def _silhouettes(rows: _Rows, pairs: _Pairs) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs parted by a silhouette edge of the inner pixel's surface, and the edge's ends; a pair may come twice.

    Pairs that see the same surface are not parted, and are followed no farther once that is known.
    """
    count, device = max(len(rows.faces), 1), pairs.face.device
    which, face = torch.arange(len(pairs.face), device=device), pairs.face
    visited, joined = which * count + face, torch.zeros(len(which), dtype=torch.bool, device=device)
    found = [(which[:0],) * 3]
    while len(which):
        here, over = pairs[which], rows.across[face]
        reached, depth = _reach(rows, here, face)
        front = rows.front[here.view[:, None], torch.cat([face[:, None], over.clamp_min(0)], 1)]
        smooth = (over >= 0) & ((front[:, :1] == front[:, 1:]) == rows.turned[face])
        item, k = (reached & smooth).nonzero(as_tuple=True)
        joined[which[item[over[item, k] == here.beyond[item]]]] = True
        keys = torch.unique(which[item] * count + over[item, k])
        item, k = (reached & ~smooth & (depth < here.far[:, None])).nonzero(as_tuple=True)
        first, second = (rows.faces[face[item], (k + j) % 3] + here.view[item] * rows.vertices for j in (1, 2))
        parted = _parts(rows, first, second, here.step[item], front[item, 0])
        found.append((which[item][parted], first[parted], second[parted]))
        visited, keys = (k[~joined[k // count]] for k in (visited, keys))
        keys = keys[~torch.isin(keys, visited)]
        visited = torch.cat([visited, keys])
        which, face = keys // count, keys % count
    pair, first, second = (torch.cat(parts) for parts in zip(*found, strict=True))
    apart = ~joined[pair]
    return pair[apart], first[apart], second[apart]


def _meeting(a: Float[Tensor, "P 4"], b: Float[Tensor, "P 4"], level: Float[Tensor, " P"]) -> Float[Tensor, " P"]:
    """x/w where the line through a and b meets y/w = level."""
    qa, qb = a[:, 1] - level * a[:, 3], b[:, 1] - level * b[:, 3]
    return (qa * b[:, 0] - qb * a[:, 0]) / (qa * b[:, 3] - qb * a[:, 3])


def _reach(rows: _Rows, pairs: _Pairs, face: Int[Tensor, " P"]) -> tuple[Bool[Tensor, "P 3"], Float[Tensor, "P 3"]]:
    """Whether each edge of a face crosses the line between the pixels, and z/w there."""
    x, y, z, w = rows.clip[rows.faces[face] + (pairs.view * rows.vertices)[:, None]].unbind(-1)
    q = y - rows.level(pairs)[:, None] * w
    a, b = [1, 2, 0], [2, 0, 1]
    slope = q[:, a] * w[:, b] - q[:, b] * w[:, a]
    share_a, share_b = -q[:, b] / slope, q[:, a] / slope
    distance = rows.distance(pairs, share_a * x[:, a] + share_b * x[:, b])
    meets = ((q[:, a] >= 0) != (q[:, b] >= 0)) & (slope != 0) & (share_a >= 0) & (share_b >= 0)
    between = (distance >= -MARGIN) & (distance <= 1 + MARGIN)
    return meets & between, share_a * z[:, a] + share_b * z[:, b]


def _parts(rows: _Rows, first: Tensor, second: Tensor, step: Tensor, front: Tensor) -> Bool[Tensor, " P"]:
    """Whether edges run across rows, not along them, with the face on the inner side."""
    a, b = rows.clip[first], rows.clip[second]
    nx = a[:, 1] * b[:, 3] - a[:, 3] * b[:, 1]
    ny = a[:, 3] * b[:, 0] - a[:, 0] * b[:, 3]
    steep, flat = nx.abs() * rows.height, ny.abs() * rows.width
    across = steep >= flat if rows.diagonal else steep > flat
    return across & ((nx * step < 0) == front)
