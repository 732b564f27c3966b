"""The depth of every pixel of one view, by belief propagation over labels inside the hull.

The labels are depths (perspective views: logarithms of depths, which makes their equations the same) one pixel apart.
See docs/initial.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32

from meshopt.config import InitialConfig
from meshopt.initial import depth_kernels as kernels
from meshopt.initial.grid import Field
from meshopt.initial.observation import Observation

STEEPEST = 12.0  # labels per pixel: slopes are cut off there
GRAZING = 0.05  # cosine to the ray below which a normal gives no slope
STEEP = 0.2  # cosine to the ray below which slopes count no more when depths are compared
TOLERANCE = 1.5  # pixels: points this much outside the hull begin to cost
HULL_COST = 4.0  # cost of a point one tolerance outside the hull
FREE_JUMP = 0.2  # what a jump costs where the normals tell of it
CUT = 2.5  # labels off the slope: an edge that jumps
LINK = 1e-4  # weight of a grazing link in the continuous solve
TOUCH = (0.99, 0.999)  # cosines between the normal and the hull's: evidence of contact grows from none to all of it
TOUCH_COST = 1.0  # cost of a depth off the hull's front where all tells of contact ...
TOUCH_RANGE = 1.5  # ... labels away from it
TANGENT = 0.98  # cosine above which the continuous solve holds to the hull's front, ...
CONTACT = 1.5  # ... if it is so many labels near to it, ...
HOLD_BEHIND, HOLD_BEFORE = 0.02, 0.5  # ... this strongly, behind it and before it
SOLVES, STEPS = 6, 60  # reweighted solves, and conjugate gradient steps in each


@dataclass(frozen=True, eq=False)
class DepthMap:
    """Depth along the view axis [h,w] (scene units; inf where unknown), and the cosine between normal and ray."""

    view: Observation
    depth: Float[np.ndarray, "h w"]
    cosine: Float[np.ndarray, "h w"]


@dataclass(eq=False)
class DepthSearch:
    """The state of one view's estimation. Pixels [P] have `columns`, `rows`; labels [L] stand for `depths`."""

    view: Observation
    settings: InitialConfig
    index: Int32[np.ndarray, "h w"]
    columns: Float[np.ndarray, "P"]
    rows: Float[np.ndarray, "P"]
    depths: Float[np.ndarray, "L"]
    start: Int32[np.ndarray, "P"]
    stop: Int32[np.ndarray, "P"]
    front: Float[np.ndarray, "P"]
    tangent: Bool[np.ndarray, "P"]
    slopes: Float[np.ndarray, "2 h w"]
    cosine: Float[np.ndarray, "h w"]
    edges: Float32[np.ndarray, "2 h w 4"]
    belief: Float32[np.ndarray, "P L"]
    messages: Float32[np.ndarray, "4 P L"]
    told: Float32[np.ndarray, "P L"]

    @property
    def label_step(self) -> float:
        """One label, in scene units or as a ratio of depths less one."""
        first, second = self.depths[:2]
        return float(np.log(second / first) if self.view.camera.perspective else second - first)

    def labels_of(self, depth: Float[np.ndarray, "*N"]) -> Float[np.ndarray, "*N"]:
        """Depths as (fractional) labels."""
        if self.view.camera.perspective:
            return np.log(np.maximum(depth, 1e-9) / self.depths[0]) / self.label_step
        return (depth - self.depths[0]) / self.label_step

    def depth_of(self, labels: Float[np.ndarray, "*N"]) -> Float[np.ndarray, "*N"]:
        """(Fractional) labels as depths."""
        if self.view.camera.perspective:
            return self.depths[0] * np.exp(labels * self.label_step)
        return self.depths[0] + labels * self.label_step

    def pixels_of(self, points: Float[np.ndarray, "N 3"]) -> tuple[Int[np.ndarray, "N"], Float[np.ndarray, "N"]]:
        """The pixel that each world point is nearest to (-1: none of the silhouette), and its depth."""
        column, row, depth = self.view.camera.project(points)
        height, width = self.index.shape
        c = np.clip(np.round(column), 0, width - 1).astype(int)
        r = np.clip(np.round(row), 0, height - 1).astype(int)
        near = (np.abs(column - c) < 1) & (np.abs(row - r) < 1)
        return np.where(near, self.index[r, c], -1), depth

    def along_ray(self, pixels: float) -> Float[np.ndarray, "P"]:
        """Labels along each ray that are so many pixels along the normal."""
        return pixels / np.clip(np.abs(self.cosine[self.index >= 0]), STEEP, 1)

    def hear(self, cost: Float32[np.ndarray, "P L"]) -> None:
        """Replaces what other views have told: a cost of every label."""
        self.belief += cost - self.told
        self.told = cost

    def propagate(self, sweeps: int) -> None:
        """Lets the beliefs spread."""
        kernels.propagate(self.belief, self.start, self.stop, self.index, self.edges, self.messages, sweeps)

    def labels(self) -> Int[np.ndarray, "P"]:
        """The best label of every pixel."""
        return np.argmin(self.allowed_belief(), axis=1)

    def allowed_belief(self) -> Float32[np.ndarray, "P L"]:
        """The beliefs, infinite where a label is not allowed."""
        number = np.arange(len(self.depths))
        allowed = (number >= self.start[:, None]) & (number < self.stop[:, None])
        return np.where(allowed, self.belief, np.float32(np.inf))

    def depth_map(self) -> DepthMap:
        """The labels made continuous: slopes as the normals say, but for the jumps; near the labels."""
        labels = self._solved(self.labels())
        depth = np.full(self.index.shape, np.inf)
        depth[self.index >= 0] = self.depth_of(labels)
        return DepthMap(self.view, depth, np.clip(np.abs(self.cosine), STEEP, 1))

    def _solved(self, labels: Int[np.ndarray, "P"]) -> Float[np.ndarray, "P"]:
        neighbour, weight, target = self._links(labels)
        anchor = labels.astype(float)
        x = anchor.copy()
        for _ in range(SOLVES):
            hold = self.settings.label_hold / self.view.trust / np.maximum(np.abs(x - anchor), 1.0)
            above = x - self.front
            touching = self.tangent & (above < CONTACT) & (above > -2 * CONTACT)
            hold = np.where(touching, np.where(above < 0, HOLD_BEFORE, HOLD_BEHIND), hold)
            kernels.relax(x, np.where(touching, self.front, anchor), hold, neighbour, weight, target, STEPS)
        return x

    def _links(self, labels: Int[np.ndarray, "P"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For the solve: each pixel's right and lower neighbour [2,P] (-1: none, or a jump), weight and slope."""
        count = len(labels)
        neighbour = np.full((2, count), -1, np.int32)
        weight, target = np.zeros((2, count)), np.zeros((2, count))
        for axis in range(2):
            here, there = _ends(self.index, axis)
            p, q = here, there
            both = (p >= 0) & (q >= 0)
            slope = self.slopes[axis][: p.shape[0], : p.shape[1]][both]
            c0, c1 = _ends(self.cosine, axis)
            p, q = p[both], q[both]
            smooth = np.abs(labels[q] - labels[p] - slope) < CUT
            neighbour[axis, p[smooth]] = q[smooth]
            weight[axis, p] = ((c0 + c1)[both] / 2) ** 2 + LINK
            target[axis, p] = slope
        return neighbour, weight, target


def depth_search(
    view: Observation, others: Sequence[Observation], hull: Field, settings: InitialConfig
) -> DepthSearch | None:
    """The search for a view's depth: costs of all labels, nothing propagated yet. None where it sees no hull."""
    camera = view.camera
    rows, columns = (axis.astype(float) for axis in np.nonzero(view.mask))
    hits = hull.cast(camera, columns, rows)
    seen = np.isfinite(hits.first)
    if not seen.any():
        return None
    rows, columns, first, last = rows[seen], columns[seen], hits.first[seen], hits.last[seen]
    index = np.full(view.mask.shape, -1, np.int32)
    index[rows.astype(int), columns.astype(int)] = np.arange(len(rows))
    depths = _labels(view, float(first.min()), float(last.max()))
    cosine, slopes = _slopes(view)
    shape = (len(rows), len(depths))
    search = DepthSearch(
        view, settings, index, columns, rows, depths,
        np.zeros(len(rows), np.int32), np.full(len(rows), len(depths), np.int32),
        np.zeros(len(rows)), np.zeros(len(rows), bool),
        slopes, cosine, _edges(view, slopes, cosine, settings),
        np.zeros(shape, np.float32), np.zeros((4, *shape), np.float32), np.zeros(shape, np.float32),
    )  # fmt: skip
    search.front = search.labels_of(first)
    contact = _contact(search, hull)
    search.tangent = contact > TANGENT
    search.start = np.maximum(np.floor(search.labels_of(first)) - 1, 0).astype(np.int32)
    search.stop = np.minimum(np.ceil(search.labels_of(last)) + 2, len(depths)).astype(np.int32)
    _add_costs(search, others, hull, contact)
    return search


def _labels(view: Observation, near: float, far: float) -> Float[np.ndarray, "L"]:
    """Depths one pixel apart, from a little before `near` to a little behind `far`."""
    if view.camera.perspective:
        step = view.camera.pitch / max(-float(view.camera.camera.world_to_camera[2, 3]), 1e-6)
        near = max(near, 1e-3)
        return near * np.exp(step * np.arange(-1, int(np.ceil(np.log(far / near) / step)) + 2))
    step = view.camera.pitch
    return near + step * np.arange(-1, int(np.ceil((far - near) / step)) + 2)


def _slopes(view: Observation) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "2 h w"]]:
    """Cosine between normal and ray (negative: towards the viewer), and labels per step to the right and down."""
    camera, height, width = view.camera, *view.mask.shape
    right, up, back = camera.camera.rotation
    normals = view.normals.astype(float)
    if camera.perspective:
        grid = np.meshgrid(np.arange(width), np.arange(height))
        rays = camera.rays[3] + grid[0][..., None] * camera.rays[4] + grid[1][..., None] * camera.rays[5]
        cosine = (normals * rays).sum(axis=-1)
    else:
        cosine = -(normals @ back)
    pitch_x, pitch_y = 2 * np.asarray(camera.camera.half_extent) / (width, height)
    step = np.sqrt(pitch_x * pitch_y)
    slopes = np.zeros((2, height, width))
    for axis, drop in ((0, -(normals @ right) * pitch_x), (1, (normals @ up) * pitch_y)):
        (c0, c1), (d0, d1) = _ends(cosine, axis), _ends(drop, axis)
        mean = (c0 + c1) / 2
        mean = np.where(np.abs(mean) < GRAZING, -GRAZING, mean)
        slope = np.clip((d0 + d1) / 2 / mean / step, -STEEPEST, STEEPEST)
        slopes[axis, : slope.shape[0], : slope.shape[1]] = slope
    return cosine, slopes


