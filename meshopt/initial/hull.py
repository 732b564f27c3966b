"""The visual hull (Laurentini 1994): all points that every silhouette allows, as a signed field.

The field is the smallest of the views' silhouette distances. A view whose mask cuts off what the other views agree on
is found and left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Float32, Int8

from meshopt import parallel
from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.initial import field_kernels as kernels
from meshopt.initial.grid import Field, grid_over
from meshopt.initial.projection import pixel_pitch
from meshopt.initial.silhouettes import Outline

COARSE = 64  # grid steps along the cube with which the masks are tested and the object's box is found
TEST = 96  # rows of the silhouettes with which coverage is tested
MISSING = 0.03  # share of a silhouette that the hull may leave uncovered
MENDED = 0.3  # leaving a view out must reduce what is uncovered to this share
MAX_VIEWS = 127


@dataclass(frozen=True, eq=False)
class Hull:
    """The hull's field, the outlines it was made from, and what was decided."""

    field: Field
    outlines: tuple[Outline, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Layers:
    """The smallest and second smallest silhouette distance everywhere, and which outline gave the smallest."""

    field: Field
    second: Float32[np.ndarray, "X Y Z"]
    which: Int8[np.ndarray, "X Y Z"]

    def without(self, place: int) -> Field:
        """The hull of all outlines but one."""
        return self.field.with_values(np.where(self.which == place, self.second, self.field.values))


def visual_hull(outlines: Sequence[Outline], steps: int) -> Hull:
    """The hull on a grid of 2 / `steps` spacing over the part of the cube [-1, 1] where it lies.

    Raises InputError where the silhouettes share no volume.
    """
    if len(outlines) > MAX_VIEWS:
        raise InputError(f"{len(outlines)} views were given, at most {MAX_VIEWS} can be used at once.")
    one = np.ones(3)
    layers = _layers(grid_over(-one, one, 2.0 / COARSE), outlines)
    left_out, notes = _contradicting(layers, outlines)
    coarse = layers.field
    if left_out is not None:
        outlines = [outline for place, outline in enumerate(outlines) if place != left_out]
        coarse = layers.without(left_out)
    near = np.argwhere(coarse.values > -1.2 * coarse.spacing)
    if len(near):
        low, high = coarse.points(near.min(axis=0)), coarse.points(near.max(axis=0))
        margin = 0.5 * coarse.spacing
        field = _layers(grid_over(low - margin, high + margin, 2.0 / steps), outlines).field
        if field.inside.any():
            return Hull(field, tuple(outlines), notes)
    raise InputError(_contradiction(layers.field, outlines))


def uncovered_shares(
    cameras: Sequence[Camera], masks: Float32[np.ndarray, "V H W"], steps: int = COARSE
) -> Float[np.ndarray, "V"]:
    """The share of each silhouette (coverage in [0, 1]) that the hull of all, on a coarse grid, leaves uncovered."""
    outlines = [Outline.of(i, c, m) for i, (c, m) in enumerate(zip(cameras, masks, strict=True))]
    field = _layers(grid_over(-np.ones(3), np.ones(3), 2.0 / steps), outlines).field
    return np.array([_uncovered(field, outline) for outline in outlines])


def _layers(grid: Field, outlines: Sequence[Outline]) -> _Layers:
    first = np.full(grid.values.shape, np.float32(9))
    second, which = first.copy(), np.full(first.shape, -1, np.int8)
    for place, outline in enumerate(outlines):
        camera = outline.camera
        pitch = float(np.mean(pixel_pitch(camera.camera, *camera.size)))
        tables = (first, second, which, place, grid.origin, grid.spacing, outline.distance)
        common = (*tables, camera.matrix, camera.perspective, pitch)
        parallel.run(kernels.add_silhouette, [(*common, begin, end) for begin, end in grid.slabs])
    return _Layers(grid.with_values(first), second, which)


def _contradicting(layers: _Layers, outlines: Sequence[Outline]) -> tuple[int | None, tuple[str, ...]]:
    """The outline without which the others are covered, if the hull of all leaves them uncovered."""
    lacking = np.array([_uncovered(layers.field, outline) for outline in outlines])
    if lacking.max() <= MISSING:
        return None, ()
    worst = f"{outlines[int(lacking.argmax())].name} ({100 * lacking.max():.0f} %)"
    note = f"the masks contradict each other: their hull leaves part of a silhouette uncovered, most in {worst}."
    if len(outlines) < 3:
        return None, (note,)
    trials = []
    for place in range(len(outlines)):
        others = [i for i in range(len(outlines)) if i != place]
        rest = layers.without(place)
        before, after = lacking[others].max(), max(_uncovered(rest, outlines[i]) for i in others)
        if before > MISSING and after <= MENDED * before:
            trials.append((after, place))
    if not trials:
        return None, (note,)
    place = min(trials)[1]
    name = outlines[place].name
    return place, (f"the mask of view {name} cuts off what the other views agree on: it was left out.",)


def _uncovered(field: Field, outline: Outline) -> float:
    """Share of the silhouette whose rays miss the field's inside by more than half a grid step."""
    camera, mask = outline.pixels(TEST)
    rows, columns = (axis.astype(float) for axis in np.nonzero(mask))
    if not len(rows):
        return 0.0
    return float(np.mean(field.cast(camera, columns, rows).best < -0.5 * field.spacing))


def _contradiction(field: Field, outlines: Sequence[Outline]) -> str:
    """The sentence for masks that share no volume."""
    advice = "check --rig (the cameras) and --matting (the masks)."
    for one, two in combinations(outlines, 2):
        if not (_layers(field, [one, two]).field.values > -field.spacing).any():
            return f"the masks of views {one.name} and {two.name} share no volume: {advice}"
    names = ", ".join(outline.name for outline in outlines)
    return f"the masks of views {names} share no volume: {advice}"
