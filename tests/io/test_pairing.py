"""Files find their views: by name first, then by number or order, and never by guessing past a misfit."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshopt.errors import InputError
from meshopt.io.folders import ImageFile, parse_name
from meshopt.io.pairing import assign, numbers_of, short_keys, view_of

SIX = [("front",), ("front_right", "right_front"), ("right",), ("back",), ("left",), ("front_left",)]
NUMBERS = [("000",), ("001",), ("002",)]


def files(*names: str) -> list[ImageFile]:
    return [parse_name(Path(name)) for name in names]


def found(names: list[tuple[str, ...]], *given_names: str) -> tuple[list[str], str]:
    result = assign(files(*given_names), names, "maps", "rig test")
    return [file.path.name for file in result.files], result.rule


@given(
    st.permutations(range(6)),
    st.sampled_from(["{}.png", "rgb_000_{}.png", "color_{}_masked.png", "cat-{}.jpg"]),
)
def test_names_decide_whatever_the_order(order: list[int], form: str) -> None:
    names = [form.format(SIX[i][0]) for i in order]
    assert found(SIX, *names) == ([form.format(view[0]) for view in SIX], "name")


def test_aliases_case_and_extra_files() -> None:
    names = [
        "Front.png",
        "right_front.png",
        "right.png",
        "back.png",
        "left.png",
        "front_left.png",
        "input.png",
    ]
    result = assign(files(*names), SIX, "maps", "rig test")
    assert result.rule == "name"
    assert [file.path.name for file in result.extra] == ["input.png"]


@given(
    st.permutations(range(3)),
    st.integers(0, 1),
    st.sampled_from(["{}.png", "{:03d}.png", "img_{}.png", "cat_{}.png"]),
)
def test_numbers_decide_where_there_are_no_names(order: list[int], start: int, form: str) -> None:
    names = [form.format(i + start) for i in order]
    expected = [form.format(i + start) for i in range(3)]
    for layout in (NUMBERS, [("front",), ("side",), ("back",)]):
        assert found(layout, *names) == (expected, "number")


def test_numbers_with_gaps_go_by_order() -> None:
    assert found(NUMBERS, "30.png", "4.png", "100.png") == (["4.png", "30.png", "100.png"], "order")


def test_meaningless_names_go_by_order() -> None:
    assert found(NUMBERS, "apple.png", "bird.png", "cat.png") == (
        ["apple.png", "bird.png", "cat.png"],
        "order",
    )


def test_common_words_do_not_count() -> None:
    assert short_keys(files("cat_front_0.png", "cat_back_0.png")) == ["front", "back"]
    assert short_keys(files("front.png", "front_left.png")) == ["front", "front_left"]
    assert numbers_of(files("a_1.png", "a_2.png")) == [1, 2]
    assert numbers_of(files("1.png", "front.png")) is None
    assert numbers_of([]) is None


def test_view_of() -> None:
    assert view_of("000_front_right", SIX) == 1
    assert view_of("front_right", SIX) == 1
    assert view_of("007", SIX) is None
    assert view_of("", SIX) is None


@pytest.mark.parametrize(
    ("names", "given_names", "words"),
    [
        (
            SIX,
            ("front.png", "back.png"),
            r"'front_right', 'right', 'left', 'front_left' of rig test has no file",
        ),
        (SIX, ("front.png", "bakc.png"), r"\(and bakc\.png names no view of it\)"),
        (
            SIX,
            ("rgb_0_front.png", "rgb_1_front.png"),
            r"both show view 'front'; expected one file for each view",
        ),
        (NUMBERS, ("0.png", "1.png"), r"found 2 \(0\.png, 1\.png\), but rig test has 3 views"),
        (NUMBERS, tuple(f"{i}.png" for i in range(9)), r"found 9 \(0\.png, .*5\.png, \.\.\.\)"),
        (NUMBERS, ("0.png", "0.jpg", "1.png"), r"0\.png and 0\.jpg have the same number"),
        (NUMBERS, ("apple.png", "bird.png"), "found 2 .* but rig test has 3 views"),
    ],
)
def test_misfits_are_refused(names: list[tuple[str, ...]], given_names: tuple[str, ...], words: str) -> None:
    with pytest.raises(InputError, match=f"^maps: .*{words}"):
        found(names, *given_names)
