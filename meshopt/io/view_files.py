"""The files of a set of views: which there are for a rig or a cameras file, and what their pictures hold."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.frames import Frame
from meshopt.frames.encoding import frame_to_world, to_colours
from meshopt.io.camera_files import CameraFile, encode_cameras
from meshopt.io.files import read_json
from meshopt.io.images import SUFFIXES, to_bytes
from meshopt.io.png import encode_png
from meshopt.rigs import Rig

Layer = Literal["rgb", "normals", "masks", "depth"]
LAYERS: tuple[Layer, ...] = get_args(Layer)
BACKGROUNDS = {"alpha": None, "white": 255, "grey": 128, "black": 0}  # of colour images: sRGB, or straight alpha
FILE_KEYS: dict[Layer, str] = {"rgb": "rgb", "normals": "normal", "masks": "mask", "depth": "depth"}  # of entries
_ENDS = {"rgb": ".png", "normals": ".png", "masks": ".png", "depth": ".npy"}
_AROUND = 255  # what colour images have under transparent pixels


@dataclass(frozen=True)
class ViewFiles:
    """A set of views on the disk: its cameras, the sizes (rows, columns) of their images, and each view's files.

    `names` are those without folder and suffix, by layer. With a `sheet` = (rows, columns) all views are tiles of one
    picture, at `cells` (row, column). `frame`: of the normals; `grey`: these show the zero vector around the object.
    """

    source: str
    cameras: tuple[Camera, ...]
    sizes: tuple[tuple[int, int], ...]
    names: Mapping[Layer, tuple[str, ...]]
    frame: Frame
    sheet: tuple[int, int] | None = None
    cells: tuple[tuple[int, int], ...] = ()
    grey: bool = False

    def path(self, layer: Layer, view: int) -> str:
        """Where a view's picture lies, relative to the set's folder."""
        return f"{layer}/{self.names[layer][view]}{_ENDS[layer]}"

    def paths(self, layers: Sequence[Layer]) -> tuple[str, ...]:
        """All files of these layers, and the cameras file."""
        found = [self.path(layer, view) for layer in layers for view in range(len(self.cameras))]
        return ("cameras.json", *dict.fromkeys(found))

    def cameras_file(self, layers: Sequence[Layer], more: Mapping[str, Any]) -> bytes:
        """The cameras, the files of these layers, and `more` besides."""
        entries = []
        for view in range(len(self.cameras)):
            files = {FILE_KEYS[layer]: self.path(layer, view).partition("/")[2] for layer in layers}
            entries.append(files | ({} if self.sheet is None else {"tile": list(self.cells[view])}))
        head = {
            "rig": self.source,
            "sheet": None if self.sheet is None else list(self.sheet),
            "normal_frame": self.frame if "normals" in layers else None,
            "normal_axes": "opengl" if "normals" in layers else None,
        }
        return encode_cameras(self.cameras, entries, {**head, **more})


def files_of_rig(rig: Rig, resolution: int, frame: Frame | None = None, plain: bool = False) -> ViewFiles:
    """As the rig's generator writes them; `plain`: a file for each view, with its name. `frame`: else the rig's own."""
    count, written, sheet = len(rig.views), rig.written, None if plain else rig.written.sheet
    own = tuple(view.name for view in rig.views)
    names: dict[Layer, tuple[str, ...]] = dict.fromkeys(LAYERS, own)
    if not plain:
        numbered = list(enumerate(own))
        names["rgb"] = tuple(written.rgb.format(view=name, index=f"{i:03d}") for i, name in numbered)
        names["normals"] = tuple(written.normals.format(view=name, index=f"{i:03d}") for i, name in numbered)
    if sheet is not None:
        names |= {"masks": ("masks",) * count, "depth": ("depth",) * count}
    cells = () if sheet is None else tuple(divmod(i, sheet[1]) for i in range(count))
    sizes = ((resolution, resolution),) * count
    grey = written.nothing == "grey"
    return ViewFiles(rig.name, rig.cameras(), sizes, names, frame or rig.normal_frame, sheet, cells, grey)


def files_of_cameras(file: CameraFile, resolution: int, frame: Frame | None = None, plain: bool = False) -> ViewFiles:
    """As a cameras file names them, else by the views' names; `resolution` is the longer side of images.

    Raises InputError where the file does not say how wide an image is.
    """
    cameras, sizes = [], []
    for entry in file.entries:
        if entry.pixels is not None:
            raise InputError(
                f"cameras file {file.path}: view {entry.camera.name!r} has focal lengths in pixels but no image size, "
                "expected 'w' and 'h' beside 'fl_x'."
            )
        camera = entry.camera_for(resolution, resolution)
        width, height = camera.half_extent
        longer = max(width, height)
        size = max(1, round(resolution * height / longer)), max(1, round(resolution * width / longer))
        cameras.append(camera)
        sizes.append(size)
    names = _names_in(file, plain)
    sheet = None if plain else file.sheet
    if sheet is not None and len(set(sizes)) > 1:
        raise InputError(f"cameras file {file.path}: its views are tiles of different shapes, expected one shape.")
    twice = None if sheet else next(((k, n) for k, found in names.items() for n in found if found.count(n) > 1), None)
    if twice is not None:
        raise InputError(f"cameras file {file.path}: two views' files are {'/'.join(twice)}, expected different names.")
    cells = () if sheet is None else tuple(entry.tile or (0, 0) for entry in file.entries)
    frame = frame or file.normal_frame or "world"
    return ViewFiles(str(file.path), tuple(cameras), tuple(sizes), names, frame, sheet, cells)


def files_of_views(source: str, cameras: Sequence[Camera], resolution: int, frame: Frame) -> ViewFiles:
    """A square file for each camera, with its name."""
    names = tuple(_safe(camera.name) for camera in cameras)
    if len(set(names)) < len(names):
        names = tuple(f"{i:03d}" for i in range(len(names)))
    return ViewFiles(
        source, tuple(cameras), ((resolution, resolution),) * len(names), dict.fromkeys(LAYERS, names), frame
    )


def _names_in(file: CameraFile, plain: bool) -> dict[Layer, tuple[str, ...]]:
    own = tuple(_safe(entry.camera.name) for entry in file.entries)
    if plain:
        return dict.fromkeys(LAYERS, own)
    colours = tuple(_safe(e.rgb or e.camera.name) for e in file.entries)
    normals = tuple(_safe(e.normals or e.rgb or e.camera.name) for e in file.entries)
    if file.sheet is None:
        return {"rgb": colours, "normals": normals, "masks": own, "depth": own}
    sheets: dict[Layer, str] = {"rgb": colours[0], "normals": normals[0], "masks": "masks", "depth": "depth"}
    return {layer: (name,) * len(own) for layer, name in sheets.items()}


def _safe(name: str) -> str:
    """A file's name without folder and suffix, of characters that mean nothing to any system."""
    stem = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    for suffix in SUFFIXES:
        stem = stem[: -len(suffix)] if stem.lower().endswith(suffix) else stem
    return re.sub(r"[^\w.-]|^\.", "_", stem) or "view"


