"""check.png: what the views show, where they disagree, and what was found, on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float
from PIL import Image, ImageDraw

from meshopt.consistency import ConsistencyReport, Finding, ViewVerdict
from meshopt.report.sheets import (
    COLUMNS,
    DEGREES,
    FAINT,
    GAP,
    INK,
    LEFT,
    LINE,
    MOST_VIEWS,
    PAGE,
    RIGHT,
    UNKNOWN,
    Caption,
    Color,
    Picture,
    Row,
    array,
    draw_block,
    draw_page,
    font,
    heat,
    on_tile,
    spread,
    tiles,
    wrapped,
)
from meshopt.views import ViewSet

LEAST_WIDTH = 3  # views that the page has room for, however few there are: sentences need it
SEVERITIES = ("inconsistent", "suspect", "note")  # worst first
COLORS: dict[str, Color] = {
    "inconsistent": (190, 38, 32),
    "suspect": (166, 100, 0),
    "note": FAINT,
    "ok": (24, 122, 62),
}
LINE_WIDTH = 1100  # pixels: longer lines of text are hard to read
_OUTLINE = (0, 200, 255)


def draw_findings(
    views: ViewSet,
    report: ConsistencyReport,
    degrees: Float[np.ndarray, "V h w"],
    flagged: Bool[np.ndarray, "V h w"] | None = None,
    tile: int = 224,
) -> Image.Image:
    """The sheet: a column per view with its colours, normals, degrees of disagreement and verdict; findings below.

    `degrees`: as in `Checked`. `flagged`: pixels that findings point at, outlined.
    """
    shown = chosen(report.views)
    blocks = []
    for start in range(0, len(shown), COLUMNS):
        block = shown[start : start + COLUMNS]
        names = [report.views[i].name for i in block]
        captions = [_captions(report.views[i].verdict, report.views[i].score) for i in block]
        blocks.append(draw_block(names, _rows(views, degrees, flagged, block, tile), captions))
    width = max(blocks[0].width, LEFT + LEAST_WIDTH * (tile + GAP) + RIGHT)
    part = f"{len(shown)} of {len(views)}" if len(shown) < len(views) else f"{len(views)}"
    rig = f"{Path(views.rig).name}: " if views.rig else ""
    title = f"{rig}{part} {'view' if len(views) == 1 else 'views'}, {report.verdict}"
    subtitle = f"Score {report.score:.2f}: expected error of the surface, in percent of the object's diagonal."
    return draw_page(title, subtitle, [*blocks, _sentences(report.findings, width)], width)


def ranked(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, worst first, else as they come."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def chosen(views: Sequence[ViewVerdict]) -> list[int]:
    """Which views are shown: all, or those that something was found in and others between them."""
    if len(views) <= MOST_VIEWS:
        return list(range(len(views)))
    bad = [i for i, view in enumerate(views) if view.verdict != "ok"]
    bad = sorted(bad, key=lambda i: (views[i].verdict != "inconsistent", -views[i].score))[:MOST_VIEWS]
    rest = [i for i in range(len(views)) if i not in bad]
    room = MOST_VIEWS - len(bad)
    return sorted(bad + ([rest[k] for k in spread(len(rest), room)] if room else []))


def _rows(
    views: ViewSet,
    degrees: Float[np.ndarray, "V h w"],
    flagged: Bool[np.ndarray, "V h w"] | None,
    indices: list[int],
    tile: int,
) -> list[Row]:
    masks = array(views.masks, indices)
    regions = None if flagged is None else flagged[indices]
    rows = []
    if views.rgb is not None:
        rows.append(Row("colour", tiles(on_tile(array(views.rgb, indices), masks), tile)))
    normals = tiles(on_tile(array(views.normals, indices) / 2 + 0.5, masks), tile)
    rows.append(Row("normals", _outlined(normals, regions)))
    key = [(UNKNOWN, "no other view")]
    if regions is not None and regions.any():
        key.append((_OUTLINE, "does not fit"))
    maps = tiles([_disagreement(degrees[i], mask) for i, mask in zip(indices, masks, strict=True)], tile)
    rows.append(Row("disagreement\nwith the\nother views", _outlined(maps, regions), scale=DEGREES, key=key))
    return rows


def _disagreement(degrees: Float[np.ndarray, "h w"], mask: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "h w 3"]:
    """Degrees as colours; grey where the object is and no degrees are."""
    inside = cv2.resize(mask, degrees.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5
    return heat(degrees, inside)


def _outlined(pictures: list[Picture], regions: Bool[np.ndarray, "V h w"] | None) -> list[Picture]:
    """The pictures with a line around each region."""
    if regions is None:
        return pictures
    drawn = []
    for picture, region in zip(pictures, regions, strict=True):
        size = picture.shape[1], picture.shape[0]
        large = cv2.resize(region.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(large, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        picture = picture.copy()
        for color, width in ((INK, 3), (_OUTLINE, 1)):
            cv2.drawContours(picture, outlines, -1, color, width, cv2.LINE_8)
        drawn.append(picture)
    return drawn


def _captions(verdict: str, score: float) -> list[Caption]:
    def mark(pen: ImageDraw.ImageDraw, x: float, y: float) -> None:
        _draw_mark(pen, verdict, x, y)

    return [Caption(verdict, COLORS[verdict], mark), Caption(f"score {score:.2f}")]


def _draw_mark(pen: ImageDraw.ImageDraw, verdict: str, x: float, y: float) -> None:
    """A disc, a triangle or a cross of ten pixels: verdicts differ in shape, too."""
    color = COLORS[verdict]
    if verdict == "inconsistent":
        pen.line((x - 5, y - 5, x + 5, y + 5), fill=color, width=3)
        pen.line((x - 5, y + 5, x + 5, y - 5), fill=color, width=3)
    elif verdict == "suspect":
        pen.polygon(((x - 6, y + 5), (x + 6, y + 5), (x, y - 6)), fill=color)
    elif verdict == "ok":
        pen.ellipse((x - 5, y - 5, x + 5, y + 5), fill=color)
    else:
        pen.rectangle((x - 4, y - 2, x + 4, y + 2), fill=color)


def _sentences(findings: Sequence[Finding], width: int) -> Image.Image:
    """Every finding: its heading in its severity's colour, what it says and what mends it."""
    pen, face = ImageDraw.Draw(Image.new("RGB", (1, 1))), font(13)
    room = min(width, LINE_WIDTH) - 48
    lines: list[tuple[str, Color, str]] = []  # text, colour, mark
    for finding in ranked(findings):
        heading = f"{finding.severity}: {finding.code}" + (f" ({', '.join(finding.views)})" if finding.views else "")
        lines += [
            (line, COLORS[finding.severity], "" if i else finding.severity)
            for i, line in enumerate(wrapped(pen, heading, face, room))
        ]
        lines += [(line, INK, "") for line in wrapped(pen, finding.message, face, room)]
        lines += [(line, FAINT, "") for line in wrapped(pen, f"Remedy: {finding.remedy}", face, room)]
        lines.append(("", INK, ""))
    lines = lines or [("Nothing was found that does not fit.", COLORS["ok"], "ok"), ("", INK, "")]
    image = Image.new("RGB", (width, 12 + LINE * len(lines)), PAGE)
    pen = ImageDraw.Draw(image)
    for number, (text, color, mark) in enumerate(lines):
        y = 10 + LINE * number
        pen.text((32, y), text, fill=color, font=face, anchor="lm")
        if mark:
            _draw_mark(pen, mark, 19, y)
    return image
