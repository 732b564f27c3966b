"""The lattice is the mesh's surface, cut finer."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meshopt.mesh import Mesh
from meshopt.texturing import lattice as module
from meshopt.texturing.lattice import Lattice, make_lattice

SHAPES = ("sphere", "box", "torus")


def _made(scenes: ModuleType, shape: str, longest: float) -> tuple[Mesh, Lattice]:
    mesh = getattr(scenes, shape)()
    return mesh, make_lattice(mesh, scenes.face_atlas(mesh), longest)


def _area(points: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = np.moveaxis(points[faces], 1, 0)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def _volume(points: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = np.moveaxis(points[faces], 1, 0)
    return float((a * np.cross(b, c)).sum() / 6)


def _uv_area(uv: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Signed, of every face."""
    (ax, ay), (bx, by) = ((uv[faces[:, k]] - uv[faces[:, 0]]).T for k in (1, 2))
    return (ax * by - ay * bx) / 2


def _half_edges(faces: np.ndarray) -> np.ndarray:
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("longest", [0.4, 0.09])
def test_surface_is_the_same(scenes: ModuleType, shape: str, longest: float) -> None:
    mesh, lattice = _made(scenes, shape, longest)
    points, faces = mesh.vertices.double().numpy(), mesh.faces.numpy()
    assert _area(lattice.points, lattice.faces) == pytest.approx(_area(points, faces), rel=1e-12)
    assert _volume(lattice.points, lattice.faces) == pytest.approx(_volume(points, faces), rel=1e-12)
    assert np.array_equal(lattice.points[: len(points)], points)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("longest", [0.4, 0.09])
def test_edges_are_short_and_the_surface_stays_closed(scenes: ModuleType, shape: str, longest: float) -> None:
    mesh, lattice = _made(scenes, shape, longest)
    edges = _half_edges(lattice.faces)
    assert np.linalg.norm(np.subtract(*lattice.points[edges.T]), axis=1).max() <= longest
    assert len(np.unique(edges, axis=0)) == len(edges)  # no direction twice
    assert {tuple(e) for e in edges.tolist()} == {tuple(e) for e in edges[:, ::-1].tolist()}
    euler = len(lattice.points) - len(edges) // 2 + len(lattice.faces)
    assert euler == len(mesh.vertices) - len(_half_edges(mesh.faces.numpy())) // 2 + len(mesh.faces)


def test_long_enough_changes_nothing(scenes: ModuleType) -> None:
    mesh, lattice = _made(scenes, "torus", 10.0)
    assert np.array_equal(lattice.faces, mesh.faces.numpy())
    assert np.array_equal(lattice.uv_faces, scenes.face_atlas(mesh).faces.numpy())


@pytest.mark.parametrize("atlas", ["face_atlas", "side_atlas"])
def test_texture_coordinates_are_kept(scenes: ModuleType, atlas: str) -> None:
    """The map from the texture to the surface is the same at any point of the lattice's faces."""
    mesh = scenes.sphere()
    made = getattr(scenes, atlas)(mesh)
    lattice = make_lattice(mesh, made, 0.1)
    before = _uv_area(made.uv.double().numpy(), made.faces.numpy())
    after = _uv_area(lattice.uv, lattice.uv_faces)
    assert after.sum() == pytest.approx(before.sum(), rel=1e-12)
    assert np.abs(after).sum() == pytest.approx(np.abs(before).sum(), rel=1e-12)
    # the point of a row is the point that the mesh's own face has at its place in the texture
    middles = lattice.uv[lattice.uv_faces].mean(1)
    solid = lattice.points[lattice.point_of[lattice.uv_faces]].mean(1)
    corners, places = mesh.vertices.double().numpy()[mesh.faces.numpy()], made.uv.double().numpy()[made.faces.numpy()]
    base = np.concatenate([places, np.ones((len(places), 3, 1))], axis=2)
    weights = np.einsum("pi,fij->pfj", np.concatenate([middles, np.ones((len(middles), 1))], 1), np.linalg.inv(base))
    face = weights.min(2).argmax(1)
    weights = weights[np.arange(len(face)), face]
    assert weights.min() > 0
    assert np.abs((weights[..., None] * corners[face]).sum(1) - solid).max() < 1e-12


