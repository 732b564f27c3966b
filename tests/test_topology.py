"""Counts of shapes whose topology is known, defects made on purpose, and a slow twin for intersections."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from meshopt.errors import InputError
from meshopt.topology import (
    components,
    edges,
    flipped,
    keep_components,
    keep_faces,
    self_intersections,
    topology,
    weld,
)

Surface = tuple[Tensor, Tensor]
TET = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]], dtype=torch.int32)
CORNERS = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])


def surface(mesh: trimesh.Trimesh) -> Surface:
    faces = torch.tensor(np.asarray(mesh.faces), dtype=torch.int32)
    return torch.tensor(np.asarray(mesh.vertices), dtype=torch.float32), faces


def joined(*parts: Surface) -> Surface:
    start = np.cumsum([0] + [len(v) for v, _ in parts])
    faces = [f + int(s) for (_, f), s in zip(parts, start, strict=False)]
    return torch.cat([v for v, _ in parts]), torch.cat(faces)


def sphere(subdivisions: int = 3) -> Surface:
    return surface(trimesh.creation.icosphere(subdivisions=subdivisions))


def torus() -> Surface:
    return surface(trimesh.creation.torus(0.7, 0.3, major_sections=24, minor_sections=12))


def assert_defects(found, **expected) -> None:
    """These defects and no others."""
    names = ("boundary_edges", "nonmanifold_edges", "nonmanifold_vertices", "inconsistent_edges")
    names += ("self_intersecting_faces", "flipped_faces", "degenerate_faces")
    assert {n: getattr(found, n) for n in names} == dict.fromkeys(names, 0) | expected


def test_sphere():
    found = topology(*sphere())
    assert_defects(found)
    assert (found.vertices, found.faces, found.components, found.euler, found.genus) == (642, 1280, 1, 2, 0)
    assert found.closed
    assert found.manifold
    assert found.oriented
    assert found.area == pytest.approx(4 * np.pi, rel=0.01)
    assert found.volume == pytest.approx(4 / 3 * np.pi, rel=0.015)
    assert found.edge_min <= found.edge_median <= found.edge_max
    assert found.angle_min <= found.angle_p1 <= found.angle_median <= 60


def test_cube():
    found = topology(*surface(trimesh.creation.box((1.0, 2.0, 3.0))))
    assert_defects(found)
    assert (found.vertices, found.faces, found.euler, found.genus) == (8, 12, 2, 0)
    assert found.volume == pytest.approx(6)
    assert found.area == pytest.approx(22)
    assert found.edge_min == pytest.approx(1)
    assert found.edge_max == pytest.approx(13**0.5)
    assert found.angle_min == pytest.approx(np.degrees(np.arctan2(1, 3)), abs=1e-4)


def test_inside_out_has_negative_volume():
    vertices, faces = sphere(1)
    assert topology(vertices, faces.flip(1)).volume == pytest.approx(-topology(vertices, faces).volume)


def test_genus_is_summed_over_components():
    one = torus()
    far = one[0] + 5, one[1]
    found = topology(*joined(one, far, (sphere(1)[0] - 5, sphere(1)[1])))
    assert (found.components, found.genus, found.euler) == (3, 2, 2)
    assert_defects(found)


def test_hole_in_a_sphere():
    vertices, faces = sphere(2)
    found = topology(vertices, faces[1:])
    assert_defects(found, boundary_edges=3)
    assert not found.closed
    assert found.manifold
    assert (found.euler, found.genus) == (1, 0)
    assert "open, 2-manifold" in found.line()


def test_one_face_turned():
    vertices, faces = sphere(2)
    turned = faces.clone()
    turned[7] = turned[7].flip(0)
    found = topology(vertices, turned)
    assert found.inconsistent_edges == 3
    assert not found.oriented
    assert found.closed
    assert found.flipped_faces == 1
    assert "not consistently oriented" in found.line()


def test_two_tetrahedra_at_a_vertex():
    """A bow tie: no component is manifold there, and edges do not join the parts."""
    second = torch.where(TET == 0, 0, TET + 3).to(torch.int32)
    vertices = torch.cat([CORNERS, -CORNERS[1:]])
    found = topology(vertices, torch.cat([TET, second.flip(1)]))
    assert_defects(found, nonmanifold_vertices=1)
    assert found.components == 2
    assert not found.manifold
    assert found.closed


def test_two_tetrahedra_at_an_edge():
    vertices = torch.cat([CORNERS, torch.tensor([[0.0, -1, 0], [0.0, 0, -1]])])
    number = torch.tensor([0, 1, 4, 5], dtype=torch.int32)
    found = topology(vertices, torch.cat([TET, number[TET.long()]]))
    assert (found.nonmanifold_edges, found.components) == (1, 1)
    assert found.nonmanifold_vertices == 2
    assert not found.manifold


def test_unused_vertices_do_not_count():
    vertices, faces = sphere(1)
    padded = torch.cat([torch.full((3, 3), 9.0), vertices])
    assert dataclasses.asdict(topology(padded, faces + 3)) == dataclasses.asdict(topology(vertices, faces))


def test_degenerate_faces_at_any_scale():
    vertices, faces = sphere(2)
    for scale in (1e-4, 1.0, 1e4):
        moved = vertices * scale
        assert topology(moved, faces).degenerate_faces == 0
        a, b = edges(faces)[0].long()
        moved[a] = moved[b]
        assert topology(moved, faces).degenerate_faces == 2


def test_line_names_every_count():
    found = topology(*torus())
    for name in ("V", "F", "components", "Euler", "genus", "self-intersecting faces", "flipped faces"):
        assert name in found.line()
    assert found.line().startswith("closed, 2-manifold, consistently oriented")
    assert "\n" not in found.line()


def test_edges_are_those_of_the_faces():
    _, faces = torus()
    expected = {tuple(sorted(p)) for a, b, c in faces.tolist() for p in ((a, b), (b, c), (c, a))}
    found = edges(faces)
    assert found.dtype == faces.dtype
    assert list(map(tuple, found.tolist())) == sorted(expected)


def test_components_are_numbered_in_order():
    _, faces = joined(sphere(1), torus(), sphere(2))
    labels = components(faces)
    assert labels.tolist() == [0] * 80 + [1] * 576 + [2] * 320


def test_keep_components():
    parts = joined((sphere(1)[0] * 0.2 + 3, sphere(1)[1]), sphere(2), (sphere(1)[0] * 0.5 - 3, sphere(1)[1]))
    vertices, faces, index = keep_components(*parts)
    assert torch.equal(vertices, sphere(2)[0])
    assert torch.equal(faces, sphere(2)[1])
    assert torch.equal(parts[0][index], vertices)
    assert topology(*keep_components(*parts, min_share=0.1)[:2]).components == 2
    assert topology(*keep_components(*parts, min_share=0.0)[:2]).components == 3
    twins = joined((CORNERS, TET), (CORNERS + 4, TET))
    assert torch.equal(keep_components(*twins)[0], CORNERS)


def test_keep_faces():
    vertices, faces = sphere(1)
    kept = torch.zeros(len(faces), dtype=torch.bool)
    kept[[3, 9]] = True
    few, renumbered, index = keep_faces(vertices, faces, kept)
    assert torch.equal(few[renumbered.long()], vertices[faces[kept].long()])
    assert torch.equal(few, vertices[index])


def test_weld_undoes_a_triangle_soup():
    vertices, faces = torus()
    soup = vertices[faces.long().reshape(-1)]
    soup[soup == 0] = -0.0
    loose = torch.arange(len(soup), dtype=torch.int32).reshape(-1, 3)
    assert topology(soup, loose).components == len(faces)
    welded, joined_faces, index = weld(soup, loose)
    found = topology(welded, joined_faces)
    assert_defects(found)
    assert (found.vertices, found.faces, found.genus) == (len(vertices), len(faces), 1)
    assert torch.equal(welded, soup[index])
    assert torch.equal(welded[joined_faces.long()], vertices[faces.long()])


def test_weld_drops_what_vanishes():
    vertices = torch.cat([CORNERS, CORNERS[:1]])
    faces = torch.cat([TET, torch.tensor([[0, 4, 1]], dtype=torch.int32)])
    welded, left, _ = weld(vertices, faces)
    assert torch.equal(welded, CORNERS)
    assert torch.equal(left, TET)


def test_flipped_faces_are_found_and_sharp_ones_are_not():
    vertices, faces = sphere(3)
    assert not flipped(vertices, faces).any()
    around = faces[(faces == 7).any(dim=1)].long().reshape(-1)
    far = vertices[around[vertices[around].sub(vertices[7]).norm(dim=1).argmax()]]
    for reach in (1.5, 2.5):  # over its neighbour, which turns the faces between
        pulled = vertices.clone()
        pulled[7] = vertices[7] + reach * (far - vertices[7])
        assert 1 <= int(flipped(pulled, faces).sum()) <= 6
    for shape in (torch.tensor([1, 1, 1e-3]), torch.tensor([1, 1, 30.0])):
        assert not flipped(vertices * shape, faces).any()
    assert not flipped(CORNERS, TET).any()


def test_spheres_that_overlap_cross_along_a_circle():
    one = sphere(2)
    vertices, faces = joined(one, (one[0] + torch.tensor([0.7, 0.1, 0.2]), one[1]))
    crossing = self_intersections(vertices, faces)
    assert crossing.tolist() == slow_crossings(vertices, faces)
    assert 50 < int(crossing.sum()) < 200
    assert not self_intersections(*joined(one, (one[0] + 3, one[1]))).any()
    assert not self_intersections(*joined(one, (one[0] * 0.5, one[1]))).any()


def test_faces_sharing_a_vertex_may_cross():
    """The second triangle leaves the shared vertex through the first one; then it does not."""
    vertices = torch.tensor([[0.0, 0, 0], [2, -1, 0], [2, 1, 0], [1, 0, 1], [1, 0, -1]])
    faces = torch.tensor([[0, 1, 2], [0, 3, 4]], dtype=torch.int32)
    assert self_intersections(vertices, faces).all()
    assert not self_intersections(vertices + torch.tensor([0.0, 0, 2]) * (vertices[:, 2:] < 0), faces).any()


@pytest.mark.parametrize("seed", range(4))
def test_intersections_of_soups_agree_with_the_slow_twin(seed):
    generator = torch.Generator().manual_seed(seed)
    vertices = torch.randn(60, 3, generator=generator)
    faces = torch.stack([torch.randperm(60, generator=generator)[:3] for _ in range(40 + 20 * seed)]).int()
    vertices[:, 2] *= 0.3
    assert self_intersections(vertices, faces).tolist() == slow_crossings(vertices, faces)


def slow_crossings(vertices: Tensor, faces: Tensor) -> list[bool]:
    """Every edge against every face by solving p + s (q - p) = a + u (b - a) + v (c - a)."""
    points = vertices.double().numpy()
    index = faces.numpy()
    p, q = points[index].reshape(-1, 3), points[np.roll(index, -1, axis=1)].reshape(-1, 3)
    marked = np.zeros(len(index), bool)
    shares = (index[:, None, :, None] == index[None, :, None, :]).any(axis=3).sum(axis=2)
    for i, (a, b, c) in enumerate(points[index]):
        matrix = np.stack([q - p, np.broadcast_to(a - b, p.shape), np.broadcast_to(a - c, p.shape)], axis=2)
        regular = np.abs(np.linalg.det(matrix)) > 1e-14
        s, u, v = np.full((3, len(p)), -1.0)
        s[regular], u[regular], v[regular] = np.linalg.solve(matrix[regular], (a - p[regular])[..., None])[..., 0].T
        hit = ((s > 0) & (s < 1) & (u >= 0) & (v >= 0) & (u + v <= 1)).reshape(-1, 3)
        ends = np.isin(index, index[i])
        hit &= ~(ends | np.roll(ends, -1, axis=1)) & (shares[i] < 2)[:, None]
        marked |= hit.any(axis=1)
        marked[i] |= hit.any()
    return marked.tolist()


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="no faces"):
        topology(CORNERS, torch.zeros(0, 3, dtype=torch.int32))
    with pytest.raises(InputError, match="0 to 9"):
        topology(CORNERS, torch.tensor([[0, 1, 9]], dtype=torch.int32))
    assert self_intersections(CORNERS, torch.zeros(0, 3, dtype=torch.int32)).shape == (0,)
