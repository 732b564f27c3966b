"""What mends views: each correction is data and a pure function of the views."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from meshopt.cameras import Camera
from meshopt.consistency.rotation_fields import Grid, field, rotated
from meshopt.views import ViewSet

MIRROR = np.diag([-1.0, 1.0, 1.0])  # of camera-frame normals


@runtime_checkable
class Correction(Protocol):
    """One change of the views."""

    def apply(self, views: ViewSet) -> ViewSet: ...

    def as_plain(self, names: Sequence[str]) -> dict[str, Any]:
        """For the report; `names` are the views'."""
        ...


@dataclass(frozen=True)
class Turned:
    """A view's world normals multiplied by a matrix: a rotation, or one that exchanges and inverts axes."""

    view: int
    matrix: Float[np.ndarray, "3 3"]

    @property
    def degrees(self) -> float:
        """The angle of a rotation."""
        cosine = (np.trace(self.matrix) - 1) / 2
        return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))

    def apply(self, views: ViewSet) -> ViewSet:
        """The views with these normals."""
        normals = views.normals.clone()
        normals[self.view] = normals[self.view] @ torch.from_numpy(self.matrix.T.copy()).to(normals)
        return replace(views, normals=normals)

    def as_plain(self, names: Sequence[str]) -> dict[str, Any]:
        """The matrix, row by row."""
        return {"kind": "normals", "view": names[self.view], "matrix": self.matrix.tolist()}


@dataclass(frozen=True)
class Placed:
    """A view's picture enlarged about the image's centre by `zoom`, then moved by shares of half the image, `right` and
    `up`. No pixel is resampled: the camera changes."""

    view: int
    zoom: float
    right: float
    up: float

    def apply(self, views: ViewSet) -> ViewSet:
        """The views with that camera."""
        cameras = list(views.cameras)
        cameras[self.view] = self._placed(cameras[self.view])
        return replace(views, cameras=tuple(cameras))

    def _placed(self, camera: Camera) -> Camera:
        (hx, hy), (cx, cy) = camera.half_extent, camera.centre
        centre = (cx - self.right) / self.zoom, (cy - self.up) / self.zoom
        return replace(camera, half_extent=(hx * self.zoom, hy * self.zoom), centre=centre)

    def as_plain(self, names: Sequence[str]) -> dict[str, Any]:
        """Zoom as a factor, shifts as shares of half the image."""
        return {"kind": "placement", "view": names[self.view], "zoom": self.zoom, "right": self.right, "up": self.up}


@dataclass(frozen=True)
class Mirrored:
    """A view's picture flipped left to right, and its normals with it."""

    view: int

    def apply(self, views: ViewSet) -> ViewSet:
        """The views with this picture."""
        rotation = views.cameras[self.view].rotation
        flip = rotation.T @ MIRROR @ rotation
        normals, masks = views.normals.clone(), views.masks.clone()
        normals[self.view] = normals[self.view].flip(1) @ torch.from_numpy(flip.T.copy()).to(normals)
        masks[self.view] = masks[self.view].flip(1)
        rgb = None if views.rgb is None else views.rgb.clone()
        if rgb is not None:
            rgb[self.view] = rgb[self.view].flip(1)
        return replace(views, normals=normals, masks=masks, rgb=rgb)

    def as_plain(self, names: Sequence[str]) -> dict[str, Any]:
        """The view."""
        return {"kind": "mirror", "view": names[self.view]}


