"""Knowing beforehand whether kernels will be compiled."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

from meshopt.compilation import compiled_share

SOURCE = """
from math import sqrt
from numba import njit

@njit(cache=True)
def double(x):
    return 2 * x

@njit(cache=True)
def triple(x):
    return 3 * x
"""
NAME = "meshopt.some_kernels"


@pytest.fixture
def kernels(tmp_path: Path) -> ModuleType:
    """A module of two kernels."""
    spec = importlib.util.spec_from_file_location(NAME, tmp_path / "some_kernels.py")
    assert spec is not None
    assert spec.loader is not None
    (tmp_path / "some_kernels.py").write_text(SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_share_grows_as_kernels_are_compiled(kernels: ModuleType) -> None:
    assert compiled_share({NAME: kernels}) == 0.0
    assert kernels.double(2) == 4
    assert compiled_share({NAME: kernels}) == 0.5
    assert kernels.triple(2) == 6
    assert compiled_share({NAME: kernels}) == 1.0


def test_newer_source_counts_as_not_compiled(kernels: ModuleType) -> None:
    kernels.double(2)
    kernels.triple(2)
    assert kernels.__file__ is not None
    os.utime(kernels.__file__, (2**31, 2**31))
    assert compiled_share({NAME: kernels}) == 0.0


def test_modules_without_kernels_do_not_count(kernels: ModuleType) -> None:
    assert compiled_share({}) == 1.0
    assert compiled_share({"meshopt.other": kernels, "other.some_kernels": kernels}) == 1.0
    assert 0.0 <= compiled_share() <= 1.0
