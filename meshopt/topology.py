"""What kind of surface a mesh is: counts, defects, intersections; and the pure helpers that need the same
tables.

Faces are joined by edges: two parts that touch in a vertex only are two components, and that vertex is
non-manifold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from meshopt.errors import InputError
from meshopt.intersections import self_intersections
from meshopt.mesh import face_cross

FOLD = np.cos(np.radians(150))  # between the normals of faces folded onto each other
FLAT = 1e-6  # a face whose height is below this share of its longest edge is degenerate


__all__ = [
    "Topology",
    "components",
    "edges",
    "flipped",
    "keep_components",
    "keep_faces",
    "self_intersections",
    "topology",
    "weld",
]


@dataclass(frozen=True)
class Topology:
    """A mesh in numbers. Lengths, areas and the signed volume in units of the vertices, angles in degrees."""

    vertices: int
    """Vertices that faces use."""
    faces: int
    components: int
    euler: int
    """Vertices - edges + faces."""
    genus: int
    """Sum over the closed, manifold components."""
    boundary_edges: int
    """Edges of one face."""
    nonmanifold_edges: int
    """Edges of more than two faces."""
    nonmanifold_vertices: int
    """Vertices whose faces do not form one fan."""
    inconsistent_edges: int
    """Edges whose two faces run along them in the same direction."""
    self_intersecting_faces: int
    """See `self_intersections`."""
    flipped_faces: int
    """See `flipped`."""
    degenerate_faces: int
    """Faces without area: a vertex named twice, or a height below 1e-6 of the longest edge."""
    angle_min: float
    """The smallest of all angles."""
    angle_p1: float
    """1st percentile of the faces' smallest angles; `angle_median` their median."""
    angle_median: float
    edge_min: float
    edge_median: float
    edge_max: float
    area: float
    volume: float
    """Signed: positive where the normals point outwards. Meaningful for closed meshes."""

    @property
    def closed(self) -> bool:
        """Every edge has two faces or more."""
        return self.boundary_edges == 0 and self.faces > 0

    @property
    def manifold(self) -> bool:
        """Every vertex has a neighbourhood like a disc (or half a disc, at a boundary)."""
        return self.nonmanifold_edges == 0 and self.nonmanifold_vertices == 0

    @property
    def oriented(self) -> bool:
        """Neighbouring faces agree on which side is out."""
        return self.inconsistent_edges == 0

    def line(self) -> str:
        """One sentence with the numbers."""
        kind = ", ".join(
            (
                "closed" if self.closed else "open",
                "2-manifold" if self.manifold else "not 2-manifold",
                "consistently oriented" if self.oriented else "not consistently oriented",
            )
        )
        return (
            f"{kind}: V {self.vertices}, F {self.faces}, components {self.components}, "
            f"Euler {self.euler}, genus {self.genus}, boundary edges {self.boundary_edges}, "
            f"non-manifold edges {self.nonmanifold_edges}, "
            f"non-manifold vertices {self.nonmanifold_vertices}, "
            f"inconsistent edges {self.inconsistent_edges}, "
            f"self-intersecting faces {self.self_intersecting_faces}, "
            f"flipped faces {self.flipped_faces}, degenerate faces {self.degenerate_faces}"
        )


@dataclass(frozen=True)
class _EdgeTable:
    """Undirected edges of faces [F, 3] as numpy arrays; half-edge 3f + k goes from corner k of face f to
    the next."""

    ends: np.ndarray  # [E, 2], smaller vertex first
    of_half: np.ndarray  # [3F] edge of each half-edge
    count: np.ndarray  # [E] faces at the edge
    forward: np.ndarray  # [E] how many of them run from the smaller vertex to the larger
    pairs: np.ndarray  # [P, 2] half-edges of the edges with exactly two faces
    pair_edge: np.ndarray  # [P]


