"""Names of assets: folders of the output and nothing else, on any system."""

from __future__ import annotations

import pytest

from meshopt.batch.names import check_name, comparable
from meshopt.errors import InputError


@pytest.mark.parametrize("name", ["chair", "chair_01", "Stuhl mit Lehne", "椅子", "a.b", "x" * 200, "-o", "=1"])
def test_names_of_folders(name: str) -> None:
    check_name(name, "line 1")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("../x", "has a /"),
        ("/etc/passwd", "has a /"),
        ("..", "dot"),
        (".", "dot"),
        (".hidden", "begins with a dot"),
        ("a\\b", "has a \\"),
        ("C:", "has a :"),
        ("a\0b", "control character"),
        ("a\nb", "control character"),
        ("a\u202eb", "control character"),
        ("\ud800", "no Unicode"),
        ("x" * 201, "201 bytes"),
        ("é" * 101, "202 bytes"),
        ("a ", "ends with a space"),
        ("a.", "ends with a dot"),
        ("status.jsonl", "that the batch writes"),
        ("Summary.CSV", "that the batch writes"),
        ("errors", "that the batch writes"),
        ("NUL", "device"),
        ("com1.txt", "device"),
    ],
)
def test_other_names(name: str, reason: str) -> None:
    with pytest.raises(InputError) as error:
        check_name(name, "a.csv, line 3")
    assert str(error.value).startswith("a.csv, line 3: the name ")
    assert reason in str(error.value)
    assert str(error.value).isprintable()


def test_names_that_a_disk_may_take_for_the_same() -> None:
    assert comparable("Chair") == comparable("chair")
    assert comparable("e\u0301") == comparable("\u00e9")
    assert comparable("chair") != comparable("chairs")
