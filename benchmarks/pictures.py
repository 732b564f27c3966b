"""Pictures of meshes from all around, for the docs: a row per mesh, shaded, and in its colours where it has some.

python benchmarks/pictures.py OUT.png MESH [MESH ...] [--labels a,b] [--columns 8] [--size 256] [--inputs FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

import meshopt
from meshopt import raster
from meshopt.cameras import Camera
from meshopt.mesh import Mesh, vertex_normals

LIGHT = np.array([0.35, 0.5, 0.79])  # in the camera's frame
ANGLES = ((0, 0), (45, 15), (90, 0), (135, 15), (180, 0), (225, 15), (270, 0), (315, 15))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("meshes", nargs="+", type=Path)
    parser.add_argument("--labels", default="")
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--inputs", type=Path, help="folder with rgb/ and normals/: shown in a first row")
    options = parser.parse_args()
    labels = options.labels.split(",") if options.labels else [""] * len(options.meshes)
    rows = [("input views", input_row(options.inputs, options))] if options.inputs else []
    for path, label in zip(options.meshes, labels, strict=True):
        mesh = meshopt.load_mesh(path)
        for colored in (False, True) if mesh.colors is not None else (False,):
            name = f"{label}, colours" if colored else label
            rows.append((name, [picture(mesh, *a, options.size, colored) for a in ANGLES[: options.columns]]))
    sheet(rows, options.size).save(options.output, optimize=True)


def input_row(folder: Path, options: argparse.Namespace) -> list[np.ndarray]:
    """The views' colours, then their normals, on white."""
    views = meshopt.load_views(folder / "rgb", folder / "normals")
    planes = [views.normals * 0.5 + 0.5] if views.rgb is None else [views.rgb, views.normals * 0.5 + 0.5]
    half = options.columns // 2
    tiles = []
    for plane in planes:
        for v in range(min(half, len(views))):
            mask = views.masks[v][..., None]
            tile = (plane[v] * mask + 1 - mask).clamp(0, 1).numpy()
            image = Image.fromarray((255 * tile).round().astype(np.uint8))
            tiles.append(np.asarray(image.resize((options.size, options.size), Image.Resampling.LANCZOS)) / 255)
    return tiles


def picture(mesh: Mesh, azimuth: float, elevation: float, size: int, colored: bool) -> np.ndarray:
    """One view of the mesh [size, size, 3] in [0, 1] on white, antialiased by averaging 2 x 2."""
    camera = Camera.orbit("", azimuth, elevation)
    clip = raster.transform(mesh.vertices, torch.from_numpy(camera.clip_matrix())[None].float())
    backend = raster.get("cpu")
    fragments = backend.rasterize(clip, mesh.faces, (2 * size, 2 * size))
    normals = vertex_normals(mesh.vertices, mesh.faces)
    colors = mesh.colors if mesh.colors is not None else torch.full_like(normals, 0.75)
    found = backend.interpolate(torch.cat([normals, colors], 1)[None], fragments, mesh.faces)[0].numpy()
    covered = (fragments.face[0].numpy() >= 0)[..., None]
    facing = found[..., :3] @ camera.rotation.T.astype(np.float32)
    facing /= np.maximum(np.linalg.norm(facing, axis=-1, keepdims=True), 1e-6)
    shade = 0.3 + 0.7 * np.clip(facing @ LIGHT, 0, 1)[..., None]
    image = found[..., 3:] if colored else shade * np.array([0.86, 0.87, 0.9])
    image = np.where(covered, image, 1.0)
    return image.reshape(size, 2, size, 2, 3).mean((1, 3))


def sheet(rows: list[tuple[str, list[np.ndarray]]], size: int) -> Image.Image:
    """Rows of tiles below each other, each with its label."""
    width = size * max(len(tiles) for _, tiles in rows)
    canvas = Image.new("RGB", (width, size * len(rows)), "white")
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(max(12, size // 16))
    for r, (label, tiles) in enumerate(rows):
        for k, tile in enumerate(tiles):
            canvas.paste(Image.fromarray((255 * np.clip(tile, 0, 1)).round().astype(np.uint8)), (k * size, r * size))
        draw.text((8, r * size + 6), label, fill=(60, 60, 60), font=font)
    return canvas


if __name__ == "__main__":
    main()
