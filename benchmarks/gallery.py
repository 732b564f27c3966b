"""The same optimisation on the cpu backend and on others: pictures side by side, and how far apart the results are.

    python benchmarks/gallery.py OUT.png [--backend NAME ...] [--object NAME ...] [--size 96] [--steps 70] [--json FILE]

A sphere is optimised, with remeshing, towards the normals and masks of a twisted box with sharp edges, and of a ball
with lobes. The other backends are those that work here, and the float64 reference, which takes minutes and is why the
images are small; and the cpu once more from a start moved by 1e-6: what rounding alone does through remeshing.
Chamfer: mean distance of points on each surface to the other surface (exact point-to-triangle distances, so that there
is no floor from sampling), mean of both directions, in per cent of the diagonal of the target's bounding box.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pictures
import torch
import trimesh
from PIL import Image, ImageDraw, ImageFont
from torch.nn.functional import interpolate, normalize

from meshopt import parallel, raster
from meshopt.cameras import Camera
from meshopt.config import OptimizeConfig
from meshopt.mesh import Mesh, vertex_normals
from meshopt.optimize import Stage, optimize_stage
from meshopt.optimize.images import render_normals
from meshopt.raster.protocol import Rasterizer
from meshopt.views import ViewSet

ORBIT = [(30, 35), (90, -35), (150, 35), (210, -35), (270, 35), (330, -35)]  # azimuth, elevation
SHOWN = (0, 3)  # of these, in the pictures
OVERSAMPLING, TILE, CROP, LIMIT = 4, 180, 0.78, 0.5  # CROP: share of the views shown; LIMIT: per cent, red
EDGES, STEP_SIZES = (0.2, 0.05), (0.2, 0.02)


@dataclass(frozen=True)
class Result:
    """What one backend made of it. `chamfer` and `largest` distance to the cpu's result, per cent of the diagonal."""

    label: str
    mesh: Mesh
    seconds: float
    chamfer: float = 0.0
    largest: float = 0.0


def twisted_box() -> Mesh:
    """A box with rounded edges that turns by 50 degrees from its bottom to its top; 81,920 faces."""
    ball = trimesh.creation.icosphere(6)
    shape = ball.vertices / np.linalg.norm(ball.vertices, ord=8, axis=1, keepdims=True) * [0.5, 0.62, 0.38]
    angle = np.radians(50) * shape[:, 1] / 1.24
    x, z = shape[:, 0], shape[:, 2]
    shape[:, 0], shape[:, 2] = np.cos(angle) * x + np.sin(angle) * z, np.cos(angle) * z - np.sin(angle) * x
    return Mesh(torch.tensor(shape, dtype=torch.float32), torch.tensor(np.asarray(ball.faces), dtype=torch.int32))


def lobed_ball() -> Mesh:
    """A ball with five lobes and a ridge around each: dents that silhouettes do not show; 81,920 faces."""
    ball = trimesh.creation.icosphere(6)
    x, y, z = ball.vertices.T
    around = np.arctan2(x, z)
    lobes = np.sqrt(np.sin(2.5 * around) ** 2 + 0.02) * (1 - y * y)
    radius = 0.5 + 0.2 * lobes + 0.06 * np.cos(6 * np.arcsin(y))
    vertices = ball.vertices * radius[:, None] * [1, 1.1, 1]
    return Mesh(torch.tensor(vertices, dtype=torch.float32), torch.tensor(np.asarray(ball.faces), dtype=torch.int32))


OBJECTS = {"twisted box": twisted_box, "lobed ball": lobed_ball}


def views_of(mesh: Mesh, size: int) -> ViewSet:
    """Six orthographic views, each pixel the mean of several samples."""
    cameras = tuple(Camera.orbit(f"{a}", a, e) for a, e in ORBIT)
    matrices = torch.tensor(np.stack([c.clip_matrix() for c in cameras]), dtype=torch.float32)
    normals = vertex_normals(mesh.vertices, mesh.faces)
    fine = (OVERSAMPLING * size, OVERSAMPLING * size)
    image, _ = render_normals(raster.get("cpu"), mesh.vertices, normals, mesh.faces, matrices, fine)
    image = interpolate(image.movedim(-1, 1), size=(size, size), mode="area").movedim(1, -1)
    return ViewSet(cameras, normalize(image[..., :3], dim=-1), image[..., 3])