def _edges(
    view: Observation, slopes: np.ndarray, cosine: np.ndarray, settings: InitialConfig
) -> Float32[np.ndarray, "2 h w 4"]:
    """Slope, price of a label off the slope, and prices of jumps to farther and to nearer, per edge."""
    edges = np.zeros((*slopes.shape, 4), np.float32)
    edges[..., 0] = slopes
    for axis in range(2):
        c0, c1 = _ends(np.abs(cosine), axis)
        price = settings.slope_cost * view.trust * np.clip(np.minimum(c0, c1), GRAZING, 1)
        edges[axis, : price.shape[0], : price.shape[1], 1] = price
    edges[..., 2:] = settings.jump_cost * (1 - view.jumps) + FREE_JUMP
    return edges


def _contact(search: DepthSearch, hull: Field) -> Float[np.ndarray, "P"]:
    """Cosine between each pixel's normal and the hull's, where its ray enters the hull.

    Where a silhouette touches the surface, the surface has the hull's normal; elsewhere that is chance.
    """
    points = search.view.camera.points(search.columns, search.rows, search.depth_of(search.front))
    normals = search.view.normals[search.index >= 0]
    steps = hull.spacing * np.eye(3)
    outward = np.stack([hull.at(points - step) - hull.at(points + step) for step in steps], axis=-1)
    return (outward * normals).sum(axis=-1) / np.maximum(np.linalg.norm(outward, axis=-1), 1e-12)


