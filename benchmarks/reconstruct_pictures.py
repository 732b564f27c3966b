"""Pictures of reconstructions: the truth, each system's mesh, and where it is off.

Columns: the truth, shaded; for each system its mesh, shaded, the angle between its rendered normals and the truth's,
and its distance from the true surface in per cent of the truth's diagonal. Rows: an input view and two that are none.
Red where only the truth covers a pixel, blue where only the mesh does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from scores import Case
from view_scores import render

import meshopt
from meshopt import raster
from meshopt.cameras import Camera
from meshopt.mesh import Mesh

MOST_DEGREES, MOST_DISTANCE = 30.0, 1.0  # at the end of the colours; the distance in per cent of the diagonal
TILE, OVERSAMPLING = 300, 3
LIGHT = np.array([0.35, 0.5, 0.79])  # in the camera's frame
MISSING, EXTRA = (0.84, 0.24, 0.21), (0.15, 0.43, 0.82)
HEAD, FOOT, LEFT = 26, 46, 6
OVERVIEW_WIDTH, ACROSS = 1600, 2  # pixels; objects side by side
AWAY = (0.0, 35.0, 215.0)  # azimuths from the first view, which is an input; the others are none
ELEVATION, MARGIN = 20.0, 1.05  # of the views that are no input
INK = (60, 60, 60)

Tiles = list[np.ndarray]


def draw_all(cases: Sequence[tuple[Case, dict[str, Path]]], folder: Path) -> None:
    """OBJECT_RIG.png for each, and overview.png of the first rig's objects."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for case, files in cases:
        columns = picture_columns(case, files)
        title = f"{case.name}, {case.rig}"
        page(title, columns).save(folder / f"{case.name}_{case.rig}.png", optimize=True)
        if case.rig == cases[0][0].rig:
            rows.append((title, {name: tiles[1] for name, tiles in columns.items()}))
    overview(rows).save(folder / "overview.png", optimize=True)


def cameras_of(case: Case, truth: Mesh) -> list[Camera]:
    """The first input view, and two orthographic views that are no input, which the truth fills."""
    first = case.views.cameras[0]
    found = [first]
    for turn in AWAY[1:]:
        camera = Camera.orbit("", (first.azimuth + turn) % 360, ELEVATION)
        half = MARGIN * float(np.abs(camera.project(truth.vertices.double().numpy())[0]).max())
        found.append(Camera.orbit("", camera.azimuth, ELEVATION, half_extent=half))
    return found


def picture_columns(case: Case, files: dict[str, Path]) -> dict[str, Tiles]:
    """Tiles of each column by its heading, one per view."""
    truth = case.views.in_scene(case.truth)
    cameras = cameras_of(case, truth)
    targets = [render(truth, camera, (TILE, TILE), OVERSAMPLING, "creased").numpy() for camera in cameras]
    columns = {"truth": [shaded(image, camera) for image, camera in zip(targets, cameras, strict=True)]}
    for name, file in files.items():
        given = meshopt.load_mesh(file)
        mesh = case.views.in_scene(given)
        share = 100 * case.surface.nearest(given.vertices.double().numpy()).distance / case.surface.diagonal
        own: tuple[Tiles, Tiles, Tiles] = ([], [], [])
        for target, camera in zip(targets, cameras, strict=True):
            image = render(mesh, camera, (TILE, TILE), OVERSAMPLING).numpy()
            own[0].append(shaded(image, camera))
            own[1].append(angle_tile(image, target))
            own[2].append(distance_tile(mesh, share, camera, image))
        columns |= dict(zip((name, f"{name}: normals off", f"{name}: distance"), own, strict=True))
    return columns


def shaded(image: np.ndarray, camera: Camera) -> np.ndarray:
    """Grey clay on white, both sides lit alike."""
    facing = image[..., :3] @ camera.rotation.T.astype(np.float32)
    facing = facing * np.where(facing[..., 2:] < 0, -1, 1)
    shade = (0.25 + 0.75 * np.clip(facing @ LIGHT, 0, 1))[..., None] * np.array([0.86, 0.87, 0.9])
    return on_white(shade, image[..., 3])


