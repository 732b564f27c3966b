"""How well a mesh fits views: silhouettes, normals and colours, in the views' cameras at their resolution.

Normals and colours are compared in the core: pixels that both cover wholly. Means of the whole set are over its views,
but medians, shares and PSNR, which are over all pixels of all views.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from meshopt.evaluate.perceptual import Perceptual
from meshopt.evaluate.pixels import decibels, gradients, similarity, within
from meshopt.mesh import Mesh
from meshopt.rendering import Renders
from meshopt.snapshots import SnapshotOptions, snapshots
from meshopt.surroundings import shielded
from meshopt.views import ViewSet

HALF, WHOLE = 0.499, 0.999  # coverages from which on a pixel is of the silhouette (128 of 255), and of the core
LIMITS = (10.0, 11.25)  # degrees
Colors = Float[np.ndarray, "H W 3"]
Mask = Bool[np.ndarray, "H W"]


@dataclass(frozen=True)
class NormalScores:
    """Angles between the mesh's and the given normals in degrees, over the core."""

    mean_deg: float
    median_deg: float
    p95_deg: float
    """What 95 % of the pixels do not exceed."""
    under_10: float
    """Share of the pixels below 10 degrees, and below 11.25 degrees."""
    under_11_25: float
    gradient: float | None
    """Mean absolute difference of the normals' Sobel derivatives: change per pixel of a component of unit normals in
    the camera's frame, over x, y and z, right and down. None where no pixel's neighbours are all in the core."""
    gradient_share: float | None
    """That over the mean absolute derivative of the given normals: 1 for a mesh that shows nothing of them."""


@dataclass(frozen=True)
class ColorScores:
    """Colours in sRGB, over the core."""

    psnr_db: float
    ssim: float
    lpips: float | None = None


@dataclass(frozen=True)
class ViewScores:
    """One view, or all of them. What cannot be measured is None."""

    name: str
    silhouette_iou: float | None
    missing_pixels: int
    """Of the given silhouette, which the mesh does not cover."""
    extra_pixels: int
    """Of the mesh, outside the given silhouette."""
    core_pixels: int
    normals: NormalScores | None
    colors: ColorScores | None


@dataclass(frozen=True)
class ImageScores:
    """A mesh in the cameras of views; `renders` are what was compared."""

    views: tuple[ViewScores, ...]
    whole: ViewScores
    renders: Renders

    def as_plain(self) -> dict[str, Any]:
        """For JSON, without the pictures."""
        return {"all": _plain(self.whole), "views": [_plain(view) for view in self.views]}


@dataclass(frozen=True)
class _Pair:
    """A view, rendered and given."""

    name: str
    found: Float[np.ndarray, "H W 3"]
    """World normals; so is `given`."""
    given: Float[np.ndarray, "H W 3"]
    rotation: Float[np.ndarray, "3 3"]
    """World to camera."""
    rgb: tuple[Colors, Colors] | None
    masks: tuple[Mask, Mask]
    core: Mask

    @property
    def degrees(self) -> Float[np.ndarray, "K"]:
        known = self.core & (np.abs(self.given).sum(-1) > 0)
        return np.degrees(np.arccos(np.clip((self.found * self.given).sum(-1)[known].astype(np.float64), -1, 1)))

    @property
    def square_error(self) -> float:
        """Mean over the core and the channels."""
        assert self.rgb is not None
        return float(np.square(self.rgb[0][self.core].astype(np.float64) - self.rgb[1][self.core]).mean())


def image_scores(mesh: Mesh, views: ViewSet, perceptual: Perceptual | None = None) -> ImageScores:
    """`mesh`, in the user's units, against the views.

    Its normals are those of its shape, with creases at sharp edges, whatever normals it brings along. `perceptual`
    takes two pictures [H, W, 3] in [0, 1], white outside the core, and gives their LPIPS.
    """
    with shielded():
        renders = _rendered(views.in_scene(mesh), views)
    pairs = _pairs(renders, views)
    normals = [_normal_scores([pair]) for pair in pairs]
    colors = [_color_scores(pair, perceptual) for pair in pairs]
    scores = tuple(_view(*parts) for parts in zip(pairs, normals, colors, strict=True))
    return ImageScores(scores, _whole(scores, pairs), renders)


def _rendered(mesh: Mesh, views: ViewSet) -> Renders:
    """A mesh of the scene in all cameras, at the views' resolution; colours where it has any."""
    shots = list(snapshots(mesh, views.cameras, [views.resolution] * len(views), SnapshotOptions(normals="creased")))
    colored = mesh.texture is not None or mesh.colors is not None
    return Renders(
        torch.stack([shot.normals for shot in shots]),
        torch.stack([shot.alpha for shot in shots]),
        torch.stack([shot.rgb for shot in shots]) if colored else None,
    )