def _add_costs(
    search: DepthSearch, others: Sequence[Observation], hull: Field, contact: Float[np.ndarray, "P"]
) -> None:
    """Outside the hull, against the other views' normals, off the hull where it is touched."""
    camera, settings = search.view.camera, search.settings
    common = (search.start, search.stop, camera.rays, search.columns, search.rows, search.depths)
    tolerance = TOLERANCE * camera.pitch
    kernels.add_hull(search.belief, *common, hull.values, hull.origin, hull.spacing, tolerance, HULL_COST)
    normals = search.view.normals[search.index >= 0]
    for other in others:
        eye, matrix, perspective = other.camera.camera.eye, other.camera.matrix, other.camera.perspective
        seen = (normals, eye, other.normals, matrix, perspective, settings.agreement)
        kernels.add_disagreement(search.belief, *common, *seen)
    sure = np.clip((contact - TOUCH[0]) / (TOUCH[1] - TOUCH[0]), 0, 1)
    away = np.abs(np.arange(len(search.depths)) - search.front[:, None]) / TOUCH_RANGE
    search.belief += (TOUCH_COST * sure[:, None] * np.minimum(away, 1)).astype(np.float32)


def _ends(image: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The image at both ends of all edges to the right (axis 0) or down (axis 1)."""
    return (image[:, :-1], image[:, 1:]) if axis == 0 else (image[:-1], image[1:])
