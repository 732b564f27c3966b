"""Regions of a view's normals that one rotation would make fit their surroundings.

First a sparse, piecewise constant field of rotations that lessens the curl (`rotations`), whose regions are candidates;
then, for each, in turn the one rotation and the region that explain most (`refined`). Both minimise the robust norm of
curl and rim components, plus the border's length and the area at a price.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import scipy.sparse as sparse
from jaxtyping import Bool, Float

from meshopt.consistency.integrability import NormalField, basis, solve

COARSE = 3  # pixels between the nodes of the field of rotations
BORDER = 0.12  # price of a pixel of border, per radian, in curl
AREA = 0.003  # price of a pixel of area, per radian
CREASE = 0.15  # jump of the normal between nodes, from which on borders are cheap
ROUNDS = 10
SMALLEST = 0.03  # radians that do not count

FINE = 2  # pixels between the nodes of a region
REGION_BORDER = 0.3
REGION_AREA = 0.004
REGION_ROUNDS = 5
MARGIN = 10  # pixels by which a region may outgrow its candidate
START = np.radians(20.0)  # least angle to begin with
STEEPEST = np.radians(50.0)
LEVELS = tuple(np.radians(d) for d in (3.0, 6.0, 10.0))  # that candidates are cut out at
SHARES = 0.015, 0.6  # of the object, of a candidate
PEAKS = (0.4, 0.6)  # of a region's largest angle, that its inner candidates are cut out at
CANDIDATES = 8
SAME = 0.7  # overlap of candidates that are one


@dataclass(frozen=True, eq=False)
class Region:
    """The share of each pixel in it, and the rotation (vector in radians, camera's frame) that mends it."""

    share: Float[np.ndarray, "h w"]
    rotation: Float[np.ndarray, "3"]

    @property
    def inside(self) -> Bool[np.ndarray, "h w"]:
        return self.share > 0.5


def rotations(field: NormalField) -> Float[np.ndarray, "h w 3"]:
    """The field of small rotation vectors, in radians."""
    nodes = basis(field.inside, COARSE)
    flat = field.normals.reshape(-1, 3)
    start = field.residuals(field.normals)
    turns = np.cross(flat[field.plaquettes], start.slope)
    rim_turns = np.cross(flat[field.outline], start.tangent)
    corners = [nodes.spread[p] for p in field.plaquettes]
    rim = nodes.spread[field.outline]
    blocks = [
        sparse.vstack([sum(sparse.diags(t[:, k]) @ c for t, c in zip(turns, corners, strict=True)),
                       sparse.diags(rim_turns[:, k]) @ rim])
        for k in range(3)
    ]  # fmt: skip
    rows = sparse.hstack(blocks).tocsr()
    mean = nodes.mean(flat)
    mean /= np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), 1e-9)
    jump = np.linalg.norm(nodes.step @ mean, axis=-1)
    border = BORDER * nodes.length * (0.2 + 1.5 / (1 + (jump / CREASE) ** 2))
    area = AREA * nodes.area
    found = np.zeros((len(area), 3))
    residuals = start
    for _ in range(ROUNDS):
        weight = residuals.weights(field)
        steps = np.sqrt(((nodes.step @ found) ** 2).sum(axis=-1) + SMALLEST**2)
        sizes = np.sqrt((found**2).sum(axis=-1) + SMALLEST**2)
        prior = nodes.step.T @ sparse.diags(border / steps) @ nodes.step + sparse.diags(area / sizes + 1e-9)
        matrix = rows.T @ sparse.diags(weight) @ rows + sparse.block_diag([prior] * 3)
        found = solve(matrix, -rows.T @ (weight * start.all)).reshape(3, -1).T
        residuals = start.moved(rows @ found.T.ravel())
    return (nodes.spread @ found).reshape(*field.inside.shape, 3) * field.inside[..., None]


def candidates(field: NormalField, found: Float[np.ndarray, "h w 3"]) -> list[Region]:
    """Connected regions that the field of rotations turns, the most turned first."""
    angle = np.linalg.norm(np.cross(found, field.normals), axis=-1)
    total = int(field.inside.sum())
    kept: list[np.ndarray] = []
    for level in LEVELS:
        for part in _parts(angle > level, total):
            peak = float(np.percentile(angle[part], 95))
            inner = [p for peaks in PEAKS for p in _parts(part & (angle > peaks * peak), total)]
            kept.extend(p for p in [part, *inner] if all(overlap(p, other) < SAME for other in kept))
    kept.sort(key=lambda inside: -float(angle[inside].sum()))
    return [Region(k.astype(np.float64), np.median(found[k], axis=0)) for k in kept[:CANDIDATES]]


