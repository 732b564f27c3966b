"""CPU tensors as the kernels take them, and images cut into bands of rows for several threads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from meshopt import parallel, scratch

PARTIALS = 4  # tasks at least, each with its own sums, that make a gradient: fixed, as the bytes depend on it
MIN_BAND = 32  # rows

Bands = list[tuple[int, int, int]]  # view, first row, one past the last row


def as_array(tensor: Tensor) -> np.ndarray:
    """A contiguous view of the tensor's memory, without a copy where that is possible."""
    return tensor.detach().contiguous().numpy()


def as_faces(faces: Tensor) -> np.ndarray:
    """int32 faces as the kernels take them: unsigned, so that they compile once, without code for negative indices."""
    return as_array(faces).view(np.uint32)


def bands(views: int, height: int, tasks: int) -> Bands:
    """All rows of all views in at least `tasks` parts, if the bands do not get lower than MIN_BAND."""
    count = max(1, min(-(-tasks // max(views, 1)), height // MIN_BAND))
    cuts = [height * k // count for k in range(count + 1)]
    return [(view, cuts[k], cuts[k + 1]) for view in range(views) for k in range(count)]


def sum_bands(
    tasks: Bands, views: int, shape: tuple[int, ...], add: Callable[[int, int, int, np.ndarray], None]
) -> np.ndarray:
    """Sums over the bands of each view, or of all [V or 1, *shape]: each adds into its own array, added up in order."""
    if len(tasks) == views:
        partial = np.empty((views, *shape), np.float32)
    else:
        partial = scratch.array("partial", (len(tasks), *shape), np.float32)

    def fill(k: int) -> None:
        partial[k] = 0
        add(*tasks[k], partial[k])

    parallel.run(fill, [(k,) for k in range(len(tasks))])
    return partial if len(tasks) == views else partial.reshape(views, len(tasks) // views, *shape).sum(1)
