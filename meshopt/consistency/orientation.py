"""Whether each view's normals are written as the others' are: within-view evidence against every other reading of them.

See `meshopt.frames.evidence`: facing, rim and curl are absolute, so that one view is enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from jaxtyping import Float

from meshopt import parallel
from meshopt.cameras import Camera
from meshopt.frames.evidence import measure
from meshopt.frames.evidence import observe as evidence
from meshopt.views import ViewSet

DIFFERENT = 0.3  # root mean square difference of the normals from which on another reading is another
SIGNED = tuple(
    np.eye(3)[list(order)] * np.array(signs)[:, None]
    for order in permutations(range(3))
    for signs in product((1.0, -1.0), repeat=3)
)
SIMPLE = 0.02  # lead in the score that a less simple reading needs over a simpler one


@dataclass(frozen=True)
class Reading:
    """A way to read a view's world normals: `matrix` takes them to what they should be.

    `picture_of`: they fit that other view's camera instead. `frame`, `axes`: which axes are exchanged or inverted, in
    the camera's or the front's frame ('+x -y +z': y is inverted).
    """

    matrix: Float[np.ndarray, "3 3"]
    picture_of: int | None = None
    frame: str = ""
    axes: str = ""


@dataclass(frozen=True)
class Orientation:
    """How well a view's normals fit as they are, the best different reading, and by how much (0 to 1)
    that fits better."""

    score: float
    best: Reading
    lead: float


def orientations(views: ViewSet) -> list[Orientation]:
    """Of every view."""
    normals, masks = (t.detach().cpu().float().numpy() for t in (views.normals, views.masks))
    return parallel.run(_oriented, [(normals[v], masks[v], views.cameras, v) for v in range(len(views))])


def _oriented(normals: np.ndarray, mask: np.ndarray, cameras: Sequence[Camera], view: int) -> Orientation:
    own = cameras[view].rotation
    readings = list(_readings(cameras, view))
    seen = evidence(normals, mask, cameras[view])
    turns = np.stack([own, *(own @ reading.matrix for reading in readings)])
    parts = measure(seen, turns)
    known = ~np.isnan(parts).all(axis=1)
    scores = np.nanmean(parts[known], axis=0) if known.any() else np.zeros(len(turns))
    apart = turns[1:] - own
    square = np.einsum("cij,jk,cik->c", apart, seen.covariance, apart)
    scores[1:][square < DIFFERENT**2] = -1.0
    simplicity = np.array(
        [0.0 if r.picture_of is not None else 1 + (np.trace(np.abs(r.matrix)) < 2.9) for r in readings]
    )
    best = int(np.argmax(scores[1:] - SIMPLE * simplicity))
    return Orientation(float(scores[0]), readings[best], float(scores[1 + best] - scores[0]))


def _readings(cameras: Sequence[Camera], view: int) -> Iterator[Reading]:
    """All others than the one that was used."""
    own = cameras[view].rotation
    for k, camera in enumerate(cameras):
        if k != view:
            yield Reading(own.T @ camera.rotation, picture_of=k)
    for matrix in SIGNED:
        if not np.array_equal(matrix, np.eye(3)):
            yield Reading(own.T @ matrix @ own, frame="camera", axes=_axes(matrix))
            yield Reading(matrix, frame="front", axes=_axes(matrix))


def _axes(matrix: Float[np.ndarray, "3 3"]) -> str:
    """Where each axis comes from, as '+x -y +z'."""
    place, sign = np.argmax(np.abs(matrix), axis=1), matrix.sum(axis=1)
    return " ".join(f"{'+' if s > 0 else '-'}{'xyz'[p]}" for p, s in zip(place, sign, strict=True))
