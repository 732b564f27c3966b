"""What pictures show: a repeated front is found, true symmetry is not; gains and offsets are measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from meshopt.config import ContentChecks
from meshopt.consistency.colour_offsets import offsets
from meshopt.consistency.content import (
    SurfaceColours,
    check_content,
    colour_gains,
    gain_findings,
)
from meshopt.consistency.observation import observe
from meshopt.consistency.repeats import likeness, partners, picture, repeats
from meshopt.evaluate import corrupt
from meshopt.views import ViewSet

RIGS = ["unique3d", "wonder3d", "zero123plus"]


def found(views: ViewSet) -> set[tuple[str, tuple[str, ...]]]:
    return {
        (f.code, f.views) for f in check_content(views, observe(views), ContentChecks(), None) if f.severity != "note"
    }


@pytest.mark.parametrize("rig", RIGS)
def test_clean_views_have_no_findings(scenery, rig: str) -> None:
    assert found(scenery.figure(rig)) == set()


@pytest.mark.parametrize("rig", RIGS)
def test_symmetric_object_repeats_itself_in_truth(scenery, rig: str) -> None:
    observations = observe(scenery.vase(rig))
    same_height = [r for r in repeats(observations) if observations[r.view].camera.elevation == pytest.approx(0)]
    if rig == "unique3d":
        assert max(r.likeness for r in same_height) > 0.95
        assert min(r.expected for r in same_height) > 0.95
    assert not {code for code, _ in found(scenery.vase(rig))} & {"janus"}


@pytest.mark.parametrize("rig", RIGS)
@pytest.mark.parametrize("kind", ["janus", "janus_side"])
def test_repeated_front_is_found_where_it_is(scenery, rig: str, kind: str) -> None:
    damaged = corrupt(scenery.figure(rig), kind, seed=1)
    assert found(damaged.views) == {("janus", damaged.truth.views)}
    (finding,) = [
        f for f in check_content(damaged.views, observe(damaged.views), ContentChecks(), None) if f.code == "janus"
    ]
    truth = damaged.truth.parameters[damaged.truth.views[0]]
    assert finding.severity == "inconsistent"
    assert finding.details["mirrored"] == truth["mirrored"]
    assert finding.details["picture_of"] == truth["picture_of"]


def test_repeat_is_found_without_colours(scenery) -> None:
    damaged = corrupt(replace(scenery.figure("wonder3d"), rgb=None), "janus", seed=0)
    assert found(damaged.views) == {("janus", damaged.truth.views)}


def test_symmetry_is_tested_on_the_other_views(scenery) -> None:
    observations = observe(scenery.figure("unique3d"))
    assert partners(observations, 0, 2, True) == [(1, 1), (3, 3)]  # front as back mirrored: sides mirror themselves
    assert partners(observations, 0, 2, False) == [(1, 3), (3, 1)]
    assert partners(observations, 0, 1, False) == [(1, 2), (2, 3), (3, 0)]


def test_likeness_of_a_picture_is_one_with_itself_and_survives_mirroring(scenery) -> None:
    one, two = (picture(o) for o in observe(scenery.figure("unique3d"))[:2])
    assert likeness(one, one) == pytest.approx(1, abs=1e-5)
    assert likeness(one, two) < 0.5
    assert likeness(one.mirrored(), two.mirrored()) == pytest.approx(likeness(one, two), abs=1e-4)


def test_gains_are_those_applied() -> None:
    random = np.random.default_rng(0)
    surface = random.uniform(0.2, 0.7, (600, 3))
    weight = (random.random((5, 600)) < 0.4).astype(float)
    values = surface * (1 + 0.03 * random.standard_normal((5, 600, 3)))
    values[3] *= [1.15, 0.9, 1.0]
    gains = colour_gains(SurfaceColours(values, weight))
    assert [gain.view for gain in gains] == list(range(5))
    for gain in gains:
        expected = (15, -10, 0) if gain.view == 3 else (0, 0, 0)
        assert gain.percent == pytest.approx(expected, abs=2)
    names = [f"v{i}" for i in range(5)]
    (finding,) = gain_findings(gains, names, ContentChecks())
    assert (finding.code, finding.views) == ("colour_shift", ("v3",))


def test_views_that_share_no_points_have_no_gains() -> None:
    weight = np.eye(3).repeat(50, axis=1)
    assert colour_gains(SurfaceColours(np.full((3, 150, 3), 0.5), weight)) == []


def drawn(views: ViewSet) -> ViewSet:
    """With colours that have edges where the normals have."""
    light = torch.tensor([0.5, 0.6, 0.62])
    shade = (views.normals @ light).clamp(0, 1)[..., None].expand(-1, -1, -1, 3)
    return replace(views, rgb=shade.contiguous())


def test_normals_on_their_colours_stay_there(scenery) -> None:
    _, together = offsets(observe(drawn(scenery.figure("wonder3d"))))
    assert together.length < 0.4
    assert together.likeness > 0.2


@pytest.mark.parametrize(("right", "down"), [(6, 0), (-3, 5)])
def test_offset_of_all_normals_is_measured(scenery, right: int, down: int) -> None:
    views = drawn(scenery.figure("wonder3d"))
    normals = torch.roll(views.normals, (down, right), (1, 2))
    inside = torch.from_numpy(np.abs(normals.numpy()).max(-1) > 0) & (views.masks > 0)
    moved = replace(views, normals=normals * inside[..., None], masks=views.masks * inside)
    _, together = offsets(observe(moved))
    percent = 100 / views.resolution[1]
    assert together.shift == pytest.approx((right * percent, down * percent), abs=0.5)
    codes = {f.code: f for f in check_content(moved, observe(moved), ContentChecks(), None)}
    assert codes["normals_off_rgb"].severity == "suspect"
    assert len(codes["normals_off_rgb"].views) == len(views)


def test_no_offset_without_colours(scenery) -> None:
    assert offsets(observe(replace(scenery.figure("unique3d"), rgb=None))) == ([], None)
