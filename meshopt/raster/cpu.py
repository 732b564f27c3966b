"""The rasteriser for CPUs: float32 numba kernels over views and bands of rows; any thread count, the same bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from meshopt import parallel, scratch
from meshopt.raster import antialias_kernels, interpolation_kernels, kernels, weight_kernels
from meshopt.raster.adjacency import adjacency
from meshopt.raster.arrays import PARTIALS, as_array, as_faces, bands, sum_bands
from meshopt.raster.checks import check_faces, check_views, index_bounds
from meshopt.raster.protocol import Fragments

Pairs = tuple[np.ndarray, np.ndarray]  # `antialias_kernels.part`: index and value


class CpuRasterizer:
    """Our own rasteriser. Any number of views, images of any shape, open or closed meshes."""

    name = "cpu"
    licence = "Apache-2.0"
    devices: tuple[str, ...] = ("cpu",)
    rank = 10

    def unusable(self) -> str | None:
        """Always None: the kernels compile at first use, without a compiler."""
        return None

    def rasterize(
        self,
        clip: Float[Tensor, "V N 4"],
        faces: Int[Tensor, "F 3"],
        resolution: tuple[int, int],
        behind: Fragments | None = None,
    ) -> Fragments:
        """The nearest face at every pixel centre; `bary` carries gradients to x, y, w of `clip`.

        With `behind`, a layer of the same mesh, the next layer: at each pixel the face that follows in the order
        (depth, face index), so that peeling all layers meets each face at each pixel once.
        """
        check_faces(index_bounds(faces), clip.shape[1])
        layer = None if behind is None else behind.face
        return Fragments(*_Rasterize.apply(clip.float(), faces.int(), resolution, layer))

    def interpolate(
        self, attributes: Float[Tensor, "#V N C"], fragments: Fragments, faces: Int[Tensor, "F 3"]
    ) -> Float[Tensor, "V H W C"]:
        """Vertex attributes at every pixel, 0 where nothing is; gradients to them and `fragments.bary`."""
        check_views(attributes, len(fragments.face))
        check_faces(index_bounds(faces), attributes.shape[1])
        image = _Interpolate.apply(attributes.float(), fragments.bary, fragments.face, faces.int())
        return image.to(attributes.dtype)

    def antialias(
        self,
        image: Float[Tensor, "V H W C"],
        fragments: Fragments,
        clip: Float[Tensor, "V N 4"],
        faces: Int[Tensor, "F 3"],
    ) -> Float[Tensor, "V H W C"]:
        """Blends pixels across silhouette edges; gradients to `image` and to x, y, w of `clip`."""
        check_faces(index_bounds(faces), clip.shape[1])
        blended = _Antialias.apply(image.float(), clip.float(), fragments.face, fragments.depth, faces.int())
        return blended.to(image.dtype)


def cover(clip: np.ndarray, faces: np.ndarray, face: np.ndarray, depth: np.ndarray) -> None:
    """Fills in the nearest face and its depth at the pixels of one view [H,W], on the calling thread."""
    _cover_band(clip, faces, _projected(clip, *face.shape), 0, len(face), face, depth, None)


def _cover_band(
    clip: np.ndarray, faces: np.ndarray, points: np.ndarray, top: int, bottom: int, face: np.ndarray, depth: np.ndarray,
    layer: np.ndarray | None,
) -> None:  # fmt: skip
    """`kernels.cover`; with `layer`, the faces [H,W] of a layer, those of the next one."""
    later = scratch.array("later", (len(faces) + 1, 4), np.int32)
    band = clip, faces, points, top, bottom, later, face, depth, layer
    kernels.cover(*band, None)
    if layer is not None:  # so far the layer's own depths
        kernels.cover(*band, np.where(layer < 0, np.float32(np.inf), depth))


def _projected(clip: np.ndarray, height: int, width: int) -> np.ndarray:
    """Raster positions of one view's vertices [N,4], see `kernels.project`: a work array."""
    points = scratch.array("points", clip.shape, np.float32)
    kernels.project(clip, height, width, points)
    return points


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, clip: Tensor, faces: Tensor, resolution: tuple[int, int], behind: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        c, f, views = as_array(clip), as_faces(faces), len(clip)
        face, depth = np.empty((views, *resolution), np.int32), np.empty((views, *resolution), np.float32)
        bary = np.empty((*face.shape, 2), np.float32)
        layer = None if behind is None else as_array(behind.int())
        tasks = bands(views, resolution[0], 2 * parallel.threads() if parallel.threads() > 1 else 1)
        # one projection of a view's vertices serves all its bands; where there is one band it is not kept
        points = [_projected(view, *resolution).copy() for view in c] if len(tasks) > views else None

        def shade(v: int, top: int, bottom: int) -> None:
            at = points[v] if points else _projected(c[v], *resolution)
            _cover_band(c[v], f, at, top, bottom, face[v], depth[v], None if layer is None else layer[v])
            weight_kernels.weigh(c[v], f, top, bottom, face[v], depth[v], bary[v])

        parallel.run(shade, tasks)
        out = torch.from_numpy(face), torch.from_numpy(bary), torch.from_numpy(depth)
        ctx.save_for_backward(clip, faces, out[0], out[1])
        ctx.mark_non_differentiable(out[0], out[2])
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, _face: Tensor, grad_bary: Tensor, _depth: Tensor) -> tuple[Tensor, None, None, None]:
        clip, face, bary = (as_array(ctx.saved_tensors[k]) for k in (0, 2, 3))
        faces, grad = as_faces(ctx.saved_tensors[1]), as_array(grad_bary)

        def add(v: int, top: int, bottom: int, total: np.ndarray) -> None:
            weight_kernels.weigh_backward(clip[v], faces, top, bottom, face[v], bary[v], grad[v], total)

        views, height = face.shape[:2]
        total = sum_bands(bands(views, height, PARTIALS), views, clip.shape[1:], add)
        return torch.from_numpy(total), None, None, None


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, attributes: Tensor, bary: Tensor, face: Tensor, faces: Tensor) -> Tensor:
        a, b, visible, f = as_array(attributes), as_array(bary), as_array(face), as_faces(faces)
        views, height = visible.shape[:2]
        image = np.zeros((*visible.shape, a.shape[2]), np.float32)

        def fill(v: int, top: int, bottom: int) -> None:
            kernel = interpolation_kernels.interpolate
            kernel(a[v % a.shape[0]], f, top, bottom, visible[v], b[v], image[v])

        parallel.run(fill, bands(views, height, parallel.threads()))
        ctx.save_for_backward(attributes, bary, face, faces)
        return torch.from_numpy(image)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_image: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        attributes, bary, face = (as_array(t) for t in ctx.saved_tensors[:3])
        faces, grad = as_faces(ctx.saved_tensors[3]), as_array(grad_image)
        wanted = ctx.needs_input_grad
        views, height = face.shape[:2]
        grad_bary = np.zeros(bary.shape if wanted[1] else (views, 0, 0, 2), np.float32)

        def add(v: int, top: int, bottom: int, total: np.ndarray) -> None:
            kernel = interpolation_kernels.interpolate_backward
            values = attributes[v % attributes.shape[0]]
            kernel(values, faces, top, bottom, face[v], bary[v], grad[v], total, grad_bary[v])

        shape = attributes.shape[1:] if wanted[0] else (0, attributes.shape[2])
        total = sum_bands(bands(views, height, PARTIALS), len(attributes), shape, add)
        return (
            torch.from_numpy(total) if wanted[0] else None,
            torch.from_numpy(grad_bary) if wanted[1] else None,
            None,
            None,
        )