def start(moved: float = 0.0) -> Mesh:
    """A sphere of 320 faces; each vertex moved by about so much, scene units."""
    ball = trimesh.creation.icosphere(2)
    vertices = 0.55 * ball.vertices + moved * np.random.default_rng(0).normal(size=ball.vertices.shape)
    return Mesh(torch.tensor(vertices, dtype=torch.float32), torch.tensor(ball.faces, dtype=torch.int32))


def optimised(backend: Rasterizer, views: ViewSet, steps: int, device: str, begin: Mesh) -> tuple[Mesh, float]:
    """The mesh, fitted; and the seconds."""
    stage = Stage("gallery", views.resolution[0], steps, EDGES, STEP_SIZES)
    began = time.perf_counter()
    with torch.no_grad(), parallel.single_torch():
        done = optimize_stage(begin.to(device), views.to(device), OptimizeConfig(), stage, backend, lambda *_: None)
    return done.mesh.to("cpu"), time.perf_counter() - began


def distances(points: np.ndarray, mesh: Mesh, chunk: int = 500) -> np.ndarray:
    """From each point to the nearest point of any triangle, by trying all (float64)."""
    a, b, c = (mesh.vertices.double().numpy()[mesh.faces.numpy()[:, k]] for k in range(3))
    return np.concatenate([_nearest(points[k : k + chunk], a, b, c) for k in range(0, len(points), chunk)])


