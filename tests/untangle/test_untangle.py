"""Untangling: what it promises on surfaces that are tangled on purpose."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from meshopt import parallel
from meshopt.topology import topology
from meshopt.untangle import UntangleSettings, untangle

Surface = tuple[torch.Tensor, torch.Tensor]


def test_nothing_crosses_is_folded_or_open(tangled: Surface) -> None:
    before = topology(*tangled)
    result = untangle(*tangled)
    after = topology(result.vertices, result.faces)
    assert result.crossing_before == before.self_intersecting_faces > 2
    assert result.folded_before == before.flipped_faces
    assert result.crossing_after == after.self_intersecting_faces == 0
    assert result.folded_after == after.flipped_faces == 0
    assert (after.closed, after.manifold, after.oriented) == (True, True, True)
    assert after.degenerate_faces == 0
    assert after.volume > 0
    if not result.cuts:
        assert (after.euler, after.components) == (before.euler, before.components)


def test_no_edge_passes_through_any_face(shapes: SimpleNamespace) -> None:
    """All edges against all faces, by the signs of the volumes they span."""
    surface = shapes.together(shapes.sphere(2), shapes.sphere(2, (0.7, 0.2, 0.1)))
    assert pierced(*surface) > 20
    for settings in (UntangleSettings(), UntangleSettings(rounds=0, mending=0)):
        result = untangle(*surface, settings)
        assert (result.cuts > 0) == (settings.rounds == 0)
        assert pierced(result.vertices, result.faces) == 0


def pierced(vertices: torch.Tensor, faces: torch.Tensor) -> int:
    """Pairs of an edge and a face without a common vertex, where the one passes through the other."""
    points, index = vertices.double(), faces.long()
    edges = torch.cat([index[:, [0, 1]], index[:, [1, 2]], index[:, [2, 0]]])
    edges = edges[edges[:, 0] < edges[:, 1]]  # of a closed surface
    apart = (edges[:, None, :, None] != index[None, :, None, :]).all(-1).all(-1)
    p, q = (points[edges[:, k]][:, None] for k in range(2))
    a, b, c = (points[index[:, k]][None] for k in range(3))

    def volume(*corners: torch.Tensor) -> torch.Tensor:
        one, two, three = (corner - corners[0] for corner in corners[1:])
        return (torch.linalg.cross(one, two) * three).sum(-1)

    sides = torch.stack([volume(p, q, a, b), volume(p, q, b, c), volume(p, q, c, a)]).sign()
    between = volume(a, b, c, p) * volume(a, b, c, q) < 0
    return int((apart & between & (sides.sum(0).abs() == 3)).sum())


def test_hard_cases_need_cuts(hard: Surface) -> None:
    """Else they would test nothing."""
    assert untangle(*hard, UntangleSettings(cuts=0)).crossing_after > 0


@pytest.mark.parametrize("levels", [2, 3])
def test_a_crumpled_cap_is_no_excuse(shapes: SimpleNamespace, levels: int) -> None:
    vertices, faces = shapes.crumpled(levels, 0.3)
    result = untangle(vertices, faces)
    after = topology(result.vertices, result.faces)
    assert (after.closed, after.manifold, after.oriented) == (True, True, True)
    assert after.self_intersecting_faces == after.flipped_faces == 0
    assert 2 < after.volume < 4.2


def test_noise_is_hardly_felt(shapes: SimpleNamespace) -> None:
    (vertices, faces), edge = shapes.noisy_sphere(), topology(*shapes.sphere(4)).edge_median
    moved = (untangle(vertices, faces).vertices - vertices).norm(dim=1)
    assert moved.mean() < 0.4 * edge
    assert moved.max() < 3 * edge


def test_only_the_neighbourhood_moves(shapes: SimpleNamespace) -> None:
    vertices, faces = shapes.plate(2.5)
    result = untangle(vertices, faces)
    far = vertices[:, :2].norm(dim=1) > 0.7
    assert torch.equal(result.vertices[far], vertices[far])
    assert not torch.equal(result.vertices, vertices)


def test_parts_are_pushed_apart_not_shrunk(shapes: SimpleNamespace) -> None:
    surface = shapes.together(shapes.sphere(4), shapes.sphere(3, (1.8, 0.1, 0.0)))
    result = untangle(*surface)
    assert topology(result.vertices, result.faces).volume > 0.97 * topology(*surface).volume


def test_parts_deep_in_each_other_lose_what_they_share(shapes: SimpleNamespace) -> None:
    """Two unit spheres, 0.8 apart, share pi (4 + d) (2 - d)^2 / 12."""
    surface = shapes.together(shapes.sphere(4), shapes.sphere(4, (0.8, 0.0, 0.0)))
    result = untangle(*surface)
    shared = 3.1416 * 4.8 * 1.2**2 / 12
    after = topology(result.vertices, result.faces)
    assert after.components == 2
    assert after.volume == pytest.approx(topology(*surface).volume - shared, rel=0.05)


def test_sides_that_passed_each_other_change_back(shapes: SimpleNamespace) -> None:
    """The signed volume of what is inside out is negative: it grows."""
    surface = shapes.plate(2.5)
    result = untangle(*surface)
    assert topology(result.vertices, result.faces).volume > 1.2 * topology(*surface).volume


def test_a_speck_in_the_surface_goes(shapes: SimpleNamespace) -> None:
    speck = shapes.inside_out(shapes.sphere(1, (0.0, 0.1, 1.0), 0.05))
    result = untangle(*shapes.together(shapes.sphere(4), speck))
    after = topology(result.vertices, result.faces)
    assert (after.components, after.genus) == (1, 0)
    assert after.volume == pytest.approx(topology(*shapes.sphere(4)).volume, rel=1e-3)


def test_clean_mesh_is_returned_as_it_is(shapes: SimpleNamespace) -> None:
    vertices, faces = shapes.sphere()
    result = untangle(vertices, faces)
    assert result.vertices is vertices
    assert result.faces is faces
    assert result.rounds == result.cuts == result.crossing_before == result.crossing_after == 0


@pytest.mark.parametrize("size", [0.0, 1e-4])
def test_components_without_area_are_dropped(shapes: SimpleNamespace, size: float) -> None:
    vertices, faces = shapes.sphere()
    result = untangle(*shapes.together(shapes.sphere(0, (2.0, 0.0, 0.0), size), (vertices, faces)))
    assert torch.equal(result.vertices, vertices)
    assert torch.equal(result.faces, faces)


def test_input_is_not_changed_and_threads_do_not_matter(shapes: SimpleNamespace) -> None:
    vertices, faces = shapes.dumbbell(0.4)
    copy = vertices.clone()
    with parallel.limit(1):
        one = untangle(vertices, faces)
    with parallel.limit(2):
        two = untangle(vertices, faces)
    assert one.cuts > 0
    assert torch.equal(vertices, copy)
    assert torch.equal(one.vertices, two.vertices)
    assert torch.equal(one.faces, two.faces)


@pytest.mark.parametrize(("dtype", "index"), [(torch.float64, torch.int64), (torch.float32, torch.int32)])
def test_types_follow_the_input(shapes: SimpleNamespace, dtype: torch.dtype, index: torch.dtype) -> None:
    vertices, faces = shapes.together(shapes.sphere(3), shapes.sphere(3, (0.7, 0.0, 0.0)))
    result = untangle(vertices.to(dtype), faces.to(index))
    assert result.cuts > 0
    assert (result.vertices.dtype, result.faces.dtype) == (dtype, index)
    assert result.crossing_after == topology(result.vertices, result.faces).self_intersecting_faces == 0


def test_hopeless_input_ends(shapes: SimpleNamespace) -> None:
    """A sphere inside out; vertices anywhere; everything in one point; no faces at all."""
    vertices, faces = shapes.noisy_sphere()
    assert untangle(vertices, faces.flip(1)).crossing_after == 0
    anywhere = torch.rand(shapes.sphere(2)[0].shape, generator=torch.Generator().manual_seed(0))
    result = untangle(anywhere, shapes.sphere(2)[1])
    assert result.crossing_after <= result.crossing_before
    assert untangle(vertices * 0, faces).crossing_after == 0
    assert untangle(vertices, faces[:0]).crossing_before == 0