class _Antialias(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, clip: Tensor, face: Tensor, depth: Tensor, faces: Tensor) -> Tensor:
        pixels, c, visible, z, f = *(as_array(t) for t in (image, clip, face, depth)), as_faces(faces)
        across, out = adjacency(faces, c.shape[1]), np.empty_like(pixels)

        def process(v: int) -> Pairs | None:
            if v < 0:
                across.find()
                return None
            out[v] = pixels[v]
            pairs = silhouette_pairs(c[v], f, across.found(), visible[v], z[v])
            antialias_kernels.blend(_flat(pixels[v]), *pairs, _flat(out[v]))
            return pairs

        ctx.pairs = parallel.run(process, [(v,) for v in range(-1, len(c))])[1:]
        ctx.shape = clip.shape
        ctx.save_for_backward(image)
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        pixels, grad = as_array(ctx.saved_tensors[0]), as_array(grad_out)
        grad_image = np.empty_like(grad)
        views, count = ctx.shape[:2]
        wanted = ctx.needs_input_grad
        grad_clip = np.zeros((views, count if wanted[1] else 0, 4), np.float32)

        def process(v: int) -> None:
            grad_image[v] = grad[v]
            flat = _flat(pixels[v]), *ctx.pairs[v], _flat(grad[v]), _flat(grad_image[v])
            antialias_kernels.blend_backward(*flat, grad_clip[v])

        parallel.run(process, [(v,) for v in range(views)])
        return (
            torch.from_numpy(grad_image) if wanted[0] else None,
            torch.from_numpy(grad_clip) if wanted[1] else None,
            None,
            None,
            None,
        )


def _flat(image: np.ndarray) -> np.ndarray:
    """Pixels [H*W,C] of one view, the same memory."""
    return image.reshape(-1, image.shape[-1])


def silhouette_pairs(
    clip: np.ndarray, faces: np.ndarray, across: np.ndarray, face: np.ndarray, depth: np.ndarray
) -> Pairs:
    """The pixel pairs of one view that silhouette edges part."""
    front = scratch.array("front", (len(faces),), np.bool_)
    antialias_kernels.facing(clip, faces, front)
    capacity = 4 * sum(face.shape)
    while True:
        index, value = np.empty((capacity, 4), np.int32), np.empty((capacity, 6), np.float32)
        found = antialias_kernels.part(clip, faces, across, front, face, depth, index, value)
        if found <= capacity:
            return index[:found], value[:found]
        capacity = found