def _parts(inside: np.ndarray, total: int) -> list[np.ndarray]:
    """Its connected parts of a candidate's size."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=4)
    shares = stats[:, cv2.CC_STAT_AREA] / total
    return [labels == k for k in range(1, count) if SHARES[0] < shares[k] < SHARES[1]]


def starts(field: NormalField, region: Region) -> list[Region]:
    """The region with its own rotation and with the one that fits it, both of at least `START`: a sparse field's are
    too small, and either may be off where the region is.
    """
    window = _window(region.inside)
    fitted = _turned(field.cut(*window), region.share[window], region.rotation)
    return [
        Region(region.share, vector * max(1.0, START / max(float(np.linalg.norm(vector)), 1e-6)))
        for vector in (region.rotation, fitted)
    ]


def refined(field: NormalField, region: Region, passes: int) -> Region | None:
    """The region and its rotation after several passes; None where nothing remains."""
    window = _window(region.inside)
    part = field.cut(*window)
    share = region.share[window]
    rotation = region.rotation
    for _ in range(passes):
        share = _bordered(part, share, rotation)
        if (share > 0.5).sum() < 20:
            return None
        rotation = _turned(part, share, rotation)
    whole = np.zeros(field.inside.shape)
    whole[window] = share
    return Region(whole, rotation)


def mended(normals: np.ndarray, region: Region) -> np.ndarray:
    """The normals with the region turned."""
    return normals + region.share[..., None] * (normals @ matrix(region.rotation).T - normals)


def matrix(vector: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Of a rotation vector."""
    return cv2.Rodrigues(np.asarray(vector, np.float64))[0]


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union."""
    return float((a & b).sum() / max((a | b).sum(), 1))


def _window(inside: np.ndarray) -> tuple[slice, slice]:
    spans = []
    for axis in (1, 0):
        places = np.flatnonzero(inside.any(axis=axis))
        spans.append(slice(max(int(places[0]) - MARGIN, 0), min(int(places[-1]) + MARGIN + 1, inside.shape[1 - axis])))
    return spans[0], spans[1]


def _bordered(field: NormalField, share: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """The share in [0, 1] of every pixel in the region, for a rotation."""
    turned = field.normals @ matrix(rotation).T
    change = turned - field.normals
    nodes = basis(field.inside, FINE)
    corners = [nodes.spread[p] for p in field.plaquettes]
    flat = change.reshape(-1, 3)
    size = float(np.linalg.norm(change, axis=-1)[field.inside].mean())
    border = size * REGION_BORDER * nodes.length * _border_price(field, turned, nodes.place, nodes.edges, size)
    area = size * REGION_AREA * nodes.area
    values = nodes.mean(share.ravel())
    for _ in range(REGION_ROUNDS):
        now = field.residuals(field.normals + share[..., None] * change)
        by_corner = (now.slope * flat[field.plaquettes]).sum(axis=-1)
        curl = sum(sparse.diags(b) @ c for b, c in zip(by_corner, corners, strict=True))
        by_rim = (now.tangent * flat[field.outline]).sum(axis=-1)
        rows = sparse.vstack([curl, sparse.diags(by_rim) @ nodes.spread[field.outline]]).tocsr()
        weight = now.weights(field)
        steps = np.sqrt((nodes.step @ values) ** 2 + 0.01)
        prior = nodes.step.T @ sparse.diags(border / steps) @ nodes.step
        prior = prior + sparse.diags(area / np.sqrt(values**2 + 0.01))
        right = rows.T @ (weight * (rows @ values - now.all))
        values = np.clip(solve(rows.T @ sparse.diags(weight) @ rows + prior, right), 0, 1)
        share = (nodes.spread @ values).reshape(share.shape) * field.inside
    return share


def _border_price(
    field: NormalField, turned: np.ndarray, place: np.ndarray, edges: np.ndarray, size: float
) -> np.ndarray:
    """From 0.05 where the rotation removes a jump of the normals to 1 where it makes one, three pixels apart."""
    prices = []
    for axis in (1, 0):
        ends = [(np.roll(a, 1, axis), np.roll(a, -2, axis)) for a in (field.normals, turned)]
        (a, b), (turned_a, turned_b) = ends
        before = np.linalg.norm(a - b, axis=-1)
        after = np.minimum(np.linalg.norm(turned_a - b, axis=-1), np.linalg.norm(a - turned_b, axis=-1))
        price = np.clip(0.5 + (after - before) / (2 * size), 0.05, 1)
        prices.append(np.minimum(price, np.minimum(np.roll(price, 1, axis), np.roll(price, -1, axis))))
    first = place[edges[:, 0]]
    rows, columns = (np.minimum(first[:, k], field.inside.shape[k] - 1) for k in (0, 1))
    across = place[edges[:, 1], 1] > first[:, 1]
    return np.where(across, prices[0][rows, columns], prices[1][rows, columns])


def _turned(field: NormalField, share: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """The rotation that fits best, for the shares of a region."""
    share = cv2.GaussianBlur((share > 0.5).astype(np.float64), (0, 0), 0.8) * field.inside
    flat_share = share.ravel()
    for _ in range(3):
        turn = matrix(rotation)
        turned = field.normals @ turn.T
        now = field.residuals(field.normals + share[..., None] * (turned - field.normals))
        flat = turned.reshape(-1, 3)
        at = field.plaquettes
        by_curl = (flat_share[at][..., None] * np.cross(flat[at], now.slope)).sum(axis=0)
        by_rim = flat_share[field.outline][:, None] * np.cross(flat[field.outline], now.tangent)
        rows = np.concatenate([by_curl, by_rim])
        weight = now.weights(field)
        normal = (rows * weight[:, None]).T @ rows
        normal += np.eye(3) * (1e-3 * np.trace(normal) / 3 + 1e-9)
        step = -np.linalg.solve(normal, rows.T @ (weight * now.all))
        step *= min(1.0, 0.2 / max(float(np.linalg.norm(step)), 1e-9))
        rotation = cv2.Rodrigues(matrix(step) @ turn)[0][:, 0]
        rotation = rotation * min(1.0, STEEPEST / max(float(np.linalg.norm(rotation)), 1e-9))
    return rotation