def _edge_table(faces: np.ndarray) -> _EdgeTable:
    start = faces.reshape(-1).astype(np.int64)
    end = np.roll(faces, -1, axis=1).reshape(-1).astype(np.int64)
    size = int(start.max(initial=0)) + 1
    key = np.minimum(start, end) * size + np.maximum(start, end)
    order = np.argsort(key, kind="stable")
    fresh = np.ones(len(key), bool)
    fresh[1:] = key[order][1:] != key[order][:-1]
    first = np.flatnonzero(fresh)
    of_half = np.empty(len(key), np.int64)
    of_half[order] = np.cumsum(fresh) - 1
    count = np.diff(np.append(first, len(key)))
    forward = np.bincount(of_half[start < end], minlength=len(first))
    twos = count == 2
    pairs = np.stack([order[first[twos]], order[first[twos] + 1]], axis=1)
    unique = key[order[first]]
    ends = np.stack([unique // size, unique % size], axis=1)
    return _EdgeTable(ends, of_half, count, forward, pairs, np.flatnonzero(twos))


def _labels(links: np.ndarray, size: int) -> tuple[int, np.ndarray]:
    """Connected components of `size` nodes joined by links [L, 2]."""
    matrix = coo_matrix((np.ones(len(links), bool), (links[:, 0], links[:, 1])), shape=(size, size))
    count, labels = connected_components(matrix, directed=False)
    return int(count), labels


def _all_links(table: _EdgeTable) -> np.ndarray:
    """Half-edges [L, 2] that share an edge, for any number of faces at it."""
    order = np.argsort(table.of_half, kind="stable")
    same = table.of_half[order][1:] == table.of_half[order][:-1]
    return np.stack([order[:-1][same], order[1:][same]], axis=1)


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def edges(faces: Int[Tensor, "F 3"]) -> Int[Tensor, "E 2"]:
    """Every edge once, smaller vertex first, sorted."""
    ends = _edge_table(_numpy(faces)).ends
    return torch.from_numpy(ends).to(device=faces.device, dtype=faces.dtype)


def components(faces: Int[Tensor, "F 3"]) -> Int[Tensor, " F"]:
    """Label per face, 0 to C - 1 in order of first appearance: the parts that edges hold together."""
    array = _numpy(faces)
    _, labels = _labels(_all_links(_edge_table(array)) // 3, len(array))
    return torch.from_numpy(labels.astype(np.int64)).to(faces.device)


def keep_faces(
    vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"], kept: Bool[Tensor, " F"]
) -> tuple[Float[Tensor, "M 3"], Int[Tensor, "G 3"], Int[Tensor, " M"]]:
    """Those faces and the vertices they use; the third is which vertices of the input these are."""
    chosen = faces[kept]
    used = torch.zeros(len(vertices), dtype=torch.bool, device=faces.device)
    used[chosen.long().reshape(-1)] = True
    renumber = torch.cumsum(used, 0) - 1
    return vertices[used], renumber[chosen.long()].to(faces.dtype), torch.nonzero(used)[:, 0]


def keep_components(
    vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"], min_share: float = 1.0
) -> tuple[Float[Tensor, "M 3"], Int[Tensor, "G 3"], Int[Tensor, " M"]]:
    """The components with at least `min_share` of the largest one's area (1: the largest alone, the first
    of equals).

    The third is which vertices of the input are left, to index attributes with.
    """
    labels = components(faces)
    area = np.bincount(_numpy(labels), _numpy(face_cross(vertices, faces).norm(dim=1)))
    large = area >= min_share * area.max(initial=0.0)
    if min_share >= 1 and len(area):
        large = np.arange(len(area)) == area.argmax()
    return keep_faces(vertices, faces, torch.from_numpy(large).to(faces.device)[labels])


def weld(
    vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"]
) -> tuple[Float[Tensor, "M 3"], Int[Tensor, "G 3"], Int[Tensor, " M"]]:
    """Merges vertices of exactly equal position (as at the UV seams of a GLB) and drops faces and vertices
    that vanish; the third is which vertices of the input are left, to index attributes with. Order is
    kept."""
    position = vertices.detach().cpu().numpy() + 0.0  # -0 becomes 0
    _, first, inverse = np.unique(position, axis=0, return_index=True, return_inverse=True)
    merged = torch.from_numpy(first[inverse.reshape(-1)]).to(faces.device)[faces.long()].to(faces.dtype)
    a, b, c = merged.unbind(1)
    return keep_faces(vertices, merged, (a != b) & (b != c) & (c != a))


def flipped(vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"], fold: float = float(FOLD)) -> Bool[Tensor, " F"]:
    """Which faces are folded over: the normal is more than 150 degrees (`fold` is the cosine) from those of two or
    three edge neighbours, or opposes the angle-weighted mean normals of two or three of its vertices.

    Two, because a sharp blade has one such neighbour, and a tip one such vertex. Faces without area do not
    count. Angle weights: Thürmer & Wüthrich 1998.
    """
    corners = vertices.detach().cpu().double()[faces.cpu().long()].numpy()
    _, angle, double = _shape(corners)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(double, 1e-300)[:, None]
    index = _numpy(faces).reshape(-1)
    weighted = (angle[:, :, None] * normal[:, None]).reshape(-1, 3)
    mean = np.stack([np.bincount(index, weighted[:, k], minlength=len(vertices)) for k in range(3)], axis=1)
    opposed = np.einsum("fkx,fx->fk", mean[index].reshape(-1, 3, 3), normal) < -1e-9
    pairs = _edge_table(_numpy(faces)).pairs // 3
    folded = pairs[(normal[pairs[:, 0]] * normal[pairs[:, 1]]).sum(axis=1) < fold]
    folds = np.bincount(folded.reshape(-1), minlength=len(normal))
    return torch.from_numpy((opposed.sum(axis=1) >= 2) | (folds >= 2)).to(faces.device)


def _genus(faces: np.ndarray, table: _EdgeTable, bad_vertex: np.ndarray) -> tuple[int, int]:
    """Number of components, and the genus summed over the closed and manifold ones."""
    count, labels = _labels(_all_links(table) // 3, len(faces))
    corners = np.unique(labels.repeat(3).astype(np.int64) * len(bad_vertex) + faces.reshape(-1))
    edge_label = np.zeros(len(table.ends), np.int64)
    edge_label[table.of_half] = labels.repeat(3)
    euler = np.bincount(corners // len(bad_vertex), minlength=count) + np.bincount(labels, minlength=count)
    euler = euler - np.bincount(edge_label, minlength=count)
    sound = np.ones(count, bool)
    sound[edge_label[table.count != 2]] = False
    own_fans = bad_vertex[corners % len(bad_vertex)]
    sound[(corners // len(bad_vertex))[own_fans]] = False
    return count, int(((2 - euler[sound]) // 2).sum())


def _fans(faces: np.ndarray, table: _EdgeTable, size: int) -> np.ndarray:
    """How many edge-connected fans of faces there are around each vertex [N]."""
    one, two = table.pairs[:, 0], table.pairs[:, 1]

    def corner_at(half: np.ndarray, vertex: np.ndarray) -> np.ndarray:
        other = half - half % 3 + (half + 1) % 3
        return np.where(faces.reshape(-1)[half] == vertex, half, other)

    ends = table.ends[table.pair_edge]
    links = [np.stack([corner_at(one, ends[:, k]), corner_at(two, ends[:, k])], axis=1) for k in range(2)]
    _, fan = _labels(np.concatenate(links), faces.size)
    unique = np.unique(faces.reshape(-1).astype(np.int64) * faces.size + fan)
    return np.bincount(unique // max(faces.size, 1), minlength=size)


def _shape(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edge lengths [F, 3], angles in degrees [F, 3] and twice the area [F] of triangles [F, 3, 3]."""
    sides = np.roll(corners, -1, axis=1) - corners
    length = np.linalg.norm(sides, axis=2)
    double = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    dots = -(sides * np.roll(sides, 1, axis=1)).sum(axis=2)  # at corner k, between the sides that meet there
    return length, np.degrees(np.arctan2(double[:, None], dots)), double


def topology(vertices: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"]) -> Topology:
    """Everything about the surface's kind and defects. Raises InputError where faces name vertices that are
    not there."""
    array, points = _numpy(faces), vertices.detach().cpu().numpy().astype(np.float64)
    if array.size == 0:
        raise InputError("the mesh has no faces")
    if array.min() < 0 or array.max() >= len(points):
        found = f"{array.min()} to {array.max()}"
        raise InputError(f"faces name the vertices {found}, but there are {len(points)} (0 to {len(points) - 1})")
    table = _edge_table(array)
    fans = _fans(array, table, len(points))
    count, genus = _genus(array, table, fans > 1)
    length, angles, double = _shape(points[array])
    angle = angles.min(axis=1)
    degenerate = double <= FLAT * length.max(axis=1) ** 2
    used = int((fans > 0).sum())
    return Topology(
        vertices=used,
        faces=len(array),
        components=count,
        euler=used - len(table.ends) + len(array),
        genus=genus,
        boundary_edges=int((table.count == 1).sum()),
        nonmanifold_edges=int((table.count > 2).sum()),
        nonmanifold_vertices=int((fans > 1).sum()),
        inconsistent_edges=int(((table.count == 2) & (table.forward != 1)).sum()),
        self_intersecting_faces=int(self_intersections(vertices, faces).sum()),
        flipped_faces=int(flipped(vertices, faces).sum()),
        degenerate_faces=int(degenerate.sum()),
        angle_min=float(angle.min()),
        angle_p1=float(np.percentile(angle, 1)),
        angle_median=float(np.median(angle)),
        edge_min=float(length.min()),
        edge_median=float(np.median(length)),
        edge_max=float(length.max()),
        area=float(double.sum() / 2),
        volume=float((np.cross(points[array[:, 0]], points[array[:, 1]]) * points[array[:, 2]]).sum() / 6),
    )
