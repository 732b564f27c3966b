"""The slow, obvious rasteriser: float64 torch, one face or pixel pair at a time. Backends are tested by it.

Its gradients are autograd's. Vertices are not snapped, so coverage may differ from a fast backend's where a
face's edge passes within that backend's snapping distance of a pixel centre.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from meshopt.raster.protocol import Fragments

MARGIN = 1 / 128  # pixels: an edge so far on a pixel centre's wrong side counts as on it; snapping moves it by half


class ReferenceRasterizer:
    """Works on any device, on tests' sizes."""

    name = "reference"
    licence = "Apache-2.0"
    devices: tuple[str, ...] = ("cpu", "cuda", "xpu")
    rank = 0

    def unusable(self) -> str | None:
        """Always None."""
        return None

    def rasterize(
        self,
        clip: Float[Tensor, "V N 4"],
        faces: Int[Tensor, "F 3"],
        resolution: tuple[int, int],
        behind: Fragments | None = None,
    ) -> Fragments:
        """The nearest face at every pixel centre, found by trying all; of equal depths the lower index wins.

        With `behind`, the nearest of those after that layer's by (depth, index): the next layer. Depths are computed
        anew in float64, so a rounded `behind.depth` does no harm.
        """
        double = clip.double()
        pixels = _pixel_grid(resolution, double)
        layers = [None] * len(clip) if behind is None else list(behind.face)
        found = [_nearest(v.detach(), faces, pixels, layer) for v, layer in zip(double, layers, strict=True)]
        face = torch.stack([f for f, _ in found]) if found else pixels.new_zeros((0, *resolution), dtype=torch.int32)
        depth = torch.stack([z for _, z in found]) if found else pixels.new_zeros((0, *resolution))
        return Fragments(face, weights(double, faces, face).to(clip.dtype), depth.to(clip.dtype))

    def interpolate(
        self, attributes: Float[Tensor, "#V N C"], fragments: Fragments, faces: Int[Tensor, "F 3"]
    ) -> Float[Tensor, "V H W C"]:
        """Vertex attributes at every pixel, 0 where nothing is."""
        face, (u, v) = fragments.face, fragments.bary.double().unbind(-1)
        weights = torch.stack([u, v, 1 - u - v], -1)
        values = attributes.double().expand(len(face), -1, -1)
        image = torch.zeros((*face.shape, attributes.shape[2]), dtype=torch.float64, device=face.device)
        view, row, column = (face >= 0).nonzero(as_tuple=True)
        corners = values[view[:, None], faces.long()[face[view, row, column].long()]]  # [P, 3, C]
        pixels = (weights[view, row, column][..., None] * corners).sum(1)
        return image.index_put((view, row, column), pixels).to(attributes.dtype)

    def antialias(
        self,
        image: Float[Tensor, "V H W C"],
        fragments: Fragments,
        clip: Float[Tensor, "V N 4"],
        faces: Int[Tensor, "F 3"],
    ) -> Float[Tensor, "V H W C"]:
        """Blends the pixel pairs that silhouette edges part."""
        found = zip(image.double(), clip.double(), silhouette_pairs(clip, faces, fragments), strict=True)
        blended = [_blend(*view) for view in found]
        return torch.stack(blended).to(image.dtype) if blended else image


@dataclass(frozen=True)
class Pair:
    """A pixel pair parted by an edge: (row, column) of the inner and outer pixel, axis 0 if horizontal.

    `distance`: how far the edge is from the inner pixel's centre towards the outer one's, in pixels: in
    [-MARGIN, 1 + MARGIN], as pixels may be covered by faces that were snapped.
    """

    inner: tuple[int, int]
    outer: tuple[int, int]
    edge: tuple[int, int]
    axis: int
    distance: float


