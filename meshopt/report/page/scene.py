"""A mesh and cameras as the page's viewer takes them: a few compact arrays, and what they are."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from meshopt.cameras import Camera
from meshopt.mesh import Mesh, distinct_corners, vertex_normals
from meshopt.report.page.document import data_block
from meshopt.report.page.markup import Html, joined
from meshopt.report.page.reduction import reduced
from meshopt.report.sheets import DEGREES

MOST_FACES = 200_000  # more are reduced, for the page's size


@dataclass(frozen=True)
class Surface:
    """What the viewer draws: a row per point, in scene units. `degrees`: the normal error, NaN where it is not known;
    `whole`: the number of faces before they were reduced, 0 where they were not."""

    points: Float[np.ndarray, "N 3"]
    faces: Int[np.ndarray, "F 3"]
    normals: Float[np.ndarray, "N 3"]
    colors: UInt8[np.ndarray, "N 3"] | None = None
    uv: Float[np.ndarray, "N 2"] | None = None
    degrees: Float[np.ndarray, "N"] | None = None
    whole: int = 0


def surface_of(mesh: Mesh, degrees: Float[np.ndarray, "N"] | None = None, most: int = MOST_FACES) -> Surface:
    """The mesh, with the error of its normals per vertex where it is known.

    Points are split where charts of the texture end and at creases. A mesh with more than `most` faces is reduced,
    smooth, and has its colours per vertex alone.
    """
    points = np.nan_to_num(_array(mesh.vertices), nan=0.0, posinf=0.0, neginf=0.0)
    faces = mesh.faces.cpu().numpy().astype(np.int64)
    colors = None if mesh.colors is None else _array(mesh.colors)
    if len(faces) > most:
        return _reduced(points, faces, colors, degrees, most)
    whole = _smooth(points, faces, colors, degrees)
    texture, shading = mesh.texture, mesh.shading
    tables = [part.faces.cpu().numpy() for part in (texture, shading) if part is not None]
    if not tables:
        return whole
    rows, index = distinct_corners(faces, *tables)
    return Surface(
        points=points[rows[0]],
        faces=index,
        normals=whole.normals[rows[0]] if shading is None else _array(shading.normals)[rows[-1]],
        colors=None if whole.colors is None else whole.colors[rows[0]],
        uv=None if texture is None else _array(texture.uv)[rows[1]],
        degrees=None if degrees is None else degrees[rows[0]],
    )


def scene_blocks(surface: Surface, cameras: Sequence[Camera] = (), names: Sequence[str] = ()) -> Html:
    """The data that viewer.js draws: `scene` is JSON, `scene-data` the arrays it describes."""
    arrays = _packed(surface)
    header: dict[str, Any] = {
        "faces": len(surface.faces),
        "low": _plain(surface.points.min(0)),
        "high": _plain(surface.points.max(0)),
        "arrays": {},
        "ramp": _base64(ramp()),
        "cameras": [_camera(camera, name) for camera, name in zip(cameras, names or [""] * len(cameras), strict=True)],
    }
    offset = 0
    for key, array in arrays.items():
        header["arrays"][key] = {"type": array.dtype.name, "offset": offset, "length": array.size}
        offset += array.nbytes + -array.nbytes % 4
    content = b"".join(array.tobytes() + bytes(-array.nbytes % 4) for array in arrays.values())
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    blocks = data_block("scene", text, "application/json"), data_block("scene-data", _base64_bytes(content))
    return joined(blocks)


def _packed(surface: Surface) -> dict[str, np.ndarray]:
    """Points and places in the texture as shares of 65535, normals as those of 127; little-endian."""
    low, high = surface.points.min(0), surface.points.max(0)
    share = (surface.points - low) / np.maximum(high - low, 1e-20)
    small = len(surface.points) <= 1 << 16
    arrays = {
        "points": np.round(share * 65535).astype("<u2"),
        "normals": np.round(surface.normals * 127).astype(np.int8),
        "faces": surface.faces.astype("<u2" if small else "<u4"),
    }
    if surface.colors is not None and surface.uv is None:
        arrays["colors"] = surface.colors
    if surface.uv is not None:
        arrays["uv"] = np.round(np.clip(surface.uv, 0, 1) * 65535).astype("<u2")
    if surface.degrees is not None:
        known = np.isfinite(surface.degrees)
        level = np.clip(np.nan_to_num(surface.degrees) / DEGREES, 0, 1) * known
        arrays["errors"] = np.round(np.stack([level, known], -1) * 255).astype(np.uint8)
    return arrays


def _smooth(
    points: np.ndarray, faces: np.ndarray, colors: np.ndarray | None, degrees: np.ndarray | None, whole: int = 0
) -> Surface:
    """With normals that are blended at the vertices; colours in [0, 1]."""
    normals = vertex_normals(torch.from_numpy(points), torch.from_numpy(faces)).numpy()
    bytes_ = None if colors is None else np.round(np.clip(colors, 0, 1) * 255).astype(np.uint8)
    return Surface(points, faces, normals, bytes_, None, degrees, whole)


def _reduced(
    points: np.ndarray, faces: np.ndarray, colors: np.ndarray | None, degrees: np.ndarray | None, most: int
) -> Surface:
    """Colours and errors are carried along; where an error is not known counts too."""
    shades = np.zeros((len(points), 3)) if colors is None else colors
    errors = np.full(len(points), np.nan) if degrees is None else degrees
    known = np.isfinite(errors)
    values = np.concatenate([shades, np.nan_to_num(errors)[:, None], known[:, None]], -1)
    points, less, values = reduced(points, faces, values, most)
    seen = values[:, 4] > 0.5
    carried = np.where(seen, values[:, 3] / np.maximum(values[:, 4], 1e-6), np.nan)
    return _smooth(
        points, less, None if colors is None else values[:, :3], None if degrees is None else carried, len(faces)
    )


def _camera(camera: Camera, name: str) -> dict[str, Any]:
    """Where it stands and looks. Orthographic cameras stand nowhere: towards them."""
    perspective = camera.projection == "perspective"
    return {
        "name": name or camera.name,
        "axes": [_plain(axis) for axis in camera.rotation],
        "towards": _plain(
            camera.position / max(np.linalg.norm(camera.position), 1e-9) if perspective else camera.rotation[2]
        ),
        "perspective": perspective,
        "aspect": round(camera.half_extent[0] / camera.half_extent[1], 4),
    }


def ramp() -> UInt8[np.ndarray, "256 3"]:
    """The colours of the scale of degrees."""
    return cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_INFERNO)[:, 0, ::-1]


def _plain(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]


def _base64(array: np.ndarray) -> str:
    return _base64_bytes(np.ascontiguousarray(array).tobytes())


def _base64_bytes(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().double().numpy()
