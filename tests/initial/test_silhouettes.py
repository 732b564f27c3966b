"""How thin silhouettes are, and grids that are fine enough for them."""

import numpy as np
import pytest
import torch
import trimesh

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.config import InitialConfig
from meshopt.initial import InitialMesh, initial_mesh
from meshopt.initial.construction import SAMPLES, Sizes, sizes
from meshopt.initial.silhouettes import Outline
from meshopt.mesh import vertex_normals
from meshopt.optimize.images import render_normals
from meshopt.views import ViewSet

COARSE = InitialConfig(grid=SAMPLES, depth=SAMPLES)


def outline(mask: np.ndarray) -> Outline:
    return Outline.of(0, Camera.orbit("front", 0), mask.astype(np.float32))


def test_share_of_thin_parts_is_their_area() -> None:
    mask = np.zeros((200, 200))
    mask[100:160, 60:140] = 1  # a block of 60 x 80 pixels
    mask[20:100, 96:104] = 1  # with a bar of 80 x 8
    height = 2 * Camera.orbit("front", 0).half_extent[1]
    pixel = height / 200
    share = 80 * 8 / (80 * 8 + 60 * 80)
    assert outline(mask).thin_share(5 * pixel) < 0.01
    assert outline(mask).thin_share(14 * pixel) == pytest.approx(share, rel=0.2)
    assert outline(mask).thin_share(90 * pixel) == 1.0


def test_given_sizes_count() -> None:
    thin = np.zeros((256, 256))
    thin[:, 127:129] = 1
    assert sizes(InitialConfig(), [outline(np.ones((64, 64)))]) == Sizes(SAMPLES, SAMPLES)
    assert sizes(InitialConfig(), [outline(thin)]) == Sizes(2 * SAMPLES, 2 * SAMPLES)
    assert sizes(InitialConfig(grid=50, depth=60), [outline(thin)]) == Sizes(50, 60)


def test_a_thin_ring_stays_in_one_piece() -> None:
    """2 % of its size thick: two voxels of the coarsest grid."""
    ring = trimesh.creation.torus(0.8, 0.018, major_sections=96, minor_sections=12)
    ring.apply_transform(trimesh.transformations.rotation_matrix(1.0, (1, 0.3, 0.2)))
    vertices = torch.tensor(ring.vertices, dtype=torch.float32)
    faces = torch.tensor(ring.faces, dtype=torch.int32)
    cameras = tuple(Camera.orbit(str(a), a) for a in (0, 90, 180, 270))
    matrices = torch.tensor(np.stack([c.clip_matrix() for c in cameras]), dtype=torch.float32)
    image, _ = render_normals(raster.get("cpu"), vertices, vertex_normals(vertices, faces), faces, matrices, (512, 512))
    views = ViewSet(cameras, torch.nn.functional.normalize(image[..., :3], dim=-1), image[..., 3])
    whole, broken = (largest_part(initial_mesh(views, settings)) for settings in (InitialConfig(), COARSE))
    assert whole == (pytest.approx(1.0, abs=0.05), 0)  # a ring's Euler characteristic is 0
    assert broken[1] == 2  # torn open, or this test shows nothing


def largest_part(found: InitialMesh) -> tuple[float, int]:
    """Its share of the volume, and its Euler characteristic."""
    shape = trimesh.Trimesh(found.mesh.vertices.numpy(), found.mesh.faces.numpy(), process=False)
    parts = sorted(shape.split(only_watertight=False), key=lambda part: part.volume)
    return parts[-1].volume / shape.volume, parts[-1].euler_number
