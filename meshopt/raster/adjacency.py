"""The face across each edge of CPU meshes, for `antialias`: found once for each tensor of faces."""

from __future__ import annotations

import threading
import weakref

import numpy as np
from jaxtyping import Int, UInt
from torch import Tensor

from meshopt import scratch
from meshopt.raster import antialias_kernels
from meshopt.raster.arrays import as_faces

_last = threading.local()


class Adjacency:
    """What one of several tasks finds and the others, later, wait for."""

    def __init__(self, faces: UInt[np.ndarray, "F 3"], count: int) -> None:
        self.faces, self.across, self.done = faces, np.empty(faces.shape, np.int32), threading.Event()
        self.start = scratch.array("start", (count + 2,), np.int32)
        self.entry = scratch.array("entry", (3 * len(faces), 3), np.int32)

    def find(self) -> None:
        """Does the work, if it is not done yet."""
        try:
            if not self.done.is_set():
                antialias_kernels.neighbours(self.faces, self.start, self.entry, self.across)
        finally:
            self.done.set()

    def found(self) -> Int[np.ndarray, "F 3"]:
        """See `antialias_kernels.neighbours`; waits until it is there."""
        self.done.wait()
        return self.across


def adjacency(faces: Int[Tensor, "F 3"], count: int) -> Adjacency:
    """Of `count` vertices' int32 faces; that of the thread's last call if it was with the same tensor, unchanged.

    "Unchanged" is what torch knows of: writing into the tensor's memory from outside is not seen.
    """
    version = None if faces.is_inference() else faces._version
    if version is not None and getattr(_last, "key", None) == (version, count, len(faces)) and _last.faces() is faces:
        known: Adjacency = _last.adjacency
        return known
    made = Adjacency(as_faces(faces), count)
    _last.key, _last.faces, _last.adjacency = (version, count, len(faces)), weakref.ref(faces), made
    return made
