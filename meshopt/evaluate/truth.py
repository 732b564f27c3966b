"""What a corruption did, measured on the pictures before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from meshopt.evaluate.pictures import Changes, Picture

SEEN_DEGREES = 0.1  # a normal turned by less is not damaged
SEEN_SHARE = 0.02  # nor is a mask or colour that has changed by less


@dataclass(frozen=True, eq=False)
class Truth:
    """What was done to a set of views.

    `views` are the damaged ones by name, `parameters` says per view what was done: axis (in the world) and
    degrees, zoom (a factor), shift in pixels (right, down), signs, picture_of, ... `effect` in [0, 1] says how
    much of what matters has changed, so that damage without consequence (a symmetric view mirrored) can be left
    out: the mean, over the damaged views' silhouettes before and after, of the angle between the old and the new
    normals in units of 90 degrees (at most 1), pixels covered by only one of the two counting 1; where neither
    normals nor masks changed, the mean change of the colours.
    """

    kind: str
    strength: float | None
    unit: str
    seed: int
    views: tuple[str, ...]
    parameters: Mapping[str, Mapping[str, object]]
    effect: float
    degrees: Float32[np.ndarray, "V H W"]
    """By how much each pixel's world normal differs from the one before; 0 where one of the two has none."""
    changed: Bool[np.ndarray, "V H W"]
    """Pixels whose normal, mask or colour is damaged."""

    def as_plain(self) -> dict[str, object]:
        """Without the arrays, as JSON can hold it."""
        return {
            "kind": self.kind,
            "strength": self.strength,
            "unit": self.unit,
            "seed": self.seed,
            "views": list(self.views),
            "parameters": {name: dict(values) for name, values in self.parameters.items()},
            "effect": self.effect,
        }


@dataclass(frozen=True, eq=False)
class Comparison:
    """Pictures before and after, see `Truth`."""

    degrees: Float32[np.ndarray, "V H W"]
    changed: Bool[np.ndarray, "V H W"]
    effect: float


def compare(pictures: tuple[Picture, ...], changes: Changes) -> Comparison:
    """What the changes did to the pictures."""
    shape = (len(pictures), *pictures[0].mask.shape)
    degrees, changed = np.zeros(shape, np.float32), np.zeros(shape, bool)
    geometry, colour, area = 0.0, 0.0, 0.0
    for i, change in changes.items():
        old, new = pictures[i], change.picture
        both = (old.mask > 0) & (new.mask > 0)
        degrees[i][both] = angles(old.normals[both], new.normals[both])
        moved = np.abs(new.mask - old.mask)
        hue = _colour_change(old, new)
        changed[i] = (degrees[i] > SEEN_DEGREES) | (moved > SEEN_SHARE) | (hue > SEEN_SHARE)
        common, union = np.minimum(old.mask, new.mask), np.maximum(old.mask, new.mask)
        geometry += float((moved + common * np.minimum(degrees[i] / 90, 1)).sum())
        colour += float((common * hue).sum())
        area += float(union.sum())
    effect = geometry if geometry > 0 else colour
    return Comparison(degrees, changed, effect / max(area, 1e-9))


def angles(a: Float32[np.ndarray, "N 3"], b: Float32[np.ndarray, "N 3"]) -> Float32[np.ndarray, "N"]:
    """Degrees between unit vectors; 0 where one of them is the zero vector."""
    chord = np.sqrt(_squares(a - b))
    valid = (_squares(a) > 0) & (_squares(b) > 0)
    return np.where(valid, np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1))), 0).astype(np.float32)


def _squares(vectors: Float32[np.ndarray, "N 3"]) -> Float32[np.ndarray, "N"]:
    return np.einsum("ni,ni->n", vectors, vectors)


def _colour_change(old: Picture, new: Picture) -> Float32[np.ndarray, "H W"]:
    """The largest change of a channel, per pixel."""
    if old.rgb is None or new.rgb is None or new.rgb is old.rgb:
        return np.zeros_like(old.mask)
    red, green, blue = np.moveaxis(np.abs(new.rgb - old.rgb), 2, 0)
    return np.maximum(np.maximum(red, green), blue)