def _pairs(renders: Renders, views: ViewSet) -> list[_Pair]:
    given = views.to("cpu")
    colors: list[tuple[Colors, Colors] | None] = [None] * len(views)
    if renders.rgb is not None and given.rgb is not None:
        colors = list(zip(renders.rgb.numpy(), given.rgb.numpy(), strict=True))
    rows = zip(views.cameras, renders.normals.numpy(), given.normals.numpy(), colors, strict=True)
    masks = zip(renders.masks.numpy(), given.masks.numpy(), strict=True)
    return [
        _Pair(
            camera.name, found, wanted, camera.rotation, rgb,
            (mask >= HALF, given_mask >= HALF), (mask > WHOLE) & (given_mask > WHOLE),
        )
        for (camera, found, wanted, rgb), (mask, given_mask) in zip(rows, masks, strict=True)
    ]  # fmt: skip


def _view(pair: _Pair, normals: NormalScores | None, colors: ColorScores | None) -> ViewScores:
    found, given = pair.masks
    union = int((found | given).sum())
    return ViewScores(
        name=pair.name,
        silhouette_iou=int((found & given).sum()) / union if union else None,
        missing_pixels=int((given & ~found).sum()),
        extra_pixels=int((found & ~given).sum()),
        core_pixels=int(pair.core.sum()),
        normals=normals,
        colors=colors,
    )


def _normal_scores(pairs: list[_Pair]) -> NormalScores | None:
    """Of the pixels of some views together."""
    degrees = np.concatenate([pair.degrees for pair in pairs])
    if not len(degrees):
        return None
    differences, magnitudes = (np.concatenate(parts) for parts in zip(*map(_gradients, pairs), strict=True))
    error = float(differences.mean()) if len(differences) else None
    scale = float(magnitudes.mean()) if len(magnitudes) else 0.0
    return NormalScores(
        mean_deg=float(degrees.mean()),
        median_deg=float(np.median(degrees)),
        p95_deg=float(np.percentile(degrees, 95)),
        under_10=float((degrees < LIMITS[0]).mean()),
        under_11_25=float((degrees < LIMITS[1]).mean()),
        gradient=error,
        gradient_share=error / scale if error is not None and scale > 0 else None,
    )


def _gradients(pair: _Pair) -> tuple[Float[np.ndarray, "K"], Float[np.ndarray, "K"]]:
    """Per pixel the mean absolute difference of the derivatives, and the mean absolute derivative of the given."""
    inside = within(pair.core & (np.abs(pair.given).sum(-1) > 0))
    found, given = (gradients(normals @ pair.rotation.T)[inside] for normals in (pair.found, pair.given))
    return np.abs(found - given).mean(-1), np.abs(given).mean(-1)


def _color_scores(pair: _Pair, perceptual: Perceptual | None) -> ColorScores | None:
    if pair.rgb is None or not pair.core.any():
        return None
    found, given = pair.rgb
    distance = None
    if perceptual is not None:
        distance = perceptual(*(np.where(pair.core[..., None], image, 1.0).astype(np.float32) for image in pair.rgb))
    structure = similarity(found, given, pair.core)
    assert structure is not None
    return ColorScores(decibels(pair.square_error), structure, distance)


def _whole(views: tuple[ViewScores, ...], pairs: list[_Pair]) -> ViewScores:
    """Means of the views; medians, shares and PSNR of all pixels."""
    overlaps = [view.silhouette_iou for view in views if view.silhouette_iou is not None]
    return ViewScores(
        name="all",
        silhouette_iou=float(np.mean(overlaps)) if overlaps else None,
        missing_pixels=sum(view.missing_pixels for view in views),
        extra_pixels=sum(view.extra_pixels for view in views),
        core_pixels=sum(view.core_pixels for view in views),
        normals=_whole_normals(views, pairs),
        colors=_whole_colors(views, pairs),
    )


def _whole_normals(views: tuple[ViewScores, ...], pairs: list[_Pair]) -> NormalScores | None:
    pooled, each = _normal_scores(pairs), [view.normals for view in views if view.normals is not None]
    if pooled is None:
        return None
    means = {name: _mean([getattr(n, name) for n in each]) for name in ("mean_deg", "gradient", "gradient_share")}
    return NormalScores(**{**asdict(pooled), **means})


def _whole_colors(views: tuple[ViewScores, ...], pairs: list[_Pair]) -> ColorScores | None:
    each = [view.colors for view in views if view.colors is not None]
    if not each:
        return None
    errors = [pair.square_error for pair in pairs if pair.core.any()]
    weights = [int(pair.core.sum()) for pair in pairs if pair.core.any()]
    ssim = _mean([color.ssim for color in each])
    assert ssim is not None
    return ColorScores(decibels(float(np.average(errors, weights=weights))), ssim, _mean([c.lpips for c in each]))


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _plain(view: ViewScores) -> dict[str, Any]:
    plain = asdict(view)
    parts = {"normal_": plain.pop("normals") or {}, "color_": plain.pop("colors") or {}}
    return plain | {prefix + key: value for prefix, part in parts.items() for key, value in part.items()}