def silhouette_pairs(clip: Float[Tensor, "V N 4"], faces: Int[Tensor, "F 3"], fragments: Fragments) -> list[list[Pair]]:
    """The pixel pairs that silhouette edges part, of every view."""
    across, found = _neighbours(faces.tolist()), []
    for view, face, depth in zip(clip.detach().double(), fragments.face, fragments.depth, strict=True):
        scene = _Scene(view.tolist(), faces.tolist(), across, _facing(view, faces).tolist())
        found.append(scene.pairs(face, depth))
    return found


def weights(
    clip: Float[Tensor, "V N 4"], faces: Int[Tensor, "F 3"], face: Int[Tensor, "V H W"]
) -> Float[Tensor, "V H W 2"]:
    """Perspective-correct weights of the first two vertices of given faces (-1: 0), differentiable."""
    pixels = _pixel_grid(face.shape[1:], clip)
    view, row, column = (face >= 0).nonzero(as_tuple=True)
    corners = clip[view[:, None], faces.long()[face[view, row, column].long()]]  # [P, 3, 4]
    areas = _corner_areas(corners, pixels[row, column])
    bary = torch.zeros((*face.shape, 2), dtype=clip.dtype, device=clip.device)
    return bary.index_put((view, row, column), (areas / areas.sum(1, keepdim=True))[:, :2])


def _pixel_grid(resolution: Sequence[int], like: Tensor) -> Float[Tensor, "H W 3"]:
    """Pixel centres as (X, Y, 1)."""
    height, width = resolution
    y = (2 * torch.arange(height, dtype=like.dtype, device=like.device) + 1) / height - 1
    x = (2 * torch.arange(width, dtype=like.dtype, device=like.device) + 1) / width - 1
    return torch.stack([x.expand(height, -1), y[:, None].expand(-1, width), torch.ones_like(x).expand(height, -1)], -1)


def _corner_areas(corners: Float[Tensor, "P 3 4"], pixels: Float[Tensor, "P 3"]) -> Float[Tensor, "P 3"]:
    """a_k = q_{k+1} x q_{k+2} with q = (x, y) - (X, Y) w: the weights of the corners up to their sum."""
    q = corners[..., :2] - pixels[:, None, :2] * corners[..., 3:]
    a, b = q[:, [1, 2, 0]], q[:, [2, 0, 1]]
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _nearest(
    clip: Float[Tensor, "N 4"], faces: Int[Tensor, "F 3"], pixels: Float[Tensor, "H W 3"], behind: Tensor | None
) -> tuple[Int[Tensor, "H W"], Float[Tensor, "H W"]]:
    """The nearest face (-1: none) and its depth (0: none); of those after `behind` [H,W] if that is given."""
    face = torch.full(pixels.shape[:2], -1, dtype=torch.int32, device=clip.device)
    depth = torch.full(pixels.shape[:2], torch.inf, dtype=clip.dtype, device=clip.device)
    last = torch.full_like(depth, -torch.inf)  # depth of the layer before
    if behind is not None:
        last = torch.full_like(depth, torch.inf)
        for index, z, _ in _covers(clip, faces, pixels):
            last = torch.where(behind == index, z, last)
    for index, z, inside in _covers(clip, faces, pixels):
        after = (z > last) if behind is None else (z > last) | ((z == last) & (index > behind))
        nearer = inside & after & (z < depth)
        face = torch.where(nearer, index, face)
        depth = torch.where(nearer, z, depth)
    return face, torch.where(face >= 0, depth, 0.0)


