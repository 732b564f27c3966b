"""Versions and ranges."""

from pathlib import Path
from types import SimpleNamespace

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


@pytest.mark.parametrize(
    ("said", "build"),
    [
        ("cuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n", "CUDA 13.0"),
        ("cuda: Optional[str] = None\nhip: Optional[str] = '6.4.43482-0f2d60242'\n", "ROCm 6.4.43482-0f2d60242"),
        ("cuda = None\nhip = None\n", "CPU"),
        ("", "CPU"),
    ],
)
def test_build_of_torch_without_importing_it(
    said: str, build: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "version.py").write_text(said)
    monkeypatch.setattr(packages, "find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / "__init__.py")))
    assert packages.torch_build() == build
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    assert packages.torch_build() is None


def test_own_requirements() -> None:
    assert ">=" in packages.requirements()["torch"]
    assert set(packages.requirements("matting")) == {"rembg"}
    assert "pytest" not in packages.requirements()
    assert "dev" not in packages.extras()
    assert packages.version("torch") is not None
    assert packages.version("no-such-package-at-all") is None
