"""The scenes that several tests look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def scenes(module_at: Callable[[Path, str], ModuleType]) -> ModuleType:
    """scenes.py beside this file."""
    return module_at(Path(__file__).with_name("scenes.py"), "meshopt_texture_scenes")
