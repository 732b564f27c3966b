"""What the words of the command line stand for."""

from __future__ import annotations

import pytest
import torch

from meshopt.ablation.objects import Subject
from meshopt.ablation.plan import (
    Damage,
    Input,
    corrupted,
    parse_damages,
    parse_variation,
    slug,
    toggled,
    variants,
)
from meshopt.config import load_config
from meshopt.errors import InputError
from meshopt.evaluate.corruptions import corrupt


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("rotate=5,10", ["rotate 5", "rotate 10"]),
        ("rotate", ["rotate 10"]),  # its usual strength
        ("mirrored", ["mirrored"]),
        ("noise=5,10+blur=2,4", ["noise 5 + blur 2", "noise 10 + blur 4"]),
        ("noise=5,10+mirrored", ["noise 5 + mirrored", "noise 10 + mirrored"]),
        ("noise=5+misplaced=1,2,3", ["noise 5 + misplaced 1", "noise 5 + misplaced 2", "noise 5 + misplaced 3"]),
    ],
)
def test_damages(text: str, labels: list[str]) -> None:
    assert [Input("corrupted", chain, 1).label for chain in parse_damages(text)] == labels


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rotat=5", "did you mean rotate"),
        ("rotate=", "no number"),
        ("rotate=5,x", "'x' is no number"),
        ("rotate=500", "out of range: expected 0 to 180"),
        ("mirrored=2", "has no strength"),
        ("noise=1,2+rotate=1,2,3", "different numbers of strengths"),
    ],
)
def test_wrong_damages(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        parse_damages(text)


def test_every_damage_with_every_seed() -> None:
    found = corrupted([(Damage("rotate", 5.0),), (Damage("mirrored"),)], 2)
    assert [(one.label, one.seed) for one in found] == [
        ("rotate 5", 1),
        ("rotate 5", 2),
        ("mirrored", 1),
        ("mirrored", 2),
    ]
    assert [one.strength for one in found[1:3]] == ["5", "-"]


def test_a_chain_does_one_damage_after_the_other(subject: Subject) -> None:
    views = Input("corrupted", (Damage("rotate", 20.0), Damage("noise", 5.0)), 3).of(subject.reference, None)
    first = corrupt(subject.reference, "rotate", 20.0, seed=3).views
    assert torch.equal(views.normals, corrupt(first, "noise", 5.0, seed=3).views.normals)
    assert not torch.equal(views.normals, first.normals)


def test_undamaged_inputs_are_as_they_are(subject: Subject) -> None:
    assert Input("reference").of(subject.reference, subject.generated) is subject.reference
    assert Input("generated").of(subject.reference, subject.generated) is subject.generated


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("optimize.normal_weight=0.5,1,2", "optimize.normal_weight", (0.5, 1, 2)),
        ("check.correct=true,false", "check.correct", (True, False)),
        ("quality=fast,best", "quality", ("fast", "best")),
        ("evaluate.thresholds=[0.5],[1, 2]", "evaluate.thresholds", ([0.5], [1, 2])),
        ("seed=1,1,2", "seed", (1, 2)),  # each once
    ],
)
def test_variations(text: str, key: str, values: tuple[object, ...]) -> None:
    assert parse_variation(text) == (key, values)


@pytest.mark.parametrize("text", ["optimize.normal_weight", "=1", "seed=", "seed=[1"])
def test_wrong_variations(text: str) -> None:
    with pytest.raises(InputError, match="--vary"):
        parse_variation(text)


def test_toggles_are_settings() -> None:
    config = load_config(None, ["optimize.robustness=0.4"])
    assert toggled("corrections", config) == ("check.correct", (True, False))
    assert toggled("robust", config) == ("optimize.robustness", (0.4, 2.0))
    with pytest.raises(InputError, match="expected corrections or robust"):
        toggled("robustness", config)


def test_variants_are_all_combinations_over_what_is_given() -> None:
    found = variants(None, ["quality=fast"], [("check.correct", (True, False)), ("seed", (1, 2))])
    assert [variant.label for variant in found] == [
        "check.correct=true, seed=1", "check.correct=true, seed=2",
        "check.correct=false, seed=1", "check.correct=false, seed=2",
    ]  # fmt: skip
    assert [(v.config.check.correct, v.config.seed) for v in found] == [(True, 1), (True, 2), (False, 1), (False, 2)]
    assert {v.config.quality for v in found} == {"fast"}


def test_without_variations_there_is_one_variant() -> None:
    (only,) = variants(None, [], [])
    assert (only.label, only.varied) == ("", ())


@pytest.mark.parametrize(
    ("variations", "sentence"),
    [
        ([("seed", (1,)), ("seed", (2,))], "varied twice"),
        ([("views.normal_frame", ("camera", "world"))], "views are read once"),
        ([("optimize.normal_wieght", (1, 2))], "did you mean 'optimize.normal_weight'"),
        ([("optimize.normal_weight", (1, -2))], "--vary optimize.normal_weight=-2"),
    ],
)
def test_wrong_variants(variations: list[tuple[str, tuple[object, ...]]], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        variants(None, [], variations)


def test_names_of_files() -> None:
    assert (
        slug("my/ object", "noise 5+blur 2", "", "../check.correct=false")
        == "my-object_noise-5+blur-2_check.correct=false"
    )
