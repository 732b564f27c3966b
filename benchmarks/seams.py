"""How visible the borders of charts are: colour steps across them, and inside charts.

Every edge that two faces share is looked at in some places: the colours one texel apart, half a texel on either side,
each looked up in its own face; and the colours at the edge itself, which inside a chart are one and the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from true_paint import Paint, bilinear

from meshopt.mesh import Mesh, Texture

PLACES = 4  # on every edge
BENDS = np.array([0, 2, 5, 10, 20, 40, 180.0])  # degrees between faces: limits of the classes that are compared
MOST_EDGES = 20_000  # that the true paint is looked up at, inside and across
MOST = 0.3  # of a face's height is the distance from the edge at most


@dataclass(frozen=True)
class Steps:
    """Mean absolute differences of sRGB (0 to 255) over the edges' length."""

    inside: float
    """One texel apart, across edges inside charts."""
    across: float
    """One texel apart, across borders."""
    matched: float
    """What `across` would be inside charts at edges that bend as much as the borders do."""
    jump: float
    """At the border itself: the same point of the surface, looked up in both charts."""
    paint: float | None
    """`across` by `inside` of the true paint at the same places, where it is known: what borders that lie where colours
    change would show by themselves."""

    @property
    def ratio(self) -> float:
        """`across` by `inside`."""
        return self.across / self.inside


@dataclass(frozen=True)
class _Edges:
    """Half-edges of one and of the other face: the face, and the corner that it starts from."""

    one: tuple[np.ndarray, np.ndarray]
    other: tuple[np.ndarray, np.ndarray]


def steps(mesh: Mesh, paint: Paint | None = None) -> Steps:
    """Of a textured mesh."""
    texture = mesh.texture
    assert texture is not None
    points, faces = mesh.vertices.double().numpy(), mesh.faces.long().numpy()
    rows, places = texture.faces.long().numpy(), _places(texture)
    edges = _shared(faces, len(points))
    length = np.linalg.norm(points[_start(faces, edges.one)] - points[_start(faces, edges.one, 1)], axis=1)
    border = (_start(rows, edges.one) != _start(rows, edges.other, 1)) | (
        _start(rows, edges.one, 1) != _start(rows, edges.other)
    )
    half = 0.5 * _texel(points[faces], places, len(texture.color))
    apart = _differences(points[faces], texture, edges, half)
    kind = np.digitize(_bend(points[faces], edges), BENDS[1:-1])
    inside, across = _mean(apart, length, ~border), _mean(apart, length, border)
    own = None if paint is None else _true_ratio(points[faces], paint, edges, half, length, border)
    return Steps(
        inside=inside,
        across=across,
        matched=_matched(apart, length, border, kind),
        jump=_mean(_differences(points[faces], texture, edges, 0.0), length, border),
        paint=own,
    )


def _places(texture: Texture) -> np.ndarray:
    return texture.uv.double().numpy()[texture.faces.long().numpy()]


def _differences(corners: np.ndarray, texture: Texture, edges: _Edges, offset: float) -> np.ndarray:
    """Over every edge, `offset` from it on either side, the mean of some places."""
    image, places = texture.color.numpy().astype(np.float64), _places(texture)
    total = np.zeros(len(edges.one[0]))
    for share in (np.arange(PLACES) + 0.5) / PLACES:
        one = bilinear(image, _beside(corners, places, edges.one, share, offset))
        other = bilinear(image, _beside(corners, places, edges.other, 1 - share, offset))
        total += np.abs(one - other).mean(1) / PLACES
    return total


def _true_ratio(
    corners: np.ndarray, paint: Paint, edges: _Edges, offset: float, length: np.ndarray, border: np.ndarray
) -> float:
    """Across by inside of the true paint, from MOST_EDGES of either."""
    random, means = np.random.default_rng(0), []
    for kept in (border, ~border):
        chosen = random.permutation(np.flatnonzero(kept))[:MOST_EDGES]
        total = np.zeros(len(chosen))
        for share in (np.arange(PLACES) + 0.5) / PLACES:
            halves = [(half[0][chosen], half[1][chosen]) for half in (edges.one, edges.other)]
            one = paint.at(_beside(corners, corners, halves[0], share, offset))
            other = paint.at(_beside(corners, corners, halves[1], 1 - share, offset))
            total += np.abs(one - other).mean(1) / PLACES
        means.append(_mean(total, length[chosen], np.ones(len(chosen), bool)))
    return means[0] / max(means[1], 1e-12)


def _shared(faces: np.ndarray, size: int) -> _Edges:
    """The edges of two faces that run through them in opposite directions."""
    face, corner = np.divmod(np.arange(faces.size), 3)
    start, end = faces[face, corner], faces[face, (corner + 1) % 3]
    key = np.minimum(start, end) * size + np.maximum(start, end)
    order = np.argsort(key, kind="stable")
    pair = np.flatnonzero(key[order][1:] == key[order][:-1])
    one, other = order[pair], order[pair + 1]
    opposed = start[one] == end[other]
    one, other = one[opposed], other[opposed]
    return _Edges((face[one], corner[one]), (face[other], corner[other]))


def _start(table: np.ndarray, half: tuple[np.ndarray, np.ndarray], step: int = 0) -> np.ndarray:
    return table[half[0], (half[1] + step) % 3]


def _texel(corners: np.ndarray, places: np.ndarray, size: int) -> float:
    """Side of a texel on the surface."""
    solid = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
    (a, b), (c, d) = (places[:, 1] - places[:, 0]).T, (places[:, 2] - places[:, 0]).T
    return float(np.sqrt(solid / np.abs(a * d - b * c).sum()) / size)


def _beside(
    corners: np.ndarray, places: np.ndarray, half: tuple[np.ndarray, np.ndarray], share: float, offset: float
) -> np.ndarray:
    """At `share` of the half-edge's way, `offset` inside its face, what the faces' corners have as `places`."""
    face, corner = half
    a, b, c = (corners[face, (corner + k) % 3] for k in range(3))
    height = np.linalg.norm(np.cross(b - a, c - a), axis=1) / np.maximum(np.linalg.norm(b - a, axis=1), 1e-12)
    inwards = np.minimum(offset / np.maximum(height, 1e-12), MOST)[:, None]
    u, v, w = (places[face, (corner + k) % 3] for k in range(3))
    return (1 - inwards) * ((1 - share) * u + share * v) + inwards * w


def _bend(corners: np.ndarray, edges: _Edges) -> np.ndarray:
    """Degrees between the faces' normals."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    cosine = (normals[edges.one[0]] * normals[edges.other[0]]).sum(1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def _mean(values: np.ndarray, weight: np.ndarray, kept: np.ndarray) -> float:
    return float((values * weight)[kept].sum() / max(weight[kept].sum(), 1e-12))


def _matched(values: np.ndarray, length: np.ndarray, border: np.ndarray, kind: np.ndarray) -> float:
    """The mean inside charts, each class of edges counting as among the borders."""
    total = weight = 0.0
    for number in range(len(BENDS) - 1):
        of_class = kind == number
        if (of_class & ~border).any():
            share = length[of_class & border].sum()
            total, weight = total + share * _mean(values, length, of_class & ~border), weight + share
    return total / max(weight, 1e-12)
