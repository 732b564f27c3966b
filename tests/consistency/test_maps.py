"""Maps of disagreement: small where views agree, the turn where one does not, NaN where nobody else looks."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from meshopt.cameras import Camera
from meshopt.consistency.corrections import Turned
from meshopt.consistency.maps import disagreement_maps, shown_by_others
from meshopt.consistency.surface import CLEAR, SharedPoints, reduced, shared_points
from meshopt.consistency.turns import rotation
from meshopt.mesh import Mesh
from meshopt.rigs import load_rig
from meshopt.views import ViewSet

BALL = (((0.0, 0.0, 0.0), (0.7, 0.7, 0.7)),)
Case = tuple[ViewSet, Mesh, SharedPoints]


@pytest.fixture(scope="module")
def ball(shapes: SimpleNamespace) -> Case:
    return shapes.compared(shapes.of(load_rig("wonder3d").cameras(), BALL, 96))


def test_views_of_a_sphere_agree(ball: Case) -> None:
    views, surface, shared = ball
    maps = disagreement_maps(views, surface, shared)
    assert maps.shape == tuple(views.masks.shape)
    assert np.nanmedian(maps) < 2.0
    assert np.nanquantile(maps, 0.95) < 6.0


def test_what_no_other_view_sees_is_unknown(ball: Case) -> None:
    """Also everything outside the mask; of views a quarter turn apart, most of the object is seen twice."""
    views, surface, shared = ball
    maps = disagreement_maps(views, surface, shared)
    assert np.isnan(maps[views.masks.numpy() <= 0.5]).all()
    assert np.isfinite(maps[views.masks.numpy() > 0.5]).mean() > 0.7
    front = replace(views, cameras=views.cameras[:1], normals=views.normals[:1], masks=views.masks[:1])
    assert np.isnan(disagreement_maps(front, surface, shared_points(front, surface))).all()
    pair = [0, 3]  # front and back see no point both
    both = replace(
        views, cameras=tuple(views.cameras[k] for k in pair), normals=views.normals[pair], masks=views.masks[pair]
    )
    assert np.isnan(disagreement_maps(both, surface, shared_points(both, surface))).all()


def test_one_turned_view_is_so_many_degrees_off(ball: Case) -> None:
    """About its own axis: a normal at the angle t from it moves by about w sin t; the others hardly see it."""
    views, surface, _ = ball
    degrees = 15.0
    axis = views.cameras[2].rotation[2]
    wrong = Turned(2, rotation(np.radians(degrees) * axis)).apply(views)
    maps = disagreement_maps(wrong, surface, shared_points(wrong, surface))
    known = ~np.isnan(maps[2])
    sine = np.linalg.norm(np.cross(wrong.normals[2].double().numpy(), axis), axis=-1)
    expected = np.degrees(2 * np.arcsin(np.sin(np.radians(degrees) / 2) * sine))
    assert np.median(np.abs(maps[2] - expected)[known]) < 2.0
    assert max(np.nanmedian(maps[v]) for v in range(6) if v != 2) < 0.5 * np.nanmedian(maps[2])


def test_shown_by_others_is_the_sphere(ball: Case) -> None:
    """From a place where no view stands."""
    _, surface, shared = ball
    camera = Camera.orbit("above", 20, 35)
    shown = shown_by_others(surface, shared, camera, (64, 64)).double().numpy()
    origins, directions = camera.rays(64, 64)
    b = (origins * directions).sum(-1)
    hit = b * b - (origins * origins).sum(-1) + 0.7**2
    truth = (origins + (-b - np.sqrt(np.maximum(hit, 0)))[..., None] * directions) / 0.7
    seen = (shown[..., 3] > CLEAR) & (hit > 0.02)
    angle = np.degrees(np.arccos(np.clip((shown[..., :3] * truth).sum(-1), -1, 1)))
    assert seen.sum() > 0.5 * (hit > 0).sum()
    assert np.median(angle[seen]) < 2.0
    assert (shown[..., 3][hit < -0.05] == 0).all()


def test_an_outlier_does_not_move_the_consensus(ball: Case) -> None:
    """Of three views at a point, one that is far off counts little."""
    _, surface, shared = ball
    count = len(shared.points)
    good = np.broadcast_to(shared.outward, (2, count, 3))
    bad = shared.outward @ rotation(np.array([0.0, np.radians(50.0), 0.0])).T
    mixed = SharedPoints(shared.points, shared.outward, np.concatenate([good, bad[None]]), np.ones((3, count)))
    camera = Camera.orbit("front", 0)
    alone = SharedPoints(shared.points, shared.outward, good, np.ones((2, count)))
    both = [shown_by_others(surface, one, camera, (48, 48))[..., :3] for one in (mixed, alone)]
    angle = torch.rad2deg(torch.arccos((both[0] * both[1]).sum(-1).clamp(-1, 1)))[both[1].norm(dim=-1) > 0.5]
    assert float(angle.max()) < 8.0  # the mean of the three would be 14 off at the equator


def test_maps_are_of_reduced_views(ball: Case, shapes: SimpleNamespace) -> None:
    views = shapes.of(load_rig("unique3d").cameras(), BALL, 64)
    small = reduced(views, 32)
    _, surface, _ = ball
    assert disagreement_maps(small, surface, shared_points(small, surface)).shape == (4, 32, 32)
