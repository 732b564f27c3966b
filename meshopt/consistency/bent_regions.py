"""Regions of a view's normals that one rotation would make fit their surroundings.

First discs of several sizes are tried everywhere, each with the rotation that takes away most of the curl, averaged so
that the two sides of a clean crease cancel (`discs`). Then in turn the region and its rotation are refined, to the
least robust norm of curl and rim components, plus the border's length and the area at a price (`refined`).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import solveh_banded
from scipy.special import erf

from meshopt.consistency.normal_fields import GROSS, NormalField

RADII = (0.10, 0.14, 0.2, 0.28)  # of discs, in square roots of the object's area
DISCS = 4  # that are kept
AVERAGE = 1.5  # pixels of the Gaussian under which the curl is averaged, twice
DAMPING = 0.05, 0.2  # of the rotations: of their mean precision, and of precision

BORDER = 0.3  # price of a pixel of border, per radian, in curl
LEAST_BORDER = 0.3  # of that, where the rotation takes a jump away
AREA = 0.004  # price of a pixel of area, per radian
DOUBT = 0.05  # the same, more or less, where other views say that the normal fits or does not
ROUNDS = 5
MARGIN = 3  # pixels by which a region may outgrow the one before
FEWEST = 20  # pixels of a region
STEEPEST = np.radians(70.0)
CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))  # row and column of a plaquette's
TRIANGLE = np.triu_indices(3)
FULL = [0, 1, 2, 1, 3, 4, 2, 4, 5]


@dataclass(frozen=True, eq=False)
class Region:
    """The share of each pixel in it, and the rotation (vector in radians, camera's frame) that mends it."""

    share: Float[np.ndarray, "h w"]
    rotation: Float[np.ndarray, "3"]

    @property
    def inside(self) -> Bool[np.ndarray, "h w"]:
        return self.share > 0.5


@dataclass(frozen=True, eq=False)
class Responses:
    """What turning pixels does to the averaged curl: the parts of the least squares for the rotation.

    `right`: each pixel's of the right-hand side. `left`: of the matrix, as upper triangles; with shares s of pixels it
    is the sum of s^2 left[0, 0], and of -(s - s')^2 / 2 left[offset] for neighbours with shares s and s' (row, column):
    written so, nothing cancels where all have the same. `level`: the averaged curl's median size.
    """

    right: Float[np.ndarray, "h w 3"]
    left: dict[tuple[int, int], Float[np.ndarray, "h w 6"]]
    level: float


def curl_responses(field: NormalField) -> Responses:
    """Of a view's normals as they are."""
    shape = field.inside.shape
    now = field.residuals(field.normals)
    weight = 1 / (1 + (now.curl / GROSS) ** 2)
    once = _averaged(field, weight, now.curl)
    curl = _averaged(field, weight, once)
    at = field.plaquettes
    rows = np.cross(field.normals.reshape(-1, 3)[at], now.slope)

    def summed(corner: int, values: np.ndarray) -> np.ndarray:
        layers = [np.bincount(at[corner], weight * v, shape[0] * shape[1]) for v in values.T]
        return np.stack(layers, axis=-1).reshape(*shape, -1)

    def products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        first, second = TRIANGLE
        return a[:, first] * b[:, second] + a[:, second] * b[:, first]

    together = rows.sum(axis=0)
    left = {(0, 0): np.sum([summed(k, products(rows[k], together)) for k in range(4)], axis=0) / 2}
    for k, (y, x) in enumerate(CORNERS):
        for other, (v, u) in enumerate(CORNERS):
            offset = (v - y, u - x)
            if offset > (0, 0):
                left[offset] = left.get(offset, np.zeros(1)) + summed(k, products(rows[k], rows[other]))
    right = -np.sum([summed(k, rows[k] * curl[:, None]) for k in range(4)], axis=0)
    return Responses(right, left, float(np.median(np.abs(once))))


def _averaged(field: NormalField, weight: np.ndarray, curl: np.ndarray) -> np.ndarray:
    """Of each whole plaquette the weighted mean of the curl around it."""
    image = np.zeros((2, *field.whole.shape))
    image[:, field.whole] = weight, weight * curl
    total, mean = (cv2.GaussianBlur(i, (0, 0), AVERAGE, borderType=cv2.BORDER_CONSTANT)[field.whole] for i in image)
    return mean / np.maximum(total, 0.2)


def discs(field: NormalField, responses: Responses) -> list[tuple[float, Region]]:
    """The best discs with what curl they would take away, best first; none much like a better one.

    At half the field's resolution.
    """
    radii = np.array(RADII) * np.sqrt(field.inside.sum())
    right = _halved(responses.right)
    left = {offset: _halved(layer) for offset, layer in responses.left.items()}
    here = _halved(field.inside[..., None].astype(np.float64))[..., 0] > 2
    gains, turns = [], []
    for radius in radii:
        b = _filtered(right, _disc(radius, (0, 0)))
        kernels = {offset: _paired(_disc(radius, (0, 0)), _disc(radius, offset)) for offset in left}
        a = np.sum([_filtered(layer, kernels[offset]) for offset, layer in left.items()], axis=0)
        turns.append(_solved(a, b))
        gains.append((b * turns[-1]).sum(axis=-1) * here)
    rest = np.stack(gains)
    rows, columns = (np.arange(n) for n in field.inside.shape)
    found: list[tuple[float, Region]] = []
    while len(found) < DISCS and rest.max() > 0:
        k, y, x = np.unravel_index(int(rest.argmax()), rest.shape)
        inside = (np.hypot((rows - 2 * y - 0.5)[:, None], columns - 2 * x - 0.5) < radii[k]) & field.inside
        found.append((float(rest[k, y, x]), Region(inside.astype(np.float64), turns[k][y, x])))
        distance = 2 * np.hypot((np.arange(rest.shape[1]) - y)[:, None], np.arange(rest.shape[2]) - x)
        for layer, radius in zip(rest, radii, strict=True):
            if 0.55 < radius / radii[k] < 1.8:
                layer[distance < 0.6 * max(radius, radii[k])] = 0
    return found


def turned_part(inside: Bool[np.ndarray, "h w"], responses: Responses) -> tuple[float, Region]:
    """As `discs`, of a given region."""
    share = cv2.GaussianBlur(inside.astype(np.float64), (0, 0), np.sqrt(2) * AVERAGE, borderType=cv2.BORDER_CONSTANT)
    height, width = inside.shape
    padded = np.pad(share, 1)
    right = (responses.right * share[..., None]).sum(axis=(0, 1))
    left = np.zeros(6)
    for (down, across), layer in responses.left.items():
        beyond = padded[1 + down : 1 + down + height, 1 + across : 1 + across + width]
        left += (_paired(share, beyond)[..., None] * layer).sum(axis=(0, 1))
    turn = _solved(left, right)
    return float(right @ turn), Region(inside.astype(np.float64), turn)


def _paired(share: np.ndarray, beyond: np.ndarray) -> np.ndarray:
    """What a layer of `Responses.left` is weighted by; where both are the same, of the offset 0."""
    return share**2 if share is beyond or np.array_equal(share, beyond) else -0.5 * (share - beyond) ** 2


def _solved(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of damped symmetric systems, the matrices given by their upper triangles."""
    system = left[..., FULL].reshape(*left.shape[:-1], 3, 3)
    trace = np.trace(system, axis1=-2, axis2=-1)[..., None, None] / 3
    return np.linalg.solve(system + np.eye(3) * (DAMPING[0] * trace + DAMPING[1]), right[..., None])[..., 0]


def _halved(layer: np.ndarray) -> np.ndarray:
    """Sums over two by two pixels."""
    height, width, channels = layer.shape
    even = np.pad(layer, ((0, height % 2), (0, width % 2), (0, 0)))
    return even.reshape((height + 1) // 2, 2, (width + 1) // 2, 2, channels).sum(axis=(1, 3))


def _disc(radius: float, offset: tuple[int, int]) -> np.ndarray:
    """Of 1, as soft as averaging twice makes it, moved by an offset (row, column), sampled at every other pixel."""
    sigma = np.sqrt(2) * AVERAGE
    reach = int(np.ceil((radius + 2 * sigma) / 2))
    y, x = 2 * np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return 0.5 * (1 - erf((np.hypot(x + offset[1], y + offset[0]) - radius) / (np.sqrt(2) * sigma)))


def _filtered(layer: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    parts = [np.ascontiguousarray(layer[..., k : k + 3]) for k in range(0, layer.shape[-1], 3)]
    return np.concatenate([cv2.filter2D(p, -1, kernel, borderType=cv2.BORDER_CONSTANT) for p in parts], axis=-1)


def refined(field: NormalField, region: Region, passes: int, fit: Float[np.ndarray, "h w"]) -> Region | None:
    """The region and the rotation, each fitted in turn; None where little is left of it.

    `fit`: what other views say of each pixel, from -1 (it is off) to 1 (it fits); 0 where they say nothing.
    """
    window = _window(region.inside)
    part = field.cut(*window)
    share, rotation = region.share[window], region.rotation
    for _ in range(passes):
        rotation = _fitted_rotation(part, share, rotation)
        share = _fitted_share(part, share, rotation, fit[window])
        if (share > 0.5).sum() < FEWEST:
            return None
    whole = np.zeros(field.inside.shape)
    whole[window] = share
    return Region(whole, _fitted_rotation(part, share, rotation))


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


def _fitted_share(field: NormalField, share: np.ndarray, rotation: np.ndarray, fit: np.ndarray) -> np.ndarray:
    """The share in [0, 1] of every pixel in the region, for a rotation, by reweighted least squares."""
    turned = field.normals @ matrix(rotation).T
    change = turned - field.normals
    size = float(np.linalg.norm(change, axis=-1)[field.inside].mean())
    prices = [size * BORDER * price for price in _border_prices(field, turned, size)]
    area = size * (AREA + DOUBT * fit)
    width = share.shape[1]
    for _ in range(ROUNDS):
        band, right = _data_terms(field, share, change)
        for axis, offset in ((1, 1), (0, width)):
            step = np.diff(share, axis=axis)
            edge = np.zeros(share.shape)
            edge[tuple(slice(n) for n in step.shape)] = 1 / np.sqrt(step**2 + 0.01)
            stiff = (edge * prices[axis]).ravel()
            band[offset] -= stiff
            band[0] += stiff
            band[0, offset:] += stiff[:-offset]
        emptied = (np.maximum(area, 0) / np.sqrt(share**2 + 0.01)).ravel()
        filled = (np.maximum(-area, 0) / np.sqrt((1 - share) ** 2 + 0.01)).ravel()
        band[0] += emptied + filled + 1e-6 + 1e3 * ~field.inside.ravel()
        values = solveh_banded(band, right + filled, lower=True)
        share = np.clip(values, 0, 1).reshape(share.shape) * field.inside
    return share


def _data_terms(field: NormalField, share: np.ndarray, change: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the normal equations for the shares, linearised: the matrix as lower bands, and the right-hand side."""
    width, count = share.shape[1], share.size
    at, rim = field.plaquettes, field.outline
    now = field.residuals(field.normals + share[..., None] * change)
    flat, values = change.reshape(-1, 3), share.ravel()
    by_corner = (now.slope * flat[at]).sum(axis=-1)
    by_rim = (now.tangent * flat[rim]).sum(axis=-1)
    weight, rim_weight = np.split(now.weights(field), [at.shape[1]])
    target = (by_corner * values[at]).sum(axis=0) - now.curl
    band, right = np.zeros((width + 2, count)), np.zeros(count)
    for a, (y, x) in enumerate(CORNERS):
        right += np.bincount(at[a], weight * by_corner[a] * target, count)
        for b, (v, u) in enumerate(CORNERS[a:], a):
            offset = (v - y) * width + u - x
            band[offset] += np.bincount(at[a], weight * by_corner[a] * by_corner[b], count)
    band[0, rim] += rim_weight * by_rim**2
    right[rim] += rim_weight * by_rim * (by_rim * values[rim] - now.along)
    return band, right


def _border_prices(field: NormalField, turned: np.ndarray, size: float) -> list[np.ndarray]:
    """Of a border below each pixel, and to the right of it: from `LEAST_BORDER` where the rotation removes a jump of
    the normals, three pixels apart, to 1 where it makes one."""
    prices = []
    for axis in (0, 1):
        (a, turned_a), (b, turned_b) = ([np.roll(n, k, axis) for n in (field.normals, turned)] for k in (1, -2))
        before = np.linalg.norm(a - b, axis=-1)
        after = np.minimum(np.linalg.norm(turned_a - b, axis=-1), np.linalg.norm(a - turned_b, axis=-1))
        price = np.clip(0.5 + (after - before) / (2 * size), LEAST_BORDER, 1)
        prices.append(np.minimum(price, np.minimum(np.roll(price, 1, axis), np.roll(price, -1, axis))))
    return prices


def _fitted_rotation(field: NormalField, share: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """The rotation that fits best, for the shares of a region."""
    share = cv2.GaussianBlur((share > 0.5).astype(np.float64), (0, 0), 0.8) * field.inside
    at, rim, by = field.plaquettes, field.outline, share.ravel()[:, None]
    for _ in range(3):
        turn = matrix(rotation)
        turned = field.normals @ turn.T
        now = field.residuals(field.normals + share[..., None] * (turned - field.normals))
        flat = turned.reshape(-1, 3)
        by_curl = (by[at] * np.cross(flat[at], now.slope)).sum(axis=0)
        rows = np.concatenate([by_curl, by[rim] * np.cross(flat[rim], now.tangent)])
        weight = now.weights(field)
        normal = (rows * weight[:, None]).T @ rows
        normal += np.eye(3) * (1e-3 * np.trace(normal) / 3 + 1e-9)
        step = -np.linalg.solve(normal, rows.T @ (weight * now.all))
        step *= min(1.0, 0.2 / max(float(np.linalg.norm(step)), 1e-9))
        rotation = cv2.Rodrigues(matrix(step) @ turn)[0][:, 0]
        rotation = rotation * min(1.0, STEEPEST / max(float(np.linalg.norm(rotation)), 1e-9))
    return rotation