def angle_tile(image: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Angle between the normals where both cover a pixel."""
    angles = np.degrees(np.arccos(np.clip((image[..., :3] * target[..., :3]).sum(-1), -1, 1)))
    found, given = image[..., 3] > 0.5, target[..., 3] > 0.5
    tile = np.where((found & given)[..., None], heat(angles / MOST_DEGREES), 1.0)
    tile[given & ~found], tile[found & ~given] = MISSING, EXTRA
    return tile


def distance_tile(mesh: Mesh, share: np.ndarray, camera: Camera, image: np.ndarray) -> np.ndarray:
    """The vertices' distances, interpolated."""
    clip = raster.transform(mesh.vertices, torch.from_numpy(camera.clip_matrix())[None].to(mesh.vertices))
    backend = raster.get("cpu")
    fragments = backend.rasterize(clip, mesh.faces, (TILE, TILE))
    values = torch.from_numpy(share).float()[None, :, None]
    found = backend.interpolate(values, fragments, mesh.faces)[0, ..., 0].numpy()
    covered = fragments.face[0].numpy() >= 0
    return np.where(covered[..., None], heat(found / MOST_DISTANCE), 1.0)


def heat(share: np.ndarray) -> np.ndarray:
    """0 to 1 as colours from dark to bright."""
    levels = np.clip(255 * share, 0, 255).round().astype(np.uint8)
    return cv2.applyColorMap(levels.reshape(-1, 1), cv2.COLORMAP_VIRIDIS)[:, 0, ::-1].reshape(*share.shape, 3) / 255.0


def on_white(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return image * alpha[..., None] + 1 - alpha[..., None]


def page(title: str, columns: dict[str, Tiles]) -> Image.Image:
    """The columns under their headings, a row per view, and the colours' meaning below."""
    rows = len(next(iter(columns.values())))
    canvas = Image.new("RGB", (LEFT + TILE * len(columns), HEAD + TILE * rows + FOOT), "white")
    pen = ImageDraw.Draw(canvas)
    for c, (heading, tiles) in enumerate(columns.items()):
        text = f"{title}: {heading}" if c == 0 else heading
        pen.text((LEFT + TILE * (c + 0.5), HEAD / 2), text, fill=INK, font=font(15), anchor="mm")
        for r, tile in enumerate(tiles):
            canvas.paste(as_image(tile), (LEFT + TILE * c, HEAD + TILE * r))
    for r, turn in enumerate(AWAY[:rows]):
        text = "input view" if turn == 0 else f"no input: {turn:.0f}° on, {ELEVATION:.0f}° up"
        label(pen, (LEFT, HEAD + TILE * r), text)
    legend(canvas, HEAD + TILE * rows)
    return canvas


def overview(rows: list[tuple[str, dict[str, np.ndarray]]]) -> Image.Image:
    """A view that is no input of every object, at most 1600 pixels wide."""
    count = max(len(tiles) for _, tiles in rows)
    across = min(ACROSS, len(rows)) if count <= 4 else 1
    side = min(TILE, OVERVIEW_WIDTH // (across * count))
    lines = -(-len(rows) // across)
    canvas = Image.new("RGB", (side * count * across, HEAD + side * lines + FOOT), "white")
    pen = ImageDraw.Draw(canvas)
    for index, (title, tiles) in enumerate(rows):
        left, top = index % across * side * count, HEAD + index // across * side
        for c, (heading, tile) in enumerate(tiles.items()):
            image = as_image(tile).resize((side, side), Image.Resampling.LANCZOS)
            canvas.paste(image, (left + side * c, top))
            if index < across:
                pen.text((left + side * (c + 0.5), HEAD / 2), heading, fill=INK, font=font(14), anchor="mm")
        label(pen, (left + 6, top), title)
    legend(canvas, HEAD + side * lines)
    return canvas


def label(pen: ImageDraw.ImageDraw, place: tuple[float, float], text: str) -> None:
    pen.text(place, text, fill=INK, font=font(13), stroke_width=2, stroke_fill="white")


def legend(canvas: Image.Image, top: int) -> None:
    """The colour bar with both scales, and the two flat colours."""
    pen = ImageDraw.Draw(canvas)
    width = min(300, canvas.width // 3)
    bar = heat(np.linspace(0, 1, width)[None].repeat(12, 0))
    canvas.paste(as_image(bar), (LEFT + 8, top + 8))
    for share in (0.0, 0.5, 1.0):
        text = f"{share * MOST_DEGREES:.0f}°, {share * MOST_DISTANCE:g} %" + (" or more" if share == 1 else "")
        anchor = "lt" if share == 0 else "mt"
        pen.text((LEFT + 8 + share * width, top + 25), text, fill=INK, font=font(12), anchor=anchor)
    left = LEFT + 8 + width + 60
    for color, text in ((MISSING, "truth only"), (EXTRA, "mesh only")):
        pen.rectangle((left, top + 8, left + 12, top + 20), fill=tuple(round(255 * c) for c in color))
        pen.text((left + 18, top + 14), text, fill=INK, font=font(12), anchor="lm")
        left += 100
    text = "angle between the normals; distance in % of the diagonal"
    pen.text((left, top + 14), text, fill=INK, font=font(12), anchor="lm")


def as_image(tile: np.ndarray) -> Image.Image:
    return Image.fromarray((255 * np.clip(tile, 0, 1)).round().astype(np.uint8))


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
