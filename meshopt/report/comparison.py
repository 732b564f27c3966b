"""Pictures side by side: true and given normals, the meshes that come from them, and the meshes' errors."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from meshopt.report.preview import Pictures, angle_map
from meshopt.report.sheets import Caption, Row, array, draw_block, draw_page, heat, on_tile, tiles
from meshopt.views import ViewSet

SIDE = 192  # pixels, the width of a tile
DEGREES = 30.0  # at the top of the errors' scale
GIVEN, RESULT, ERROR = range(3)  # rows of a run's tiles
_COLUMNS = (GIVEN, RESULT, ERROR)


@dataclass(frozen=True)
class Comparison:
    """A row of the sheet: a view of a run beside that of the run from the reference.

    `label`: lines of text. The files are what `encode_tiles` made.
    """

    label: str
    view: int
    run: Path
    reference: Path


def encode_tiles(given: ViewSet, reference: ViewSet, renders: Pictures) -> bytes:
    """A PNG's bytes: a column per view, below each other the given normals, those of the mesh, and the angle between
    the mesh's and the reference's normals.
    """
    indices = range(len(reference))
    inside, wanted, found = (array(masks, indices) for masks in (given.masks, reference.masks, renders.masks))
    start, true, normals = (array(n, indices) for n in (given.normals, reference.normals, renders.normals))
    errors = [
        heat(angle_map(a, b), (m > 0.5) & (n > 0.5), DEGREES)
        for a, b, m, n in zip(true, normals, wanted, found, strict=True)
    ]
    rows = (on_tile(start / 2 + 0.5, inside), on_tile(normals / 2 + 0.5, found), errors)
    image = np.vstack([np.hstack(tiles(row, SIDE)) for row in rows])
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def draw_comparison(title: str, subtitle: str, rows: Sequence[Comparison], reference: str = "true") -> Image.Image:
    """The sheet: for every comparison both normals, both meshes and both errors; `reference` says what the first
    normals are."""
    names = [f"{reference} normals", "given normals", f"mesh from {reference}", "mesh from given"]
    names += [f"error from {reference}", "error from given"]
    drawn = []
    for row in rows:
        pairs = [(_tile(row.reference, row.view, column), _tile(row.run, row.view, column)) for column in _COLUMNS]
        drawn.append(Row(row.label, [tile for pair in pairs for tile in pair], scale=DEGREES))
    return draw_page(title, subtitle, [draw_block(names, drawn, [[Caption("")]] * len(names))])


def _tile(file: Path, view: int, row: int) -> UInt8[np.ndarray, "h w 3"]:
    with Image.open(file) as image:
        height = image.height // len(_COLUMNS)
        box = (view * SIDE, row * height, (view + 1) * SIDE, (row + 1) * height)
        return np.asarray(image.crop(box).convert("RGB"))