def colour_image(
    rgb: Float[np.ndarray, "H W 3"], alpha: Float[np.ndarray, "H W"], background: int | None
) -> UInt8[np.ndarray, "H W C"]:
    """sRGB before a grey of that value; with None straight alpha, white where it is 0."""
    if background is not None:
        return to_bytes(rgb * alpha[..., None] + background / 255 * (1 - alpha[..., None]))
    covered = alpha[..., None] > 0
    return np.concatenate([np.where(covered, to_bytes(rgb), np.uint8(_AROUND)), to_bytes(alpha)[..., None]], axis=-1)


def normal_image(
    normals: Float[np.ndarray, "H W 3"], alpha: Float[np.ndarray, "H W"], files: ViewFiles, view: int
) -> UInt8[np.ndarray, "H W 4"]:
    """World normals in the set's frame, OpenGL's axes, straight alpha; black or grey where it is 0."""
    vectors = (normals @ frame_to_world(files.cameras, files.frame)[view]).astype(np.float32)  # no -1e-16
    return vector_image(vectors, alpha, files.grey)


def vector_image(
    vectors: Float[np.ndarray, "H W 3"], alpha: Float[np.ndarray, "H W"] | None, grey: bool
) -> UInt8[np.ndarray, "H W C"]:
    """Vectors as they are to be stored, straight alpha, where there is one; black or grey where it is 0."""
    colours = to_colours(vectors)
    if alpha is None:
        return colours
    colours = np.where(alpha[..., None] > 0, colours, np.uint8(128 if grey else 0))
    return np.concatenate([colours, to_bytes(alpha)[..., None]], axis=-1)


def older_files(folder: Path) -> list[str]:
    """The files of a set of views that meshopt has written into the folder before, maybe of another rig."""
    try:
        record = read_json(folder / "cameras.json")
        entries = record["views"] if str(record["written_by"]).startswith("meshopt") else []
        found = [f"{layer}/{entry[key]}" for entry in entries for layer, key in FILE_KEYS.items() if key in entry]
    except (OSError, ValueError, LookupError, TypeError):
        return []
    return [name for name in dict.fromkeys(found) if len(PurePath(name).parts) == 2 and ".." not in name]


def mask_image(alpha: Float[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W"]:
    """Coverage, 255 for a pixel that is covered wholly."""
    return to_bytes(alpha)


def sheet_of(tiles: Sequence[Shaped[np.ndarray, "h w *C"]], files: ViewFiles) -> Shaped[np.ndarray, "H W *C"]:
    """All views of a set with a sheet in one picture; 0 in cells that no view has."""
    assert files.sheet is not None
    (rows, columns), (height, width) = files.sheet, tiles[0].shape[:2]
    sheet = np.zeros((rows * height, columns * width, *tiles[0].shape[2:]), tiles[0].dtype)
    for tile, (row, column) in zip(tiles, files.cells, strict=True):
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
    return sheet


def encode_picture(image: Shaped[np.ndarray, "H W *C"]) -> bytes:
    """PNG of 8-bit pictures, NPY of float ones."""
    if image.dtype == np.uint8:
        return encode_png(image)
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(image, "<f4"))
    return stream.getvalue()
