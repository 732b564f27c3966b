"""Silhouettes against the visual hull of the other views: which mask cuts what others show, which shows too much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32
from scipy import ndimage

from meshopt.config import HullChecks
from meshopt.consistency.observation import Observation
from meshopt.initial.grid import Field, grid_over
from meshopt.initial.projection import PixelCamera, pixel_pitch, scaled_size
from meshopt.initial.silhouettes import signed_distance

COARSE = 40  # grid steps along the cube with which the object's box is found
FINE = 80  # and with which rays are tested
ROWS = 112  # rows of the silhouettes whose rays are tested
SLACK = 0.012  # scene units by which a ray may miss the hull and still be covered: the grids' and masks' steps
RIM = 2.5  # pixels of an observation: as far in from the outline normals tell whether the surface turns away there


@dataclass(frozen=True, eq=False)
class Contradiction:
    """A part of one view's silhouette that the hull of the others does not cover.

    `view` shows it, `against` are the views that have nothing there, the one that most looks like cutting first.
    `fault`: 'shown' (what `view` shows there is too much), 'cut' (`against[0]` lacks it) or 'either'. `percent` of the
    silhouette; `depth` in scene units: by how much it misses the hull. `region` in `view`'s image, `missing` in
    `against[0]`'s, both over the observation's pixels. `facing`: how much more (cosine) than along the rest of its
    outline the normals of `against[0]` face the camera along the cut: a surface turns away where it really ends.
    """

    view: int
    against: tuple[int, ...]
    fault: Literal["shown", "cut", "either"]
    percent: float
    depth: float
    region: Bool[np.ndarray, "h w"]
    missing: Bool[np.ndarray, "h w"]
    facing: float


@dataclass(frozen=True, eq=False)
class _Outline:
    """One view: its silhouette's signed distance in pixels, one pixel more around, and the rays that are tested."""

    observation: Observation
    pixels: PixelCamera
    distance: Float32[np.ndarray, "R C"]
    camera: PixelCamera
    mask: Bool[np.ndarray, "r c"]

    @staticmethod
    def of(observation: Observation) -> _Outline:
        height, width = observation.mask.shape
        size = scaled_size(height, width, min(ROWS, max(height, width)))
        small = cv2.resize(observation.mask, size[::-1], interpolation=cv2.INTER_AREA) > 0.5
        camera = observation.camera
        distance = signed_distance(observation.mask.astype(np.float32))
        return _Outline(
            observation, PixelCamera.of(camera, height, width), distance, PixelCamera.of(camera, *size), small
        )

    @property
    def pitch(self) -> float:
        """Scene units of a pixel; for a perspective camera at depth 1."""
        return float(np.mean(pixel_pitch(self.observation.camera, *self.observation.mask.shape)))

    def at(
        self, column: Float32[np.ndarray, "*N"], row: Float32[np.ndarray, "*N"], depth: Float32[np.ndarray, "*N"] | None
    ) -> Float32[np.ndarray, "*N"]:
        """Distances in scene units of points whose projections are given."""
        height, width = self.distance.shape
        u, v = np.clip(column + 1, 0, width - 1), np.clip(row + 1, 0, height - 1)
        value = cv2.remap(self.distance, u, v, cv2.INTER_LINEAR) - np.hypot(column + 1 - u, row + 1 - v)
        return np.asarray(value * (self.pitch if depth is None else self.pitch * depth), np.float32)

    def over(self, grid: Field) -> Float32[np.ndarray, "X Y Z"]:
        """Distances at the samples of a grid."""
        shape = grid.values.shape
        x, y, z = (grid.origin[k] + grid.spacing * np.arange(count) for k, count in enumerate(shape))
        matrix = self.pixels.matrix

        def component(row: np.ndarray) -> np.ndarray:
            plane = (row[1] * y)[:, None] + (row[2] * z)[None, :] + row[3]
            return ((row[0] * x)[:, None] + plane.reshape(1, -1)).astype(np.float32)

        column, line = component(matrix[0]), component(matrix[1])
        depth = component(matrix[2]) if self.pixels.perspective else None
        if depth is not None:
            column, line = column / depth, line / depth
        return self.at(column, line, depth).reshape(shape)

    def at_points(self, points: Float[np.ndarray, "N 3"]) -> Float32[np.ndarray, "N"]:
        """Distances at points of the scene."""
        column, row, depth = (a.astype(np.float32)[None] for a in self.pixels.project(points))
        return self.at(column, row, depth if self.pixels.perspective else None)[0]


def contradictions(observations: Sequence[Observation], thresholds: HullChecks) -> tuple[Contradiction, ...]:
    """All parts of silhouettes that the hull of the other views leaves uncovered, the largest first.

    None where fewer than three views are given: two silhouettes cannot tell which of them is wrong.
    """
    if len(observations) < 3:
        return ()
    outlines = [_Outline.of(observation) for observation in observations]
    grid, layers = _distances(outlines)
    if grid is None:
        return ()
    total = grid.with_values(layers.min(axis=0))
    found = []
    for place, outline in enumerate(outlines):
        rows, columns = (axis.astype(float) for axis in np.nonzero(outline.mask))
        bare = total.cast(outline.camera, columns, rows, 1.0).best < -SLACK
        if bare.any():
            found += _regions(outlines, grid, layers, place, (rows[bare], columns[bare]), thresholds)
    return tuple(sorted(_judged(found, thresholds), key=lambda one: -one.percent))


