"""Camera files: meshopt's own JSON (docs/cameras.md) and NeRF-style transforms.json, both read; the former
written.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float

from meshopt.cameras import Camera, Projection
from meshopt.errors import InputError
from meshopt.frames import Frame
from meshopt.frames.encoding import check_frame, parse_axes
from meshopt.io.camera_entries import LONGEST, MOST, EntryReader, inverse, shown
from meshopt.io.files import read_json, write_file
from meshopt.migrations import migrated, schema

MAX_VIEWS = 1000
MAX_TILES = 10_000  # along a side of a sheet

Z_UP_TO_WORLD = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])  # (x, y, z) -> (x, z, -y)
_PROJECTIONS: dict[str, Projection] = {
    "orthographic": "orthographic",
    "ortho": "orthographic",
    "perspective": "perspective",
    "persp": "perspective",
}


@dataclass(frozen=True, eq=False)
class CameraEntry:
    """One view of a cameras file: its camera, as far as it is known without the image's shape, and its
    files.
    """

    camera: Camera
    rgb: str | None = None
    normals: str | None = None
    half_height: float | None = None  # set where the width is to follow from the image's shape
    half_width: float | None = None  # set where the height is to follow from the image's shape
    pixels: tuple[float, ...] | None = None  # fl_x, fl_y, cx, cy where the image's size is not in the file
    tile: tuple[int, int] | None = None  # row and column where the files are sheets

    def camera_for(self, width: int, height: int) -> Camera:
        """The camera for an image of that size: what the file leaves open follows from square pixels."""
        if self.pixels is not None:
            half, centre = _from_pixels(self.pixels, width, height)
            return replace(self.camera, half_extent=half, centre=centre)
        if self.half_height is not None:
            return replace(self.camera, half_extent=(self.half_height * width / height, self.half_height))
        if self.half_width is not None:
            return replace(self.camera, half_extent=(self.half_width, self.half_width * height / width))
        return self.camera


@dataclass(frozen=True)
class CameraFile:
    """A parsed cameras file; `normal_frame` and `normal_axes` where it states them."""

    path: Path
    entries: tuple[CameraEntry, ...]
    normal_frame: Frame | None = None
    normal_axes: str | None = None
    sheet: tuple[int, int] | None = None  # rows and columns where views are tiles


def read_cameras(path: Path, max_views: int = MAX_VIEWS) -> CameraFile:
    """Reads meshopt's JSON or a NeRF-style transforms.json, told apart by their keys ('views' or 'frames').

    Raises InputError for a file that is missing, is no JSON, has more than `max_views`, or has missing or impossible
    values: it names the view, the key, what was found and what was expected.
    """
    try:
        data = read_json(path)
    except OSError as error:
        raise InputError(f"cameras file {path} cannot be read: {error.strerror} (--rig).") from error
    except ValueError as error:
        raise InputError(f"cameras file {path} is not valid JSON: {error} (--rig).") from error
    if isinstance(data, dict) and isinstance(data.get("frames"), list) and "views" not in data:
        read, items = _nerf_entry, data["frames"]
    elif isinstance(data, dict) and isinstance(data.get("views"), list):
        data, _ = migrated("cameras", data, f"cameras file {path}")
        read, items = _own_entry, data["views"]
    else:
        raise InputError(
            f"cameras file {path} has neither a list 'views' (meshopt) nor a list 'frames' (NeRF): see docs/cameras.md."
        )
    if not items:
        raise InputError(f"cameras file {path} lists no views: expected at least one.")
    if len(items) > max_views:
        raise InputError(
            f"cameras file {path} lists {len(items)} views, more than the limit of {max_views}; raise it with "
            "--set views.max_views=N."
        )
    default_up = "z" if read is _nerf_entry else "y"
    up = data.get("up", default_up)
    if up not in ("y", "z"):
        raise InputError(f"cameras file {path}: 'up' is {shown(up)}, expected 'y' or 'z'.")
    entries = []
    for i, item in enumerate(items):
        if not isinstance(item, dict):
            raise InputError(f"cameras file {path}: view {i} is {shown(item)}, expected an object with keys.")
        entries.append(read(EntryReader(path, i, item, data), up == "z"))
    (name, count), *_ = Counter(entry.camera.name for entry in entries).most_common(1)
    if count > 1:
        raise InputError(f"cameras file {path}: two views are named {shown(name)}, expected different names.")
    return CameraFile(path, tuple(entries), *_encoding(path, data, items), _sheet(path, data, entries))


def _encoding(path: Path, data: dict[str, Any], items: list[dict[str, Any]]) -> tuple[Frame | None, str | None]:
    """The frame and axes of normals that the file states, checked."""
    frames = {item["frame"] for item in items if isinstance(item.get("frame"), str)}
    if isinstance(data.get("normal_frame"), str):
        frames = {data["normal_frame"]}
    if any(len(frame) > LONGEST for frame in frames):
        raise InputError(
            f"cameras file {path}: the frame of normals is {shown(max(frames, key=len))}, expected a name."
        )
    if len(frames) > 1:
        raise InputError(
            f"cameras file {path}: its views have different frames of normals ({shown(', '.join(sorted(frames)))}), "
            "expected one."
        )
    axes = data.get("normal_axes")
    if axes is not None and not (isinstance(axes, str) and len(axes) <= LONGEST):
        raise InputError(f"cameras file {path}: 'normal_axes' is {shown(axes)}, expected a name such as 'opengl'.")
    try:
        return next((check_frame(frame) for frame in frames), None), None if axes is None else parse_axes(axes)
    except InputError as error:
        raise InputError(f"cameras file {path}: {error}") from error


def _sheet(path: Path, data: dict[str, Any], entries: list[CameraEntry]) -> tuple[int, int] | None:
    """Rows and columns of the sheets: as stated, or just large enough for the tiles."""
    tiles = [entry.tile for entry in entries if entry.tile is not None]
    if not tiles:
        return None
    needed = (max(row for row, _ in tiles) + 1, max(column for _, column in tiles) + 1)
    stated = data.get("sheet", list(needed))
    whole = isinstance(stated, list) and len(stated) == 2
    whole = whole and all(type(n) is int and n <= MAX_TILES + 1 for n in stated)
    if len(tiles) < len(entries) or not whole or stated[0] < needed[0] or stated[1] < needed[1]:
        raise InputError(
            f"cameras file {path}: its views are tiles up to row {needed[0] - 1}, column {needed[1] - 1}, of "
            f"a sheet of {shown(stated)} (rows, columns): expected a 'tile' for every view, inside the 'sheet'."
        )
    return stated[0], stated[1]


_LEAST = 1e-9


def _own_entry(read: EntryReader, z_up: bool) -> CameraEntry:
    name = read.text("name") or f"{read.index:03d}"
    kind = read.item.get("type", read.common.get("type", "perspective" if read.has("fov") else "orthographic"))
    if not isinstance(kind, str) or kind not in _PROJECTIONS:
        raise read.wrong("type", "'orthographic' or 'perspective'")
    projection = _PROJECTIONS[kind]
    if "camera_to_world" in read.item or "world_to_camera" in read.item:
        pose = _own_pose(read, z_up)
    elif read.has("azimuth"):
        orbit = _orbit(read, name, projection)
        pose = orbit.world_to_camera
    else:
        raise read.wrong("azimuth", "a number in degrees, or else 'camera_to_world' or 'world_to_camera'")
    camera = Camera(name, pose, projection)
    return _with_lens(read, replace(camera), projection)


def _own_pose(read: EntryReader, z_up: bool) -> Float[np.ndarray, "4 4"]:
    if "world_to_camera" in read.item:
        pose = read.pose("world_to_camera")
    else:
        pose = inverse(read.pose("camera_to_world"))
    return pose @ inverse(Z_UP_TO_WORLD) if z_up else pose


def _orbit(read: EntryReader, name: str, projection: Projection) -> Camera:
    azimuth, elevation = read.number("azimuth", -3600, 3600), read.number("elevation", -90, 90, 0.0)
    distance = read.number("distance", _LEAST) if read.has("distance") else None
    if projection == "orthographic":
        return Camera.orbit(name, azimuth, elevation, distance=distance)
    if distance is None and not read.has("fov"):
        raise read.wrong("distance", "a number above 0 in scene units, where there is no 'fov'")
    fov = read.number("fov", 0.01, 179.0) if read.has("fov") else 30.0
    return Camera.orbit(name, azimuth, elevation, fov=fov, distance=distance)


def _with_lens(read: EntryReader, camera: Camera, projection: Projection) -> CameraEntry:
    """The view's half extent (and centre) from 'half', 'fov' or pixel intrinsics."""
    tile = read.pair("tile", 0, MAX_TILES) if "tile" in read.item else None
    cell = None if tile is None else (int(tile[0]), int(tile[1]))
    base = CameraEntry(camera, read.text("rgb"), read.text("normal") or read.text("normals"), tile=cell)
    if read.has("centre"):
        base = replace(base, camera=replace(camera, centre=read.pair("centre", -MOST)))
    if projection == "perspective" and read.has("fl_x"):
        return _with_pixels(read, base)
    if projection == "perspective" and read.has("fov"):
        return replace(base, half_height=math.tan(math.radians(read.number("fov", 0.01, 179.0)) / 2))
    if isinstance(read.item.get("half", read.common.get("half")), list):
        return replace(base, camera=replace(base.camera, half_extent=read.pair("half", _LEAST)))
    if projection == "perspective" and not read.has("half"):
        raise read.wrong("fov", "the full vertical field of view in degrees, or else 'half' or 'fl_x'")
    return replace(base, half_height=read.number("half", _LEAST, default=1.0))


