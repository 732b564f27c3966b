"""Half-edge meshes out of tensors, and back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshopt.errors import InputError
from meshopt.remesh import halfedge_kernels, sweep_kernels
from meshopt.remesh.halfedge_kernels import Half

_FOUND = {
    halfedge_kernels.BOUNDARY: "an edge with a face on one side only",
    halfedge_kernels.NONMANIFOLD_EDGE: "an edge that two faces run along in the same direction",
    halfedge_kernels.NONMANIFOLD_VERTEX: "a vertex where separate sheets touch",
    halfedge_kernels.DOUBLED: "two faces with the same three vertices",
    halfedge_kernels.REPEATED: "a face that names a vertex twice",
}


class Arrays(NamedTuple):
    """A mesh as CPU arrays: `data` [N, 4 + K] float64 holds position, target length, attributes; faces [F,
    3] int32."""

    data: np.ndarray
    faces: np.ndarray


def to_arrays(
    vertices: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    target_length: Float[Tensor, " N"] | None,
    attributes: Float[Tensor, "N K"] | None,
) -> Arrays:
    """CPU copies. Raises InputError for values that are not finite, lengths that are not positive, wrong
    indices."""
    n = len(vertices)
    extra = 0 if attributes is None else attributes.shape[1]
    data = np.empty((n, 4 + extra))
    data[:, :3] = vertices.detach().cpu().numpy()
    data[:, 3] = 1.0 if target_length is None else target_length.detach().cpu().numpy()
    if attributes is not None:
        data[:, 4:] = attributes.detach().cpu().numpy()
    bad = n - int(np.isfinite(data[:, :4]).all(axis=1).sum())
    if bad:
        raise InputError(f"cannot remesh: {bad} of {n} vertices have a position or target length that is not finite")
    if n and data[:, 3].min() <= 0:
        raise InputError(f"cannot remesh: target edge lengths must be positive, found {data[:, 3].min():g}")
    index = faces.detach().cpu().numpy()
    if index.size == 0:
        raise InputError("cannot remesh: the mesh has no faces, a closed one was expected")
    if index.min() < 0 or index.max() >= n:
        found = f"{index.min()} to {index.max()}"
        raise InputError(f"cannot remesh: faces name the vertices {found}, but there are {n} (0 to {n - 1})")
    return Arrays(data, index.astype(np.int32))


def connected(arrays: Arrays, name: str = "the mesh") -> Half:
    """The half-edge mesh. Raises InputError unless it is closed, 2-manifold and consistently oriented."""
    corner = np.array(arrays.faces.reshape(-1))
    n = len(arrays.data)
    half = Half(corner, np.empty_like(corner), np.empty(n, np.int32), np.empty(n, np.int32), arrays.data)
    start, order, end = np.zeros(n + 2, np.int32), np.empty_like(corner), np.empty_like(corner)
    found, where = halfedge_kernels.connect(half, start, order, end)
    if found != halfedge_kernels.OK:
        at_vertex = found in (halfedge_kernels.NONMANIFOLD_VERTEX, halfedge_kernels.DOUBLED)
        place = f"at vertex {where}" if at_vertex else f"in face {where // 3}"
        raise InputError(
            f"cannot remesh: {name} must be closed, 2-manifold and consistently oriented, "
            f"but has {_FOUND[found]} ({place})"
        )
    return half


def outside(half: Half, low: float, high: float) -> np.ndarray:
    """One half-edge of each edge whose squared length is below low or above high squared targets, shortest
    first."""
    edges, bins = np.empty(len(half.corner) // 2, np.int32), np.empty(len(half.corner) // 2, np.int16)
    count = sweep_kernels.outside(half, low, high, edges, bins)
    return edges[:count][np.argsort(bins[:count], kind="stable")]


def with_room(half: Half, edges: int) -> Half:
    """The same mesh with room to split so many edges."""

    def grown(array: np.ndarray, rows: int) -> np.ndarray:
        bigger = np.empty((len(array) + rows, *array.shape[1:]), array.dtype)
        bigger[: len(array)] = array
        return bigger

    return Half(
        grown(half.corner, 6 * edges),
        grown(half.twin, 6 * edges),
        grown(half.out, edges),
        grown(half.valence, edges),
        grown(half.data, edges),
    )


def compacted(half: Half) -> Arrays:
    """What is left, in the same order, renumbered."""
    faces = half.corner.reshape(-1, 3)
    faces = faces[faces[:, 0] >= 0]
    kept = half.out >= 0
    renumber = np.cumsum(kept, dtype=np.int32) - 1
    return Arrays(half.data[kept], renumber[faces])


def to_tensor(array: np.ndarray, like: Tensor) -> Tensor:
    """A tensor of the device and dtype of another."""
    return torch.from_numpy(np.ascontiguousarray(array)).to(device=like.device, dtype=like.dtype)
