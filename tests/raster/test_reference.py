"""The CPU rasteriser against its float64 twin, values and gradients; both against finite differences."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.raster.reference import silhouette_pairs, weights

CPU, REFERENCE = raster.get("cpu"), raster.get("reference")
CAMERAS = [Camera.orbit("a", 10, 7), Camera.orbit("b", 33, 20, fov=40, distance=3)]
SEEDS = st.integers(0, 2**32 - 1)
few = settings(max_examples=4, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
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


# ---- the reference alone


def slope(value, clip, direction, step=1e-6):
    """Central difference of `value` along a direction."""
    return (value(clip + step * direction) - value(clip - step * direction)) / (2 * step)


def directions(clip, seed):
    """Three random ones that leave z alone."""
    generator = torch.Generator().manual_seed(seed % 1000)
    return [torch.randn(clip.shape, generator=generator).double() * torch.tensor([1, 1, 0, 1]) * 0.1 for _ in range(3)]


@pytest.mark.parametrize("kind", ["blob", "sheet", "soup", "near"])
@few
@given(seed=SEEDS)
def test_the_references_weights_are_linear_and_their_gradient_is_that_of_differences(scenes, kind, seed):
    """The weighted clip positions lie on the pixel's ray, at the stated depth. Which face is visible is held fixed."""
    scene = scenes.scene(kind, seed, views=2, size=(9, 12))
    clip, faces = scene.clip.double().requires_grad_(), scene.faces
    fragments = REFERENCE.rasterize(clip, faces, scene.size)
    seen = fragments.face >= 0
    x, y, z, w = REFERENCE.interpolate(clip.detach(), fragments, faces).unbind(-1)
    columns, rows = ((2 * torch.arange(n).double() + 1) / n - 1 for n in (12, 9))
    for value, expected in ((x, columns.expand(9, 12) * w), (y, rows[:, None] * w), (z, fragments.depth * w)):
        assert ((value - expected).abs() < 1e-9)[seen].all()
    assert (w > 0)[seen].all()
    assert ((fragments.bary >= 0) & (fragments.bary.sum(-1, keepdim=True) <= 1 + 1e-12))[seen].all()

    weight = torch.randn(fragments.bary.shape, generator=torch.Generator().manual_seed(1)).double()
    for direction in directions(clip, seed):
        up, down = (weights(clip.detach() + s * 1e-6 * direction, faces, fragments.face) for s in (1, -1))
        steady = (up - down).abs().amax(-1, keepdim=True) < 1e-4  # faces seen edge on turn too fast for a difference
        assert steady.float().mean() > 0.9
        (gradient,) = torch.autograd.grad((fragments.bary * weight * steady).sum(), clip, retain_graph=True)
        difference = ((up - down) * weight * steady).sum() / 2e-6
        assert float((gradient * direction).sum()) == pytest.approx(float(difference), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("kind", ["blob", "sheet", "soup", "slivers", "near", "tiny"])
@few
@given(seed=SEEDS)
def test_the_references_silhouette_gradient_is_that_of_differences(scenes, kind, seed):
    """Where the same edges part the same pairs, on the same side of the middle between their centres."""
    scene = scenes.scene(kind, seed, views=2, size=(12, 15)).generic()
    clip, faces = scene.clip.double().requires_grad_(), scene.faces
    fragments = REFERENCE.rasterize(clip.detach(), faces, scene.size)
    if not any(silhouette_pairs(clip, faces, fragments)):
        return
    image, weight = torch.rand(2, 2, 12, 15, 3, generator=torch.Generator().manual_seed(2)).double()

    def blocked(positions):
        """Pixels of pairs near a jump, and of pairs that are not there at all positions."""
        pairs = [silhouette_pairs(p, faces, fragments) for p in positions]
        block = torch.zeros(fragments.face.shape, dtype=torch.bool)
        for view in range(2):
            named = [{(p.inner, p.outer, p.edge): p.distance for p in found[view]} for found in pairs]
            for key in set().union(*named):
                places = [names.get(key, 0.0) for names in named]
                steady = all(min(abs(d - jump) for jump in (0, 0.5, 1)) > 1e-4 for d in places)
                if not steady or max(places) - min(places) > 1e-3 or not 0 < min(places) < max(places) < 1:
                    block[(view, *key[0])] = block[(view, *key[1])] = True
        return block

    def value(positions, mask):
        return (REFERENCE.antialias(image, fragments, positions, faces) * weight * mask).sum()

    for direction in directions(clip, seed)[:1]:
        points = [clip.detach() + s * 1e-6 * direction for s in (1, 0, -1)]
        free = ~blocked(points)[..., None]
        assert free.float().mean() > 0.9
        (gradient,) = torch.autograd.grad(value(clip, free), clip)
        difference = slope(lambda positions: value(positions, free), clip.detach(), direction)  # noqa: B023
        assert float((gradient * direction).sum()) == pytest.approx(float(difference), rel=1e-4, abs=1e-5)


@few
@given(seed=SEEDS)
def test_each_silhouette_parts_one_pair_of_every_line_it_crosses(scenes, seed):
    """Of one convex blob before nothing, in the image's middle: two pairs per row, or per column where it is flat."""
    points = np.random.default_rng(seed).normal(size=(40, 3))
    mesh = trimesh.convex.convex_hull(0.7 * points / np.linalg.norm(points, axis=1, keepdims=True))
    clip = torch.tensor(np.concatenate([mesh.vertices, np.ones((len(mesh.vertices), 1))], 1))[None]
    faces, size = torch.tensor(mesh.faces), (21, 21)
    fragments = REFERENCE.rasterize(clip, faces, size)
    image = (fragments.face >= 0).double()[..., None]
    pairs = silhouette_pairs(clip, faces, fragments)[0]
    assert len({(p.inner, p.outer) for p in pairs}) == len(pairs)
    for pair in pairs:
        assert image[0][pair.inner] == 1
        assert image[0][pair.outer] == 0
        assert -1e-9 <= pair.distance <= 1 + 1e-9
    # the picture's area is the mesh's, but for half pixels at corners of the silhouette
    outline = trimesh.convex.convex_hull(
        np.concatenate([mesh.vertices * [1, 1, 0], mesh.vertices * [1, 1, 0] + [0, 0, 1]])
    )
    area = outline.volume / 4 * 441
    assert float(REFERENCE.antialias(image, fragments, clip, faces).sum()) == pytest.approx(area, abs=4)


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
