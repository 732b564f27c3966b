"""Beyond a side of a face the surface goes on."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch

from meshopt.texturing.hinges import hinges
from meshopt.texturing.lattice import make_lattice
from meshopt.texturing.texels import Texels


def _grid(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A flat square of triangles, inner points moved at random, half of the faces turned over."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: size + 1, : size + 1].astype(float)
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1)
    inner = (points[:, :2].min(1) > 0) & (points[:, :2].max(1) < size)
    points[inner, :2] += random.uniform(-0.25, 0.25, (inner.sum(), 2))
    first = (np.arange(size)[:, None] * (size + 1) + np.arange(size)).reshape(-1, 1)
    faces = np.concatenate([first + np.array(corners) for corners in ([0, 1, size + 2], [0, size + 2, size + 1])])
    turned = random.random(len(faces)) < 0.5
    faces[turned] = faces[turned][:, ::-1]
    return points, faces


def _place(points: np.ndarray, faces: np.ndarray, face: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.einsum("nk,nkx->nx", weights, points[faces[face]])


@pytest.mark.parametrize("seed", [0, 1])
def test_in_a_plane_places_stay_and_come_to_lie_in_their_faces(seed: int) -> None:
    points, faces = _grid(8, seed)
    random = np.random.default_rng(seed)
    face = random.integers(0, len(faces), 2000)
    weights = random.dirichlet([1, 1, 1], 2000) * 1.6 - 0.2
    before = _place(points, faces, face, weights)
    inside = (before[:, :2].min(1) > 0) & (before[:, :2].max(1) < 8)
    other, found = hinges(points, faces).crossed(face, weights)
    assert np.abs(_place(points, faces, other, found) - before)[inside].max() < 1e-9
    assert found[inside].min() > -1e-6
    assert (other != face).mean() > 0.3
    assert np.abs(found.sum(1) - 1).max() < 1e-9


def test_beyond_the_border_of_a_surface_the_plane_goes_on() -> None:
    points, faces = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]])
    weights = np.array([[-0.5, 0.75, 0.75], [0.2, 0.3, 0.5]])
    face, found = hinges(points, faces).crossed(np.zeros(2, int), weights)
    assert (face == 0).all()
    assert np.array_equal(found, weights)


def test_around_an_edge_the_distance_is_kept(scenes: ModuleType) -> None:
    """Places beyond the edges of a box's top, at its height: on the sides they are as far below the edge."""
    box = scenes.box((2, 2, 2))
    points, faces = box.vertices.double().numpy(), box.faces.numpy()
    top = np.flatnonzero((points[faces][..., 1] > 0).all(1))
    random = np.random.default_rng(0)
    wanted = np.stack([random.uniform(1.0, 1.8, 500), np.ones(500), random.uniform(-0.9, 0.9, 500)], 1)
    face = top[random.integers(0, len(top), 500)]
    edges = points[faces[face]]
    solved = np.linalg.solve(
        np.concatenate([edges.transpose(0, 2, 1)[:, [0, 2]], np.ones((500, 1, 3))], 1),
        np.stack([wanted[:, 0], wanted[:, 2], np.ones(500)], 1)[..., None],
    )[..., 0]
    other, found = hinges(points, faces).crossed(face, solved)
    place = _place(points, faces, other, found)
    assert np.abs(place - np.stack([np.ones(500), 2 - wanted[:, 0], wanted[:, 2]], 1)).max() < 1e-9


def test_edges_of_many_faces_and_faces_without_area_do_no_harm() -> None:
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, -1, 0], [2, 0, 0]])
    faces = np.array([[0, 1, 2], [0, 1, 3], [1, 0, 4], [0, 1, 5], [0, 0, 1]])
    random = np.random.default_rng(0)
    weights = random.dirichlet([1, 1, 1], 300) * 3 - 0.66
    face, found = hinges(points, faces).crossed(random.integers(0, 5, 300), weights)
    assert np.isfinite(found).all()
    assert ((face >= 0) & (face < 5)).all()


def test_texels_beside_a_chart_lie_on_the_surface(scenes: ModuleType) -> None:
    """Of a box whose faces are charts of their own: without hinges they lie in the air."""
    box = scenes.box((1.2, 1.2, 1.2))
    lattice = make_lattice(box, scenes.face_atlas(box), 0.1)
    uv, faces = torch.from_numpy(lattice.uv), torch.from_numpy(lattice.uv_faces)
    points = torch.from_numpy(lattice.points[lattice.point_of]).float()
    off = []
    for given in (None, hinges(lattice.points, lattice.faces)):
        inside, found = Texels(uv, faces, 160, given).at(points, 0, 160)
        off.append(np.abs(np.abs(found[inside]).max(1) - 0.6))
    assert off[0].max() > 0.02
    assert off[1].max() < 1e-4
