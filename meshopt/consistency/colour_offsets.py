"""Whether a view's normal map lies on its colour image: edges of the one against edges of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32

from meshopt.consistency.observation import Observation

SIDE = 128  # pixels of the longer side on which edges are compared
MARGIN = 3.0  # of these pixels inside the outline that do not count: there both pictures end at the same mask
REACH = 12  # of these pixels: largest shift looked for
LEAST = 200  # of these pixels that must lie inside


@dataclass(frozen=True)
class Offset:
    """Where normals lie against colours: `shift` (right, down) in percent of the image's longer side; `likeness`, the
    edges' correlation there, `unmoved` where they are now; `distinct`: by how many standard deviations of all places
    the best one exceeds the best of those away from it. `views`: whose."""

    views: tuple[int, ...]
    shift: tuple[float, float]
    likeness: float
    unmoved: float
    distinct: float

    @property
    def gain(self) -> float:
        """The share of the likeness that is lost where the normals are now."""
        return (self.likeness - self.unmoved) / max(self.likeness, 1e-6)

    @property
    def length(self) -> float:
        """The shift's length in percent of the image's longer side."""
        return float(np.hypot(*self.shift))


def offsets(observations: Sequence[Observation]) -> tuple[list[Offset], Offset | None]:
    """Of every view for which it can be told, and of all together: what they have in common shows more clearly."""
    found = {o.number: surface for o in observations if (surface := correlations(o)) is not None}
    single = [_best(surface, (view,)) for view, surface in found.items()]
    together = _best(np.mean(list(found.values()), axis=0), tuple(found)) if found else None
    return single, together


def correlations(observation: Observation) -> Float32[np.ndarray, "S S"] | None:
    """Correlation of a view's edges for every shift of its normals (rows, columns) by -REACH to REACH pixels of SIDE.

    None without colours, or without edges in both pictures.
    """
    if observation.rgb is None:
        return None
    scale = SIDE / max(observation.mask.shape)
    shape = tuple(max(8, round(n * scale)) for n in observation.mask.shape[::-1])
    solid = cv2.erode(observation.solid.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.float32)
    inside = (cv2.resize(solid, shape, interpolation=cv2.INTER_AREA) > 0.99).astype(np.uint8)
    depth = cv2.distanceTransform(np.pad(inside, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    weight = np.clip((depth - MARGIN + 2) / 2, 0, 1)
    if (weight > 0.5).sum() < LEAST:
        return None
    colour, normal = (_edges(image, shape, weight) for image in (observation.rgb, observation.normals))
    if not colour.any() or not normal.any():
        return None
    return np.asarray(cv2.matchTemplate(np.pad(colour, REACH), normal, cv2.TM_CCORR), np.float32)


def _best(surface: Float32[np.ndarray, "S S"], views: tuple[int, ...]) -> Offset:
    """The place at which colours and normals are most alike."""
    row, column = (int(k) for k in np.unravel_index(int(surface.argmax()), surface.shape))
    down = row - REACH + _parabola(surface[:, column], row)
    right = column - REACH + _parabola(surface[row], column)
    rows, columns = np.ogrid[: surface.shape[0], : surface.shape[1]]
    far = surface[np.hypot(rows - row, columns - column) > 3]
    return Offset(
        views,
        (-right * 100.0 / SIDE, -down * 100.0 / SIDE),
        float(surface.max()),
        float(surface[REACH, REACH]),
        float((surface.max() - far.max()) / max(float(far.std()), 1e-6)),
    )


def _edges(image: np.ndarray, shape: tuple[int, ...], weight: np.ndarray) -> Float32[np.ndarray, "h w"]:
    """Strength of edges, mean removed, unit length over the mask."""
    soft = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0)
    dx, dy = (cv2.Sobel(soft, cv2.CV_32F, *way, scale=0.125) for way in ((1, 0), (0, 1)))
    strength = np.sqrt((dx**2 + dy**2).sum(axis=2))
    small = cv2.resize(strength, shape, interpolation=cv2.INTER_AREA)
    small = np.minimum(small, np.quantile(small[weight > 0.5], 0.97))
    local = cv2.GaussianBlur(small * weight, (0, 0), 6.0) / np.maximum(cv2.GaussianBlur(weight, (0, 0), 6.0), 1e-3)
    centred = (small - local) * weight
    return np.asarray(centred / max(float(np.sqrt((centred**2).sum())), 1e-9), np.float32)


def _parabola(line: np.ndarray, place: int) -> float:
    if not 0 < place < len(line) - 1:
        return 0.0
    low, middle, high = (float(line[place + k]) for k in (-1, 0, 1))
    bend = low - 2 * middle + high
    return 0.0 if bend >= 0 else 0.5 * (low - high) / bend
