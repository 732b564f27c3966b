"""Views by formula of a few painted ellipsoids: a figure of which every side looks different, and a vase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from meshopt.cameras import Camera
from meshopt.consistency.surface import SharedPoints, reduced, rough_surface, shared_points
from meshopt.mesh import Mesh
from meshopt.rigs import load_rig
from meshopt.views import ViewSet

SIZE = 192
SMALL, RAYS = 128, 3  # pixels, and rays per pixel along a side, of smooth pictures
GRID = 40  # voxels of the rough surface
Solids = tuple[tuple[tuple[float, float, float], tuple[float, float, float]], ...]  # centres and half axes
FIGURE: Solids = (
    ((0.0, -0.2, 0.0), (0.42, 0.6, 0.34)),
    ((0.03, 0.5, 0.06), (0.26, 0.3, 0.26)),
    ((0.05, 0.46, 0.33), (0.07, 0.06, 0.1)),
    ((0.42, -0.1, 0.16), (0.22, 0.1, 0.12)),
    ((-0.4, 0.05, -0.04), (0.1, 0.3, 0.1)),
    ((-0.1, -0.5, -0.4), (0.09, 0.09, 0.2)),
)
EGG: Solids = (((0.05, -0.1, 0.02), (0.6, 0.7, 0.5)),)
VASE: Solids = (((0.0, -0.3, 0.0), (0.5, 0.4, 0.5)), ((0.0, 0.3, 0.0), (0.3, 0.4, 0.3)))


def figure_paint(points: np.ndarray) -> np.ndarray:
    """Blotches that nothing repeats."""
    waves = np.array([[9.0, 4.0, 7.0], [-5.0, 11.0, 6.0], [8.0, -7.0, -9.0]])
    return 0.5 + 0.4 * np.tanh(3 * np.sin(points @ waves.T + [0.3, 1.1, 2.0]))


def vase_paint(points: np.ndarray) -> np.ndarray:
    """Stripes around the axis and along it, four times the same."""
    azimuth = np.arctan2(points[..., 0], points[..., 2])
    stripes = np.stack([np.cos(8 * azimuth), np.sin(14 * points[..., 1]), np.cos(4 * azimuth)], axis=-1)
    return 0.5 + 0.4 * np.tanh(3 * stripes)


def picture(
    camera: Camera, solids: Solids, paint: Callable[[np.ndarray], np.ndarray], size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """World normals, coverage (0 or 1) and colours."""
    origins, directions = camera.rays(size, size)
    nearest = np.full((size, size), np.inf)
    normals = np.zeros((size, size, 3))
    for centre, axes in solids:
        o, d = (origins - centre) / np.array(axes), directions / np.array(axes)
        a, b, c = (d * d).sum(-1), (o * d).sum(-1), (o * o).sum(-1) - 1
        square = b * b - a * c
        depth = np.where(square > 0, (-b - np.sqrt(np.maximum(square, 0))) / a, np.inf)
        closer = depth < nearest
        nearest = np.where(closer, depth, nearest)
        at = o + np.where(closer, depth, 0)[..., None] * d
        normals = np.where(closer[..., None], at / np.array(axes), normals)
    hit = np.isfinite(nearest)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    points = origins + np.where(hit, nearest, 0)[..., None] * directions
    return normals * hit[..., None], hit.astype(float), paint(points) * hit[..., None]


def smooth_picture(
    camera: Camera, solids: Solids, paint: Callable[[np.ndarray], np.ndarray], size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `picture`, averaged over RAYS x RAYS rays per pixel: coverage between 0 and 1 at the outline."""
    fine = picture(camera, solids, paint, size * RAYS)
    normals, cover, rgb = (layer.reshape(size, RAYS, size, RAYS, -1).mean((1, 3)) for layer in fine)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    return normals, cover[..., 0], rgb / np.maximum(cover, 1e-9)


def view_set(
    cameras: tuple[Camera, ...], solids: Solids, paint: Callable, size: int = SIZE, draw: Callable = picture
) -> ViewSet:
    layers = zip(*(draw(camera, solids, paint, size) for camera in cameras), strict=True)
    normals, masks, rgb = (torch.from_numpy(np.stack(layer)).float() for layer in layers)
    return ViewSet(cameras, normals, masks, rgb)


def misplaced(camera: Camera, zoom: float, right: float, up: float) -> Camera:
    """One whose picture is enlarged about the image's centre, then moved, in shares of half the image."""
    (hx, hy), (cx, cy) = camera.half_extent, camera.centre
    return replace(camera, half_extent=(hx / zoom, hy / zoom), centre=(zoom * cx + right, zoom * cy + up))


@cache
def clean(rig: str, solids: Solids) -> ViewSet:
    return view_set(load_rig(rig).cameras(), solids, figure_paint, SMALL, smooth_picture)


def damaged(rig: str, solids: Solids, place: int, zoom: float = 1.0, right: float = 0.0, down: float = 0.0) -> ViewSet:
    """Views of which one is drawn by a misplaced camera (pixels), and believed to be the rig's."""
    views = clean(rig, solids)
    drawn = misplaced(views.cameras[place], zoom, 2 * right / SMALL, -2 * down / SMALL)
    new = view_set((drawn,), solids, figure_paint, SMALL, smooth_picture)
    layers = [part.clone() for part in (views.normals, views.masks, views.rgb)]
    for layer, part in zip(layers, (new.normals, new.masks, new.rgb), strict=True):
        layer[place] = part[0]
    return replace(views, normals=layers[0], masks=layers[1], rgb=layers[2])


def shape_views(cameras: tuple[Camera, ...], solids: Solids, size: int = SMALL) -> ViewSet:
    return view_set(cameras, solids, figure_paint, size, smooth_picture)


def compared(views: ViewSet) -> tuple[ViewSet, Mesh, SharedPoints]:
    """The views as they are compared, the rough surface and what they show there."""
    small = reduced(views)
    surface = rough_surface(small, GRID)
    assert surface is not None
    return small, surface, shared_points(small, surface)


@pytest.fixture(scope="session")
def scenery() -> SimpleNamespace:
    """`figure(rig)`, `vase(rig)`: views of 192 x 192 pixels, made once."""
    made: dict[tuple[str, str], ViewSet] = {}

    def of(what: str, solids: Solids, paint: Callable) -> Callable[[str], ViewSet]:
        def views(rig: str) -> ViewSet:
            if (what, rig) not in made:
                made[what, rig] = view_set(load_rig(rig).cameras(), solids, paint)
            return made[what, rig]

        return views

    return SimpleNamespace(figure=of("figure", FIGURE, figure_paint), vase=of("vase", VASE, vase_paint))


@pytest.fixture(scope="session")
def small() -> Callable[[str], ViewSet]:
    """`small(rig)`: smooth views of the figure of 128 x 128 pixels, made once."""

    return lambda rig: clean(rig, FIGURE)


@pytest.fixture(scope="session")
def shapes() -> SimpleNamespace:
    """What makes other views than those."""
    return SimpleNamespace(
        FIGURE=FIGURE, EGG=EGG, SMALL=SMALL, damaged=damaged, compared=compared, misplaced=misplaced, of=shape_views
    )
