"""Objects that are hard in known ways, with ground truth, as a folder for benchmarks/reconstruct.py.

    python benchmarks/objects.py FOLDER [--rigs unique3d,wonder3d] [--objects lattice,creature:0] [--meshes FILE ...]

lattice: the edges of a cube as bars, genus 5. knot: a trefoil of a tube 2 % of its size thick. parts: a ball, a ring
and a capsule that do not touch. blob: a smooth body with bumps and two ears. dragon: the sample of data/. By seed:
creature:N, figures with a face in front (creatures.py), and machine:N, with flat faces and edges (machines.py). Each
fits the unit sphere and a box of side 1.8. Views are rendered by meshopt's own rasteriser, 4 x 4 samples per pixel,
with the normals in the world's frame and colours that do not depend on the view (paints.py). An object's files have
its name without the colon.

A rig is a preset, turntable:N, or star:AxE (A azimuths by E elevations, poles left out; 4x4 is what continuous
remeshing was published with); with @ANGLE it is seen in perspective, that full angle of view, from where the unit
sphere just fits: unique3d@40, star:4x4@11.4. Its folder has its name without the colon.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from creatures import creature
from machines import machine
from paints import Model, Paint, markings, picture
from PIL import Image
from scores import MESHES
from solids import surface_of
from view_scores import creased, render

import meshopt
from meshopt.cameras import Camera
from meshopt.mesh import Mesh
from meshopt.rigs import load_rig

ROOT = Path(__file__).parents[1]
SIDE, RADIUS = 1.8, 0.99  # an object's largest side and bounding sphere at most, scene units
NUMBERS = ("{i:03d}.png", "{i:03d}.png")  # names of rgb and normals
FILES = {
    "wonder3d": ("rgb_000_{name}.png", "normals_000_{name}.png"),
    "era3d": ("color_{name}_masked.png", "normals_{name}_masked.png"),
}


def lattice() -> Mesh:
    """Twelve bars between the corners of a turned cube, rounded where they meet: genus 12 - 8 + 1."""
    corners = np.array(list(product((-1, 1), repeat=3))) * 0.5
    bars = [(a, b) for a, b in combinations(corners, 2) if np.abs(a - b).sum() == 1]
    turn = trimesh.transformations.euler_matrix(0.25, 0.45, 0.1)[:3, :3]
    ends = np.array(bars) @ turn.T
    blend = 0.015

    def field(points: np.ndarray) -> np.ndarray:
        total = np.zeros(len(points))
        for start, end in ends:
            along = np.clip((points - start) @ (end - start) / ((end - start) ** 2).sum(), 0, 1)
            total += np.exp(-np.linalg.norm(points - start - along[:, None] * (end - start), axis=1) / blend)
        return 0.07 + blend * np.log(np.maximum(total, 1e-300))

    return surface_of(field)


def knot(around: int = 900, across: int = 24) -> Mesh:
    """A tube along a trefoil knot, its thickness 2 % of the whole."""
    t = np.linspace(0, 2 * np.pi, around, endpoint=False)
    curve = np.stack([np.sin(t) + 2 * np.sin(2 * t), np.cos(t) - 2 * np.cos(2 * t), -1.4 * np.sin(3 * t)], 1)
    tangent = np.roll(curve, -1, 0) - np.roll(curve, 1, 0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    inward = curve * [1, 1, 0.2]  # never along the tangent here, so that the frame turns back into itself
    first = np.cross(tangent, inward)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(tangent, first)
    thickness = 0.02 * np.ptp(curve, axis=0).max()
    angle = np.linspace(0, 2 * np.pi, across, endpoint=False)
    ring = np.cos(angle)[:, None, None] * first + np.sin(angle)[:, None, None] * second  # [across, around, 3]
    points = (curve + thickness / 2 * ring).transpose(1, 0, 2).reshape(-1, 3)
    i, j = (part.reshape(-1) for part in np.meshgrid(np.arange(around), np.arange(across), indexing="ij"))
    a, b = i * across + j, (i + 1) % around * across + j
    c, d = (i + 1) % around * across + (j + 1) % across, i * across + (j + 1) % across
    return outward(points, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))


def parts() -> Mesh:
    """Three bodies that do not touch."""
    ball = trimesh.creation.icosphere(5, radius=0.3)
    ring = trimesh.creation.torus(0.38, 0.08, major_sections=160, minor_sections=40)
    pill = trimesh.creation.capsule(0.7, 0.11, count=[48, 48])
    ring.apply_transform(trimesh.transformations.euler_matrix(1.2, 0.3, 0))
    ball.apply_translation((-0.45, 0.4, 0.1))
    ring.apply_translation((0.4, 0.35, -0.1))
    pill.apply_transform(trimesh.transformations.euler_matrix(0, 1.3, 0.2))
    pill.apply_translation((-0.3, -0.45, 0.0))
    whole = trimesh.util.concatenate([ball, ring, pill])
    whole.merge_vertices()
    return Mesh(torch.tensor(np.array(whole.vertices)).float(), torch.tensor(np.array(whole.faces)).int())


def blob() -> Mesh:
    """A ball with bumps of 3 % and two ears."""
    ball = trimesh.creation.icosphere(7)
    x, y, z = ball.vertices.T
    bumps = np.sin(9 * x + 1) * np.sin(8 * y) * np.sin(10 * z + 2) + 0.4 * np.sin(17 * x) * np.sin(19 * y + z)
    radius = 0.6 + 0.1 * y + 0.05 * x * z + 0.03 * bumps
    for side in (-1, 1):
        ear = np.array([0.45 * side, 0.85, 0.1])
        radius += 0.45 * np.exp(30 * (ball.vertices @ ear / np.linalg.norm(ear) - 1))
    return outward(ball.vertices * radius[:, None], np.asarray(ball.faces))


def dragon() -> Mesh:
    return meshopt.load_mesh(ROOT / "data" / "dragon" / "mesh.ply")


def outward(points: np.ndarray, faces: np.ndarray) -> Mesh:
    """A closed mesh with its faces turned outwards."""
    corners = points[faces]
    if (np.cross(corners[:, 0], corners[:, 1]) * corners[:, 2]).sum() < 0:
        faces = faces[:, ::-1]
    return Mesh(torch.tensor(np.array(points)).float(), torch.tensor(faces.copy()).int())


OBJECTS: dict[str, Callable[[], Mesh]] = {
    "lattice": lattice,
    "knot": knot,
    "parts": parts,
    "blob": blob,
    "dragon": dragon,
}
FAMILIES: dict[str, Callable[[int], Model]] = {"creature": creature, "machine": machine}


def rig_cameras(rig: str) -> list[Camera]:
    """The cameras of a preset, of turntable:N or of star:AxE, orthographic or `@` an angle of view in degrees."""
    places, _, angle = rig.partition("@")
    kind, _, counts = places.partition(":")
    if kind == "star":
        around, high = (int(count) for count in counts.split("x"))
        elevations = np.linspace(-90, 90, high + 2)[1:-1]
        stands = [(360.0 * i / around, float(e)) for e in elevations for i in range(around)]
        cameras = [Camera.orbit(f"{i:03d}", *stand) for i, stand in enumerate(stands)]
    else:
        cameras = list(load_rig(places).cameras())
    if not angle:
        return cameras
    distance = 1 / np.sin(np.radians(float(angle)) / 2)
    return [Camera.orbit(c.name, c.azimuth, c.elevation, fov=float(angle), distance=distance) for c in cameras]


def write_views(mesh: Mesh, folder: Path, rig: str, size: int, paint: Paint | None = None) -> None:
    """rgb/, normals/ and cameras.json of one rig; the paint is by default that of the object called "mesh"."""
    paint = paint or markings("mesh")
    colour, normal = FILES.get(rig.partition("@")[0], NUMBERS)
    sharp, normals = creased(mesh)
    entries = []
    for part in ("rgb", "normals"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for i, camera in enumerate(rig_cameras(rig)):
        names = {key: form.format(i=i, name=camera.name) for key, form in (("rgb", colour), ("normal", normal))}
        image = render(mesh, camera, (size, size), normals="creased").numpy()
        colours = picture(sharp, normals, camera, (size, size), paint)
        save(folder / "rgb" / names["rgb"], colours, image[..., 3], 255)
        save(folder / "normals" / names["normal"], image[..., :3] * 0.5 + 0.5, image[..., 3], 0)
        entries.append(names | camera_entry(camera))
    record = {"rig": rig, "world": "right-handed, +Y up, front = +Z", "views": entries}
    (folder / "cameras.json").write_text(json.dumps(record, indent=1) + "\n")


def save(file: Path, values: np.ndarray, alpha: np.ndarray, nothing: int) -> None:
    """Eight bits and straight alpha."""
    coded = np.where(alpha[..., None] > 0, np.round(255 * np.clip(values, 0, 1)), nothing)
    Image.fromarray(np.dstack([coded, np.round(255 * alpha)]).astype(np.uint8)).save(file)


def camera_entry(camera: Camera) -> dict[str, Any]:
    """As in the cameras files of ground-truth sets: angles in degrees."""
    place = {"name": camera.name, "azimuth": camera.azimuth, "elevation": camera.elevation, "frame": "world"}
    if camera.projection == "orthographic":
        return place | {"type": "ortho", "half": camera.half_extent[0]}
    fov = 2 * float(np.degrees(np.arctan(camera.half_extent[1])))
    return place | {"type": "persp", "fov": fov, "distance": float(np.linalg.norm(camera.position))}


def sources(names: str | None, places: Sequence[Path]) -> dict[str, Callable[[], Model]]:
    """What makes each object: those named, by default all unless there are mesh files or folders of such."""
    files = [file for place in places for file in (sorted(place.iterdir()) if place.is_dir() else [place])]
    files = [file for file in files if file.suffix in MESHES]
    found = {file.stem: partial(plain, file.stem, partial(meshopt.load_mesh, file)) for file in files}
    chosen = names.split(",") if names else [] if places else list(OBJECTS)
    return found | {name.replace(":", ""): named(name) for name in chosen}


def named(name: str) -> Callable[[], Model]:
    """What makes one of OBJECTS, or a member of a family by its seed."""
    family, _, seed = name.partition(":")
    if not seed:
        return partial(plain, name, OBJECTS[name])
    return lambda: FAMILIES[family](int(seed)).placed(SIDE, RADIUS)


def plain(name: str, made: Callable[[], Mesh]) -> Model:
    """A mesh with the markings of its name, which do not grow with it."""
    paint = markings(name)
    return Model(Model(made(), paint).placed(SIDE, RADIUS).mesh, paint)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--objects", help="comma-separated; default: all, or none with --meshes")
    parser.add_argument("--meshes", type=Path, nargs="+", default=[], metavar="FILE|FOLDER", help="objects of your own")
    parser.add_argument("--rigs", default="unique3d,wonder3d", help="comma-separated")
    parser.add_argument("--size", type=int, default=512, help="pixels per side")
    options = parser.parse_args()
    (options.folder / "meshes").mkdir(parents=True, exist_ok=True)
    for name, made in sources(options.objects, options.meshes).items():
        model = made()
        meshopt.save_mesh(model.mesh, options.folder / "meshes" / f"{name}.ply")
        for rig in options.rigs.split(","):
            folder = options.folder / "views" / name / rig.replace(":", "")
            write_views(model.mesh, folder, rig, options.size, model.paint)
        print(f"{name}: {len(model.mesh.faces):,} faces", flush=True)


if __name__ == "__main__":
    main()
