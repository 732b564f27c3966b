"""Compiled loop over the pixels of one view."""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from meshopt.compilation import KERNEL


@njit(**KERNEL)
def add_up(face, planes, sums):
    """Adds each pixel's values, planes [C,H,W], to those of the face that it shows, sums [F,C+1], and 1 to the last."""
    height, width = face.shape
    channels = planes.shape[0]
    for row in range(height):
        for column in range(width):
            f = face[row, column]
            if f >= 0:
                for c in range(channels):
                    sums[f, c] += planes[c, row, column]
                sums[f, channels] += 1
