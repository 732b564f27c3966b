"""One pass of isotropic remeshing towards a target edge length per vertex, attributes carried along.

Split, collapse, flip, relax as in Botsch & Kobbelt 2004, with a sizing field as in Dunyach et al. 2013 and
optimiser state as attributes as in Palfinger 2022. The operators and their guards are in the
`*_kernels` modules.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from meshopt.remesh import locality, relax_kernels, state, sweep_kernels
from meshopt.remesh.halfedge_kernels import Half
from meshopt.remesh.state import Links


@dataclass(frozen=True)
class RemeshSettings:
    """How a pass works. Lengths are relative to the mean target of an edge's ends, angles in degrees."""

    split_above: float = 4 / 3
    """Edges longer than this are split."""
    collapse_below: float = 4 / 5
    """Edges shorter than this are collapsed, unless that made an edge longer than `split_above`."""
    collapse_turn: float = 45.0
    """No face turns by more than this in a collapse."""
    collapse_quality: float = 0.2
    """A collapse leaves no face worse than this, unless one was as bad before (1 equilateral, 0 flat)."""
    flip_dihedral: float = 35.0
    """Edges sharper than this are not flipped ..."""
    flip_offset: float = 0.02
    """... unless the surface moves by less than this share of the edge's length."""
    flip_sweeps: int = 1
    """Sweeps over all edges."""
    relax: float = 0.3
    """Step of each vertex towards the mean of its neighbours, in the surface and along creases; 0 to 1."""
    pull: float = 0.001
    """Where collapsed and relaxed vertices go: 0 where the quadric error of the faces around is least;
    towards infinity, to the edge's midpoint and the neighbours' mean."""


@dataclass(frozen=True)
class Counts:
    """How many operations a pass made."""

    splits: int = 0
    collapses: int = 0
    flips: int = 0


@dataclass(frozen=True)
class Remeshed:
    """A remeshed surface. `target_length` and `attributes` are carried over from the input's vertices."""

    vertices: Float[Tensor, "N 3"]
    faces: Int[Tensor, "F 3"]
    target_length: Float[Tensor, " N"]
    attributes: Float[Tensor, "N K"] | None
    counts: Counts = field(default=Counts())
    links: Links | None = field(default=None, repr=False, compare=False)
    """Connectivity of `faces`, for the next pass."""


def remesh(
    vertices: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    target_length: Float[Tensor, " N"],
    attributes: Float[Tensor, "N K"] | None = None,
    settings: RemeshSettings = RemeshSettings(),
    previous: Remeshed | None = None,
) -> Remeshed:
    """One pass of split, collapse, flip, relax towards edges of `target_length` (scene units).

    A closed, 2-manifold, consistently oriented mesh stays one, with the same genus and components; anything
    else raises InputError. Values at new vertices lie on the line between those of the edge's ends.
    Deterministic, on one CPU core whatever the tensors' device, which the result returns to. The result is the
    same with `previous`, but comes sooner if `faces` is that result's tensor, unchanged as far as torch knows.
    """
    arrays = state.to_arrays(vertices, faces, target_length, attributes)
    known = _known(faces, len(vertices), previous)
    if known is not None:
        half = state.linked(arrays, known)
    else:
        half = state.connected(locality.gathered(arrays) if locality.scattered(arrays) else arrays)
    half, parents, counts = one_pass(half, settings)
    half = state.compacted(half, parents)
    new_faces = state.to_tensor(half.corner.reshape(-1, 3), faces)
    return Remeshed(
        state.to_tensor(half.data[:, :3], vertices),
        new_faces,
        state.to_tensor(half.data[:, 3], target_length),
        None if attributes is None else state.to_tensor(half.extra, attributes),
        counts,
        Links(half.twin, half.out, half.valence, state.version(new_faces)),
    )


def _known(faces: Tensor, n_vertices: int, previous: Remeshed | None) -> Links | None:
    """The connectivity of `faces`, if they are the ones of the previous result."""
    if previous is None or previous.links is None or previous.faces is not faces:
        return None
    same = len(previous.links.out) == n_vertices and state.version(faces) == previous.links.version >= 0
    return previous.links if same else None


def one_pass(half: Half, settings: RemeshSettings) -> tuple[Half, np.ndarray, Counts]:
    """Split, collapse, flip, relax on a copy of a half-edge mesh; also the parents of what is new (see
    `state.split`)."""
    long = state.outside(half, -1.0, settings.split_above**2)
    half, parents = state.split(half, long)
    limits = (math.cos(math.radians(settings.collapse_turn)), settings.collapse_quality, settings.split_above)
    short = settings.collapse_below**2
    edges = state.outside(half, short, np.inf)
    collapses = 0
    if len(edges):
        mark = np.full(len(half.out), -1, np.int32)
        collapses = sweep_kernels.collapse(half, edges, short, settings.pull, limits, mark)
    dihedral = math.cos(math.radians(settings.flip_dihedral))
    flips = sum(sweep_kernels.flip(half, dihedral, settings.flip_offset) for _ in range(settings.flip_sweeps))
    if settings.relax > 0:
        relax_kernels.relax(half, settings.relax, settings.pull, limits, state.relax_scratch(half))
    return half, parents, Counts(len(long), int(collapses), int(flips))
