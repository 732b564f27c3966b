"""A mesh in the cameras of views, as pictures to measure: several samples per pixel, no antialiasing of edges.

Inner sides that show are turned to the viewer, as open meshes have them; CPU, the same bytes every time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, normalize

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.mesh import Mesh, Texture, vertex_normals
from meshopt.rendering import Renders
from meshopt.views import ViewSet

OVERSAMPLING = 4  # samples along each side of a pixel
FINEST = 4096  # samples along a picture's side, at most


@dataclass(frozen=True)
class _Samples:
    """What K samples of a picture see: the face, and the weights of its corners."""

    covered: Bool[Tensor, "h w"]
    face: Int[Tensor, "K"]
    weights: Float[Tensor, "K 3"]
    away: Bool[Tensor, "K"]  # its inner side is seen

    def of(self, values: Float[Tensor, "N C"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "K C"]:
        """Interpolated."""
        index = faces.long()[self.face]
        return sum(values[index[:, k]] * self.weights[:, k : k + 1] for k in range(3))  # type: ignore[return-value]


def in_scene(mesh: Mesh, views: ViewSet) -> Mesh:
    """A mesh in the user's units, as the views' cameras see it."""
    offset = torch.tensor(views.offset).to(mesh.vertices)
    return replace(mesh, vertices=(mesh.vertices - offset) / views.scale)


def supersampled(mesh: Mesh, views: ViewSet, normals: Float[Tensor, "N 3"] | None = None) -> Renders:
    """The mesh, which is in the scene frame, in all cameras at the views' resolution; colours where it has any.

    `normals`: the vertices', by default the area-weighted means of their faces'.
    """
    mesh = _plain(mesh)
    normals = vertex_normals(mesh.vertices, mesh.faces) if normals is None else normals.to(mesh.vertices)
    times = max(1, min(OVERSAMPLING, FINEST // max(views.resolution)))
    images, colors = [], []
    for camera in views.cameras:  # one by one, for the memory
        samples = _sampled(mesh, camera, views.resolution, times)
        images.append(_normals(samples, mesh, normals, times))
        found = _colors(samples, mesh)
        if found is not None:
            shown = _pooled(samples, found, times) / images[-1][..., 3:].clamp_min(1e-6)
            colors.append(shown.clamp(0, 1))
    image = torch.stack(images)
    return Renders(image[..., :3], image[..., 3], torch.stack(colors) if colors else None)


def render(
    mesh: Mesh,
    camera: Camera,
    size: tuple[int, int],
    oversampling: int = OVERSAMPLING,
    normals: Float[Tensor, "N 3"] | None = None,
) -> Float[Tensor, "H W 4"]:
    """Unit world normals, 0 outside, and the coverage of a mesh in the scene frame; `normals` as above."""
    mesh = _plain(mesh)
    normals = vertex_normals(mesh.vertices, mesh.faces) if normals is None else normals.to(mesh.vertices)
    return _normals(_sampled(mesh, camera, size, oversampling), mesh, normals, oversampling)


def _plain(mesh: Mesh) -> Mesh:
    """On the CPU, single precision, without gradients."""
    moved = mesh.to("cpu")
    return replace(moved, vertices=moved.vertices.detach().float())


def _sampled(mesh: Mesh, camera: Camera, size: tuple[int, int], times: int) -> _Samples:
    matrix = torch.from_numpy(camera.clip_matrix())[None].to(mesh.vertices)
    clip = raster.transform(mesh.vertices, matrix)
    fragments = raster.get("cpu").rasterize(clip, mesh.faces, (times * size[0], times * size[1]))
    covered = fragments.face[0] >= 0
    face, bary = fragments.face[0][covered].long(), fragments.bary[0][covered]
    a, b, c = (clip[0].double()[mesh.faces[:, k].long()][:, [0, 1, 3]] for k in range(3))
    turn = (a * torch.linalg.cross(b, c)).sum(-1)  # clip y points down, so that outer sides turn clockwise
    weights = torch.cat([bary, 1 - bary.sum(-1, keepdim=True)], -1)
    return _Samples(covered, face, weights, (turn > 0)[face])


def _normals(samples: _Samples, mesh: Mesh, normals: Float[Tensor, "N 3"], times: int) -> Float[Tensor, "H W 4"]:
    """Mean normals, of length 1, and the coverage."""
    found = normalize(samples.of(normals, mesh.faces), dim=-1, eps=1e-12)
    found = torch.where(samples.away[:, None], -found, found)
    image = _pooled(samples, torch.cat([found, torch.ones_like(found[:, :1])], -1), times)
    return torch.cat([normalize(image[..., :3], dim=-1, eps=1e-12), image[..., 3:]], -1)


def _colors(samples: _Samples, mesh: Mesh) -> Float[Tensor, "K 3"] | None:
    """sRGB."""
    if mesh.texture is not None:
        return _texels(mesh.texture, samples.of(mesh.texture.uv, mesh.texture.faces))
    return None if mesh.colors is None else samples.of(mesh.colors.float(), mesh.faces)


def _texels(texture: Texture, uv: Float[Tensor, "K 2"]) -> Float[Tensor, "K 3"]:
    """Bilinear between texels, without smaller versions of the image."""
    image = texture.color.float().movedim(-1, 0)[None] / 255
    found = grid_sample(image, 2 * uv[None, None] - 1, align_corners=False, padding_mode="border")
    return found[0, :, 0].movedim(0, -1)


def _pooled(samples: _Samples, values: Float[Tensor, "K C"], times: int) -> Float[Tensor, "H W C"]:
    """Means over the samples of each pixel, those that see nothing being 0."""
    image = values.new_zeros((*samples.covered.shape, values.shape[1]))
    image[samples.covered] = values
    return avg_pool2d(image.movedim(-1, 0)[None], times)[0].movedim(0, -1)
