"""Fitted textures render closer to the views, and change only what views show."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch

from meshopt import parallel
from meshopt.cameras import Camera
from meshopt.mesh import Mesh
from meshopt.raster import transform
from meshopt.raster.reference import ReferenceRasterizer
from meshopt.texturing.atlas import Atlas
from meshopt.texturing.baking import Baked, Levels, bake, find_levels, linear_images
from meshopt.texturing.fitting import fitted
from meshopt.texturing.hinges import hinges
from meshopt.texturing.lattice import Lattice, make_lattice
from meshopt.texturing.observation import Observer
from meshopt.texturing.texels import Texels
from meshopt.views import ViewSet

SIZE = 96
SAMPLES = 3  # places in a pixel along each side: others than the solver's


def _fine(points: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack([0.5 + 0.3 * np.sin(17 * x + 3 * y), 0.5 + 0.3 * np.cos(15 * y), 0.4 + 0.2 * np.sin(16 * z)], -1)


def _made(mesh: Mesh, atlas: Atlas, views: ViewSet, size: int = SIZE) -> tuple[Baked, Lattice, Observer, Levels]:
    assert views.rgb is not None
    observer = Observer(mesh, views, linear_images(views.rgb))
    lattice = make_lattice(mesh, atlas, 3 * float(observer.pixels.min()))
    levels = find_levels(lattice, observer, np.ones(len(views)))
    uv, uv_faces = torch.from_numpy(lattice.uv), torch.from_numpy(lattice.uv_faces)
    texels = Texels(uv, uv_faces, size, hinges(lattice.points, lattice.faces))
    return bake(lattice, observer, levels, texels), lattice, observer, levels


def _render(mesh: Mesh, atlas: Atlas, image: np.ndarray, camera: Camera, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The textured mesh, by the reference rasteriser and torch's bilinear lookup; and what it covers wholly."""
    corners = mesh.vertices[atlas.vertices.long()]
    clip = transform(corners.double(), torch.from_numpy(camera.clip_matrix())[None])
    backend = ReferenceRasterizer()
    fragments = backend.rasterize(clip, atlas.faces, (rows * SAMPLES,) * 2)
    uv = backend.interpolate(atlas.uv.double()[None], fragments, atlas.faces)
    texture = torch.from_numpy(image).double().permute(2, 0, 1)[None]
    shown = torch.nn.functional.grid_sample(texture, 2 * uv - 1, padding_mode="border", align_corners=False)[0]
    hit = (fragments.face[0] >= 0).double()
    pooled = torch.nn.functional.avg_pool2d(torch.cat([shown * hit, hit[None]])[None], SAMPLES)[0].numpy()
    return np.moveaxis(pooled[:3], 0, -1), pooled[3] > 0.999


def _errors(mesh: Mesh, atlas: Atlas, baked: Baked, views: ViewSet) -> tuple[float, float]:
    """Mean squared error in linear light of two views, over the pixels inside, and over those four or more inside."""
    assert views.rgb is not None
    images, errors = linear_images(views.rgb), []
    for camera, image, mask in zip(views.cameras[:2], images[:2], views.masks[:2].numpy(), strict=True):
        found, whole = _render(mesh, atlas, baked.linear, camera, len(mask))
        inside = (whole & (mask > 0.999)).astype(np.uint8)
        within = cv2.erode(inside, np.ones((9, 9), np.uint8))
        errors.append([(np.square(found - image) * part[..., None]).sum() / part.sum() for part in (inside, within)])
    whole_error, inner_error = np.mean(errors, axis=0)
    return float(whole_error), float(inner_error)


@pytest.mark.parametrize("fov", [None, 35.0])
def test_renders_are_closer_to_the_views(scenes: ModuleType, fov: float | None) -> None:
    mesh = scenes.sphere(2)
    atlas = scenes.side_atlas(mesh)
    views = scenes.views(mesh, scenes.ring(4, 10, fov), _fine, (64, 64))
    baked, lattice, observer, levels = _made(mesh, atlas, views)
    better = fitted(baked, lattice, observer, levels)
    before, after = (_errors(mesh, atlas, found, views) for found in (baked, better))
    assert after[0] < before[0]
    assert after[1] < 0.5 * before[1]  # close to borders, views count less
    assert better.linear.dtype == baked.linear.dtype
    assert better.linear.min() >= 0
    assert better.linear.max() <= 1
    assert np.array_equal(better.source, baked.source)
    assert np.array_equal(better.confidence, baked.confidence)


