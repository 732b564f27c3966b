"""preview.png: input, result and their differences for every view, on one sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from meshopt.views import ViewSet

ERROR_SCALE = 45.0  # degrees at the top of the colour scale
COLUMNS = 8  # views side by side
MOST_VIEWS = 24  # of more, evenly spaced ones are shown

Picture = UInt8[np.ndarray, "rows columns 3"]
_PAGE, _TILE, _INK, _FAINT = (255, 255, 255), (243, 244, 246), (31, 36, 46), (110, 117, 130)
_BOTH, _MISSING, _EXTRA = (203, 208, 216), (214, 61, 53), (38, 110, 212)
_LEFT, _RIGHT, _GAP, _HEAD = 120, 110, 6, 26


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


@dataclass(frozen=True)
class _Row:
    label: str
    tiles: list[Picture]
    legend: str = ""  # "scale" or "silhouette" on the right


def draw_preview(
    views: ViewSet,
    pictures: Pictures,
    scores: Sequence[Scores],
    title: str,
    subtitle: str = "",
    tile: int = 224,
) -> Image.Image:
    """The sheet: a column per view; rows for colour, normals, their angle in degrees, and silhouettes."""
    shown = sorted({round(i) for i in np.linspace(0, len(views) - 1, min(len(views), MOST_VIEWS))})
    blocks = [shown[i : i + COLUMNS] for i in range(0, len(shown), COLUMNS)]
    drawn = [_block(views, pictures, [scores[i] for i in block], block, tile) for block in blocks]
    if len(shown) < len(views):
        subtitle = f"{len(shown)} of {len(views)} views. {subtitle}"
    width = max(block.width for block in drawn)
    top = 64 if subtitle else 44
    page = Image.new("RGB", (width, top + sum(block.height for block in drawn)), _PAGE)
    pen = ImageDraw.Draw(page)
    pen.text((12, 12), _fitted(pen, title, _font(18), width - 24), fill=_INK, font=_font(18))
    pen.text((12, 38), _fitted(pen, subtitle, _font(13), width - 24), fill=_FAINT, font=_font(13))
    for block in drawn:
        page.paste(block, (0, top))
        top += block.height
    return page


def angle_map(first: Float[np.ndarray, "H W 3"], second: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W"]:
    """Angle between two maps of unit vectors, in degrees."""
    cosine = np.clip((first.astype(np.float64) * second).sum(-1), -1, 1)
    return np.degrees(np.arccos(cosine))


def _block(views: ViewSet, pictures: Pictures, scores: list[Scores], indices: list[int], tile: int) -> Image.Image:
    """The rows of some views, with headings, scores and legends."""
    rows = _rows(views, pictures, indices, tile)
    height = rows[0].tiles[0].shape[0]
    width = _LEFT + len(indices) * (tile + _GAP) + _RIGHT
    image = Image.new("RGB", (width, _HEAD + len(rows) * (height + _GAP) + 34), _PAGE)
    pen = ImageDraw.Draw(image)
    for column, score in enumerate(scores):
        x = _LEFT + column * (tile + _GAP)
        name = _fitted(pen, score.name, _font(14), tile)
        pen.text((x + tile / 2, _HEAD / 2), name, fill=_INK, font=_font(14), anchor="mm")
        pen.text(
            (x + tile / 2, image.height - 24),
            _fitted(pen, str(score), _font(13), tile),
            fill=_INK,
            font=_font(13),
            anchor="mm",
        )
    for number, row in enumerate(rows):
        y = _HEAD + number * (height + _GAP)
        pen.multiline_text((12, y + 6), row.label, fill=_INK, font=_font(14), spacing=4)
        for column, picture in enumerate(row.tiles):
            image.paste(Image.fromarray(picture), (_LEFT + column * (tile + _GAP), y))
        _draw_legend(image, row.legend, width - _RIGHT + 8, y, height)
    return image


def _rows(views: ViewSet, pictures: Pictures, indices: list[int], tile: int) -> list[_Row]:
    """What is shown of each view, top to bottom, as tiles of `tile` columns."""
    wanted, found = _array(views.masks, indices), _array(pictures.masks, indices)
    target, normals = _array(views.normals, indices), _array(pictures.normals, indices)

    def tiles(images: Iterable[Float[np.ndarray, "H W 3"]]) -> list[Picture]:
        return [_resized(image, tile) for image in images]

    rows = []
    if views.rgb is not None:
        rows.append(_Row("input\ncolour", tiles(_on_tile(_array(views.rgb, indices), wanted))))
    if pictures.rgb is not None:
        rows.append(_Row("result\ncolour", tiles(_on_tile(_array(pictures.rgb, indices), found))))
    rows.append(_Row("input\nnormals", tiles(_on_tile(target / 2 + 0.5, wanted))))
    rows.append(_Row("result\nnormals", tiles(_on_tile(normals / 2 + 0.5, found))))
    errors = [
        _heat(angle_map(a, b), (m > 0.5) & (n > 0.5)) for a, b, m, n in zip(target, normals, wanted, found, strict=True)
    ]
    rows.append(_Row("angle between\nthe normals", tiles(errors), "scale"))
    silhouettes = [_silhouettes(m > 0.5, n > 0.5) for m, n in zip(wanted, found, strict=True)]
    rows.append(_Row("silhouettes", tiles(silhouettes), "silhouette"))
    return rows


def _array(values: Tensor, indices: list[int]) -> Float[np.ndarray, "V H W *C"]:
    return torch.stack([values[i] for i in indices]).detach().cpu().float().numpy()


def _on_tile(images: Float[np.ndarray, "V H W 3"], masks: Float[np.ndarray, "V H W"]) -> Float[np.ndarray, "V H W 3"]:
    """The images over the tile's background."""
    cover = np.clip(masks, 0, 1)[..., None]
    return images * cover + np.asarray(_TILE, np.float32) / 255 * (1 - cover)


