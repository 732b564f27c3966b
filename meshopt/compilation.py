"""Whether the kernels' machine code is on the disk already, or the coming run compiles it first."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def compiled_share(modules: Mapping[str, Any] | None = None) -> float:
    """Share of the imported kernels whose compiled code is in numba's cache and not older than its source.

    1.0 where there are no kernels. Looks at the names and dates of files only; `modules` is sys.modules.
    """
    kernels = [
        kernel
        for name, module in sorted((sys.modules if modules is None else modules).items())
        if name.startswith("meshopt.") and name.endswith("kernels")
        for kernel in vars(module).values()
        if hasattr(kernel, "stats") and getattr(kernel, "__module__", None) == name
    ]
    return sum(map(_is_compiled, kernels)) / len(kernels) if kernels else 1.0


def _is_compiled(kernel: Any) -> bool:
    if not kernel.stats.cache_path:  # not cached at all
        return False
    code = kernel.py_func.__code__
    source = Path(code.co_filename)
    pattern = f"*{kernel.py_func.__qualname__}-{code.co_firstlineno}.py*.nbi"
    newest = max((file.stat().st_mtime for file in Path(kernel.stats.cache_path).glob(pattern)), default=0.0)
    return newest >= source.stat().st_mtime