def test_what_no_view_shows_is_left_as_it_is(scenes: ModuleType) -> None:
    """Half of a ball, and another ball inside of it."""
    scene = scenes.joined(scenes.sphere(1), scenes.sphere(1, 0.3))
    atlas = scenes.face_atlas(scene)
    views = scenes.views(scene, scenes.ring(1), _fine, (64, 64))
    baked, lattice, observer, levels = _made(scene, atlas, views, 256)
    baked = replace(baked, linear=np.random.default_rng(0).uniform(size=baked.linear.shape).astype(np.float32))
    better = fitted(baked, lattice, observer, levels)
    changed = (better.linear != baked.linear).any(-1)
    towards = torch.cat([scene.vertices, torch.linalg.vector_norm(scene.vertices, dim=1, keepdim=True)], dim=1)
    inside, found = Texels(atlas.uv, atlas.faces, 256).at(towards[atlas.vertices.long()], 0, 256)
    behind = inside & ((found[..., 2] < -0.05) | (found[..., 3] < 0.4))
    assert not changed[behind].any()
    assert changed[inside & (found[..., 2] > 0.3) & (found[..., 3] > 0.5)].mean() > 0.5
    assert changed[~inside].sum() < 0.001 * changed.size


def test_constant_colour_stays(scenes: ModuleType) -> None:
    mesh = scenes.sphere(2)
    atlas = scenes.side_atlas(mesh)
    views = scenes.views(mesh, scenes.ring(4, 10), scenes.plain((0.2, 0.5, 0.3)), (64, 64))
    baked, lattice, observer, levels = _made(mesh, atlas, views)
    better = fitted(baked, lattice, observer, levels)
    inside = baked.source > 0
    assert np.abs(better.linear[inside] - [0.2, 0.5, 0.3]).max() < 0.02


def test_exposures_are_not_fitted_back_in(scenes: ModuleType) -> None:
    mesh = scenes.sphere(2)
    atlas = scenes.side_atlas(mesh)
    plain = scenes.plain((0.3, 0.4, 0.35))
    views = scenes.views(mesh, scenes.ring(4), plain, (96, 96), exposure=(1, 1.3, 0.9, 1.1))
    baked, lattice, observer, levels = _made(mesh, atlas, views)
    better = fitted(baked, lattice, observer, levels)
    found = better.linear[baked.source > 0] / [0.3, 0.4, 0.35]
    assert np.quantile(found, 0.99) / np.quantile(found, 0.01) < 1.15


def test_same_bytes(scenes: ModuleType) -> None:
    mesh = scenes.torus()
    atlas = scenes.face_atlas(mesh)
    views = scenes.views(mesh, scenes.ring(3, 20), _fine, (64, 64))
    made = _made(mesh, atlas, views, 128)
    several = [fitted(*made).linear.tobytes() for _ in range(2)]
    with parallel.limit(1):
        several.append(fitted(*made).linear.tobytes())
    assert len(set(several)) == 1


@pytest.mark.parametrize("trust", [0.0, 1.0])
def test_views_that_say_nothing(scenes: ModuleType, trust: float) -> None:
    """Without trust, or looking past the mesh: the baked texture stays."""
    mesh = scenes.sphere(2)
    atlas = scenes.side_atlas(mesh)
    views = scenes.views(mesh, scenes.ring(2), _fine, (48, 48))
    baked, lattice, observer, levels = _made(mesh, atlas, views)
    if trust:
        observer = Observer(mesh, replace(views, masks=0 * views.masks), observer.images)
    found = fitted(baked, lattice, observer, replace(levels, trust=np.full(2, trust)))
    assert np.array_equal(found.linear, baked.linear)
