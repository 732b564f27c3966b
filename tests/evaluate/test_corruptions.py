"""What holds for damage of every kind."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from meshopt.errors import InputError
from meshopt.evaluate import KINDS, corrupt


def test_the_documentation_lists_every_kind_with_its_range() -> None:
    text = (Path(__file__).parents[2] / "docs" / "ablate.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.*?) ?\|$", text, re.MULTILINE)
    assert [row for row in rows if row[0] in KINDS] == [
        (name, kind.description, f"{kind.strength:g} {kind.unit}, {kind.low:g} to {kind.high:g}" if kind.unit else "")
        for name, kind in KINDS.items()
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_named_views_change_and_stay_valid(eggs, kind) -> None:
    before = [t.clone() for t in (eggs.normals, eggs.masks, eggs.rgb)]
    damaged, truth = (found := corrupt(eggs, kind, seed=3)).views, found.truth
    for i, camera in enumerate(eggs.cameras):
        same = all(
            torch.equal(getattr(damaged, what)[i], getattr(eggs, what)[i]) for what in ("normals", "masks", "rgb")
        ) and np.array_equal(damaged.cameras[i].world_to_camera, camera.world_to_camera)
        assert same != (camera.name in truth.views)
        assert damaged.cameras[i].name == camera.name
        assert camera.name in truth.views or not (truth.changed[i].any() or truth.degrees[i].any())
    check_pictures(damaged)
    assert all(torch.equal(a, b) for a, b in zip(before, (eggs.normals, eggs.masks, eggs.rgb), strict=True))


def check_pictures(views) -> None:
    """Unit normals, zeros outside the masks, values in range."""
    inside = views.masks > 0
    assert all(t.dtype == torch.float32 for t in (views.normals, views.masks, views.rgb))
    assert (views.normals[inside].norm(dim=-1) - 1).abs().max() < 1e-5
    assert not views.normals[~inside].any()
    assert not views.rgb[~inside].any()
    for values in (views.masks, views.rgb):
        assert values.min() >= 0
        assert values.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_truth_measures_what_was_done(egg, degrees, kind) -> None:
    damaged, truth = (found := corrupt(egg, kind, seed=2)).views, found.truth
    both = ((egg.masks > 0) & (damaged.masks > 0)).numpy()
    angle = degrees(egg.normals.numpy(), damaged.normals.numpy())
    assert truth.degrees.dtype == np.float32
    np.testing.assert_allclose(truth.degrees[both], angle[both], atol=0.02)
    assert not truth.degrees[~both].any()
    mask_change = (egg.masks - damaged.masks).abs().numpy()
    colour_change = (egg.rgb - damaged.rgb).abs().amax(-1).numpy()
    expected = (angle * both > 0.12) | (mask_change > 0.021) | (colour_change > 0.021)
    assert truth.changed[expected].all()
    assert not truth.changed[(angle * both < 0.08) & (mask_change < 0.019) & (colour_change < 0.019)].any()
    assert truth.changed.any()
    assert 0 < truth.effect <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_bytes_and_plain_truth(egg, kind) -> None:
    one, two = corrupt(egg, kind, seed=5), corrupt(egg, kind, seed=5)
    for what in ("normals", "masks", "rgb"):
        assert torch.equal(getattr(one.views, what), getattr(two.views, what))
    assert one.truth.as_plain() == two.truth.as_plain()
    plain = json.loads(json.dumps(one.truth.as_plain()))
    assert (plain["kind"], plain["seed"]) == (kind, 5)
    assert (plain["unit"], plain["strength"]) == (KINDS[kind].unit, KINDS[kind].strength)
    assert plain["views"] == list(plain["parameters"]) == list(one.truth.views)
    assert all(plain["parameters"].values())


def test_seeds_differ_and_kinds_are_independent(egg) -> None:
    rotations = [corrupt(egg, "rotate", seed=s).truth for s in range(12)]
    axes = {tuple(next(iter(t.parameters.values()))["axis"]) for t in rotations}
    assert len(axes) == 12
    assert len({t.views for t in rotations}) > 2
    assert all(t.views != (egg.cameras[0].name,) for t in rotations)
    assert [t.views for t in rotations] != [corrupt(egg, "zoom", seed=s).truth.views for s in range(12)]


@pytest.mark.parametrize("kind", [k for k, spec in KINDS.items() if not spec.several])
def test_the_view_can_be_named(egg, kind) -> None:
    truth = corrupt(egg, kind, view="left", seed=4).truth
    assert "left" in truth.views
    assert len(truth.views) == (2 if kind.startswith("swapped") else 1)


def test_naming_the_drawn_view_changes_nothing(egg) -> None:
    drawn = corrupt(egg, "patch", seed=8)
    named = corrupt(egg, "patch", seed=8, view=drawn.truth.views[0])
    assert torch.equal(drawn.views.normals, named.views.normals)


@pytest.mark.parametrize("kind", [k for k, spec in KINDS.items() if spec.low == 0 and spec.strength])
def test_no_strength_no_damage(egg, kind) -> None:
    found = corrupt(egg, kind, 0)
    assert found.truth.effect < 1e-5
    assert not found.truth.changed.any()


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "color"])
def test_without_colours_and_with_an_empty_view(egg, kind) -> None:
    masks, normals = egg.masks.clone(), egg.normals.clone()
    masks[2], normals[2] = 0, 0
    views = replace(egg, masks=masks, normals=normals, rgb=None)
    for view in [None] if KINDS[kind].several else ["right", "back"]:
        found = corrupt(views, kind, view=view)
        assert found.views.rgb is None
        assert bool(torch.isfinite(found.views.normals).all())
        assert np.isfinite(found.truth.effect)


def test_other_types_and_resolutions(egg) -> None:
    views = egg.to("cpu", torch.float64)
    found = corrupt(views, "rotate", seed=3)
    assert found.views.normals.dtype == torch.float64
    assert torch.allclose(found.views.normals.float(), corrupt(egg, "rotate", seed=3).views.normals, atol=1e-6)
    wide = replace(egg, **{k: getattr(egg, k)[:, 8:-8].contiguous() for k in ("normals", "masks", "rgb")})
    for kind in KINDS:
        assert corrupt(wide, kind).views.masks.shape == wide.masks.shape


def test_stronger_is_more(egg) -> None:
    for kind, strengths in {
        "rotate": (5, 10, 20),
        "noise": (5, 10, 20),
        "zoom": (2, 4, 8),
        "shift": (1, 2, 4),
        "blur": (2, 4, 8),
        "lowres": (64, 32, 8),
        "jpeg": (90, 40, 5),
        "color": (5, 15, 30),
        "elevation": (2, 5, 10),
    }.items():
        effects = [corrupt(egg, kind, s, seed=1).truth.effect for s in strengths]
        assert effects == sorted(effects), kind


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("mirored", {}, "did you mean mirrored"),
        ("rotate", {"view": "top"}, "no view 'top'.*front_right"),
        ("rotate", {"strength": 200}, "200 is out of range: expected 0 to 180 degrees"),
        ("rotate", {"strength": float("nan")}, "out of range"),
        ("mirrored", {"strength": 3}, "no strength"),
        ("noise", {"view": "back"}, "takes no view"),
        ("patch", {"area": 0}, "area 0"),
        ("janus", {"view": "front"}, "is the front view"),
    ],
)
def test_refusals(egg, kind, options, message) -> None:
    with pytest.raises(InputError, match=message):
        corrupt(egg, kind, **options)


def test_refusals_of_view_sets(egg) -> None:
    single = replace(egg, cameras=egg.cameras[:1], normals=egg.normals[:1], masks=egg.masks[:1], rgb=egg.rgb[:1])
    for kind in ("swapped", "swapped_camera", "order", "janus", "rotate_all", "misplaced"):
        with pytest.raises(InputError, match="needs 2 views"):
            corrupt(single, kind)
    assert corrupt(single, "rotate").truth.views == ("front",)
    with pytest.raises(InputError, match="--views"):
        corrupt(replace(egg, rgb=None), "color")
