"""The surface cut into small triangles: where colours are compared, levelled and filled in along the surface.

A mesh may have few, large faces. Its lattice has the same surface, edges no longer than a few pixels of the views, and
keeps the mesh's texture coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_matrix

from meshopt.harmonic import links
from meshopt.mesh import Mesh, vertex_normals
from meshopt.texturing.atlas import Atlas

MOST_VERTICES = 250_000  # of a lattice: edges stay longer where there would be more
PASSES = 24  # each halves the longest edges


@dataclass(frozen=True)
class Lattice:
    """Points of a surface, what connects them, and where they lie in the texture.

    `points` (scene frame) are where the surface is looked at, `normals` are unit vectors. `faces` index points,
    `uv_faces` the rows of `uv`, which is split where charts end; row i of `uv` belongs to point `point_of[i]`.
    """

    points: Float[np.ndarray, "P 3"]
    normals: Float[np.ndarray, "P 3"]
    faces: Int[np.ndarray, "S 3"]
    uv: Float[np.ndarray, "Q 2"]
    uv_faces: Int[np.ndarray, "S 3"]
    point_of: Int[np.ndarray, " Q"]

    def share(self, chosen: Bool[np.ndarray, " P"]) -> float:
        """Of the surface's area that belongs to some of its points."""
        a, b, c = (self.points[self.faces[:, k]] for k in range(3))
        area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
        return float((area * chosen[self.faces].mean(1)).sum() / max(float(area.sum()), 1e-300))

    def adjacency(self) -> csr_matrix:
        """1 where two points share an edge."""
        return links(self.faces, len(self.points))


def make_lattice(mesh: Mesh, atlas: Atlas, longest: float) -> Lattice:
    """The mesh with every edge halved until none is longer than `longest` (scene units), or too many would be made."""
    normals = vertex_normals(mesh.vertices.double(), mesh.faces)
    lattice = Lattice(
        points=mesh.vertices.detach().cpu().double().numpy(),
        normals=normals.cpu().numpy(),
        faces=mesh.faces.cpu().numpy().astype(np.int64),
        uv=atlas.uv.cpu().double().numpy(),
        uv_faces=atlas.faces.cpu().numpy().astype(np.int64),
        point_of=atlas.vertices.cpu().numpy().astype(np.int64),
    )
    for _ in range(PASSES):
        edges, of_face = _edges(lattice.faces)
        length = np.linalg.norm(lattice.points[edges[:, 0]] - lattice.points[edges[:, 1]], axis=1)
        room = MOST_VERTICES - len(lattice.points)
        if room <= 0 or not (length > longest).any():
            break
        if (length > longest).sum() > room:  # the longest of them only
            longest = max(longest, float(np.partition(length, len(length) - room)[len(length) - room]))
        if not (length > longest).any():
            break
        lattice = _halved(lattice, edges, of_face, length > longest)
    unit = lattice.normals / np.maximum(np.linalg.norm(lattice.normals, axis=1, keepdims=True), 1e-12)
    return replace(lattice, normals=unit)


def _edges(faces: Int[np.ndarray, "S 3"]) -> tuple[Int[np.ndarray, "E 2"], Int[np.ndarray, "S 3"]]:
    """Each edge once, and for every face the edges from its corners 0, 1 and 2 to the next."""
    ends = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)
    ends.sort(axis=1)
    size = int(faces.max()) + 1
    keys, of_face = np.unique(ends[:, 0] * size + ends[:, 1], return_inverse=True)
    return np.stack([keys // size, keys % size], axis=1), of_face.reshape(-1, 3)


def _halved(
    lattice: Lattice, edges: Int[np.ndarray, "E 2"], of_face: Int[np.ndarray, "S 3"], marked: Bool[np.ndarray, " E"]
) -> Lattice:
    """Every marked edge cut in its middle, and the faces with it."""
    cut = marked[of_face]
    middle = np.where(marked, len(lattice.points) + np.cumsum(marked) - 1, -1)
    uv_edges, uv_of_face = _edges(lattice.uv_faces)
    uv_marked = np.zeros(len(uv_edges), bool)
    uv_marked[uv_of_face[cut]] = True
    uv_middle = np.where(uv_marked, len(lattice.uv) + np.cumsum(uv_marked) - 1, -1)
    parent = np.zeros(len(uv_edges), np.int64)
    parent[uv_of_face] = of_face
    return Lattice(
        points=np.concatenate([lattice.points, lattice.points[edges[marked]].mean(1)]),
        normals=np.concatenate([lattice.normals, lattice.normals[edges[marked]].mean(1)]),
        faces=_pieces(lattice.faces, middle[of_face], cut),
        uv=np.concatenate([lattice.uv, lattice.uv[uv_edges[uv_marked]].mean(1)]),
        uv_faces=_pieces(lattice.uv_faces, uv_middle[uv_of_face], cut),
        point_of=np.concatenate([lattice.point_of, middle[parent[uv_marked]]]),
    )


def _pieces(
    corners: Int[np.ndarray, "S 3"], middles: Int[np.ndarray, "S 3"], cut: Bool[np.ndarray, "S 3"]
) -> Int[np.ndarray, "T 3"]:
    """Faces whose cut edges have `middles`: one, two, three or four for each."""
    count = cut.sum(1)
    # turned so that a single cut edge is the first, and a single whole one the last
    turn = np.where(count == 1, cut.argmax(1), np.where(count == 2, ((~cut).argmax(1) + 1) % 3, 0))
    order = (turn[:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(corners, order, 1).T
    ab, bc, ca = np.take_along_axis(middles, order, 1).T
    patterns: dict[int, list[tuple[np.ndarray, ...]]] = {
        0: [(a, b, c)],
        1: [(a, ab, c), (ab, b, c)],
        2: [(ab, b, bc), (a, ab, bc), (a, bc, c)],
        3: [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)],
    }
    parts = [np.stack(p, 1)[count == number] for number, pattern in patterns.items() for p in pattern]
    return np.concatenate(parts)
