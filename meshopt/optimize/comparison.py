"""The image loss on the CPU in one pass: from vertices and their normals to the losses and the gradients.

The same result as rendering, antialiasing and comparing images (`images`), without the images: each visible face gets
nine numbers from its pixels, and only pixels at silhouettes are looked at one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from meshopt import parallel, scratch
from meshopt.optimize import comparison_kernels, rim_kernels
from meshopt.raster import cpu
from meshopt.raster.adjacency import Adjacency, adjacency
from meshopt.raster.arrays import as_array, as_faces
from meshopt.raster.checks import check_faces, index_bounds

Factors = tuple[float, float, float]


@dataclass(frozen=True)
class NormalLoss:
    """Sums over the pixels of the normal loss and of the silhouette loss; and the face that each pixel sees."""

    normal: Float[Tensor, ""]
    silhouette: Float[Tensor, ""]
    face: Int[Tensor, "V h w"]


def compare_on_cpu(
    vertices: Float[Tensor, "N 3"],
    normals: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    matrices: Float[Tensor, "V 4 4"],
    target: Float[Tensor, "V h w 4"],
    weight: Float[Tensor, "V h w"],
    factors: Factors,
) -> NormalLoss:
    """See `images.normal_loss`. CPU tensors only; fastest where `target` is stored channel by channel."""
    check_faces(index_bounds(faces), len(vertices))
    planar = target.movedim(-1, 1).contiguous()
    return NormalLoss(*_Compare.apply(vertices, normals, faces.int(), matrices, planar, weight, factors))


class _Compare(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, vertices: Tensor, normals: Tensor, faces: Tensor, matrices: Tensor, target: Tensor, weight: Tensor,
        factors: Factors,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        found = _compare(vertices, normals, faces, matrices, target, weight, factors)
        ctx.inputs, ctx.factors, ctx.found = (vertices, normals, faces, matrices, target, weight), factors, found
        ctx.mark_non_differentiable(found.face)
        return vertices.new_tensor(found.normal), vertices.new_tensor(found.silhouette), found.face

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_normal: Tensor, of_silhouette: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        found, scale = ctx.found, float(of_normal)
        if scale != float(of_silhouette):  # the losses are linear in their factors
            of_normals, of_coverage, soft = ctx.factors
            vertices, normals, faces, matrices, target, weight = ctx.inputs
            changed = of_normals * scale, of_coverage * float(of_silhouette), soft
            found, scale = _compare(vertices, normals, faces, matrices, target, weight, changed), 1.0
        to_vertices, to_normals = (g if scale == 1 else g * scale for g in (found.to_vertices, found.to_normals))
        return to_vertices, to_normals, None, None, None, None, None


@dataclass(frozen=True)
class _Found:
    normal: float
    silhouette: float
    face: Tensor
    to_vertices: Tensor
    to_normals: Tensor


def _compare(
    vertices: Tensor, normals: Tensor, faces: Tensor, matrices: Tensor, target: Tensor, weight: Tensor, factors: Factors
) -> _Found:
    mesh = as_array(vertices.float()), as_array(normals.float()), as_faces(faces)
    images = as_array(target.float()), as_array(weight.float()), tuple(np.array(factors, np.float32))
    to_clip, views, count = as_array(matrices.float()), len(matrices), len(vertices)
    face = np.empty((views, *target.shape[2:]), np.int32)
    across, turns, out = adjacency(faces, count), parallel.Turns(views), np.zeros((2, count, 3), np.float32)

    def work(v: int) -> tuple[float, float]:
        if v < 0:
            across.find()
            return 0.0, 0.0
        grad = scratch.array("grad", (count, 8), np.float32)
        with turns.of(v) as wait_for_turn:
            view = _View(*mesh, images[0][v], images[1][v], images[2], face[v])
            costs = view.compare(to_clip[v], across, grad)
            wait_for_turn()
            comparison_kernels.to_world(grad, to_clip[v], *out)
        return costs

    costs = parallel.run(work, [(v,) for v in range(-1, views)])
    to_vertices, to_normals = torch.from_numpy(out[0]).to(vertices), torch.from_numpy(out[1]).to(normals)
    normal, silhouette = (float(sum(cost[k] for cost in costs)) for k in (0, 1))
    return _Found(normal, silhouette, torch.from_numpy(face), to_vertices, to_normals)


@dataclass(frozen=True)
class _View:
    """One view: all that it takes stays on one core, and mostly in its cache."""

    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    factors: tuple[Any, ...]
    face: np.ndarray

    def compare(self, to_clip: np.ndarray, across: Adjacency, grad: np.ndarray) -> tuple[float, float]:
        """The two costs; fills in `grad` [N,8], see `comparison_kernels.scatter`, and the face that each pixel sees."""
        count, (height, width) = len(self.vertices), self.face.shape
        clip, packed = scratch.array("clip", (count, 4), np.float32), scratch.array("packed", (count, 8), np.float32)
        comparison_kernels.transform(self.vertices, self.normals, to_clip, clip, packed)
        depth = scratch.array("depth", (height, width), np.float32)
        cpu.cover(clip, self.faces, self.face, depth)
        index, value = cpu.silhouette_pairs(clip, self.faces, across.found(), self.face, depth)
        place, kept = np.empty(2 * len(index), np.int32), np.empty(2 * len(index), np.int32)
        rim = rim_kernels.take_out(self.face.reshape(-1), index, place, kept)
        grad.fill(0)
        inner = self._compare_inside(packed, grad)
        blended = self._compare_rim(packed, place[:rim], kept[:rim], index, value, grad)
        return inner[0] + blended[0], inner[1] + blended[1]

    def _compare_inside(self, packed: np.ndarray, grad: np.ndarray) -> tuple[float, float]:
        """Costs of all pixels, those at the rim as if empty."""
        slot_of = scratch.array("slot_of", (len(self.faces),), np.int32)
        slot_of.fill(-1)
        pixels = comparison_kernels.ROWS * self.face.shape[1]
        lists = *_lists(min(len(self.faces), pixels)), scratch.array("runs", (pixels, 3), np.int32)
        images = self.face, self.target, self.weight, self.factors
        costs: tuple[float, float] = comparison_kernels.compare(packed, self.faces, *images, slot_of, lists, grad)
        return costs

    def _compare_rim(
        self, packed: np.ndarray, place: np.ndarray, kept: np.ndarray, index: np.ndarray, value: np.ndarray,
        grad: np.ndarray,
    ) -> tuple[float, float]:  # fmt: skip
        """What the rim's blended pixels add to the costs; puts them back into `face`."""
        slot, (listed, origin, work, corners) = np.empty(len(place), np.int32), _lists(len(place))
        width = self.face.shape[1]
        count = rim_kernels.put_back(self.face.reshape(-1), place, kept, width, listed, origin, slot)
        faces = self.faces, listed, origin, count, *self.face.shape, work, corners
        comparison_kernels.planes(packed, *faces)
        images = self.target.reshape(4, -1), self.weight.reshape(-1), self.factors
        costs: tuple[float, float] = rim_kernels.compare_blended(slot, work, place, index, value, *images, grad)
        comparison_kernels.scatter(*faces, grad)
        return costs


def _lists(most: int) -> tuple[np.ndarray, ...]:
    """Room for so many faces: `listed`, `origin`, `work` and `corners` of the kernels."""
    chunk = comparison_kernels.CHUNK
    return (
        scratch.array("listed", (most,), np.int32),
        scratch.array("origin", (most, 2), np.int32),
        scratch.array("work", (most, 18), np.float32),
        scratch.array("corners", (most // chunk + 1, 18, chunk), np.float32),
    )
