"""A rough surface, quickly made of the views themselves, on which they are compared with each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.config import InitialConfig
from meshopt.errors import InputError
from meshopt.initial import initial_mesh
from meshopt.initial.projection import scaled_size
from meshopt.mesh import Mesh, vertex_normals
from meshopt.optimize.sampling import Samples, sample_views
from meshopt.optimize.targets import resample
from meshopt.views import ViewSet

SIZE = 256  # pixels of the longer side at which views are compared
CLEAR = 0.3  # cosine to the camera from which on a point counts as seen
FAR = 60.0  # degrees: larger disagreements count as this
NONE_SHARED = 90.0  # degrees: what views that share no surface count as


@dataclass(frozen=True)
class SharedPoints:
    """Points of a surface and what the views show there.

    `points` and the surface's own unit normals, `outward`; `normals` of the views, unit, world frame; `weight`: cosine
    to the camera times coverage, 0 where unseen.
    """

    points: Float[np.ndarray, "N 3"]
    outward: Float[np.ndarray, "N 3"]
    normals: Float[np.ndarray, "V N 3"]
    weight: Float[np.ndarray, "V N"]

    def without(self, view: int) -> SharedPoints:
        """The same of all other views."""
        others = [k for k in range(len(self.normals)) if k != view]
        return replace(self, normals=self.normals[others], weight=self.weight[others])


@dataclass(frozen=True)
class Disagreement:
    """Mean angle between what two views show at the same point, in degrees: of the set, and of each view."""

    mean: float
    views: Float[np.ndarray, "V"]


def reduced(views: ViewSet, size: int = SIZE) -> ViewSet:
    """The views, without colours, averaged down to `size` pixels on the longer side, on the CPU."""
    masks, normals = (t.detach().cpu().float() for t in (views.masks, views.normals))
    here = replace(views, normals=normals, masks=masks, rgb=None)
    image = resample(here, scaled_size(*views.resolution, min(size, max(views.resolution))))
    return replace(here, normals=normalize(image[..., :3], dim=-1), masks=image[..., 3])


def subset(views: ViewSet, kept: Sequence[int]) -> ViewSet:
    """Some of the views, without colours."""
    cameras = tuple(views.cameras[v] for v in kept)
    normals, masks = views.normals[list(kept)], views.masks[list(kept)]
    return replace(views, cameras=cameras, normals=normals, masks=masks, rgb=None, sources=())


def reduced_colours(views: ViewSet, size: tuple[int, int]) -> Float[Tensor, "V h w 3"]:
    """The views' colours, averaged down to `size` rows and columns over what the masks cover, on the CPU."""
    assert views.rgb is not None
    masks, rgb = (t.detach().cpu().float() for t in (views.masks, views.rgb))
    layers = torch.cat([rgb * masks[..., None], masks[..., None]], -1).movedim(-1, 1)
    small = interpolate(layers, size=size, mode="area").movedim(1, -1)
    return small[..., :3] / small[..., 3:].clamp_min(1e-3)


def rough_surface(views: ViewSet, grid: int, rounds: int = 1) -> Mesh | None:
    """The initial mesh at a low resolution; None where the silhouettes share no volume."""
    settings = InitialConfig(grid=grid, depth=grid, rounds=rounds)
    try:
        return initial_mesh(views, settings).mesh
    except InputError:
        return None


def sampled(views: ViewSet, values: Float[Tensor, "V H W C"], surface: Mesh, outward: Float[Tensor, "N 3"]) -> Samples:
    """What the views show, of some values per pixel, at the surface's vertices, whose normals are `outward`."""
    backend = raster.get("cpu", "cpu")
    return sample_views(backend, views, values, surface.vertices, outward, surface.faces, 1.0)


def seen_from(
    camera: Camera, surface: Mesh, values: Float[Tensor, "N C"], size: tuple[int, int]
) -> tuple[Float[Tensor, "h w C"], Bool[Tensor, "h w"]]:
    """What a camera sees, of some values per vertex, in an image of `size` rows and columns, and where it sees the
    surface at all."""
    backend = raster.get("cpu", "cpu")
    clip = raster.transform(surface.vertices, torch.from_numpy(camera.clip_matrix())[None].to(surface.vertices))
    fragments = backend.rasterize(clip, surface.faces, size)
    return backend.interpolate(values[None], fragments, surface.faces)[0], fragments.face[0] >= 0


def shared_points(views: ViewSet, surface: Mesh) -> SharedPoints:
    """What each view shows at the surface's vertices."""
    outward = vertex_normals(surface.vertices, surface.faces)
    found = sampled(views, views.normals, surface, outward)
    return SharedPoints(
        surface.vertices.numpy().astype(np.float64),
        outward.numpy().astype(np.float64),
        normalize(found.values, dim=-1).numpy().astype(np.float64),
        found.weight.numpy().astype(np.float64),
    )


def disagreement(shared: SharedPoints) -> Disagreement:
    """How far apart the views' normals are at points that two of them see well."""
    count = len(shared.normals)
    total, weight = np.zeros(count), np.zeros(count)
    for i in range(count):
        for j in range(i):
            both = np.minimum(shared.weight[i], shared.weight[j])
            k = both > CLEAR
            cosine = np.clip((shared.normals[i][k] * shared.normals[j][k]).sum(-1), -1, 1)
            apart = np.minimum(np.degrees(np.arccos(cosine)), FAR)
            for v in (i, j):
                total[v] += (both[k] * apart).sum()
                weight[v] += both[k].sum()
    mean = float(total.sum() / weight.sum()) if weight.sum() > 0 else 0.0
    return Disagreement(mean, total / np.maximum(weight, 1e-9))


def rough_disagreement(views: ViewSet, grid: int, without: float = NONE_SHARED) -> float:
    """Mean degrees between the views' normals on a rough surface made of them; `without`: where there is none."""
    surface = rough_surface(views, grid)
    return without if surface is None else disagreement(shared_points(views, surface)).mean
