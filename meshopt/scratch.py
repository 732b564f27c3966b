"""Work arrays that kernels fill anew at every call, kept between calls by each thread.

A fresh array costs a page fault for every 4 KiB that is touched, which can take longer than what is computed there.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np

MOST = 1 << 26  # bytes: larger arrays are not kept

_kept = threading.local()


def array(name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array with undefined contents, this thread's until it asks for the same name again.

    Never for what a caller gets to see. Memory is kept by name: a smaller array takes the place of a larger one.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > MOST:
        return np.empty(shape, dtype)
    memory = vars(_kept).get(name)
    if memory is None or len(memory) < size:
        memory = vars(_kept)[name] = np.empty(size, np.uint8)
    return memory[:size].view(dtype).reshape(shape)
