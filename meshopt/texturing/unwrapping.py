"""UV unwrapping in bounded time: xatlas in a process of its own, and box charts where that does not serve."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshopt.errors import InputError
from meshopt.texturing.atlas import Atlas, overlapping
from meshopt.texturing.box_charts import box_pieces
from meshopt.texturing.charts import Charts, Pieces, connected, separated, signed_areas, to_area
from meshopt.texturing.fairing import faired
from meshopt.texturing.packing import likely_coverage, pack, upright
from meshopt.texturing.xatlas_process import packed, unpacked

CHILD = Path(__file__).with_name("xatlas_process.py")
Method = Literal["xatlas", "box"]
GRACE = 10.0  # seconds after which the process ends itself, should this one have died
POINT = 1e-7  # of the mean area: faces with less are a point on the texture
SPARSE = 0.25  # share of the texture in faces below which padding is given up
MUCH = 1.1  # more of it that less padding must give


def unwrap(
    vertices: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    size: int,
    padding: int,
    method: Method = "xatlas",
    seconds: float = 20.0,
) -> Atlas:
    """An atlas of any mesh for a texture of `size` texels along a side, charts `padding` texels apart at least.

    Charts are grown and flattened by xatlas (https://github.com/jpcy/xatlas) on a faired copy of the mesh, for
    `seconds` at most; then, or where it fails, or with the method "box", faces are projected on the six sides of a box,
    which takes a second or a few. The method is named in the atlas, reasons are in its notes. Faces that overlap others
    or are turned over are cut off into charts of their own, no chart is mirrored, and each has texels by its area.
    Faces without area become points.
    The same mesh gives the same bytes, unless the time limit strikes once and not another time. Raises InputError for a
    mesh without faces or with coordinates that are not finite, and where charts do not fit even without padding.
    """
    points, triangles = _checked(vertices, faces)
    proxy = faired(points, triangles)
    why = ""
    if method == "xatlas":
        try:
            pieces = _xatlas(proxy, triangles, seconds)
        except _Unusable as reason:
            method, why = "box", f"Charts are made by box projection: {reason}."
    if method == "box":
        pieces = box_pieces(proxy, triangles)
    atlas = _atlas(points, triangles, pieces, (size, padding))
    atlas = replace(atlas, method=method, notes=(why, *atlas.notes) if why else atlas.notes)
    pairs = len(overlapping(atlas))
    if pairs:  # of rounding
        atlas = replace(atlas, notes=(*atlas.notes, f"{pairs} pairs of faces overlap in the atlas."))
    return replace(
        atlas, **{name: getattr(atlas, name).to(faces.device) for name in ("uv", "faces", "vertices", "chart")}
    )


class _Unusable(Exception):
    """Why xatlas' charts cannot be had."""


def _checked(vertices: Tensor, faces: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Arrays, scaled to a mean area of 1: xatlas' bounds are absolute."""
    if not len(faces):
        raise InputError("the mesh has no faces: a mesh with faces is expected for unwrapping")
    points = vertices.detach().cpu().numpy().astype(np.float64)
    triangles = faces.detach().cpu().numpy().astype(np.int32)
    bad = np.logical_not(np.isfinite(points[triangles]).all(axis=(1, 2)))
    if bad.any():
        raise InputError(f"{bad.sum()} of the mesh's {len(bad)} faces have coordinates that are not finite numbers")
    points = np.nan_to_num(points - points[triangles[0, 0]], posinf=0, neginf=0)  # of vertices without faces
    points /= max(float(np.abs(points[triangles]).max()), 1e-300)
    return points * np.sqrt(len(triangles) / max(float(_areas(points, triangles).sum()), 1e-9)), triangles


def _areas(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = points[faces]
    return np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2


def _xatlas(points: np.ndarray, faces: np.ndarray, seconds: float) -> Pieces:
    """xatlas' charts, where they come within the seconds and are of this mesh. Raises _Unusable."""
    if not sys.executable or getattr(sys, "frozen", False):
        raise _Unusable("xatlas needs a process of its own, and there is no Python to start it with")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(place or str(Path.cwd()) for place in sys.path)}
    command = [sys.executable, str(CHILD), str(seconds + GRACE)]
    given = packed(points.astype(np.float32), faces.astype(np.uint32))
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=seconds, env=environment, check=True)
        flat, vertices, rows = unpacked(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise _Unusable(f"xatlas was not done after {seconds:g} s") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise _Unusable(f"xatlas failed ({said[-1] if said else f'exit code {error.returncode}'})") from error
    except (OSError, ValueError) as error:
        raise _Unusable(f"xatlas' process cannot be used ({error})") from error
    if rows.shape != faces.shape or rows.max() >= len(vertices) or not (vertices[rows] == faces).all():
        raise _Unusable("xatlas gave charts of another mesh")
    return Pieces(flat.astype(np.float64), vertices.astype(np.int64), rows.astype(np.int32))


def _atlas(points: np.ndarray, faces: np.ndarray, pieces: Pieces, room: tuple[int, int]) -> Atlas:
    """Packs pieces of a mesh into a texture: (texels along a side, padding)."""
    corners = pieces.points[pieces.faces]
    area = np.nan_to_num(np.abs(signed_areas(corners)))
    used = area > POINT * max(float(area.mean()), 1e-300)
    if not used.any():
        pieces, used = replace(pieces, points=np.zeros_like(pieces.points)), np.arange(len(faces)) == 0
    charts = connected(replace(pieces, faces=pieces.faces[used]), np.zeros(used.sum(), np.int64))
    charts = to_area(separated(charts), _areas(points, faces[used]))
    uv, notes = _packed(charts, *room)
    return _with_points(charts, uv, faces, used, notes)


def _packed(charts: Charts, size: int, padding: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """The charts' points in the texture, v down, apart by `padding` or by less where they need the room."""
    best, fullest, best_gap = None, -1.0, padding
    charts, gap = replace(charts, points=upright(charts)), padding
    while True:
        likely = [likely_coverage(charts, size, g) for g in (gap, gap // 2)]
        hopeless = likely[0] < SPARSE / 2 and likely[1] > MUCH * likely[0]
        placed = None if hopeless else pack(charts, size, gap)
        if placed is not None:
            share = float(signed_areas(placed[charts.faces]).sum())
            if share > fullest * MUCH:
                best, fullest, best_gap = placed, share, gap
        if fullest >= SPARSE or gap == 0:
            break
        gap //= 2
    if best is None:
        raise InputError(
            f"{charts.count} charts do not fit a texture of {size} x {size} texels:"
            " expected a larger --texture-size, or fewer faces (--faces)"
        )
    notes = (f"The {charts.count} charts are {best_gap} texels apart instead of {padding}, for want of room.",)
    return best * [1, -1] + [0, 1], notes if best_gap < padding else ()


def _with_points(charts: Charts, uv: np.ndarray, faces: np.ndarray, used: np.ndarray, notes: tuple[str, ...]) -> Atlas:
    """The atlas of all faces: those that are not used become points, at a vertex that they share where they do."""
    row = np.full(int(faces.max()) + 1, -1)
    row[charts.vertices] = np.arange(len(uv))
    rest = faces[~used]
    found = row[rest]
    host = np.maximum(found[np.arange(len(rest)), (found >= 0).argmax(axis=1)], 0)
    rows, chart = np.empty_like(faces), np.empty(len(faces), np.int32)
    rows[used], chart[used] = charts.faces, charts.chart
    rows[~used] = len(uv) + np.arange(3 * len(rest)).reshape(-1, 3)
    chart[~used] = charts.owner[host]
    if len(rest):
        notes = (*notes, f"{len(rest)} faces without area are points of the atlas.")
    return Atlas(
        uv=torch.from_numpy(np.concatenate([uv, np.repeat(uv[host], 3, axis=0)]).astype(np.float32)),
        faces=torch.from_numpy(rows),
        vertices=torch.from_numpy(np.concatenate([charts.vertices, rest.ravel()]).astype(np.int32)),
        chart=torch.from_numpy(chart),
        method="",
        notes=notes,
    )
