"""A baked texture fitted to the views: rendered through the rasteriser, it is to give the views' own pixels.

What a pixel shows is linear in the texels: the rasteriser tells which, at four places in every pixel, with bilinear
weights. The least squares are solved by conjugate gradients, so that there is no step size to choose.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float32, Int
from scipy.sparse import csr_matrix, vstack

from meshopt import parallel
from meshopt.raster.cpu import CpuRasterizer
from meshopt.texturing.baking import Baked, Levels
from meshopt.texturing.lattice import Lattice
from meshopt.texturing.observation import Observer, core

HOLD = 0.02  # weight of a texel's baked colour against a pixel that sees it frontally
ITERATIONS = 20
SAMPLES = 2  # places in a pixel along each side


def fitted(baked: Baked, lattice: Lattice, observer: Observer, levels: Levels) -> Baked:
    """The texture whose renders in the views' cameras are closest to the views, levelled, and to what was baked."""
    size = len(baked.linear)
    parts = parallel.run(_equations, [(v, lattice, observer, levels, size) for v in range(len(observer.images))])
    matrix, wanted = vstack([part[0] for part in parts], format="csr"), np.concatenate([part[1] for part in parts])
    used = np.unique(matrix.indices)
    if not len(used):
        return baked
    number = np.zeros(size * size, np.int32)
    number[used] = np.arange(len(used), dtype=np.int32)
    matrix = csr_matrix((matrix.data, number[matrix.indices], matrix.indptr), shape=(matrix.shape[0], len(used)))
    texels = baked.linear.reshape(-1, 3)
    change = _least_squares(matrix, wanted - matrix @ texels[used])
    linear = texels.copy()
    linear[used] = np.clip(texels[used] + change, 0, 1)
    return replace(baked, linear=linear.reshape(baked.linear.shape))


def _equations(
    view: int, lattice: Lattice, observer: Observer, levels: Levels, size: int
) -> tuple[csr_matrix, Float32[np.ndarray, "K 3"]]:
    """Rows of one view's pixels, times the roots of their weights: texels' shares, and the levelled colours."""
    rows, columns = observer.masks.shape[1:]
    attributes = np.concatenate([lattice.uv, levels.ratio[view][lattice.point_of]], axis=1)
    matrix = torch.from_numpy(observer.cameras[view][:16].reshape(4, 4))
    points = torch.from_numpy(lattice.points[lattice.point_of])
    clip = (points @ matrix[:, :3].T + matrix[:, 3]).float()[None]
    backend, faces = CpuRasterizer(), torch.from_numpy(lattice.uv_faces).int()
    fragments = backend.rasterize(clip, faces, (rows * SAMPLES, columns * SAMPLES))
    shown = backend.interpolate(torch.from_numpy(attributes).float()[None], fragments, faces)[0].numpy()
    whole = _pooled((fragments.face[0].numpy() >= 0)[..., None].astype(np.float32)).min(-1)
    weight = _pooled(_resized(observer.borders[view], shown.shape[:2])[..., None])[..., 0] * levels.trust[view]
    kept = (whole == 1) & core(observer.masks[view]) & (weight > 0)
    root = np.sqrt(weight[kept]).astype(np.float32)
    index, share = _bilinear(_blocks(shown[..., :2])[kept], size)
    color = observer.images[view][kept] * levels.exposure[view].astype(np.float32) * _pooled(shown[..., 2:])[kept]
    count, per_row = len(root), index.shape[1]
    data = (share * root[:, None] / SAMPLES**2).reshape(-1)
    starts = np.arange(count + 1) * per_row
    equations = csr_matrix((data, index.reshape(-1), starts), shape=(count, size * size))
    return equations, color * root[:, None]


def _blocks(image: Float32[np.ndarray, "R C K"]) -> Float32[np.ndarray, "r c S K"]:
    """The places of each pixel side by side."""
    rows, columns, channels = image.shape
    parts = image.reshape(rows // SAMPLES, SAMPLES, columns // SAMPLES, SAMPLES, channels)
    return parts.transpose(0, 2, 1, 3, 4).reshape(rows // SAMPLES, columns // SAMPLES, SAMPLES**2, channels)


def _pooled(image: Float32[np.ndarray, "R C K"]) -> Float32[np.ndarray, "r c K"]:
    """Means over the places of each pixel."""
    return _blocks(image).mean(2)


def _resized(image: Float32[np.ndarray, "D E"], shape: tuple[int, ...]) -> Float32[np.ndarray, "R C"]:
    """Nearest pixels."""
    row, column = (np.arange(n) * m // n for n, m in zip(shape, image.shape, strict=True))
    return image[row[:, None], column[None]]


def _bilinear(uv: Float32[np.ndarray, "K S 2"], size: int) -> tuple[Int[np.ndarray, "K T"], Float32[np.ndarray, "K T"]]:
    """Numbers and shares of the four texels around each place."""
    x = np.clip(uv * size - 0.5, 0, size - 1.001)
    first = np.floor(x).astype(np.int32)
    (j, k), (a, b) = (np.moveaxis(part, -1, 0) for part in (first, x - first))
    index = np.stack([k * size + j, k * size + j + 1, (k + 1) * size + j, (k + 1) * size + j + 1], -1)
    share = np.stack([(1 - b) * (1 - a), (1 - b) * a, b * (1 - a), b * a], -1)
    count = 4 * uv.shape[1]
    return index.reshape(len(uv), count), share.reshape(len(uv), count).astype(np.float32)


def _least_squares(matrix: csr_matrix, residual: Float32[np.ndarray, "K 3"]) -> Float32[np.ndarray, "U 3"]:
    """x that makes |matrix x - residual|^2 + HOLD |x|^2 least, nearly: channels apart, in the same iterations."""
    back = matrix.T.tocsr()
    x = np.zeros((matrix.shape[1], 3), np.float32)
    rest = np.asarray(back @ residual)
    direction, length = rest.copy(), np.square(rest, dtype=np.float64).sum(0)
    for _ in range(ITERATIONS):
        image = back @ (matrix @ direction) + HOLD * direction
        step = length / np.maximum((direction * image).sum(0, dtype=np.float64), 1e-30)
        x += direction * step.astype(np.float32)
        rest = rest - image * step.astype(np.float32)
        longer = np.square(rest, dtype=np.float64).sum(0)
        direction = rest + direction * (longer / np.maximum(length, 1e-30)).astype(np.float32)
        length = longer
    return x
