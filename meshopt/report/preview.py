"""preview.png: input, result and their differences for every view, on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from meshopt.report.sheets import (
    COLUMNS,
    DEGREES,
    TILE,
    UNKNOWN,
    Caption,
    Color,
    Row,
    array,
    draw_block,
    draw_page,
    heat,
    on_tile,
    spread,
    tiles,
)
from meshopt.views import ViewSet

BOTH, MISSING, EXTRA = (203, 208, 216), (214, 61, 53), (38, 110, 212)
_KEY = ((BOTH, "both"), (MISSING, "input only"), (EXTRA, "result only"))


@runtime_checkable
class Pictures(Protocol):
    """Renders of a result in the views' cameras: world normals, coverage, sRGB where there are colours."""

    @property
    def normals(self) -> Float[Tensor, "V H W 3"]: ...
    @property
    def masks(self) -> Float[Tensor, "V H W"]: ...
    @property
    def rgb(self) -> Float[Tensor, "V H W 3"] | None: ...


@dataclass(frozen=True)
class Scores:
    """What stands under a view: silhouette IoU in [0, 1] and mean normal error in degrees, where known."""

    name: str
    silhouette_iou: float | None = None
    normal_error_deg: float | None = None

    def __str__(self) -> str:
        iou = "" if self.silhouette_iou is None else f"IoU {self.silhouette_iou:.4f}"
        error = "" if self.normal_error_deg is None else f"normals {self.normal_error_deg:.1f}°"
        return f"{iou}   {error}".strip()


def draw_preview(
    views: ViewSet,
    pictures: Pictures,
    scores: Sequence[Scores],
    title: str,
    subtitle: str = "",
    tile: int = 224,
) -> Image.Image:
    """The sheet: a column per view; rows for colour, normals, their angle in degrees, and silhouettes."""
    shown = spread(len(views))
    blocks = []
    for start in range(0, len(shown), COLUMNS):
        block = shown[start : start + COLUMNS]
        captions = [[Caption(str(scores[i]))] for i in block]
        blocks.append(draw_block([scores[i].name for i in block], _rows(views, pictures, block, tile), captions))
    if len(shown) < len(views):
        subtitle = f"{len(shown)} of {len(views)} views. {subtitle}"
    return draw_page(title, subtitle, blocks)


def angle_map(first: Float[np.ndarray, "H W 3"], second: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W"]:
    """Angle between two maps of unit vectors, in degrees; NaN where one of both has none."""
    cosine = np.clip((first.astype(np.float64) * second).sum(-1), -1, 1)
    known = first.any(-1) & second.any(-1)
    return np.where(known, np.degrees(np.arccos(cosine)), np.nan)


def _rows(views: ViewSet, pictures: Pictures, indices: list[int], tile: int) -> list[Row]:
    """What is shown of each view, top to bottom, as tiles of `tile` columns."""
    wanted, found = array(views.masks, indices), array(pictures.masks, indices)
    target, normals = array(views.normals, indices), array(pictures.normals, indices)
    rows = []
    if views.rgb is not None:
        rows.append(Row("input\ncolour", tiles(on_tile(array(views.rgb, indices), wanted), tile)))
    if pictures.rgb is not None:
        rows.append(Row("result\ncolour", tiles(on_tile(array(pictures.rgb, indices), found), tile)))
    rows.append(Row("input\nnormals", tiles(on_tile(target / 2 + 0.5, wanted), tile)))
    rows.append(Row("result\nnormals", tiles(on_tile(normals / 2 + 0.5, found), tile)))
    angles = [angle_map(a, b) for a, b in zip(target, normals, strict=True)]
    inside = (wanted > 0.5) & (found > 0.5)
    errors = [heat(angle, mask) for angle, mask in zip(angles, inside, strict=True)]
    unknown = any(np.isnan(angle[mask]).any() for angle, mask in zip(angles, inside, strict=True))
    key = ((UNKNOWN, "not known"),) if unknown else ()
    rows.append(Row("angle between\nthe normals", tiles(errors, tile), scale=DEGREES, key=key))
    outlines = [silhouettes(m > 0.5, n > 0.5) for m, n in zip(wanted, found, strict=True)]
    rows.append(Row("silhouettes", tiles(outlines, tile), key=_KEY))
    return rows


def silhouettes(
    wanted: Bool[np.ndarray, "H W"], found: Bool[np.ndarray, "H W"], both: Color = BOTH
) -> Float[np.ndarray, "H W 3"]:
    """What both cover, and what only one does."""
    image = np.full((*wanted.shape, 3), TILE, np.float32)
    image[wanted & found] = both
    image[wanted & ~found] = MISSING
    image[found & ~wanted] = EXTRA
    return image / 255
