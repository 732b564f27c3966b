"""The CPU rasteriser against its float64 twin, values and gradients; both against finite differences."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.raster.reference import weights

CPU, REFERENCE = raster.get("cpu"), raster.get("reference")
CAMERAS = [Camera.orbit("a", 10, 7), Camera.orbit("b", 33, 20, fov=40, distance=3)]
BEHIND = Camera.orbit("c", 15, 10, fov=70, distance=0.5)  # inside the object


def lumpy(subdivisions, seed):
    """A closed, bumpy mesh with folds of its own."""
    rng, mesh = np.random.default_rng(seed), trimesh.creation.icosphere(subdivisions)
    lumps = 0.7 + 0.15 * np.sin(4 * mesh.vertices @ rng.normal(size=3)) + 0.05 * rng.normal(size=len(mesh.vertices))
    return mesh.vertices * lumps[:, None], mesh.faces


def case(subdivisions, seed, cameras, kind):
    vertices, faces = lumpy(subdivisions, seed)
    if kind == "open":
        faces = faces[np.random.default_rng(seed).random(len(faces)) < 0.7]
    if kind == "mixed":  # some faces turned inside out
        faces[::5] = faces[::5, ::-1]
    m = torch.tensor(np.stack([c.clip_matrix(1.2) for c in cameras]))
    return raster.transform(torch.tensor(vertices), m).float(), torch.tensor(faces, dtype=torch.int32)


CASES = [  # mesh, resolution, at least so many pixels blended
    ((1, 1, CAMERAS, "closed"), (32, 32), 60),
    ((2, 2, CAMERAS, "open"), (24, 40), 100),
    ((3, 3, CAMERAS, "mixed"), (40, 21), 60),
    ((4, 4, CAMERAS[1:], "closed"), (16, 16), 20),  # faces smaller than pixels
    ((2, 5, [BEHIND], "closed"), (30, 30), 0),
    ((2, 6, [BEHIND], "open"), (20, 33), 20),
]


def close(a, b, rtol):
    assert torch.isfinite(a).all()
    assert (a - b).abs().max().item() <= rtol * b.abs().max().item()


@pytest.mark.parametrize(("what", "size", "blended_pixels"), CASES)
def test_values_and_gradients_agree(what, size, blended_pixels):
    clip, faces = case(*what)
    generator = torch.Generator().manual_seed(0)
    attributes = torch.randn(1 + len(clip) % 2, clip.shape[1], 3, generator=generator)[: len(clip)]
    c32, a32 = clip.clone().requires_grad_(), attributes.clone().requires_grad_()
    c64, a64 = clip.double().requires_grad_(), attributes.double().requires_grad_()
    fast, slow = CPU.rasterize(c32, faces, size), REFERENCE.rasterize(c64, faces, size)
    same = fast.face == slow.face
    assert (~same).float().mean() < 0.01  # pixel centres within the snapping distance of an edge
    assert (slow.face >= 0).float().mean() > 0.2
    close(fast.bary[same], slow.bary[same], 1e-4)
    close(fast.depth[same], slow.depth[same], 1e-5)

    given = replace(slow, face=fast.face, bary=weights(c64, faces, fast.face), depth=fast.depth.double())
    image, expected = CPU.interpolate(a32, fast, faces), REFERENCE.interpolate(a64, given, faces)
    inside = same[..., None].expand_as(image)
    close(image[inside], expected[inside], 1e-4)
    weight = torch.randn(image.shape, generator=generator) * inside  # a clamped weight has another value outside a face
    found = torch.autograd.grad((image * weight).sum(), (c32, a32), retain_graph=True)
    wanted = torch.autograd.grad((expected * weight).sum(), (c64, a64), retain_graph=True)
    for a, b in zip(found, wanted, strict=True):
        close(a, b, 1e-4)

    picture = torch.rand(image.shape, generator=generator)
    p32, p64 = picture.clone().requires_grad_(), picture.double().requires_grad_()
    blended, smooth = CPU.antialias(p32, fast, c32, faces), REFERENCE.antialias(p64, given, c64, faces)
    assert int(((smooth - p64).abs() > 1e-6).any(-1).sum()) >= blended_pixels
    close(blended, smooth, 1e-4)
    weight = torch.randn(image.shape, generator=generator)
    found = torch.autograd.grad((blended * weight).sum(), (p32, c32), materialize_grads=True)
    wanted = torch.autograd.grad((smooth * weight).sum(), (p64, c64), materialize_grads=True)
    for a, b in zip(found, wanted, strict=True):
        close(a, b, 1e-4)


def test_no_gradient_reaches_depth_in_clip_space():
    clip, faces = case(*CASES[0][0])
    clip.requires_grad_()
    fragments = CPU.rasterize(clip, faces, (32, 32))
    image = CPU.interpolate(torch.rand(1, clip.shape[1], 2), fragments, faces)
    CPU.antialias(image, fragments, clip, faces).square().sum().backward()
    assert clip.grad[..., [0, 1, 3]].any()
    assert not clip.grad[..., 2].any()
    assert not fragments.depth.requires_grad


@pytest.mark.parametrize("backend", [CPU, REFERENCE], ids=["cpu", "reference"])
@pytest.mark.parametrize("cameras", [CAMERAS[:1], CAMERAS[1:], [BEHIND]], ids=["ortho", "perspective", "behind"])
def test_gradients_are_finite_differences(backend, cameras):
    """Of a picture of attributes with its silhouettes, along random directions, visibility held fixed."""
    clip, faces = case(2, 7, cameras, "closed")
    generator = torch.Generator().manual_seed(1)
    clip, attributes = clip.double(), torch.randn(1, clip.shape[1], 2, generator=generator).double()
    visible = backend.rasterize(clip.to(torch.float32), faces, (40, 40))
    weight = torch.randn(1, 40, 40, 2, generator=generator).double()

    def value(c, a, backend=REFERENCE):
        if backend is REFERENCE:
            bary = weights(c, faces, visible.face)
        else:
            bary = backend.rasterize(c, faces, (40, 40)).bary
        fragments = replace(visible, bary=bary)
        return (backend.antialias(backend.interpolate(a, fragments, faces), fragments, c, faces) * weight).sum()

    c, a = clip.clone().requires_grad_(), attributes.clone().requires_grad_()
    gradient = torch.autograd.grad(value(c, a, backend), (c, a))
    for _ in range(3):
        dc = torch.randn(clip.shape, generator=generator).double() * torch.tensor([1, 1, 0, 1])
        da = torch.randn(attributes.shape, generator=generator).double()
        step = 1e-7  # small: a silhouette that leaves its pixel pair is a jump
        difference = (
            value(clip + step * dc, attributes + step * da) - value(clip - step * dc, attributes - step * da)
        ) / (2 * step)
        expected = (gradient[0] * dc).sum() + (gradient[1] * da).sum()
        assert float(expected) == pytest.approx(float(difference), rel=2e-3, abs=2e-3 * float(gradient[0].abs().max()))


def test_the_reference_covers_each_pixel_once():
    points = torch.tensor([[-2, -2], [2, -2], [2, 2], [-2, 2], [0.0, 0.0]]).double()  # the centre on a pixel's centre
    clip = torch.cat([points, torch.zeros(5, 1), torch.ones(5, 1)], 1)[None]
    faces = torch.tensor([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    hits = sum((REFERENCE.rasterize(clip, face[None], (7, 7)).face >= 0).int() for face in faces)
    assert torch.equal(hits, torch.ones_like(hits))


def test_the_reference_takes_empty_meshes():
    faces = torch.zeros(0, 3, dtype=torch.int32)
    for views in (0, 2):
        clip = torch.zeros(views, 0, 4)
        fragments = REFERENCE.rasterize(clip, faces, (3, 4))
        image = REFERENCE.interpolate(torch.zeros(1, 0, 2), fragments, faces)
        assert REFERENCE.antialias(image, fragments, clip, faces).shape == (views, 3, 4, 2)
