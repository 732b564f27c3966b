"""Sheets of pictures: a column per view, rows of tiles, text and scales around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

DEGREES = 45.0  # at the top of the usual colour scale
COLUMNS = 8  # views side by side
MOST_VIEWS = 24  # of more, some are shown

Picture = UInt8[np.ndarray, "rows columns 3"]
Color = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
PAGE, TILE, INK, FAINT = (255, 255, 255), (243, 244, 246), (31, 36, 46), (110, 117, 130)
UNKNOWN = (176, 181, 190)  # where no degrees are
LEFT, RIGHT, GAP, HEAD, FOOT = 120, 116, 6, 26, 34  # pixels around and between the tiles
LINE = 20  # pixels from one line of text to the next


@dataclass(frozen=True)
class Row:
    """Tiles of the same size, one per view. On their right: the scale of degrees, and what colours stand for.

    `scale`: degrees at the top of `heat`'s colours; 0 shows no scale.
    """

    label: str
    tiles: list[Picture]
    scale: float = 0.0
    key: Sequence[tuple[Color, str]] = ()


@dataclass(frozen=True)
class Caption:
    """A line of text; `mark` draws a shape of about ten pixels around a point before it."""

    text: str
    color: Color = INK
    mark: Callable[[ImageDraw.ImageDraw, float, float], None] | None = None


def spread(count: int, most: int = MOST_VIEWS) -> list[int]:
    """Up to `most` of the first `count` numbers, evenly spaced."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, most))})


def draw_page(title: str, subtitle: str, blocks: Sequence[Image.Image], width: int = 0) -> Image.Image:
    """The blocks below each other under a heading; `width` pixels or as much as they need."""
    width = max(width, *(block.width for block in blocks))
    top = 64 if subtitle else 44
    page = Image.new("RGB", (width, top + sum(block.height for block in blocks)), PAGE)
    pen = ImageDraw.Draw(page)
    pen.text((12, 12), fitted(pen, title, font(18), width - 24), fill=INK, font=font(18))
    pen.text((12, 38), fitted(pen, subtitle, font(13), width - 24), fill=FAINT, font=font(13))
    for block in blocks:
        page.paste(block, (0, top))
        top += block.height
    return page


def draw_block(names: Sequence[str], rows: Sequence[Row], captions: Sequence[Sequence[Caption]]) -> Image.Image:
    """The rows of some views: their names above, captions below, labels and legends beside."""
    height, tile = rows[0].tiles[0].shape[:2]
    lines = max(map(len, captions))
    width = LEFT + len(names) * (tile + GAP) + RIGHT
    foot = HEAD + len(rows) * (height + GAP)
    image = Image.new("RGB", (width, foot + FOOT + LINE * (lines - 1)), PAGE)
    pen = ImageDraw.Draw(image)
    for column, (name, below) in enumerate(zip(names, captions, strict=True)):
        middle = LEFT + column * (tile + GAP) + tile / 2
        pen.text((middle, HEAD / 2), fitted(pen, name, font(14), tile), fill=INK, font=font(14), anchor="mm")
        for line, caption in enumerate(below):
            _draw_caption(pen, caption, middle, foot + 10 + LINE * line, tile)
    for number, row in enumerate(rows):
        y = HEAD + number * (height + GAP)
        pen.multiline_text((12, y + 6), row.label, fill=INK, font=font(14), spacing=4)
        for column, picture in enumerate(row.tiles):
            image.paste(Image.fromarray(picture), (LEFT + column * (tile + GAP), y))
        _draw_legend(image, row, width - RIGHT + 8, y, height)
    return image


def array(values: Tensor, indices: Sequence[int]) -> Float[np.ndarray, "V H W *C"]:
    """Some of the images."""
    return torch.stack([values[i] for i in indices]).detach().cpu().float().numpy()


def on_tile(images: Float[np.ndarray, "V H W 3"], masks: Float[np.ndarray, "V H W"]) -> Float[np.ndarray, "V H W 3"]:
    """The images over the tile's background."""
    cover = np.clip(masks, 0, 1)[..., None]
    return images * cover + as_float(TILE) * (1 - cover)


def heat(
    angles: Float[np.ndarray, "H W"], inside: Bool[np.ndarray, "H W"], top: float = DEGREES, unknown: Color = UNKNOWN
) -> Float[np.ndarray, "H W 3"]:
    """Angles in degrees as colours of the scale, `top` and more as the brightest; `unknown` where they are NaN."""
    known = np.isfinite(angles)
    levels = np.clip(np.where(known, angles, 0.0) / top * 255, 0, 255).astype(np.uint8)
    colors = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1].astype(np.float32) / 255
    colors = np.where(known[..., None], colors, as_float(unknown))
    return np.where(inside[..., None], colors, as_float(TILE))


def tiles(images: Iterable[Float[np.ndarray, "H W 3"]], width: int) -> list[Picture]:
    """Images in [0, 1] at `width` pixels."""
    return [_resized(image, width) for image in images]


def as_float(color: Color) -> Float[np.ndarray, "3"]:
    """In [0, 1]."""
    return np.asarray(color, np.float32) / 255


def font(size: int) -> Font:
    """Pillow's own."""
    return ImageFont.load_default(size)


def fitted(pen: ImageDraw.ImageDraw, text: str, face: Font, width: float) -> str:
    """The text, cut with an ellipsis where it is wider than `width` pixels."""
    if pen.textlength(text, font=face) <= width:
        return text
    while text and pen.textlength(text + "...", font=face) > width:
        text = text[:-1]
    return text + "..."


def wrapped(pen: ImageDraw.ImageDraw, text: str, face: Font, width: float) -> list[str]:
    """The text in lines of at most `width` pixels; a longer word is cut."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and pen.textlength(longer, font=face) <= width:
            lines[-1] = longer
        else:
            lines.append(fitted(pen, word, face, width))
    return lines


def _resized(image: Float[np.ndarray, "H W 3"], width: int) -> Picture:
    height = max(1, round(width * image.shape[0] / image.shape[1]))
    smaller = width <= image.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_NEAREST
    resized = cv2.resize(image.astype(np.float32), (width, height), interpolation=method)
    return np.round(np.clip(resized, 0, 1) * 255).astype(np.uint8)


def _draw_caption(pen: ImageDraw.ImageDraw, caption: Caption, middle: float, y: float, width: float) -> None:
    room = 20 if caption.mark else 0
    text = fitted(pen, caption.text, font(13), width - room)
    pen.text((middle + room / 2, y), text, fill=caption.color, font=font(13), anchor="mm")
    if caption.mark:
        caption.mark(pen, middle - pen.textlength(text, font=font(13)) / 2 - 2, y)


def _draw_legend(image: Image.Image, row: Row, x: int, y: int, height: int) -> None:
    pen = ImageDraw.Draw(image)
    height -= 22 * len(row.key)
    if row.scale:
        ramp = np.linspace(255, 0, max(1, height - 16)).astype(np.uint8)[:, None].repeat(14, 1)
        image.paste(Image.fromarray(cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[..., ::-1]), (x, y + 8))
        for part in (0.0, 1 / 3, 2 / 3, 1.0):
            text = f"{part * row.scale:.0f}°" + (" or more" if part == 1.0 else "")
            pen.text((x + 20, y + 8 + (1 - part) * (height - 17)), text, fill=INK, font=font(13), anchor="lm")
        y += height
    for color, text in row.key:
        pen.rectangle((x, y + 8, x + 14, y + 22), fill=color)
        pen.text((x + 20, y + 15), text, fill=INK, font=font(13), anchor="lm")
        y += 22
