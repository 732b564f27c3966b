"""Textures the true mesh and our own of every object, and prints how good the textures are.

    python benchmarks/texture.py FOLDER [--rig wonder3d] [--between FOLDER] [--scorer COMMAND] [--pictures FOLDER]

FOLDER is as for benchmarks/reconstruct.py. PSNR in dB of sRGB: in the input views and in those of BETWEEN/OBJECT/NAME/,
which have a cameras.json and rgb/ as an external scorer takes them (`SCORER MESH --views VIEWS --json FILE`; it
overrules our own figure in the input views). Seams: benchmarks/seams.py; `across`: across borders by inside charts;
`own`: the same of the true paint at the same places; `matched`: across borders by inside charts at edges that
bend as much; `jump`: the same point looked up in both charts, by a texel's step inside.
`equal`: whether a second run gave the same bytes.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scores import Case, last_line
from seams import steps

import meshopt
from meshopt import raster
from meshopt.cameras import Camera
from meshopt.io.meshes import encode_mesh
from meshopt.rendering import render_texture
from meshopt.views import ViewSet

SIDES = ((0, 0), (90, 0), (180, 0), (270, 0), (0, 90), (0, -90))  # azimuths and elevations of the pictures
TILE = 320
COLUMNS = (
    ("faces", "faces", "{}"),
    ("charts", "charts", "{}"),
    ("stretch", "stretch", "{:.2f}"),
    ("covered", "coverage", "{:.2f}"),
    ("overlaps", "overlaps", "{}"),
    ("seen", "seen", "{:.3f}"),
    ("PSNR in", "psnr", "{:.1f}"),
    ("across", "across", "{:.2f}"),
    ("own", "own", "{:.2f}"),
    ("matched", "matched", "{:.2f}"),
    ("jump", "jump", "{:.2f}"),
    ("wall s", "seconds", "{:.1f}"),
    ("CPU s", "cpu_seconds", "{:.1f}"),
    ("equal", "equal", "{}"),
)


def main() -> int:
    options = arguments()
    sources = sorted(options.folder.glob(f"views/*/{options.rig}"))
    cases = [Case(s) for s in sources if not options.objects or s.parent.name in options.objects.split(",")]
    if not cases:
        print(f"{options.folder}: no views/OBJECT/{options.rig}", file=sys.stderr)
        return 2
    between = sorted({place.name for place in options.between.glob("*/*")}) if options.between else []
    columns = [*COLUMNS, *((f"PSNR {name}", name, "{:.1f}") for name in between)]
    print("| object | mesh | " + " | ".join(title for title, _, _ in columns) + " |")
    print("|---" * (2 + len(columns)) + "|")
    rows, pictures = [], []
    for case in cases:
        for kind in options.meshes.split(","):
            result, row = measure(case, kind, options, between)
            rows.append({"object": case.name, "mesh": kind, **row})
            cells = [form.format(row[key]) if row.get(key) is not None else "" for _, key, form in columns]
            print(f"| {case.name} | {kind} | {' | '.join(cells)} |", flush=True)
            pictures.append(six_sides(result))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
        sheet = np.concatenate(pictures)
        Image.fromarray((255 * sheet).round().astype(np.uint8)).save(options.pictures / "textures.png", optimize=True)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--objects", help="comma-separated; default: all")
    parser.add_argument("--rig", default="wonder3d")
    parser.add_argument("--meshes", default="truth,ours", help="truth, ours (reconstructed first), or both")
    parser.add_argument("--between", type=Path, help="views that are no input: OBJECT/NAME/{cameras.json,rgb/}")
    parser.add_argument("--scorer", help="command of an independent scorer")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="settings, as in the CLI")
    parser.add_argument("--keep", type=Path, help="folder for the textured meshes")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="textures.png: every mesh from six sides")
    return parser.parse_args()


def measure(
    case: Case, kind: str, options: argparse.Namespace, between: list[str]
) -> tuple[meshopt.Reconstruction, dict[str, Any]]:
    """The textured mesh, and its figures."""
    config = meshopt.load_config(overrides=["check.enabled=false", *options.set])
    mesh = case.truth
    if kind == "ours":
        geometry = meshopt.load_config(overrides=["texture.kind=none"])
        mesh = meshopt.reconstruct(case.views, geometry).world_mesh
    meshopt.texture(mesh, case.views, config)  # compiles
    wall, cpu = time.perf_counter(), time.process_time()
    result = meshopt.texture(mesh, case.views, config)
    seconds = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    again = meshopt.texture(mesh, case.views, config)
    seams = steps(result.mesh, case.paint)
    values = [10 ** (-row["colour_psnr_db"] / 10) for row in result.report["views"]]
    row = {
        "faces": len(result.mesh.faces),
        **result.report["texture"],
        **seconds,
        "psnr": float(-10 * np.log10(np.mean(values))),
        "across": seams.ratio,
        "own": seams.paint,
        "matched": seams.across / seams.matched,
        "jump": seams.jump / seams.inside,
        "seams": asdict(seams),
        "equal": encode_mesh(result.mesh, "glb") == encode_mesh(again.mesh, "glb"),
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{case.name}_{kind}.glb"
        meshopt.save_mesh(result.world_mesh, file)
        if options.scorer:
            row["psnr"] = scored(file, case.source, options.scorer)
            for name in between:
                row[name] = scored(file, options.between / case.name / name, options.scorer)
    return result, row


def scored(mesh: Path, views: Path, scorer: str) -> float | None:
    """What the independent scorer says of the colours in these views."""
    if not views.is_dir():
        return None
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "score.json"
        command = [*shlex.split(scorer), str(mesh), "--views", str(views), "--json", str(output)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the scorer failed: {last_line(done.stderr)}")
        return json.loads(output.read_text())["images"]["colour_psnr_db_all"]


def six_sides(result: meshopt.Reconstruction) -> np.ndarray:
    """Front, right, back, left, top, bottom, on white."""
    mesh, backend = result.mesh, raster.get("cpu")
    assert mesh.texture is not None
    cameras = tuple(Camera.orbit("", azimuth, elevation) for azimuth, elevation in SIDES)
    matrices = torch.stack([torch.from_numpy(camera.clip_matrix()) for camera in cameras]).float()
    images = render_texture(backend, mesh, mesh.texture, matrices, (TILE, TILE))
    blank = torch.zeros((len(cameras), TILE, TILE, 3))
    cover = meshopt.rendering.render_views(backend, mesh, ViewSet(cameras, blank, blank[..., 0])).masks[..., None]
    return torch.cat(list(images * cover + 1 - cover), dim=1).clamp(0, 1).numpy()


if __name__ == "__main__":
    sys.exit(main())