@pytest.mark.parametrize("atlas", ["face_atlas", "side_atlas"])
def test_rows_of_uv_belong_to_the_faces_own_points(scenes: ModuleType, atlas: str) -> None:
    mesh = scenes.sphere()
    lattice = make_lattice(mesh, getattr(scenes, atlas)(mesh), 0.1)
    assert np.array_equal(lattice.point_of[lattice.uv_faces], lattice.faces)
    assert np.array_equal(np.unique(lattice.uv_faces), np.arange(len(lattice.uv)))


def test_normals_are_unit_and_point_outside(scenes: ModuleType) -> None:
    _, lattice = _made(scenes, "sphere", 0.05)
    assert np.abs(np.linalg.norm(lattice.normals, axis=1) - 1).max() < 1e-12
    outside = lattice.points / np.linalg.norm(lattice.points, axis=1, keepdims=True)
    assert (lattice.normals * outside).sum(1).min() > 0.99


@pytest.mark.parametrize("most", [200, 500, 5000])
def test_no_more_vertices_than_there_may_be(scenes: ModuleType, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """What room there is goes to the longest edges first."""
    monkeypatch.setattr(module, "MOST_VERTICES", most)
    mesh, lattice = _made(scenes, "box", 1e-3)
    assert most / 8 < len(lattice.points) <= most
    assert _area(lattice.points, lattice.faces) == pytest.approx(6, rel=1e-12)
    assert len(mesh.vertices) == 8
    edges = _half_edges(lattice.faces)
    length = np.linalg.norm(np.subtract(*lattice.points[edges.T]), axis=1)
    assert length.max() < 4.1 * length.min()


def test_vertices_without_faces_stay(scenes: ModuleType) -> None:
    mesh = scenes.box()
    lonely = Mesh(torch.cat([mesh.vertices, torch.tensor([[3.0, 3, 3]])]), mesh.faces)
    lattice = make_lattice(lonely, scenes.face_atlas(lonely), 0.3)
    assert np.isfinite(lattice.normals).all()
    assert 8 not in lattice.faces
    assert lattice.adjacency()[8].nnz == 0


def test_adjacency_is_the_edges(scenes: ModuleType) -> None:
    _, lattice = _made(scenes, "torus", 0.1)
    links = lattice.adjacency()
    assert (links != links.T).nnz == 0
    assert set(links.data) == {1.0}
    assert links.diagonal().sum() == 0
    edges = {tuple(e) for e in _half_edges(lattice.faces).tolist()}
    assert set(zip(*(i.tolist() for i in links.nonzero()), strict=True)) == edges | {(j, i) for i, j in edges}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 3.0), st.integers(1, 12))
def test_any_triangles(scenes: ModuleType, seed: int, longest: float, count: int) -> None:
    """Also where edges have one face or many: what lies along an edge is cut in the same places."""
    random = np.random.default_rng(seed)
    corners = max(3, count)
    faces = np.stack([random.permutation(corners)[:3] for _ in range(count)]).astype(np.int32)
    mesh = Mesh(torch.tensor(random.uniform(-1, 1, (corners, 3)), dtype=torch.float32), torch.from_numpy(faces))
    atlas = scenes.face_atlas(mesh)
    one, two = (make_lattice(mesh, atlas, longest) for _ in range(2))
    for name in Lattice.__dataclass_fields__:
        assert np.array_equal(getattr(one, name), getattr(two, name))
    points = mesh.vertices.double().numpy()
    assert _area(one.points, one.faces) == pytest.approx(_area(points, faces), rel=1e-12, abs=1e-15)
    edges = np.sort(_half_edges(one.faces), axis=1)
    assert np.linalg.norm(np.subtract(*one.points[edges.T]), axis=1).max() <= longest
    assert np.array_equal(one.point_of[one.uv_faces], one.faces)
    # conforming: inside each face of the mesh, edges have two faces but for those on its border
    before = _uv_area(atlas.uv.double().numpy(), atlas.faces.numpy())
    after = _uv_area(one.uv, one.uv_faces)
    assert (after < 0).all()  # v goes down: as the atlas has them
    assert after.sum() == pytest.approx(before.sum(), rel=1e-12)
