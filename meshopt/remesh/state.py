"""Half-edge meshes out of tensors, and back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshopt import scratch
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
    """A mesh on the CPU: `data` [N, 4] float64 holds position and target length, `extra` [N, K] the attributes
    (float32 or float64), `faces` [F, 3] is int32; the last two are perhaps the tensors' own memory."""

    data: np.ndarray
    extra: np.ndarray
    faces: np.ndarray


class Links(NamedTuple):
    """The connectivity of a tensor of faces, as in `Half`, while the tensor is of this version."""

    twin: np.ndarray
    out: np.ndarray
    valence: np.ndarray
    version: int


def to_arrays(
    vertices: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    target_length: Float[Tensor, " N"] | None,
    attributes: Float[Tensor, "N K"] | None,
) -> Arrays:
    """On the CPU. Raises InputError for values that are not finite, lengths that are not positive, wrong
    indices."""
    n = len(vertices)
    data = np.empty((n, 4))
    data[:, :3] = vertices.detach().cpu().numpy()
    data[:, 3] = 1.0 if target_length is None else target_length.detach().cpu().numpy()
    if not np.isfinite(data.sum()):
        bad = n - int(np.isfinite(data).all(axis=1).sum())
        if bad:
            raise InputError(
                f"cannot remesh: {bad} of {n} vertices have a position or target length that is not finite"
            )
    if n and data[:, 3].min() <= 0:
        raise InputError(f"cannot remesh: target edge lengths must be positive, found {data[:, 3].min():g}")
    index = faces.detach().cpu().numpy()
    if index.size == 0:
        raise InputError("cannot remesh: the mesh has no faces, a closed one was expected")
    if index.min() < 0 or index.max() >= n:
        found = f"{index.min()} to {index.max()}"
        raise InputError(f"cannot remesh: faces name the vertices {found}, but there are {n} (0 to {n - 1})")
    return Arrays(data, _extra(attributes, n), np.ascontiguousarray(index, np.int32))


def _extra(attributes: Float[Tensor, "N K"] | None, n: int) -> np.ndarray:
    if attributes is None:
        return np.empty((n, 0), np.float32)
    wide = attributes.dtype in (torch.float32, torch.float64)
    return (attributes if wide else attributes.float()).detach().cpu().contiguous().numpy()


def connected(arrays: Arrays, name: str = "the mesh") -> Half:
    """The half-edge mesh, which shares memory with the arrays. Raises InputError unless it is closed, 2-manifold and
    consistently oriented."""
    corner = arrays.faces.reshape(-1)
    n = len(arrays.data)
    half = Half(corner, np.empty_like(corner), np.empty(n, np.int32), np.empty(n, np.int32), arrays.data, arrays.extra)
    sizes = {"start": n + 2, "order": len(corner), "end": len(corner), "leaving": n}
    start, order, end, leaving = (scratch.array(f"remesh {key}", (size,), np.int32) for key, size in sizes.items())
    start.fill(0)
    if not halfedge_kernels.connect(half, start, order, end, leaving):
        found, where = halfedge_kernels.fault(half, start, order, end)
        at_vertex = found in (halfedge_kernels.NONMANIFOLD_VERTEX, halfedge_kernels.DOUBLED)
        place = f"at vertex {where}" if at_vertex else f"in face {where // 3}"
        raise InputError(
            f"cannot remesh: {name} must be closed, 2-manifold and consistently oriented, "
            f"but has {_FOUND[found]} ({place})"
        )
    return half


def linked(arrays: Arrays, links: Links) -> Half:
    """The half-edge mesh of known connectivity; shares memory with both."""
    return Half(arrays.faces.reshape(-1), links.twin, links.out, links.valence, arrays.data, arrays.extra)


def version(faces: Tensor) -> int:
    """Counts the changes of a tensor; -1 where torch does not."""
    return -1 if faces.is_inference() else faces._version


