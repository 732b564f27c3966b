"""Makes the sample inputs: `python -m data.make` in the repository's root writes all again, byte for byte."""

from __future__ import annotations

import argparse
import json
import logging
import time
from pathlib import Path

import numpy as np

from . import corrupt, mesh, png
from .objects import OBJECTS, SampleObject
from .render import Picture, Scene
from .rigs import Rig, View, rig

SIZES = {"unique3d": 512, "wonder3d": 256, "zero123plus": 320}  # pixels per view
GENERATED = ("dragon", "wonder3d")  # the set that is also written as a generator would have made it
log = logging.getLogger(__name__)


def bytes_of(values: np.ndarray) -> np.ndarray:
    """[0, 1] to 8 bits, rounded half up."""
    return np.floor(np.clip(values, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def rgba(picture: Picture, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Colour and normal images [H, W, 4] of a view, straight alpha.

    Where there is nothing the colour is white, the normal's code 0, or the zero vector's grey in a sheet.
    """
    nothing = np.uint8(0 if view.tile is None else 128)
    normal = picture.normal if view.frame == "world" else np.einsum("hwc,rc->hwr", picture.normal, view.axes())
    alpha = bytes_of(picture.alpha)[..., None]
    rgb = np.where(alpha > 0, bytes_of(picture.rgb), np.uint8(255))
    coded = np.where(alpha > 0, bytes_of(normal * 0.5 + 0.5), nothing)
    return np.concatenate([rgb, alpha], -1), np.concatenate([coded, alpha], -1)


def sheet(tiles: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Tiles [H, W, C] laid out row by row in `shape` = (rows, columns)."""
    rows, columns = shape
    return np.concatenate([np.concatenate(tiles[r * columns : (r + 1) * columns], 1) for r in range(rows)], 0)


def cameras_json(sample: SampleObject, layout: Rig) -> bytes:
    """The set's cameras in meshopt's own format."""
    head: dict[str, object] = {
        "rig": layout.name,
        "object": sample.name,
        "world": "right-handed, +Y up, front +Z",
    }
    if layout.sheet is not None:
        head["sheet"] = list(layout.sheet)
    return (json.dumps(head | {"views": [v.record() for v in layout.views]}, indent=1) + "\n").encode()


Pair = tuple[np.ndarray, np.ndarray]  # 8-bit RGBA colours and normals of one view


def rendered(scene: Scene, layout: Rig, size: int) -> list[Pair]:
    """The pictures of a rig's views, `size` pixels wide and high."""
    return [rgba(scene.render(view, size), view) for view in layout.views]


def set_files(sample: SampleObject, layout: Rig, pairs: list[Pair]) -> dict[str, bytes]:
    """The files of one rendered set by their path inside it."""
    files = {"cameras.json": cameras_json(sample, layout)}
    views = layout.views
    if layout.sheet is not None:
        pairs = [(sheet([rgb for rgb, _ in pairs], layout.sheet), sheet([n for _, n in pairs], layout.sheet))]
        views = views[:1]
    for view, (rgb, normal) in zip(views, pairs, strict=True):
        files[f"rgb/{view.rgb}"] = png.encode(rgb)
        files[f"normals/{view.normal}"] = png.encode(normal)
    return files


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Writes files below a folder, making the folders they need."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def make(sample: SampleObject, out: Path) -> None:
    """Writes everything of one object below out/NAME."""
    start, scene, folder = time.perf_counter(), Scene(sample), out / sample.name
    write(folder, {"mesh.ply": mesh.encode_ply(mesh.ground_truth(scene, sample.faces))})
    log.info("%s/mesh.ply: %.0f s", sample.name, time.perf_counter() - start)
    for name, size in SIZES.items():
        layout = rig(name, sample.radius)
        pairs = rendered(scene, layout, size)
        write(folder / name, set_files(sample, layout, pairs))
        if (sample.name, name) == GENERATED:
            damaged = corrupt.corrupted_set(pairs, layout.views, corrupt.Corruption(), f"{sample.name}/{name}")
            damaged["cameras.json"] = cameras_json(sample, layout)
            write(folder / f"{name}-generated", damaged)
        log.info("%s/%s: %.0f s", sample.name, name, time.perf_counter() - start)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m data.make", description="Make the sample inputs again.")
    parser.add_argument("objects", nargs="*", help=f"which of {', '.join(OBJECTS)} (default: all)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="where to write (default: data/)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.objects if name not in OBJECTS]
    if unknown:
        parser.error(f"no object {unknown[0]!r}: expected one of {', '.join(OBJECTS)}")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for name in arguments.objects or OBJECTS:
        make(OBJECTS[name], arguments.out)


if __name__ == "__main__":
    main()
