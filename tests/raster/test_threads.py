"""The CPU rasteriser gives the same bytes, gradients included, for any number of threads."""

import numpy as np
import pytest
import torch
import trimesh

from meshopt import parallel, raster
from meshopt.cameras import Camera

CPU = raster.get("cpu")


def icosphere(subdivisions, radius=1.0):
    mesh = trimesh.creation.icosphere(subdivisions)
    return torch.tensor(mesh.vertices * radius, dtype=torch.float32), torch.tensor(mesh.faces, dtype=torch.int32)


def matrices(*cameras):
    return torch.tensor(np.stack([c.clip_matrix() for c in cameras]), dtype=torch.float32)


@pytest.mark.parametrize("size", [(150, 130), (300, 7), (7, 300)])
@pytest.mark.parametrize("views", [1, 4])
def test_the_same_bytes_of_any_scene_for_any_number_of_threads(scenes, views, size):
    scene = scenes.scene("mixed", 3, views, size)

    def everything():
        clip, a = scene.clip.clone().requires_grad_(), scene.attributes(5, views).requires_grad_()
        fragments = CPU.rasterize(clip, scene.faces, size)
        image = CPU.interpolate(a, fragments, scene.faces)
        blended = CPU.antialias(image, fragments, clip, scene.faces)
        gradients = torch.autograd.grad(blended.square().sum(), (clip, a))
        outputs = (fragments.face, fragments.bary, fragments.depth, image, blended, *gradients)
        return [t.detach().numpy().tobytes() for t in outputs]

    with parallel.limit(1):
        expected = everything()
    for count in (2, 3):
        with parallel.limit(count):
            assert everything() == expected


@pytest.mark.parametrize("views", [1, 2, 5])
def test_the_same_bytes_for_any_number_of_threads(views):
    vertices, faces = icosphere(4, 0.8)
    rng = np.random.default_rng(0)
    cameras = [Camera.orbit("a", *rng.uniform(0, 90, 2), fov=40) for _ in range(views)]
    m, target = matrices(*cameras), torch.rand(views, 150, 130, 4)

    def everything():
        v, a = (
            vertices.clone().requires_grad_(),
            torch.cat([vertices, vertices[:, :1]], 1)[None].requires_grad_(),
        )
        clip = raster.transform(v, m)
        fragments = CPU.rasterize(clip, faces, (150, 130))
        image = CPU.antialias(CPU.interpolate(a, fragments, faces), fragments, clip, faces)
        gradients = torch.autograd.grad(((image - target) ** 2).sum(), (clip, a))
        return [
            t.detach().numpy().tobytes() for t in (fragments.face, fragments.depth, fragments.bary, image, *gradients)
        ]

    with parallel.limit(1):
        expected = everything()
    for count in (2, 3, 7):
        with parallel.limit(count):
            assert everything() == expected