def links_of(faces: Int[Tensor, "F 3"], twin: np.ndarray, out: np.ndarray, valence: np.ndarray) -> Links:
    """Links that were kept, of these faces. Raises ValueError unless they are links of them."""
    corner = faces.detach().cpu().numpy().reshape(-1)
    half, vertex = np.arange(len(corner)), np.arange(len(out))
    following = half - half % 3 + (half + 1) % 3
    fits = (
        all(array.dtype == np.int32 and array.ndim == 1 for array in (twin, out, valence))
        and len(twin) == len(corner)
        and all(len(a) == 0 or (a.min() >= 0 and a.max() < len(corner)) for a in (twin, out))
        and np.array_equal(corner[following[twin]], corner)
        and np.array_equal(twin[twin], half)
        and np.array_equal(corner[out], vertex)
        and np.array_equal(np.bincount(corner, minlength=len(out)), valence)
    )
    if not fits:
        raise ValueError("its connectivity is not that of its faces")
    return Links(twin, out, valence, version(faces))


def relinked(links: Links, faces: Int[Tensor, "F 3"]) -> Links:
    """The same links of an equal tensor of faces."""
    return links._replace(version=version(faces))


def outside(half: Half, low: float, high: float) -> np.ndarray:
    """One half-edge of each edge whose squared length is below low or above high squared targets, shortest
    first."""
    most = len(half.corner) // 2
    edges, bins = scratch.array("remesh edges", (most,), np.int32), scratch.array("remesh bins", (most,), np.int16)
    count = sweep_kernels.outside(half, low, high, edges, bins)
    return edges[:count][np.argsort(bins[:count], kind="stable")]


def with_room(half: Half, edges: int) -> Half:
    """A copy with room to split so many edges."""

    def grown(array: np.ndarray, rows: int) -> np.ndarray:
        bigger = np.empty((len(array) + rows, *array.shape[1:]), array.dtype)
        bigger[: len(array)] = array
        return bigger

    rows = (6 * edges, 6 * edges, edges, edges, edges, edges)
    return Half(*(grown(array, more) for array, more in zip(half, rows, strict=True)))


def split(half: Half, edges: np.ndarray) -> tuple[Half, np.ndarray]:
    """A copy with those edges split, the last of them first, and the parents of what is new (see
    `halfedge_kernels.split`)."""
    place = edges % 3
    ends = np.stack([half.corner[edges], half.corner[edges - place + (place + 1) % 3]], axis=1)
    parents = np.empty((len(edges), 3), np.int32)
    bigger = with_room(half, len(edges))
    halfedge_kernels.split(bigger, edges, ends, len(half.out), len(half.corner) // 3, parents)
    return bigger, parents


def compacted(half: Half, parents: np.ndarray | None = None) -> Half:
    """What is left, renumbered, in the same order, but what has parents (see `halfedge_kernels.split`) behind them:
    so neighbours stay close in memory."""
    parents = np.empty((0, 3), np.int32) if parents is None else parents
    vertex, n = _ranks(half.out, 1, parents[:, 0])
    face, f = _ranks(half.corner, 3, parents[:, 1:].reshape(-1))
    rows = (3 * f, 3 * f, n, n, n, n)
    new = Half(*(np.empty((count, *array.shape[1:]), array.dtype) for array, count in zip(half, rows, strict=True)))
    halfedge_kernels.compact(half, vertex, face, new)
    return new


def _ranks(alive: np.ndarray, stride: int, parents: np.ndarray) -> tuple[np.ndarray, int]:
    parents = np.ascontiguousarray(parents)
    rank = scratch.array(f"remesh rank {stride}", (len(alive) // stride,), np.int32)
    return rank, int(halfedge_kernels.ranks(alive, stride, parents, np.argsort(parents, kind="stable"), rank))


def relax_scratch(half: Half) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What `relax_kernels.relax` works in."""
    n, f = len(half.out), len(half.corner) // 3
    plane, aim = scratch.array("remesh plane", (f, 6), np.float64), scratch.array("remesh aim", (n, 7), np.float64)
    doubtful, stack = (
        scratch.array("remesh doubt", (f,), np.bool_),
        scratch.array("remesh stack", (3 * f + 1,), np.int32),
    )
    return plane, aim, doubtful, stack


def to_tensor(array: np.ndarray, like: Tensor) -> Tensor:
    """A tensor of the device and dtype of another; perhaps the array's own memory."""
    return torch.from_numpy(array).to(device=like.device, dtype=like.dtype).contiguous()
