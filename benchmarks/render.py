"""`meshopt render` beside another renderer's pictures of the same meshes.

    python benchmarks/render.py FOLDER [--only spot,fox] [--json FILE]

FOLDER holds meshes/NAME.* and, for each, views/NAME/RIG/ with rgb/, normals/ and cameras.json: RGBA pictures, straight
alpha. Each set is rendered with its own cameras file, written, read again and compared: the least IoU of the
silhouettes (at half coverage), and where both cover all of a pixel the angle between normals (mean and 95 %) and the
peak signal-to-noise ratio of the colours. Seconds are those of rendering and writing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scores import MESHES

import meshopt
from meshopt.evaluate.view_sets import RenderedViews, RenderOptions, write_views

MAX_DB = 99.0  # of equal pictures


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGBA")).astype(np.float64) / 255


def compared(given: Path, found: RenderedViews) -> dict[str, Any]:
    """Figures of one set."""
    entries = json.loads((given / "cameras.json").read_text())["views"]
    overlaps, angles, errors = [], [], []
    for view, entry in enumerate(entries):
        pairs = [
            (pixels(given / layer / entry[key]), pixels(found.folder / found.files.path(layer, view)))
            for layer, key in (("rgb", "rgb"), ("normals", "normal"))
        ]
        alphas = [picture[..., 3] for pair in pairs for picture in pair]
        theirs, ours = alphas[0] > 0.5, alphas[1] > 0.5
        overlaps.append((theirs & ours).sum() / max(1, (theirs | ours).sum()))
        whole = np.min(alphas, axis=0) == 1
        errors.append(np.square(pairs[0][0] - pairs[0][1])[whole][:, :3].ravel())
        a, b = (2 * picture[whole][:, :3] - 1 for picture in pairs[1])
        lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        angles.append(np.degrees(np.arccos(np.clip((a * b).sum(1) / np.maximum(lengths, 1e-9), -1, 1))))
    turned, error = np.concatenate(angles), float(np.concatenate(errors).mean())
    return {
        "views": len(entries),
        "min_iou": float(min(overlaps)),
        "normals_mean_deg": float(turned.mean()),
        "normals_95_deg": float(np.percentile(turned, 95)),
        "over_5deg": float((turned > 5).mean()),
        "colours_db": min(MAX_DB, float(-10 * np.log10(max(error, 1e-12)))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", help="comma-separated names of meshes; default: all")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()
    files = [file for file in sorted((options.folder / "meshes").iterdir()) if file.suffix in MESHES]
    rows = []
    print("mesh            rig           views   min IoU  normals: mean   95 %  > 5 deg  colours    time")
    for file in files:
        if options.only and file.stem not in options.only.split(","):
            continue
        mesh = meshopt.load_mesh(file, textures=True)
        for given in sorted(p.parent for p in (options.folder / "views" / file.stem).glob("*/cameras.json")):
            first = json.loads((given / "cameras.json").read_text())["views"][0]
            size = max(pixels(given / "rgb" / first["rgb"]).shape[:2])
            with tempfile.TemporaryDirectory() as place:
                start = time.perf_counter()
                found = write_views(mesh, RenderOptions(str(given / "cameras.json"), size), place)
                seconds = time.perf_counter() - start
                row = {"mesh": file.stem, "rig": given.name, **compared(given, found), "seconds": round(seconds, 2)}
            rows.append(row)
            print(
                f"{row['mesh']:15} {row['rig']:12} {row['views']:6} {row['min_iou']:9.5f} "
                f"{row['normals_mean_deg']:12.3f} {row['normals_95_deg']:8.3f} {100 * row['over_5deg']:6.2f} % "
                f"{row['colours_db']:6.1f} dB {seconds:5.1f} s",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
