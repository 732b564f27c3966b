"""Packing of charts into a square texture: all scaled alike, turned, and kept apart."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float64

from meshopt.texturing import packing_kernels as kernels
from meshopt.texturing.charts import Charts, signed_areas

CELLS = 1024  # of the grid that charts are laid out on, along a side; finer gains little and takes its square
FULLEST = 0.85  # share of the texture that charts may take at the first trial
STEP = 0.96  # of the scale from trial to trial
FINE = 1.01  # how close the scale comes to the largest that fits ...
MANY = 2000  # ... unless there are more charts than this


def upright(charts: Charts) -> Float64[np.ndarray, "M 2"]:
    """The points with every chart turned to its smallest rectangle, whose low corner is at the origin."""
    result = np.empty_like(charts.points)
    ends = np.searchsorted(charts.owner, np.arange(charts.count + 1))
    for first, last in pairwise(ends):
        points = charts.points[first:last] - charts.points[first:last].mean(axis=0)
        angle = np.radians(cv2.minAreaRect(points.astype(np.float32))[2])
        points = points @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        result[first:last] = points - points.min(axis=0)
    return result


def pack(charts: Charts, size: int, padding: int) -> Float64[np.ndarray, "M 2"] | None:
    """The points of `upright` charts in a texture of `size` texels along a side, in [0, 1], y up; None where the charts
    do not fit.

    Every two charts are `padding` texels apart at least, and half as much from the border. Largest first, each goes
    where its top is lowest (bottom-left, Baker et al. 1980) in the best of four quarter turns; the scale is the
    largest found at which all have room.
    """
    grid = _grid(charts, size, padding)
    if grid is None:
        return None
    width, gap, cell = grid
    points = charts.points
    extent = max(float(points.max()), 1e-9)
    most = (width - 1e-6) / extent
    scale, step = min(_scale(charts, width, gap), most), STEP
    fine = FINE if charts.count < MANY else STEP**-0.5
    found, fitting, too_large = None, 0.0, np.inf
    while found is None or (fitting < most and too_large > fine * fitting):
        layout = _lay_out(points * scale, charts, width, gap)
        if layout is not None:
            found, fitting = layout, scale
        elif scale * extent < 1:  # every chart is one cell already
            return None
        else:
            too_large = scale
        if found is None:
            scale *= step
            step = max(step**1.5, 0.5)
        elif too_large == np.inf:
            scale = min(scale / STEP, most)
        else:
            scale = np.sqrt(fitting * too_large)
    return _moved(points * fitting, charts, *found, gap / 2) * (cell / size)


def likely_coverage(charts: Charts, size: int, padding: int) -> float:
    """Share of the texture that `upright` charts will take in faces, within a half or so; 0 where they do not fit."""
    grid = _grid(charts, size, padding)
    if grid is None:
        return 0.0
    width, gap, cell = grid
    area = float(signed_areas(charts.points[charts.faces]).sum())
    return area * (_scale(charts, width, gap) * cell / size) ** 2


def _grid(charts: Charts, size: int, padding: int) -> tuple[int, int, int] | None:
    """Cells along a side, cells between charts, and texels along a cell's side; None where even single cells have no
    room.
    """
    cell = -(-size // CELLS)
    gap = -(-padding // cell)
    width = size // cell - gap  # half of the gap on either side
    fits = width >= 1 and charts.count * (1 + gap) ** 2 <= (width + gap) ** 2
    return (width, gap, cell) if fits else None


def _scale(charts: Charts, width: int, gap: int) -> float:
    """The scale at which charts, in whole cells and with the gaps that are theirs, take FULLEST of the square."""
    extent = max(float(charts.points.max()), 1e-9)
    sides = np.zeros((charts.count, 2))
    np.maximum.at(sides, charts.owner, charts.points)
    # a s^2 + b s + count (1 + gap)^2 cells, as a chart's border runs half as far again as it is wide
    a = max(float(signed_areas(charts.points[charts.faces]).sum()), 1e-12 * extent**2)
    b = (1 + gap) * float(sides.sum())
    room = FULLEST * (width + gap) ** 2 - charts.count * (1 + gap) ** 2
    if room <= 0:
        return 0.5 / extent
    return 2 * room / (b + float(np.sqrt(b * b + 4 * a * room)))


def _lay_out(points: np.ndarray, charts: Charts, width: int, gap: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Column, row and quarter turns of every chart, and its columns and rows; points are in cells."""
    size = np.zeros((charts.count, 2), np.int64)
    np.maximum.at(size, charts.owner, np.floor(points).astype(np.int64) + 1)
    start = np.concatenate([[0], np.cumsum(size.prod(axis=1))])
    mask = np.zeros(start[-1], bool)
    kernels.cover(points[charts.faces], charts.chart, size, start, mask)
    order = np.lexsort((size[:, 0], -size.max(axis=1), -size.prod(axis=1)))
    run = np.repeat(np.arange(width, 0, -1, dtype=np.int32)[None], width, axis=0)
    spans = np.empty((int(size.prod(axis=1).max() + 1) // 2 + int(size.max()), 3), np.int32)
    placed = np.zeros((charts.count, 3), np.int32)
    fits = kernels.place(mask, start, size, order, gap, run, np.full(width, width, np.int32), spans, placed)
    return (placed, size) if fits else None


def _moved(points: np.ndarray, charts: Charts, placed: np.ndarray, size: np.ndarray, margin: float) -> np.ndarray:
    x, y = points.T
    width, height = size[charts.owner].T
    column, row, turn = placed[charts.owner].T
    turned = np.choose(turn, [x, height - y, width - x, y]), np.choose(turn, [y, x, height - y, width - x])
    return np.stack([turned[0] + column + margin, turned[1] + row + margin], axis=1)
