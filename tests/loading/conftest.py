"""An object without symmetry, cast against rays, and its views written the way generators write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from meshopt.cameras import Camera

BALLS = (((0.1, 0.2, 0.0), 0.5), ((0.45, -0.35, 0.2), 0.3), ((-0.5, 0.05, 0.3), 0.22))


@dataclass
class View:
    """World normals, colours and coverage of one camera."""

    normals: np.ndarray
    rgb: np.ndarray
    alpha: np.ndarray


def _cast(camera: Camera, size: int) -> tuple[np.ndarray, np.ndarray]:
    """World normals [n, n, 3] of the nearest ball at each pixel, and whether there is one."""
    origins, directions = camera.rays(size, size)
    best = np.full((size, size), np.inf)
    normals = np.zeros((size, size, 3))
    scale = (directions**2).sum(-1)
    for centre, radius in BALLS:
        from_centre = origins - np.array(centre)
        b = (from_centre * directions).sum(-1) / scale
        disc = b**2 - ((from_centre**2).sum(-1) - radius**2) / scale
        t = -b - np.sqrt(np.maximum(disc, 0))
        hit = (disc > 0) & (t < best)
        best[hit] = t[hit]
        normals[hit] = (from_centre + t[..., None] * directions)[hit] / radius
    return normals, np.isfinite(best)


def cast_view(camera: Camera, size: int = 64) -> View:
    """A view with 3 x 3 samples in each pixel."""
    fine, hit = _cast(camera, 3 * size)
    blocks = (size, 3, size, 3)
    alpha = hit.reshape(blocks).mean((1, 3))
    normals = (fine * hit[..., None]).reshape(*blocks, 3).sum((1, 3))
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    return View(normals, 0.5 + 0.3 * normals[..., ::-1], alpha)


def save_png(path: Path, rgb: np.ndarray, alpha: np.ndarray | None = None) -> None:
    """Values in [0, 1] as 8-bit PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = rgb if alpha is None else np.concatenate([rgb, alpha[..., None]], -1)
    Image.fromarray(np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)).save(path)


Writer = Callable[..., list[View]]


@pytest.fixture(scope="session")
def cast() -> Callable[[Camera, int], View]:
    return cast_view


@pytest.fixture
def write_views(tmp_path: Path) -> Writer:
    """Writes a set: RGBA, or on a background (grey level) without alpha; normals in the world or camera
    frame.
    """

    def write(
        cameras: Sequence[Camera],
        names: Sequence[str],
        *,
        size: int = 64,
        background: float | None = None,
        frame: str = "world",
        folder: Path = tmp_path,
        prefixes: tuple[str, str] = ("rgb/", "normals/"),
        colours: bool = True,
    ) -> list[View]:
        views = [cast_view(camera, size) for camera in cameras]
        for camera, name, view in zip(cameras, names, views, strict=True):
            normals = view.normals if frame == "world" else view.normals @ camera.rotation.T
            for prefix, image in zip(prefixes, (view.rgb, normals * 0.5 + 0.5), strict=True):
                if prefix == prefixes[0] and not colours:
                    continue
                a = view.alpha[..., None]
                if background is None:
                    save_png(folder / f"{prefix}{name}", np.where(a > 0, image, 1), view.alpha)
                else:
                    save_png(folder / f"{prefix}{name}", image * a + background * (1 - a))
        return views

    return write
