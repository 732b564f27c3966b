"""Turns a rendered set into a generated-like one: the views a diffusion model gives, the damage on record."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np

from . import corrupt_kernels, png
from .rigs import View

LUMINANCE = np.array(  # JPEG's table K.1
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=np.float64,
)


@dataclass(frozen=True)
class Corruption:
    """What is done to a set. Angles in degrees, lengths in pixels; `seed` gives each view a random stream."""

    seed: int = 7
    bend: float = 8.0  # rms of the smooth bending of normals
    bend_periods: float = 1.6  # highest frequency of the bending, periods per image
    turned_view: str = "right"  # all normals of this view are turned besides
    turn: float = 8.0
    turn_axis: tuple[float, float, float] = (0.36, 0.8, 0.48)  # in the world
    zoom: float = 0.02  # largest relative change of size
    shift: float = 2.5  # largest shift along each axis
    blur: float = 1.1
    length: float = 0.85  # median length of the normals
    quality: int = 80  # of the JPEG-like rounding, 1 to 100


def _over(pixels: np.ndarray, background: float) -> np.ndarray:
    """8-bit RGBA (straight alpha) over a grey level in 0..255, float64 [H, W, 3]."""
    alpha = pixels[..., 3:] / 255.0
    return pixels[..., :3] * alpha + background * (1.0 - alpha)


def _rounded(image: np.ndarray, quality: int) -> np.ndarray:
    """0..255 float [H, W, 3] to bytes, through the 8 x 8 rounding of JPEG at that quality."""
    scale = (200.0 - 2.0 * quality if quality >= 50 else 5000.0 / quality) / 100.0
    table = np.maximum(np.floor(LUMINANCE * scale + 0.5), 1.0)
    return np.floor(np.clip(corrupt_kernels.quantised(image, table), 0.0, 255.0) + 0.5).astype(np.uint8)


def _bending(stream: np.random.Generator, mask: np.ndarray, plan: Corruption) -> np.ndarray:
    """A smooth field of rotation vectors [H, W, 3] in radians; rms over the mask: `plan.bend` degrees."""
    table = stream.uniform(-1.0, 1.0, (6, 6))
    table[:, :2] *= plan.bend_periods
    table[:, 2] *= math.pi
    field = corrupt_kernels.waves(len(mask), table)
    rms = math.sqrt(float((field[mask] ** 2).sum()) / max(int(mask.sum()), 1))
    return field * (math.radians(plan.bend) / rms)


def _angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees between vectors [K, 3]."""
    sizes = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return np.degrees(np.arccos(np.clip((a * b).sum(-1) / np.maximum(sizes, 1e-12), -1.0, 1.0)))


def corrupted_view(
    rgb: np.ndarray, normal: np.ndarray, view: View, index: int, plan: Corruption
) -> tuple[np.ndarray, np.ndarray, dict[str, object]]:
    """One damaged view (RGB on white, normals on black, bytes [H, W, 3]) and what was done to it."""
    stream = np.random.default_rng([plan.seed, index])
    mask = normal[..., 3] >= 128
    vectors = normal[..., :3] / 127.5 - 1.0
    bend = _bending(stream, mask, plan)
    turn = plan.turn if view.name == plan.turned_view else 0.0
    bent = corrupt_kernels.turned(vectors, bend)
    bent = corrupt_kernels.turned(bent, np.broadcast_to(math.radians(turn) * np.array(plan.turn_axis), bent.shape))
    table = np.concatenate([stream.uniform(-3.0, 3.0, (4, 3)), np.full((4, 3), 0.04)], 1)
    scale = plan.length + corrupt_kernels.waves(len(mask), table)[..., :1]
    alpha = normal[..., 3:] / 255.0
    coded = (bent * scale + 1.0) * 127.5 * alpha
    zoom = 1.0 + plan.zoom * stream.uniform(-1.0, 1.0)
    right, down = plan.shift * stream.uniform(-1.0, 1.0, 2)
    moved = corrupt_kernels.zoomed(np.concatenate([coded, _over(rgb, 255.0)], -1), zoom, right, down)
    moved = corrupt_kernels.blurred(moved, plan.blur)
    seen = _rounded(np.ascontiguousarray(moved[..., :3]), plan.quality)
    picture = _rounded(np.ascontiguousarray(moved[..., 3:]), plan.quality)
    inner = corrupt_kernels.blurred(alpha, 3.0)[..., 0] > 0.995  # compared where neither image has a border
    error = _angles(seen[inner] / 127.5 - 1.0, vectors[inner])
    size = np.sqrt(((seen[inner] / 127.5 - 1.0) ** 2).sum(-1))
    record: dict[str, object] = {
        "name": view.name,
        "bend_rms_degrees": plan.bend,
        "turn_degrees": turn,
        "zoom": round(float(zoom), 5),
        "shift_pixels": [round(float(right), 3), round(float(down), 3)],
        "normal_error_degrees": {
            "mean": round(float(error.mean()), 2),
            "median": round(float(np.median(error)), 2),
            "rms": round(math.sqrt(float((error**2).mean())), 2),
        },
        "median_length": round(float(np.median(size)), 3),
    }
    return picture, seen, record


def corrupted_set(
    pairs: list[tuple[np.ndarray, np.ndarray]], views: tuple[View, ...], plan: Corruption, source: str
) -> dict[str, bytes]:
    """The files of a generated-like set from the 8-bit RGBA pictures and normals of a rendered one."""
    files, records = {}, []
    for index, (view, (rgb, normal)) in enumerate(zip(views, pairs, strict=True)):
        picture, seen, record = corrupted_view(rgb, normal, view, index, plan)
        files[f"rgb/{view.rgb}"] = png.encode(picture)
        files[f"normals/{view.normal}"] = png.encode(seen)
        records.append(record)
    truth = {
        "made_from": source,
        "seed": plan.seed,
        "background": {"rgb": [255, 255, 255], "normals": [0, 0, 0]},
        "turn_axis_world": list(plan.turn_axis),
        "bend_periods_per_image": plan.bend_periods,
        "blur_pixels": plan.blur,
        "jpeg_like_quality": plan.quality,
        "views": records,
    }
    files["truth.json"] = (json.dumps(truth, indent=1) + "\n").encode()
    return files
