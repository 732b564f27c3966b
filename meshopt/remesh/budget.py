"""Meeting a face budget: decimation downwards, longest-edge refinement upwards."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from meshopt.errors import InputError
from meshopt.remesh import decimation_kernels, state, sweep_kernels
from meshopt.remesh.halfedge_kernels import Half

Budgeted = tuple[Float[Tensor, "M 3"], Int[Tensor, "G 3"], Float[Tensor, "M K"] | None]

PULL = 1e-4  # towards the middle of the collapsed edge, where planes do not tell
GUARDS = ((45.0, 0.2), (75.0, 0.05), (180.0, 0.0))  # largest turn (degrees) and least quality, one by one
FLIP_DIHEDRAL, FLIP_OFFSET = 2.0, 1e-3  # as in RemeshSettings, but refinement hardly changes the surface
ROUND = 0.1  # share of the edges that refinement splits before it flips


def decimate(
    vertices: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    target_faces: int,
    attributes: Float[Tensor, "N K"] | None = None,
) -> Budgeted:
    """At most `target_faces` faces by edge collapse in order of quadric error (Garland & Heckbert 1997).

    Closed 2-manifolds only (else InputError); topology is kept, and so more faces are left if it needs
    them: at least four per component. Attributes follow along collapsed edges. Unchanged if the mesh is
    small enough.
    """
    _check(target_faces)
    half = state.with_room(state.connected(state.to_arrays(vertices, faces, None, attributes)), 0)
    n_faces = len(faces)
    quadrics = np.zeros((len(half.out), 10))
    decimation_kernels.vertex_quadrics(half, quadrics)
    for turn, quality in GUARDS:
        limits = (math.cos(math.radians(turn)), quality, 1e100)
        full = True
        while full and n_faces > target_faces:
            n_faces, full = decimation_kernels.decimate(
                half, quadrics, n_faces, target_faces, PULL, limits, _scratch(half, n_faces - target_faces)
            )
    return _tensors(half, vertices, faces, attributes)


def refine_to(
    vertices: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    target_faces: int,
    attributes: Float[Tensor, "N K"] | None = None,
) -> Budgeted:
    """`target_faces` faces (one less where that is odd) by splitting the longest edges.

    In between, flips that keep the surface mend the angles. Attributes at new vertices are the mean of the
    edge's ends. Closed 2-manifolds only (else InputError); unchanged if the mesh is large enough.
    """
    _check(target_faces)
    half = state.connected(state.to_arrays(vertices, faces, None, attributes))
    dihedral = math.cos(math.radians(FLIP_DIHEDRAL))
    needed = (target_faces - len(faces)) // 2
    while needed > 0:
        longest = _longest(half, min(needed, math.ceil(ROUND * len(half.corner) / 2)))
        half, _ = state.split(half, longest)
        sweep_kernels.flip(half, dihedral, FLIP_OFFSET)
        needed -= len(longest)
    return _tensors(half, vertices, faces, attributes)


def to_faces(
    vertices: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    target_faces: int,
    attributes: Float[Tensor, "N K"] | None = None,
) -> Budgeted:
    """`decimate` or `refine_to`, whichever leads to `target_faces`."""
    change = decimate if len(faces) > target_faces else refine_to
    return change(vertices, faces, target_faces, attributes)


def _check(target_faces: int) -> None:
    if target_faces < 4:
        raise InputError(f"a closed mesh has at least 4 faces, {target_faces} were asked for (--faces)")


def _scratch(half: Half, excess: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    size = len(half.corner) // 2 + 6 * excess
    latest = np.full(len(half.corner), -1.0)
    return np.empty(size), np.empty(size, np.int32), latest, np.full(len(half.out), -1, np.int32)


def _longest(half: Half, count: int) -> np.ndarray:
    """One half-edge of each of the longest edges, shortest of them first."""
    index = np.flatnonzero(np.arange(len(half.twin)) < half.twin).astype(np.int32)
    face, place = index // 3, index % 3
    ends = half.corner[index], half.corner[3 * face + (place + 1) % 3]
    length = np.square(half.data[ends[0], :3] - half.data[ends[1], :3]).sum(axis=1)
    return index[np.argsort(length, kind="stable")[len(index) - count :]]


def _tensors(
    half: Half, vertices: Tensor, faces: Tensor, attributes: Float[Tensor, "N K"] | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    half = state.compacted(half)
    carried = None if attributes is None else state.to_tensor(half.extra, attributes)
    return state.to_tensor(half.data[:, :3], vertices), state.to_tensor(half.corner.reshape(-1, 3), faces), carried
