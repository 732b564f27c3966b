"""Run-time checking of shapes and types in all of meshopt, and what several tests share."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from jaxtyping import install_import_hook

ROOT = Path(__file__).parents[1]


def checked_modules() -> list[str]:
    """Every module of meshopt/ but packages and numba's kernels, which the hook would break."""
    files = [f for f in (ROOT / "meshopt").rglob("*.py") if not f.stem.endswith(("kernels", "__init__"))]
    return sorted(".".join(f.relative_to(ROOT).with_suffix("").parts) for f in files)


# before anything imports meshopt
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"  # an int is a float, too
_hook = install_import_hook(checked_modules(), CHECKER)


@pytest.fixture(scope="session")
def accelerator() -> ModuleType:
    """accelerator.py beside this file; `BACKENDS` finds its rasteriser under that name."""
    name = "meshopt_accelerator"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("accelerator.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]
