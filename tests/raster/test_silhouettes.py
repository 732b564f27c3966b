"""Silhouettes in torch against the float64 reference: values, gradients, who is across an edge."""

import pytest
import torch

from meshopt import raster
from meshopt.raster.reference import _neighbours
from meshopt.raster.silhouettes import antialias, neighbours

REFERENCE = raster.get("reference")


@pytest.mark.parametrize("kind", ["blob", "sheet", "soup", "slivers", "tiny", "grid", "near", "mixed"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_as_the_reference(scenes, kind, seed):
    scene = scenes.scene(kind, seed, views=2, size=[(12, 16), (15, 9), (1, 20)][seed])
    with torch.no_grad():
        fragments = REFERENCE.rasterize(scene.clip, scene.faces, scene.size)
    picture = torch.rand(2, *scene.size, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    results = []
    for function in (antialias, REFERENCE.antialias):
        p, c = picture.clone().requires_grad_(), scene.clip.double().requires_grad_()
        blended = function(p, fragments, c, scene.faces)
        weight = torch.linspace(0, 9, blended.numel(), dtype=torch.float64).reshape(blended.shape).sin()
        gradients = torch.autograd.grad((blended * weight).sum(), (p, c), materialize_grads=True)
        results.append((blended.detach(), *gradients))
    for found, wanted in zip(*results, strict=True):
        assert torch.allclose(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_neighbours_of_any_faces(seed):
    """Few vertices: many faces on an edge, faces twice and turned over, faces that name a vertex twice."""
    generator = torch.Generator().manual_seed(seed)
    faces = torch.randint(0, 5 + seed, (25, 3), generator=generator)
    faces = torch.cat([faces, faces[:5], faces[5:8].flip(1)])
    across, turned = neighbours(faces)
    expected = _neighbours(faces.tolist())
    for f in range(len(faces)):
        for k in range(3):
            face, other_way = expected.get((f, k), (-1, None))
            assert across[f, k] == face
            assert other_way is None or turned[f, k] == other_way


def test_neighbours_of_no_faces():
    across, turned = neighbours(torch.zeros(0, 3, dtype=torch.long))
    assert across.shape == turned.shape == (0, 3)
    across, _ = neighbours(torch.tensor([[0, 0, 1], [2, 2, 2]]))
    assert (across == -1).all()


def test_an_image_of_one_surface_is_left_alone():
    clip = torch.tensor([[[-3, -3, 0, 1], [3, -3, 0, 1], [0, 6, 0, 1.0]]])
    faces = torch.tensor([[0, 1, 2]])
    fragments = REFERENCE.rasterize(clip, faces, (4, 5))
    image = torch.rand(1, 4, 5, 2)
    assert torch.equal(antialias(image, fragments, clip, faces), image)