def _covers(
    clip: Float[Tensor, "N 4"], faces: Int[Tensor, "F 3"], pixels: Float[Tensor, "H W 3"]
) -> Iterator[tuple[int, Float[Tensor, "H W"], Bool[Tensor, "H W"]]]:
    """Of each face that can be drawn: its index, z/w of its plane, and which pixels it covers within [-1, 1]."""
    corners = clip[faces.long()]
    v = corners[..., [0, 1, 3]]
    turn = torch.sign((v[:, 0] * torch.linalg.cross(v[:, 1], v[:, 2])).sum(-1))
    # per face, one line per edge: inside where line . (X, Y, 1) > 0
    lines = turn[:, None, None] * torch.linalg.cross(v[:, [1, 2, 0]], v[:, [2, 0, 1]])
    owned = (lines[..., 0] > 0) | ((lines[..., 0] == 0) & (lines[..., 1] > 0))  # top-left rule
    usable = torch.isfinite(corners).all(-1).all(-1) & (turn != 0)
    for index in usable.nonzero()[:, 0].tolist():
        value = pixels @ lines[index].T
        inside = ((value > 0) | ((value == 0) & owned[index])).all(-1)
        z = (value @ corners[index, :, 2]) / (value @ corners[index, :, 3])
        yield index, z, inside & (z >= -1) & (z <= 1)


def _facing(clip: Float[Tensor, "N 4"], faces: Int[Tensor, "F 3"]) -> Bool[Tensor, " F"]:
    """Which of its sides each face shows."""
    a, b, c = clip.detach()[:, [0, 1, 3]][faces.long()].unbind(1)
    return (a * torch.linalg.cross(b - a, c - a)).sum(-1) > 0


def _neighbours(faces: list[list[int]]) -> dict[tuple[int, int], tuple[int, bool]]:
    """(face, edge) -> the face across that edge, and whether it runs along it the other way.

    Faces meet across an edge if their third vertices differ: copies of a face, turned over or not, do not. Where more
    than two third vertices meet, the first two count; other faces there have none across. As in nvdiffrast.
    """
    around: dict[
        frozenset[int], dict[int, tuple[int, tuple[int, int]]]
    ] = {}  # edge -> third vertex -> first face of it
    for f, corners in enumerate(faces):
        if len(set(corners)) == 3:
            for k in range(3):
                i, j = corners[(k + 1) % 3], corners[(k + 2) % 3]
                around.setdefault(frozenset((i, j)), {}).setdefault(corners[k], (f, (i, j)))
    across = {}
    for f, corners in enumerate(faces):
        for k in range(3 if len(set(corners)) == 3 else 0):
            i, j = corners[(k + 1) % 3], corners[(k + 2) % 3]
            thirds = list(around[frozenset((i, j))])[:2]
            if corners[k] in thirds and len(thirds) == 2:
                g, edge = around[frozenset((i, j))][thirds[thirds[0] == corners[k]]]
                across[f, k] = g, edge != (i, j)
    return across


