"""Untangling: what it promises on surfaces that are tangled on purpose."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from meshopt.initial.primitives import icosphere
from meshopt.initial.tetrahedra import marching_tetrahedra
from meshopt.topology import Topology, topology
from meshopt.untangle import QUICK, Untangled, UntangleSettings, untangle

Surface = tuple[torch.Tensor, torch.Tensor]


def sphere(levels: int = 3, centre: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Surface:
    mesh = icosphere(centre, 1.0, levels)
    return mesh.vertices, mesh.faces


def noisy_sphere() -> Surface:
    vertices, faces = sphere(4)
    return vertices + 0.02 * torch.randn(vertices.shape, generator=torch.Generator().manual_seed(1)), faces


def dumbbell(radius: float) -> Surface:
    """Two balls on a rod, which is bent to an arc of that radius: below 0.45 the balls pass through each other."""
    axis = np.linspace(-1.6, 1.6, 48)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    balls = np.minimum(np.hypot(np.hypot(x - 1, y), z), np.hypot(np.hypot(x + 1, y), z)) - 0.4
    rod = np.maximum(np.hypot(y, z) - 0.12, np.abs(x) - 1)
    points, faces = marching_tetrahedra(-np.minimum(balls, rod), [-1.6] * 3, axis[1] - axis[0])
    angle, height = points[:, 0] / radius, radius - points[:, 1]
    bent = np.stack([height * np.sin(angle), radius - height * np.cos(angle), points[:, 2]], axis=1)
    return torch.from_numpy(bent), torch.from_numpy(faces)


def plate(depth: float) -> Surface:
    """A thin disc whose two sides are pushed through each other in the middle."""
    vertices, faces = sphere(4)
    push = 1 - depth * torch.exp(-(vertices[:, :2].square().sum(1)) / 0.16)
    return vertices * torch.stack([torch.ones_like(push), torch.ones_like(push), 0.1 * push], dim=1), faces


def two_spheres() -> Surface:
    (one, faces), (two, more) = sphere(4), sphere(3, (1.8, 0.1, 0.0))
    return torch.cat([one, two]), torch.cat([faces, more + len(one)])


def fin() -> Surface:
    """A vertex of three faces drawn far out through the opposite side."""
    vertices, faces = sphere(3)
    a, b, c = faces[0].tolist()
    n = len(vertices)
    tip = -3 * vertices[[a, b, c]].mean(0, keepdim=True)
    fan = torch.tensor([[a, b, n], [b, c, n], [c, a, n]], dtype=faces.dtype)
    return torch.cat([vertices, tip]), torch.cat([faces[1:], fan])


CASES = {
    "noise": noisy_sphere,
    "bent": lambda: dumbbell(0.4),
    "inside out": lambda: plate(2.5),
    "two parts": two_spheres,
    "fin": fin,
}


def solved(surface: Surface) -> tuple[Untangled, Topology]:
    result = untangle(*surface)
    return result, topology(result.vertices, result.faces)


@pytest.mark.parametrize("name", CASES)
def test_nothing_crosses_and_the_kind_of_surface_stays(name: str) -> None:
    surface = CASES[name]()
    before = topology(*surface)
    result, after = solved(surface)
    assert result.crossing_before == before.self_intersecting_faces > 4
    assert result.folded_before == before.flipped_faces
    assert result.crossing_after == after.self_intersecting_faces == 0
    assert result.folded_after == after.flipped_faces == 0
    assert (after.closed, after.manifold, after.oriented) == (True, True, True)
    assert (after.euler, after.components) == (before.euler, before.components)
    assert after.volume > 0


def test_noise_is_hardly_felt() -> None:
    (vertices, faces), edge = noisy_sphere(), topology(*sphere(4)).edge_median
    moved = (untangle(vertices, faces).vertices - vertices).norm(dim=1)
    assert moved.mean() < 0.4 * edge
    assert moved.max() < 3 * edge


def test_only_the_neighbourhood_moves() -> None:
    vertices, faces = plate(2.5)
    result = untangle(vertices, faces)
    far = vertices[:, :2].norm(dim=1) > 0.7
    assert torch.equal(result.vertices[far], vertices[far])
    assert not torch.equal(result.vertices, vertices)


def test_parts_are_pushed_apart_not_shrunk() -> None:
    before, (_, after) = topology(*two_spheres()), solved(two_spheres())
    assert after.volume > 0.97 * before.volume


def test_sides_that_passed_each_other_change_back() -> None:
    """The signed volume of what is inside out is negative: it grows."""
    before, (_, after) = topology(*plate(2.5)), solved(plate(2.5))
    assert after.volume > 1.2 * before.volume


def test_clean_mesh_is_returned_as_it_is() -> None:
    vertices, faces = sphere()
    attributes = torch.rand(len(vertices), 2)
    result = untangle(vertices, faces, attributes)
    assert result.vertices is vertices
    assert result.faces is faces
    assert result.attributes is attributes
    assert result.rounds == result.crossing_before == result.crossing_after == 0


def test_input_is_not_changed_and_the_result_is_repeatable() -> None:
    vertices, faces = noisy_sphere()
    copy = vertices.clone()
    one, two = untangle(vertices, faces), untangle(vertices, faces)
    assert torch.equal(vertices, copy)
    assert torch.equal(one.vertices, two.vertices)
    assert torch.equal(one.faces, two.faces)


@pytest.mark.parametrize(("dtype", "index"), [(torch.float64, torch.int64), (torch.float32, torch.int32)])
def test_types_follow_the_input(dtype: torch.dtype, index: torch.dtype) -> None:
    vertices, faces = noisy_sphere()
    result = untangle(vertices.to(dtype), faces.to(index))
    assert (result.vertices.dtype, result.faces.dtype) == (dtype, index)
    assert result.crossing_after == topology(result.vertices, result.faces).self_intersecting_faces == 0


def test_attributes_stay_with_their_vertices() -> None:
    vertices, faces = noisy_sphere()
    result = untangle(vertices, faces, vertices)
    assert result.attributes is not None
    if len(result.vertices) == len(vertices):
        assert torch.equal(result.attributes, vertices)
    still = (result.vertices == result.attributes).all(1)
    assert still.float().mean() > 0.2


def test_attributes_are_carried_through_collapses() -> None:
    """A fin whose tip lies in the surface, folded flat: smoothing cannot open it."""
    vertices, faces = fin()
    a, b, c = faces[-3][0], faces[-3][1], faces[-2][1]
    vertices[-1] = (1.4 * vertices[a] + 1.4 * vertices[b] - 1.8 * vertices[c]) * 0.999
    result = untangle(vertices, faces, vertices, UntangleSettings(stalled=0))
    assert result.attributes is not None
    assert len(result.attributes) == len(result.vertices) < len(vertices)
    assert topology(result.vertices, result.faces).euler == 2
    assert (result.attributes - result.vertices).norm(dim=1).max() < 1.0


def test_few_rounds_never_make_it_worse() -> None:
    vertices, faces = dumbbell(0.36)
    counts = [untangle(vertices, faces, None, UntangleSettings(rounds=n)).crossing_after for n in (0, 1, 3, 100)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == untangle(vertices, faces).crossing_before > counts[-1] == 0


def test_hopeless_input_ends() -> None:
    """A sphere turned inside out and crumpled; everything in one point; no faces at all."""
    vertices, faces = noisy_sphere()
    result = untangle(vertices, faces.flip(1), None, UntangleSettings(rounds=5))
    assert result.crossing_after <= result.crossing_before
    result = untangle(vertices * 0, faces, None, UntangleSettings(rounds=5))
    assert result.crossing_after == 0
    assert untangle(vertices, faces[:0]).crossing_before == 0


def test_quick_settings_keep_the_faces() -> None:
    vertices, faces = noisy_sphere()
    result = untangle(vertices, faces, None, QUICK)
    assert result.faces is faces
    assert result.crossing_after < 0.1 * result.crossing_before
