"""Which separate parts of a field the views need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int
from scipy import ndimage

from meshopt.initial.grid import NEIGHBOURS, Field
from meshopt.initial.projection import PixelCamera

SEEN = 4  # pixels of one view in which a part must be in front ...
SIZE = 12  # ... and voxels that it must have
ALONE = 2  # pixels of one view that a part covers and no other does


def needed_parts(
    field: Field, views: Sequence[tuple[PixelCamera, Bool[np.ndarray, "_ _"]]], seen_counts: bool
) -> tuple[Field, int]:
    """The field without the parts that no view needs, and how many these are. The largest part stays.

    A view (camera, mask) needs a part without which some of its rays meet nothing. With `seen_counts`, parts that are
    in front in some view stay as well: right for a field that depth maps have carved.
    """
    labels, count = ndimage.label(field.inside, NEIGHBOURS)
    if count <= 1:
        return field, 0
    sizes = np.bincount(labels.ravel())
    kept = np.zeros(count + 1, bool)
    kept[1 + int(np.argmax(sizes[1:]))] = True
    for camera, mask in views:
        rows, columns = (axis.astype(float) for axis in np.nonzero(mask))
        front = _front_parts(field, labels, camera, columns, rows)
        seen = np.bincount(front, minlength=count + 1)
        if seen_counts:
            kept |= (seen >= SEEN) & (sizes >= SIZE)
        for part in np.flatnonzero((seen >= ALONE) & ~kept):
            rest = field.with_values(np.where(labels == part, -field.spacing, field.values))
            at = front == part
            if np.isinf(rest.cast(camera, columns[at], rows[at]).first).sum() >= ALONE:
                kept[part] = True
    kept[0] = True
    dropped = int((~kept).sum())
    if not dropped:
        return field, 0
    return field.with_values(np.where(kept[labels], field.values, -field.spacing)), dropped


def _front_parts(
    field: Field, labels: Int[np.ndarray, "X Y Z"], camera: PixelCamera, columns: np.ndarray, rows: np.ndarray
) -> Int[np.ndarray, "P"]:
    """The part that each ray meets first; 0: none."""
    first = field.cast(camera, columns, rows).first
    part = np.zeros(len(columns), np.int64)
    met = np.isfinite(first)
    points = camera.points(columns[met], rows[met], first[met] + 0.25 * field.spacing)
    cell = np.clip(np.floor((points - field.origin) / field.spacing).astype(int), 0, np.array(labels.shape) - 2)
    around = cell[:, None] + np.array([[c & 1, c >> 1 & 1, c >> 2] for c in range(8)])
    index = tuple(np.moveaxis(around, -1, 0))
    best = np.argmax(field.values[index], axis=1)
    part[met] = labels[index][np.arange(len(best)), best]
    return part
