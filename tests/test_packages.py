"""Versions and ranges."""

import pytest

from meshopt import packages


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("2.13.0+cpu", "<2.14,>=2.4", True),
        ("2.14.0", "<2.14,>=2.4", False),
        ("2.4", ">=2.4.0", True),
        ("2.3.1", ">=2.4", False),
        ("2.14.0a1", "<2.14", False),
        ("1.0.1", ">1.0", True),
        ("1.0.0", ">1.0", False),
        ("1.0", "<=1.0.0", True),
        ("3.1", "", True),
        ("3.1", "!=3.1", True),  # not looked at
    ],
)
def test_ranges(version: str, wanted: str, fits: bool) -> None:
    assert packages.in_range(version, wanted) == fits


def test_own_requirements() -> None:
    assert ">=" in packages.requirements()["torch"]
    assert set(packages.requirements("matting")) == {"rembg"}
    assert "pytest" not in packages.requirements()
    assert "dev" not in packages.extras()
    assert packages.version("torch") is not None
    assert packages.version("no-such-package-at-all") is None
