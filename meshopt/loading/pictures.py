"""Pictures on disk, whole or as tiles of a sheet."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from meshopt.errors import InputError
from meshopt.io.images import Picture, image_size, read_image

KEPT = 2  # decoded files kept: the tiles of a colour sheet and of a normal sheet are read in turn


@dataclass(frozen=True)
class Tile:
    """An image file, or one tile of a sheet: `cell` is its number (row-major) among `grid` = (rows,
    columns).
    """

    path: Path
    grid: tuple[int, int] = (1, 1)
    cell: int = 0

    @property
    def label(self) -> str:
        """The file's name, and which tile of it."""
        return self.path.name if self.grid == (1, 1) else f"{self.path.name} tile {self.cell + 1}"

    def box(self, height: int, width: int) -> tuple[slice, slice]:
        """Rows and columns of the tile; where the sheet does not divide evenly, tiles differ by a pixel."""
        rows, columns = self.grid
        r, c = divmod(self.cell, columns)
        return (
            slice(round(r * height / rows), round((r + 1) * height / rows)),
            slice(round(c * width / columns), round((c + 1) * width / columns)),
        )


class Pictures:
    """Reads tiles; remembers the files it decoded last."""

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._kept: OrderedDict[Path, Picture] = OrderedDict()

    def size(self, tile: Tile) -> tuple[int, int]:
        """Rows and columns of a tile, without decoding it. Raises InputError where a sheet has no pixels for it."""
        width, height = image_size(tile.path, self._max_pixels)
        rows, columns = tile.box(height, width)
        size = rows.stop - rows.start, columns.stop - columns.start
        if 0 in size:
            raise InputError(
                f"{tile.path} is {width} x {height} pixels, too few for {tile.grid[1]} x {tile.grid[0]} tiles; "
                "expected a larger sheet, or a folder with an image for each view."
            )
        return size

    def read(self, tile: Tile) -> Picture:
        """A tile's pixels."""
        picture = self._kept.pop(tile.path, None) or read_image(tile.path, self._max_pixels)
        self._kept[tile.path] = picture
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        if tile.grid == (1, 1):
            return picture
        box = tile.box(*picture.shape)
        alpha = None if picture.alpha is None else picture.alpha[box]
        return Picture(picture.pixels[box], alpha, picture.encoded, picture.depth)
