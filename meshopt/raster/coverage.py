"""What turns a library that only finds the face at each pixel into a backend: the rest of the protocol, in torch.

Weights are computed from the clip positions, not taken from the library, so they are perspective-correct for any
camera, and their gradients are those of the formula.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshopt.raster.checks import check_device, check_faces, check_views, index_bounds
from meshopt.raster.clipping import ClippedView, clip_to_view
from meshopt.raster.protocol import Fragments
from meshopt.raster.silhouettes import antialias


class CoverageRasterizer(ABC):
    """All operations but the search for the nearest face; float32, on the tensors' device."""

    name: str
    devices: tuple[str, ...] = ()

    @abstractmethod
    def nearest(self, views: list[ClippedView], resolution: tuple[int, int]) -> Int[Tensor, "V H W"]:
        """The nearest of each view's faces at every pixel centre, -1 where there is none. Row 0 is y = -1."""

    def rasterize(
        self, clip: Float[Tensor, "V N 4"], faces: Int[Tensor, "F 3"], resolution: tuple[int, int]
    ) -> Fragments:
        """The nearest face at every pixel centre; `bary` carries gradients to x, y, w of `clip`."""
        self._check(clip, faces)
        positions = clip.float()
        views = [clip_to_view(view, faces) for view in positions]
        face = torch.full((len(views), *resolution), -1, dtype=torch.int32, device=clip.device)
        if min(resolution) > 0 and any(len(view.faces) for view in views):
            found = self.nearest(views, resolution)
            for part, view, own in zip(found, views, face, strict=True):
                covered = part >= 0
                own[covered] = view.origin[part[covered].long()].int()
        bary = weights(positions, faces, face)
        return Fragments(face, bary, _depth(positions, faces, face, bary))

    def interpolate(
        self, attributes: Float[Tensor, "#V N C"], fragments: Fragments, faces: Int[Tensor, "F 3"]
    ) -> Float[Tensor, "V H W C"]:
        """Vertex attributes at every pixel, 0 where nothing is; gradients to them and `fragments.bary`."""
        check_views(attributes, len(fragments.face))
        self._check(attributes, faces)
        return _mix(attributes, faces, fragments.face, fragments.bary)

    def antialias(
        self,
        image: Float[Tensor, "V H W C"],
        fragments: Fragments,
        clip: Float[Tensor, "V N 4"],
        faces: Int[Tensor, "F 3"],
    ) -> Float[Tensor, "V H W C"]:
        """Blends pixels across silhouette edges; gradients to `image` and to x, y, w of `clip`."""
        self._check(clip, faces)
        return antialias(image, fragments, clip, faces)

    def _check(self, vertices: Float[Tensor, "V N C"], faces: Int[Tensor, "F 3"]) -> None:
        check_device(vertices, self.devices, self.name)
        check_faces(index_bounds(faces), vertices.shape[1])


def weights(
    clip: Float[Tensor, "V N 4"], faces: Int[Tensor, "F 3"], face: Int[Tensor, "V H W"]
) -> Float[Tensor, "V H W 2"]:
    """Perspective-correct weights of the first two vertices of the faces seen (0 where `face` is -1).

    Olano and Greer, Triangle Scan Conversion using 2D Homogeneous Coordinates, 1997.
    """
    seen, corners = _corners(clip, faces, face)
    height, width = face.shape[1:]
    row, column = seen // width % max(height, 1), seen % max(width, 1)
    x = ((2 * column + 1).to(clip) / max(width, 1) - 1)[:, None]
    y = ((2 * row + 1).to(clip) / max(height, 1) - 1)[:, None]
    u, v = corners[..., 0] - x * corners[..., 3], corners[..., 1] - y * corners[..., 3]
    area = u[:, [1, 2, 0]] * v[:, [2, 0, 1]] - v[:, [1, 2, 0]] * u[:, [2, 0, 1]]
    bary = clip.new_zeros(face.numel(), 2).index_copy(0, seen, (area / area.sum(1, keepdim=True))[:, :2])
    return bary.reshape(*face.shape, 2)


def _corners(
    values: Float[Tensor, "#V N C"], faces: Int[Tensor, "F 3"], face: Int[Tensor, "V H W"]
) -> tuple[Int[Tensor, " P"], Float[Tensor, "P 3 C"]]:
    """The pixels that see a face, numbered through all views, and the values at their faces' vertices."""
    seen = (face.flatten() >= 0).nonzero()[:, 0]
    vertex = faces.long()[face.flatten()[seen].long()]
    if len(values) > 1:
        vertex = vertex + (seen // max(face[0].numel(), 1) * values.shape[1])[:, None]
    return seen, values.flatten(0, 1).index_select(0, vertex.flatten()).reshape(-1, 3, values.shape[2])


def _mix(
    attributes: Float[Tensor, "#V N C"],
    faces: Int[Tensor, "F 3"],
    face: Int[Tensor, "V H W"],
    bary: Float[Tensor, "V H W 2"],
) -> Float[Tensor, "V H W C"]:
    seen, corners = _corners(attributes, faces, face)
    first = bary.to(attributes.dtype).flatten(0, 2).index_select(0, seen)
    weight = torch.cat([first, 1 - first.sum(1, keepdim=True)], 1)
    channels = attributes.shape[2]
    image = attributes.new_zeros(face.numel(), channels)
    return image.index_copy(0, seen, (weight[..., None] * corners).sum(1)).reshape(*face.shape, channels)


def _depth(
    clip: Float[Tensor, "V N 4"],
    faces: Int[Tensor, "F 3"],
    face: Int[Tensor, "V H W"],
    bary: Float[Tensor, "V H W 2"],
) -> Float[Tensor, "V H W"]:
    """z/w at every pixel, 0 where nothing is; no gradient."""
    z, w = _mix(clip.detach()[..., 2:], faces, face, bary.detach()).unbind(-1)
    return torch.where(face >= 0, z / torch.where(face >= 0, w, 1.0), 0.0).clamp(-1, 1)