@dataclass(frozen=True)
class Rearranged:
    """View k gets the picture of view `order[k]`. `carried`: normals stay as they are in their camera's frame, else in
    the world's."""

    order: tuple[int, ...]
    carried: bool

    def apply(self, views: ViewSet) -> ViewSet:
        """The views in that order; cameras stay."""
        places = list(self.order)
        normals = views.normals[places]
        if self.carried:
            normals = _carried(normals, [views.cameras[i] for i in places], views.cameras)
        rgb = None if views.rgb is None else views.rgb[places]
        sources = tuple(views.sources[i] for i in places) if len(views.sources) == len(places) else views.sources
        return replace(views, normals=normals, masks=views.masks[places], rgb=rgb, sources=sources)

    def as_plain(self, names: Sequence[str]) -> dict[str, Any]:
        """Which view gets whose picture."""
        moved = {names[k]: names[i] for k, i in enumerate(self.order) if i != k}
        return {"kind": "order", "picture_of": moved, "normals_carried": self.carried}


@dataclass(frozen=True)
class Tilted:
    """All cameras moved up by `degrees` of elevation, still looking where they did. `carried`: normals stay as they are
    in their camera's frame, else in the world's."""

    degrees: float
    carried: bool

    def apply(self, views: ViewSet) -> ViewSet:
        """The views with these cameras."""
        cameras = tuple(camera.raised(self.degrees) for camera in views.cameras)
        normals = _carried(views.normals, views.cameras, cameras) if self.carried else views.normals
        return replace(views, cameras=cameras, normals=normals)

    def as_plain(self, names: Sequence[str]) -> dict[str, Any]:
        """The angle."""
        return {"kind": "elevation", "degrees": self.degrees, "normals_carried": self.carried}


@dataclass(frozen=True)
class Unbent:
    """A view's normals turned by a smooth field of rotation vectors: `grid` are the coefficients of uniform cubic
    B-splines over the picture (rows from the top, radians, camera frame)."""

    view: int
    grid: Grid

    def apply(self, views: ViewSet) -> ViewSet:
        """The views with these normals."""
        vectors = field(self.grid, *views.resolution) @ views.cameras[self.view].rotation
        normals = views.normals.clone()
        mended = rotated(normals[self.view].detach().cpu().double().numpy(), vectors)
        normals[self.view] = torch.from_numpy(mended).to(normals)
        return replace(views, normals=normals)

    def as_plain(self, names: Sequence[str]) -> dict[str, Any]:
        """The coefficients, row by row."""
        return {"kind": "bending", "view": names[self.view], "grid": self.grid.tolist()}


@dataclass(frozen=True, eq=False)
class Discounted:
    """The normals of a part of a view made unknown: there, other views tell. `mask` over the whole picture, at any
    resolution."""

    view: int
    mask: Bool[np.ndarray, "h w"]

    def apply(self, views: ViewSet) -> ViewSet:
        """The views without these normals."""
        size = views.resolution[::-1]  # as OpenCV has it
        part = cv2.resize(self.mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
        normals = views.normals.clone()
        normals[self.view][torch.from_numpy(part).to(normals.device)] = 0.0
        return replace(views, normals=normals)

    def as_plain(self, names: Sequence[str]) -> dict[str, Any]:
        """Share of the picture, and the box it is in."""
        share = round(float(self.mask.mean()), 5)
        return {"kind": "discount", "view": names[self.view], "share": share, "box": box(self.mask)}


def box(mask: Bool[np.ndarray, "h w"]) -> list[float]:
    """Left, top, right and bottom of what a mask covers, in shares of the picture."""
    height, width = mask.shape
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return [0.0, 0.0, 0.0, 0.0]
    ends = columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height
    return [round(float(end), 3) for end in ends]


def _carried(
    normals: Float[Tensor, "V H W 3"], cameras: Sequence[Camera], others: Sequence[Camera]
) -> Float[Tensor, "V H W 3"]:
    """Normals (world) that other cameras get as they are in the frames of their own."""
    turns = np.stack([there.rotation.T @ here.rotation for here, there in zip(cameras, others, strict=True)])
    return torch.einsum("vhwj,vij->vhwi", normals, torch.from_numpy(turns).to(normals))


def corrected(views: ViewSet, corrections: Iterable[Correction]) -> ViewSet:
    """The views after all corrections, in order."""
    for correction in corrections:
        views = correction.apply(views)
    return views
