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
            turns = [
                there.rotation.T @ views.cameras[i].rotation for there, i in zip(views.cameras, self.order, strict=True)
            ]
            normals = torch.einsum("vhwj,vij->vhwi", normals, _stacked(turns, normals))
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
        angle = np.radians(self.degrees)
        tilt = np.eye(4)
        tilt[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        cameras = [replace(c, world_to_camera=_about_target(c, tilt)) for c in views.cameras]
        normals = views.normals
        if self.carried:
            turns = [b.rotation.T @ a.rotation for a, b in zip(views.cameras, cameras, strict=True)]
            normals = torch.einsum("vhwj,vij->vhwi", normals, _stacked(turns, normals))
        return replace(views, cameras=tuple(cameras), normals=normals)

    def as_plain(self, names: Sequence[str]) -> dict[str, Any]:
        """The angle."""
        return {"kind": "elevation", "degrees": self.degrees, "normals_carried": self.carried}


def _about_target(camera: Camera, tilt: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """The camera turned, in its own frame, about where the scene's origin is."""
    pose = camera.world_to_camera.copy()
    pose[:3, :3] = tilt[:3, :3] @ pose[:3, :3]
    return pose


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


def _stacked(matrices: Sequence[np.ndarray], like: Tensor) -> Tensor:
    return torch.from_numpy(np.stack(matrices)).to(like)


def corrected(views: ViewSet, corrections: Iterable[Correction]) -> ViewSet:
    """The views after all corrections, in order."""
    for correction in corrections:
        views = correction.apply(views)
    return views