@dataclass(frozen=True)
class _Scene:
    """One view's mesh as plain numbers."""

    clip: list[list[float]]
    faces: list[list[int]]
    across: dict[tuple[int, int], tuple[int, bool]]
    front: list[bool]

    def pairs(self, face: Int[Tensor, "H W"], depth: Float[Tensor, "H W"]) -> list[Pair]:
        """All pairs of neighbouring pixels parted by a silhouette edge of the inner one's surface."""
        (height, width), found = face.shape, []
        seen, z = face.tolist(), depth.tolist()
        for row in range(height):
            for column in range(width):
                for axis, other in ((0, (row, column + 1)), (1, (row + 1, column))):
                    if other[0] == height or other[1] == width or seen[row][column] == seen[other[0]][other[1]]:
                        continue
                    for a, b in (((row, column), other), (other, (row, column))):
                        if seen[a[0]][a[1]] >= 0:
                            beyond = seen[b[0]][b[1]], z[b[0]][b[1]]
                            found += self.parting(seen[a[0]][a[1]], a, b, axis, beyond, (height, width))
        return found

    def parting(
        self,
        start: int,
        a: tuple[int, int],
        b: tuple[int, int],
        axis: int,
        beyond: tuple[int, float],
        shape: tuple[int, int],
    ) -> list[Pair]:
        """Pairs (a, b) for silhouette edges where the surface at `a` ends before `b`, where `beyond` (face, depth) is.

        There are none if what `b` sees is the same surface, or nearer than the edge.
        """
        along, size = (a[1], shape[1]) if axis == 0 else (a[0], shape[0])
        line, lines = (a[0], shape[0]) if axis == 0 else (a[1], shape[1])
        step = (b[1] - a[1]) + (b[0] - a[0])
        level = (2 * line + 1) / lines - 1
        far = beyond[1] if beyond[0] >= 0 else torch.inf
        found, visited, queue = [], {start}, [start]
        while queue:
            f = queue.pop()
            for k in range(3):
                i, j = self.faces[f][(k + 1) % 3], self.faces[f][(k + 2) % 3]
                hit = self.crossing(i, j, axis, level)
                if hit is None:
                    continue
                distance = step * ((hit[0] + 1) * size / 2 - 0.5 - along)
                if not -MARGIN <= distance <= 1 + MARGIN:
                    continue
                neighbour = self.across.get((f, k))
                if neighbour is not None and (self.front[neighbour[0]] == self.front[f]) == neighbour[1]:
                    if neighbour[0] not in visited:
                        visited.add(neighbour[0])
                        queue.append(neighbour[0])
                elif hit[1] < far and self.parts(f, i, j, axis, step, shape):
                    found.append(Pair(a, b, (i, j), axis, distance))
        return found if beyond[0] not in visited else []

    def crossing(self, i: int, j: int, axis: int, level: float) -> tuple[float, float] | None:
        """p/w and z/w where edge (i, j) meets the line s/w = level, p being `axis` and s the other one."""
        vi, vj = self.clip[i], self.clip[j]
        qi, qj = vi[1 - axis] - level * vi[3], vj[1 - axis] - level * vj[3]
        slope = qi * vj[3] - qj * vi[3]
        if (qi >= 0) == (qj >= 0) or slope == 0:
            return None
        alpha, beta = -qj / slope, qi / slope
        if alpha < 0 or beta < 0:
            return None
        return alpha * vi[axis] + beta * vj[axis], alpha * vi[2] + beta * vj[2]

    def parts(self, f: int, i: int, j: int, axis: int, step: int, shape: tuple[int, int]) -> bool:
        """Whether edge (i, j) runs across pairs of this axis, not along, with face f on the inner side."""
        vi, vj = self.clip[i], self.clip[j]
        nx, ny = vi[1] * vj[3] - vi[3] * vj[1], vi[3] * vj[0] - vi[0] * vj[3]
        steep = abs(nx) * shape[0] >= abs(ny) * shape[1]
        towards = (nx if axis == 0 else ny) * step  # positive: the side where det > 0 is that of the outer pixel
        return steep == (axis == 0) and (towards < 0) == self.front[f]


def _blend(image: Float[Tensor, "H W C"], clip: Float[Tensor, "N 4"], pairs: list[Pair]) -> Float[Tensor, "H W C"]:
    """Mixes the inner pixel into the covered share of the outer one, or the outer into the inner."""
    height, width, _ = image.shape
    out = image
    for pair in pairs:
        axis, (vi, vj) = pair.axis, (clip[pair.edge[0]], clip[pair.edge[1]])
        size, lines = (width, height) if axis == 0 else (height, width)
        level = (2 * pair.inner[axis] + 1) / lines - 1
        qi, qj = vi[1 - axis] - level * vi[3], vj[1 - axis] - level * vj[3]
        at = (qi * vj[axis] - qj * vi[axis]) / (qi * vj[3] - qj * vi[3])
        towards = pair.outer[1 - axis] - pair.inner[1 - axis]
        distance = towards * ((at + 1) * size / 2 - 0.5 - pair.inner[1 - axis])
        share = distance + (distance.clamp(0, 1) - distance).detach() - 0.5
        into = torch.tensor(pair.outer if share > 0 else pair.inner, device=image.device)
        change = share * (image[pair.inner] - image[pair.outer])
        out = out.index_put((into[0], into[1]), change, accumulate=True)
    return out
