"""Face budgets are met, downwards without losing the shape and upwards without changing it."""

from __future__ import annotations

import pytest
import torch

from meshopt.errors import InputError
from meshopt.remesh import decimate, refine_to, to_faces
from meshopt.topology import topology


def assert_sound(vertices, faces, genus=0, components=1):
    found = topology(vertices, faces)
    assert (found.closed, found.manifold, found.oriented) == (True, True, True)
    assert (found.genus, found.components, found.vertices) == (genus, components, len(vertices))
    return found


@pytest.mark.parametrize("goal", [4, 30, 200, 901])
def test_decimation_meets_the_budget(sphere, goal):
    vertices, faces, _ = decimate(*sphere, goal)
    found = assert_sound(vertices, faces)
    assert goal - 1 <= found.faces <= goal
    if goal > 100:
        assert found.volume == pytest.approx(topology(*sphere).volume, rel=0.03)
        assert found.self_intersecting_faces == found.flipped_faces == found.degenerate_faces == 0


def test_decimation_keeps_the_hole(torus):
    fine = topology(*torus)
    vertices, faces, _ = decimate(*torus, 300)
    found = assert_sound(vertices, faces, genus=1)
    assert found.faces == 300
    assert found.volume == pytest.approx(fine.volume, rel=0.05)
    vertices, faces, _ = decimate(*torus, 4)
    assert 14 <= assert_sound(vertices, faces, genus=1).faces <= 40  # 14 is the least a torus has


def test_cube_needs_twelve_faces(cube):
    vertices, faces, _ = decimate(*cube, 12)
    found = assert_sound(vertices, faces)
    assert found.faces == 12
    assert found.volume == pytest.approx(1, abs=1e-3)
    assert vertices.abs().sub(0.5).abs().max() < 1e-3


def test_components_stay(two_tetrahedra):
    vertices, faces, _ = decimate(*two_tetrahedra, 4)
    assert_sound(vertices, faces, components=2)


@pytest.mark.parametrize("goal", [1281, 1282, 5000, 20001])
def test_refinement_meets_the_budget_and_keeps_the_surface(sphere, goal):
    before = topology(*sphere)
    vertices, faces, _ = refine_to(*sphere, goal)
    found = assert_sound(vertices, faces)
    assert goal - 1 <= found.faces <= goal
    assert found.volume == pytest.approx(before.volume, rel=1e-3)
    assert found.area == pytest.approx(before.area, rel=1e-3)
    assert found.angle_min > 15
    assert found.edge_max <= before.edge_max


def test_refinement_carries_linear_attributes(cube):
    vertices, faces = cube
    linear = vertices @ torch.tensor([[1.0], [2.0], [3.0]])
    finer, _, carried = refine_to(vertices, faces, 3 * len(faces), linear)
    assert carried is not None
    assert torch.allclose(carried, finer @ torch.tensor([[1.0], [2.0], [3.0]]), atol=1e-5)


def test_decimation_carries_attributes(sphere):
    vertices, faces = sphere
    coarser, _, carried = decimate(vertices, faces, 400, torch.cat([vertices, torch.ones(len(vertices), 1)], dim=1))
    assert carried is not None
    assert (carried[:, 3] == 1).all()
    assert (carried[:, :3] - coarser).norm(dim=1).max() < 0.1


def test_to_faces_goes_both_ways_and_is_repeatable(torus):
    for goal in (500, 3000):
        one, two = to_faces(*torus, goal), to_faces(*torus, goal)
        assert len(one[1]) == goal
        assert torch.equal(one[0], two[0])
        assert torch.equal(one[1], two[1])
    assert torch.equal(to_faces(*torus, len(torus[1]))[1], torus[1])


def test_decimation_can_go_on_when_the_heap_is_full(sphere, monkeypatch):
    from meshopt.remesh import budget

    roomy = decimate(*sphere, 300)
    whole = budget._scratch

    def tight(half, excess):
        cost, item, latest, mark = whole(half, 0)
        size = int((half.corner.reshape(-1, 3)[:, 0] >= 0).sum()) * 3 // 2 + 40
        return cost[:size], item[:size], latest, mark

    monkeypatch.setattr(budget, "_scratch", tight)
    vertices, faces, _ = decimate(*sphere, 300)
    assert len(faces) == len(roomy[1])
    assert_sound(vertices, faces)


def test_impossible_budget_is_refused(sphere):
    with pytest.raises(InputError, match="--faces"):
        decimate(*sphere, 3)
    with pytest.raises(InputError, match="closed"):
        refine_to(sphere[0], sphere[1][1:], 5000)