def _distances(outlines: Sequence[_Outline]) -> tuple[Field | None, Float32[np.ndarray, "V X Y Z"]]:
    """Every view's silhouette distance over a grid around what all views but one allow."""
    one = np.ones(3)
    coarse = grid_over(-one, one, 2.0 / COARSE)
    layers = np.stack([outline.over(coarse) for outline in outlines])
    near = np.argwhere(np.partition(layers, 1, axis=0)[1] > -1.5 * coarse.spacing)
    if not len(near):
        return None, layers
    low, high = coarse.points(near.min(axis=0)), coarse.points(near.max(axis=0))
    fine = grid_over(low, high, 2.0 / FINE)
    return fine, np.stack([outline.over(fine) for outline in outlines])


def _regions(
    outlines: Sequence[_Outline],
    grid: Field,
    layers: Float32[np.ndarray, "V X Y Z"],
    place: int,
    rays: tuple[np.ndarray, np.ndarray],
    thresholds: HullChecks,
) -> list[Contradiction]:
    """The connected parts of one silhouette that the others' hull misses; `fault` is not yet 'cut'."""
    outline = outlines[place]
    others = [i for i in range(len(outlines)) if i != place]
    lowest = np.partition(layers[others], 1, axis=0)
    rows, columns = rays
    hits = grid.with_values(lowest[0]).cast(outline.camera, columns, rows, 1.0)
    lack = np.zeros(outline.mask.shape)
    index = rows.astype(int), columns.astype(int)
    lack[index] = np.maximum(-hits.best, 0)
    twice = np.zeros(outline.mask.shape, bool)  # even without any one of the others
    twice[index] = grid.with_values(lowest[1]).cast(outline.camera, columns, rows, 1.0).best < -SLACK
    labels, count = ndimage.label(lack > SLACK, np.ones((3, 3)))
    size = max(int(outline.mask.sum()), 1)
    result = []
    for label in range(1, count + 1):
        part = labels == label
        percent = 100.0 * float(part.sum()) / size
        if percent < thresholds.least or lack[part].max() < thresholds.depth:
            continue
        of = part[index]
        points = outline.camera.points(columns[of], rows[of], hits.best_depth[of])
        candidates = []
        for other in _cutting(outlines, others, points):
            missing = _footprint(outlines[other], points, outline.camera.pitch)
            candidates.append((_facing(outlines[other].observation, missing), other, missing))
        candidates.sort(key=lambda one: -one[0])
        facing, _, missing = candidates[0]
        against = tuple(other for _, other, _ in candidates)
        fault: Literal["shown", "either"] = "shown" if twice[part].mean() > 0.5 else "either"
        region = _enlarged(part, outline.observation.mask.shape)
        result.append(Contradiction(place, against, fault, percent, float(lack[part].max()), region, missing, facing))
    return result


def _cutting(outlines: Sequence[_Outline], others: list[int], points: np.ndarray) -> tuple[int, ...]:
    """The views in whose images points of the scene lie outside the silhouette, the most cutting first."""
    nearest = np.stack([outlines[i].at_points(points) for i in others]).argmin(axis=0)
    shares = np.bincount(nearest, minlength=len(others))
    return tuple(others[i] for i in np.argsort(-shares, kind="stable") if shares[i] > 0.1 * len(points))


def _enlarged(part: Bool[np.ndarray, "r c"], shape: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
    return cv2.resize(part.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


def _footprint(outline: _Outline, points: Float[np.ndarray, "N 3"], pitch: float) -> Bool[np.ndarray, "h w"]:
    """The pixels in which points `pitch` apart are seen, outside the silhouette."""
    mask = outline.observation.mask
    image = np.zeros(mask.shape, np.uint8)
    columns, rows, _ = (np.rint(a).astype(int) for a in outline.pixels.project(points))
    inside = (columns >= 0) & (rows >= 0) & (columns < mask.shape[1]) & (rows < mask.shape[0])
    image[rows[inside], columns[inside]] = 1
    reach = int(np.ceil(pitch / outline.pixels.pitch)) | 1
    return (cv2.dilate(image, np.ones((reach, reach), np.uint8)) > 0) & (mask < 0.5)


def _facing(observation: Observation, region: Bool[np.ndarray, "h w"]) -> float:
    """How much more (mean cosine) the normals face the camera along the outline next to a region than elsewhere."""
    cosine, rim = facing_rim(observation)
    near = rim & (cv2.dilate(region.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0)
    return float(cosine[near].mean() - cosine[rim].mean()) if near.any() else 0.0


def facing_rim(observation: Observation) -> tuple[Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Cosine between each normal and the viewer, and the pixels next to the outline."""
    towards = observation.towards
    cosine = (observation.normals * towards).sum(axis=-1) / np.linalg.norm(towards, axis=-1)
    distance = signed_distance(observation.mask.astype(np.float32))[1:-1, 1:-1]
    return cosine, observation.known & (distance > 0) & (distance < RIM)


def _judged(found: list[Contradiction], thresholds: HullChecks) -> list[Contradiction]:
    """Who is at fault: a view against several others, or one along whose cut the surface does not turn away."""
    accusers: dict[int, set[int]] = {}
    for one in found:
        if one.fault != "shown":
            accusers.setdefault(one.against[0], set()).add(one.view)
    judged = []
    for one in found:
        if one.fault == "either":
            cuts = len(accusers[one.against[0]]) > 1 or one.facing > thresholds.facing
            fault: Literal["shown", "cut", "either"] = "cut" if cuts else "shown" if one.facing < 0 else "either"
            one = replace(one, fault=fault)
        judged.append(one)
    return judged