def _nearest(points: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The least of the distances to the three edges, and to the plane where the foot lies inside."""
    normal = np.cross(b - a, c - a)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    inside = np.ones((len(points), len(a)), bool)
    least = np.full(len(points), np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        side, offset = end - start, points[:, None] - start
        along = np.clip((offset * side).sum(-1) / (side * side).sum(-1), 0, 1)
        least = np.minimum(least, np.linalg.norm(offset - along[..., None] * side, axis=-1).min(1))
        inside &= (np.cross(normal, side) * offset).sum(-1) >= 0
    height = np.abs(((points[:, None] - a) * normal).sum(-1))
    return np.minimum(least, np.where(inside, height, np.inf).min(1))


def chamfer(one: Mesh, other: Mesh, samples: int = 6000) -> tuple[float, float]:
    """Mean and largest distance of points on each surface from the other, both directions, scene units."""
    found = []
    for source, target in ((one, other), (other, one)):
        surface = trimesh.Trimesh(source.vertices.numpy(), source.faces.numpy(), process=False)
        points, _ = trimesh.sample.sample_surface(surface, samples, seed=0)
        found.append(distances(np.concatenate([points, surface.vertices]), target))
    return float(np.mean([d.mean() for d in found])), float(max(d.max() for d in found))


def results(views: ViewSet, diagonal: float, names: list[str] | None, steps: int) -> list[Result]:
    """The cpu's, the same from a start moved by rounding's size, and every other backend's."""
    cpu = raster.get("cpu")
    first = Result("cpu", *optimised(cpu, views, steps, "cpu", start()))
    others = [("cpu, start moved by 1e-6", cpu, "cpu", start(1e-6))]
    accelerator = getattr(torch, "accelerator", None)  # from torch 2.6 on
    found = accelerator.current_accelerator() if accelerator else None
    for device in ["cpu"] if found is None else ["cpu", found.type]:
        for name, reason in raster.available(device).items():
            slow_again = name == "reference" and device != "cpu"
            if reason is None and name != "cpu" and not slow_again and (names is None or name in names):
                label = name if device == "cpu" else f"{name} on {device}"
                others.append((label, raster.get(name, device), device, start()))
    rows = [first]
    for label, backend, device, begin in others:
        mesh, seconds = optimised(backend, views, steps, device, begin)
        mean, largest = chamfer(first.mesh, mesh)
        rows.append(Result(label, mesh, seconds, 100 * mean / diagonal, 100 * largest / diagonal))
    return rows


def flat(mesh: Mesh, colors: np.ndarray | None = None) -> Mesh:
    """The same with corners of its own for each face, so that facets show. `colors` [N, 3]: of the vertices."""
    index = mesh.faces.long().flatten()
    faces = torch.arange(len(index), dtype=torch.int32).reshape(-1, 3)
    return Mesh(mesh.vertices[index], faces, None if colors is None else torch.tensor(colors).float()[index])


def heat(mesh: Mesh, other: Mesh, diagonal: float) -> Mesh:
    """The mesh, coloured by the distance of its vertices from the other: grey 0, yellow, red LIMIT, above it darker."""
    share = 100 * distances(mesh.vertices.double().numpy(), other) / diagonal / LIMIT
    knots, colors = (
        [0, 0.5, 1, 10],
        np.array([[0.88, 0.89, 0.92], [0.98, 0.82, 0.35], [0.84, 0.19, 0.15], [0.3, 0, 0.1]]),
    )
    return flat(mesh, np.stack([np.interp(share, knots, colors[:, k]) for k in range(3)], 1))


def picture_row(name: str, views: ViewSet, rows: list[Result], diagonal: float) -> list[tuple[str, list[np.ndarray]]]:
    """Columns: two given views, the start, the results, and how far the last is from the first."""
    given = (views.normals * 0.5 + 0.5) * views.masks[..., None] + 1 - views.masks[..., None]
    tiles = [_enlarged(given[v].clamp(0, 1).numpy()) for v in SHOWN]
    shown = [
        (f"{name}: normals, {views.resolution[0]} x {views.resolution[1]}", tiles),
        ("start", _seen(flat(start()), False)),
    ]
    for row in rows:
        if row.label != "cpu, start moved by 1e-6":
            shown.append((f"{row.label}: {len(row.mesh.faces):,} faces", _seen(flat(row.mesh), False)))
    last = rows[-1]
    label = f"apart: {last.chamfer:.3f} % (red: {LIMIT} %)"
    return [*shown, (label, _seen(heat(last.mesh, rows[0].mesh, diagonal), True))]


def _seen(mesh: Mesh, colored: bool) -> list[np.ndarray]:
    size = round(TILE / CROP)
    tiles = [
        pictures.picture(mesh, azimuth, elevation, size, colored) for azimuth, elevation in (ORBIT[v] for v in SHOWN)
    ]
    edge = (size - TILE) // 2
    return [tile[edge : edge + TILE, edge : edge + TILE] for tile in tiles]


def _enlarged(image: np.ndarray) -> np.ndarray:
    edge = round(len(image) * (1 - CROP) / 2)
    whole = Image.fromarray((255 * image[edge:-edge, edge:-edge]).round().astype(np.uint8))
    return np.asarray(whole.resize((TILE, TILE), Image.Resampling.NEAREST)) / 255


def sheet(columns: list[tuple[str, list[np.ndarray]]]) -> Image.Image:
    """Columns of tiles beside each other, each under its label."""
    head = 26
    canvas = Image.new("RGB", (TILE * len(columns), head + TILE * len(SHOWN)), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(13)
    for k, (label, tiles) in enumerate(columns):
        draw.text((TILE * k + TILE // 2, head // 2), label, fill=(60, 60, 60), font=font, anchor="mm")
        for r, tile in enumerate(tiles):
            canvas.paste(
                Image.fromarray((255 * np.clip(tile, 0, 1)).round().astype(np.uint8)), (TILE * k, head + TILE * r)
            )
    return canvas


def stacked(images: list[Image.Image]) -> Image.Image:
    canvas = Image.new("RGB", (max(i.width for i in images), sum(i.height for i in images)), "white")
    top = 0
    for image in images:
        canvas.paste(image, (0, top))
        top += image.height
    return canvas


def small(image: Image.Image) -> Image.Image:
    """In 256 colours, dithered; the background stays white."""
    palette = image.quantize(256, Image.Quantize.MEDIANCUT, kmeans=1)
    found = image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    background = int(np.argmax(found.histogram()))
    colors = found.getpalette() or []
    found.putpalette([*colors[: 3 * background], 255, 255, 255, *colors[3 * background + 3 :]])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--backend", nargs="+", choices=list(raster.BACKENDS), help="default: all that work here")
    parser.add_argument("--object", nargs="+", choices=list(OBJECTS), default=list(OBJECTS))
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--steps", type=int, default=70)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    sheets, figures = [], {}
    print("| object | backend | faces | seconds | Chamfer to the cpu's, % | largest distance, % |")
    print("|---|---|---|---|---|---|")
    for name in options.object:
        target = OBJECTS[name]()
        views = views_of(target, options.size)
        diagonal = float((target.vertices.amax(0) - target.vertices.amin(0)).norm())
        rows = results(views, diagonal, options.backend, options.steps)
        for row in rows:
            cells = f"{len(row.mesh.faces):,} | {row.seconds:.1f} | {row.chamfer:.4f} | {row.largest:.3f}"
            print(f"| {name} | {row.label} | {cells} |", flush=True)
        figures[name] = {
            row.label: {k: v for k, v in vars(row).items() if k not in ("label", "mesh")}
            | {"faces": len(row.mesh.faces)}
            for row in rows
        }
        sheets.append(sheet(picture_row(name, views, rows, diagonal)))
    small(stacked(sheets)).save(options.output, optimize=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