def _with_pixels(read: EntryReader, base: CameraEntry) -> CameraEntry:
    """From focal lengths and the principal point in pixels, for an image of 'w' x 'h'."""
    focal_x = read.number("fl_x", _LEAST)
    focal_y = read.number("fl_y", _LEAST) if read.has("fl_y") else focal_x
    centre = tuple(read.number(key) if read.has(key) else math.nan for key in ("cx", "cy"))
    pixels = (focal_x, focal_y, *centre)
    if not (read.has("w") and read.has("h")):
        return replace(base, pixels=pixels)
    half, middle = _from_pixels(pixels, read.number("w", 1), read.number("h", 1))
    return replace(base, camera=replace(base.camera, half_extent=half, centre=middle))


def _from_pixels(
    pixels: tuple[float, ...], width: float, height: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Half extents and centre in (u, v); cx, cy count from the image's top left corner, NaN: the middle."""
    focal_x, focal_y, cx, cy = pixels
    u = 0.0 if math.isnan(cx) else 2 * cx / width - 1
    v = 0.0 if math.isnan(cy) else 1 - 2 * cy / height
    return (width / (2 * focal_x), height / (2 * focal_y)), (u, v)


def _nerf_entry(read: EntryReader, z_up: bool) -> CameraEntry:
    file_path = read.text("file_path")
    if file_path is None:
        raise read.wrong("file_path", "the image's file")
    if "transform_matrix" not in read.item:
        raise read.wrong("transform_matrix", "the 4 x 4 camera-to-world matrix")
    pose = inverse(read.pose("transform_matrix"))
    camera = Camera(
        Path(file_path.replace("\\", "/")).name or f"{read.index:03d}",
        pose @ inverse(Z_UP_TO_WORLD) if z_up else pose,
        "perspective",
    )
    base = CameraEntry(camera, file_path, read.text("normal_file_path") or read.text("normal_path"))
    if read.has("fl_x"):
        return _with_pixels(read, base)
    if not read.has("camera_angle_x"):
        raise read.wrong("camera_angle_x", "the full horizontal angle of view in radians, or else 'fl_x' in pixels")
    angle = read.number("camera_angle_x", 1e-4, math.pi - 1e-4)
    return replace(base, half_width=math.tan(angle / 2))


def save_cameras(
    path: Path,
    cameras: Sequence[Camera],
    *,
    files: Sequence[tuple[str | None, str | None]] | None = None,
    normal_frame: Frame | None = None,
    normal_axes: str | None = None,
) -> None:
    """Writes cameras as meshopt's JSON, whole or not at all; `read_cameras` gives them back to the last bit.

    `files` are the names of each view's colour image and normal map.
    """
    named = files if files is not None else [(None, None)] * len(cameras)
    more = [{"rgb": rgb, "normal": normals} for rgb, normals in named]
    write_file(path, encode_cameras(cameras, more, {"normal_frame": normal_frame, "normal_axes": normal_axes}))


def encode_cameras(
    cameras: Sequence[Camera], more: Sequence[Mapping[str, Any]], head: Mapping[str, Any] = MappingProxyType({})
) -> bytes:
    """The bytes of a cameras file: with `more` of each view, such as its files, and `head` outside the list.

    What is None or an empty text is left out.
    """
    views = [
        {
            "name": camera.name,
            **{key: value for key, value in item.items() if value not in (None, "")},
            "type": camera.projection,
            "half": [float(h) for h in camera.half_extent],
            "centre": [float(c) for c in camera.centre],
            "world_to_camera": camera.world_to_camera.tolist(),
        }
        for camera, item in zip(cameras, more, strict=True)
    ]
    known = {key: value for key, value in head.items() if value is not None}
    data = {"schema": schema("cameras"), **known, "views": views}
    return (json.dumps(data, indent=1) + "\n").encode()