def _heat(angles: Float[np.ndarray, "H W"], inside: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "H W 3"]:
    levels = np.clip(angles / ERROR_SCALE * 255, 0, 255).astype(np.uint8)
    colors = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1].astype(np.float32) / 255
    return np.where(inside[..., None], colors, np.asarray(_TILE, np.float32) / 255)


def _silhouettes(wanted: Bool[np.ndarray, "H W"], found: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "H W 3"]:
    """What both cover, and what only one does."""
    image = np.full((*wanted.shape, 3), _TILE, np.float32)
    image[wanted & found] = _BOTH
    image[wanted & ~found] = _MISSING
    image[found & ~wanted] = _EXTRA
    return image / 255


def _resized(image: Float[np.ndarray, "H W 3"], tile: int) -> Picture:
    height = max(1, round(tile * image.shape[0] / image.shape[1]))
    smaller = tile <= image.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_NEAREST
    resized = cv2.resize(image.astype(np.float32), (tile, height), interpolation=method)
    return np.round(np.clip(resized, 0, 1) * 255).astype(np.uint8)


def _draw_legend(image: Image.Image, kind: str, x: int, y: int, height: int) -> None:
    pen = ImageDraw.Draw(image)
    if kind == "scale":
        ramp = np.linspace(255, 0, height - 16).astype(np.uint8)[:, None].repeat(14, 1)
        image.paste(Image.fromarray(cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[..., ::-1]), (x, y + 8))
        for part in (0.0, 1 / 3, 2 / 3, 1.0):
            text = f"{part * ERROR_SCALE:.0f}°" + (" or more" if part == 1.0 else "")
            pen.text((x + 20, y + 8 + (1 - part) * (height - 17)), text, fill=_INK, font=_font(13), anchor="lm")
    elif kind == "silhouette":
        for line, (color, text) in enumerate([(_BOTH, "both"), (_MISSING, "input only"), (_EXTRA, "result only")]):
            top = y + 8 + 22 * line
            pen.rectangle((x, top, x + 14, top + 14), fill=color)
            pen.text((x + 20, top + 7), text, fill=_INK, font=_font(13), anchor="lm")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _fitted(
    pen: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float
) -> str:
    """The text, cut with an ellipsis where it is wider than `width` pixels."""
    if pen.textlength(text, font=font) <= width:
        return text
    while text and pen.textlength(text + "...", font=font) > width:
        text = text[:-1]
    return text + "..."
