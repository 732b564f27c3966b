"""The mechanism behind the settings, on a small tree of its own."""

from __future__ import annotations

from typing import Literal

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from meshopt.errors import InputError
from meshopt.settings import Override, Settings, build, closest, dump, keys, merged


class Inner(Settings):
    """The inside."""

    rate: float = Field(0.1, gt=0, le=10)
    """Step, in scene units."""
    steps: tuple[int, ...] = (1, 2)
    """Counts."""
    mode: Literal["auto"] | int = "auto"
    """auto or a number."""
    name: str | None = None
    """Any text."""
    wide: bool = False
    """Yes or no."""

    @model_validator(mode="after")
    def _ordered(self) -> Inner:
        if list(self.steps) != sorted(self.steps):
            raise ValueError("steps must not fall")
        return self


class Outer(Settings):
    """The outside."""

    count: int = Field(5, ge=1, le=100)
    """How many."""
    inner: Inner = Inner()


def _built(*overrides: str) -> Outer:
    return build(Outer, [Override.parse(text).layer for text in overrides])


def _message(*overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        _built(*overrides)
    return str(caught.value)


def test_keys_are_dotted() -> None:
    assert list(keys(Outer))[:3] == ["count", "inner", "inner.rate"]


def test_values_are_yaml() -> None:
    built = _built("inner.rate=1e-3", "inner.steps=[3, 4]", "inner.mode=7", "inner.wide=true", "inner.name=a=b")
    assert built.inner == Inner(rate=1e-3, steps=(3, 4), mode=7, wide=True, name="a=b")


def test_later_layers_win_and_sections_are_merged() -> None:
    built = _built("inner={rate: 2}", "inner.wide=true", "inner.rate=3")
    assert (built.inner.rate, built.inner.wide) == (3, True)
    assert merged({"a": {"b": 1}}, {"a": None}) == {"a": {"b": 1}}


def test_types_are_not_stretched() -> None:
    assert "expected a whole number" in _message("count=true")
    assert "expected a whole number" in _message("count='5'")
    assert "expected a number" in _message("inner.rate=fast")
    assert "expected true or false" in _message("inner.wide=1")
    assert "expected a text" in _message("inner.name=1")
    assert "expected a list" in _message("inner.steps=3")


def test_messages_name_origin_key_found_and_expected() -> None:
    message = _message("inner.rate=-1")
    assert message == "--set inner.rate=-1: setting 'inner.rate' is -1, expected a number greater than 0"
    assert _message("inner.steps=[1, x]").startswith("--set inner.steps=[1, x]: setting 'inner.steps.1' is \"x\"")


def test_branches_of_a_union_are_one_setting() -> None:
    message = _message("inner.mode=aut")
    assert "'inner.mode' is \"aut\"" in message
    assert "did you mean 'auto'?" in message


def test_rules_between_settings_are_told() -> None:
    assert _message("inner.steps=[2, 1]").endswith("setting 'inner': steps must not fall")


@pytest.mark.parametrize(
    ("wrong", "right"), [("iner.rate", "inner.rate"), ("inner.rat", "inner.rate"), ("rate", "inner.rate")]
)
def test_unknown_keys_get_the_nearest(wrong: str, right: str) -> None:
    assert f"unknown setting '{wrong}', did you mean '{right}'?" in _message(f"{wrong}=1")


def test_far_off_keys_get_the_choice() -> None:
    assert "expected one of: count, inner" in _message("zzzzzz=1")
    assert closest("zzzzzz", ["count"]) == ""


@pytest.mark.parametrize("text", ["count", "=3", " =3", "count 3"])
def test_override_needs_key_and_value(text: str) -> None:
    with pytest.raises(InputError, match="expected key=value"):
        Override.parse(text)


def test_flag_is_named_instead_of_set() -> None:
    with pytest.raises(InputError, match=r"^--count: setting 'count' is 0"):
        build(Outer, [Override("count", 0, "--count").layer])


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Outer().count = 3  # type: ignore[misc]


@example(count=1, rate=1.0, name="\x85", mode="auto")
@example(count=1, rate=1.0, name="a\u2028 \u2029b", mode="auto")
@given(
    count=st.integers(1, 100),
    rate=st.floats(0, 10, exclude_min=True, allow_subnormal=True),
    name=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    mode=st.just("auto") | st.integers(-(10**9), 10**9),
)
def test_dump_gives_the_same_settings(count: int, rate: float, name: str | None, mode: str | int) -> None:
    settings = Outer(count=count, inner=Inner(rate=rate, name=name, mode=mode))  # type: ignore[arg-type]
    text = dump(settings)
    assert build(Outer, [("text", yaml.safe_load(text))]) == settings


def test_dump_documents_every_setting() -> None:
    text = dump(Outer())
    assert "# How many. [>= 1, <= 100]\ncount: 5\n" in text
    assert "# The inside.\ninner:\n  # Step, in scene units. [> 0, <= 10]\n  rate: 0.1\n" in text
