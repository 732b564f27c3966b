"""What the rendered images are compared with: the views at one resolution, cropped to the object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from meshopt.views import ViewSet

MARGIN = 0.04  # of the image, kept around the masks so that a silhouette that is too large still gets a gradient
GRAZING = 0.05  # cosine to the camera below which a pixel's normal counts no less


@dataclass(frozen=True)
class Targets:
    """V target images of h x w pixels, the windows of the views in which the object lies.

    `image` holds world normals times coverage, and the coverage; `weight` is each pixel's confidence; `matrices` take
    the world to the window's clip space.
    """

    image: Float[Tensor, "V h w 4"]
    weight: Float[Tensor, "V h w"]
    matrices: Float[Tensor, "V 4 4"]


def make_targets(views: ViewSet, resolution: int, view_weights: Float[Tensor, "V"], grazing_power: float) -> Targets:
    """The views at `resolution` rows (or their own, if that is less), cropped to the object.

    A pixel's weight is its view's weight times the cosine between its normal and the direction to the camera, to the
    power of `grazing_power`: normals seen at a grazing angle are the least certain. Where the normal is not known
    (zero), only the coverage tells: every unit normal differs from zero by the same.
    """
    rows = min(resolution, views.resolution[0])
    columns = max(1, round(rows * views.resolution[1] / views.resolution[0]))
    image = resample(views, (rows, columns))
    windows, size = _windows(image[..., 3].cpu().numpy() > 0.02)
    image = _cropped(image, windows, size)
    weight = view_weights.to(image)[:, None, None].expand(image.shape[:3])
    if grazing_power > 0:
        rays = torch.from_numpy(np.stack([camera.rays(rows, columns)[1] for camera in views.cameras]))
        toward = -normalize(_cropped(rays, windows, size).to(image), dim=-1)
        cosine = (normalize(image[..., :3], dim=-1) * toward).sum(-1)
        weight = weight * torch.where(image[..., :3].any(-1), cosine.clamp(GRAZING, 1.0) ** grazing_power, 1.0)
    matrices = [
        _window_matrix(window, size, (rows, columns)) @ camera.clip_matrix()
        for window, camera in zip(windows, views.cameras, strict=True)
    ]
    return Targets(
        image.movedim(-1, 1).contiguous().movedim(1, -1),  # channel by channel in memory, as `normal_loss` likes it
        weight.contiguous(),
        torch.from_numpy(np.stack(matrices)).to(image),
    )


def resample(views: ViewSet, size: tuple[int, int]) -> Float[Tensor, "V h w 4"]:
    """Unit normals times coverage, and the coverage, averaged over each pixel's area."""
    planes = torch.cat([views.normals * views.masks[..., None], views.masks[..., None]], dim=-1)
    if views.resolution != size:
        planes = interpolate(planes.movedim(-1, 1), size=size, mode="area").movedim(1, -1)
    mask = planes[..., 3:]
    return torch.cat([normalize(planes[..., :3], dim=-1) * mask, mask], dim=-1)


def _cropped(
    images: Float[Tensor, "V H W C"], starts: list[tuple[int, int]], size: tuple[int, int]
) -> Float[Tensor, "V h w C"]:
    return torch.stack([image[y : y + size[0], x : x + size[1]] for image, (y, x) in zip(images, starts, strict=True)])


def _windows(covered: np.ndarray) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """First row and column of each view's window, and the size they share: the masks and a margin, where it fits."""
    _, height, width = covered.shape
    spans = [[_span(view.any(axis)) for view in covered] for axis in (1, 0)]
    size, starts = [], []
    for length, span in zip((height, width), spans, strict=True):
        margin = int(np.ceil(MARGIN * length))
        extent = min(length, max(stop - start for start, stop in span) + 2 * margin)
        size.append(extent)
        starts.append([min(max((a + b - extent) // 2, 0), length - extent) for a, b in span])
    return list(zip(*starts, strict=True)), (size[0], size[1])


def _span(line: np.ndarray) -> tuple[int, int]:
    index = np.flatnonzero(line)
    return (int(index[0]), int(index[-1]) + 1) if len(index) else (0, len(line))


def _window_matrix(start: tuple[int, int], size: tuple[int, int], full: tuple[int, int]) -> np.ndarray:
    """Clip space of the full image to that of its window."""
    matrix = np.eye(4)
    for axis, k in ((0, 1), (1, 0)):  # clip x goes with columns, clip y (pointing down) with rows
        matrix[axis, axis] = full[k] / size[k]
        matrix[axis, 3] = (full[k] - 2 * start[k]) / size[k] - 1
    return matrix
