"""Where a mesh is cut: by the image's border and by the near and far plane; cpu and its float64 twin."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from meshopt import raster

CPU, REFERENCE = raster.get("cpu"), raster.get("reference")
SIZES = [(24, 32), (2, 40), (40, 2), (16, 16)]
SEEDS = st.integers(0, 2**32 - 1)
few = settings(max_examples=4, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
kinds = pytest.mark.parametrize("kind", ["blob", "sheet", "soup", "near", "huge", "tiny"])
backends = pytest.mark.parametrize("backend", [CPU, REFERENCE], ids=lambda backend: backend.name)


def spread(image):
    """An image [V,H,W,...] twice as high and wide: the outermost pixels repeated around it."""
    rows, columns = (torch.arange(-(n // 2), n + n // 2).clamp(0, n - 1)[: 2 * n] for n in image.shape[1:3])
    return image[:, rows][:, :, columns]


@kinds
@few
@given(seed=SEEDS)
def test_an_image_is_the_middle_of_a_larger_one(scenes, kind, seed):
    """Halving clip x and y is exact, and so is where vertices are snapped to."""
    scene = scenes.scene(kind, seed, views=2, size=SIZES[seed % 4])
    large = scenes.padded(scene)
    inner, outer = (CPU.rasterize(s.clip, s.faces, s.size) for s in (scene, large))
    face, bary, depth = (scenes.crop(t, scene.size) for t in (outer.face, outer.bary, outer.depth))
    same = face == inner.face
    for view in range(2):
        oracle = scenes.Oracle(scene.clip[view], scene.faces, scene.size)
        assert same[view].numpy()[oracle.decided()].all()
    assert same.float().mean() > 0.97  # guard bands may differ, and what is beyond them is not snapped
    middle = replace(inner, face=face.contiguous())
    attributes = scene.attributes(2)
    small, big = CPU.interpolate(attributes, inner, scene.faces), CPU.interpolate(attributes, outer, large.faces)
    served = same & (wellconditioned(scene, middle) < 1e-4)
    assert ((bary - inner.bary).abs().amax(-1) < 1e-3)[served].all()
    assert ((depth - inner.depth).abs() < 1e-2)[served].all()
    assert ((scenes.crop(big, scene.size) - small).abs().amax(-1) < 2e-2)[served].all()


def wellconditioned(scene, fragments):
    """2^-23 times the largest clip coordinate over the height of each pixel's triangle: how float32 weights suffer."""
    corners = scene.clip.double()[
        torch.arange(2)[:, None, None, None], scene.faces.long()[fragments.face.clamp(min=0).long()]
    ]
    corners = corners[..., [0, 1, 3]]
    area = torch.linalg.cross(corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :]).norm(
        dim=-1
    )
    scale = corners.abs().amax((-1, -2))
    return 2.0**-23 * scale * scale / area


@backends
@kinds
@few
@given(seed=SEEDS)
def test_pairs_within_the_image_are_blended_as_in_a_larger_one(scenes, backend, kind, seed):
    """Pairs that reach over the border are not blended: they are none if the larger image repeats the outermost pixels.

    So colours agree up to the border, and so do gradients to positions; in the ring next to it, too.
    """
    scene = scenes.scene(kind, seed, views=2, size=SIZES[seed % 4]).generic()
    if backend is REFERENCE:
        scene = replace(scene, clip=scene.clip.double())
    large = scenes.padded(scene)
    inside = backend.rasterize(scene.clip, scene.faces, scene.size)
    around = backend.rasterize(large.clip, large.faces, large.size)
    height, width = scene.size
    face, depth = around.face.clone(), around.depth.clone()
    for whole, part in ((face, inside.face), (depth, inside.depth)):
        scenes.crop(whole, scene.size).copy_(part)  # snapped alike, but for what is beyond a guard band
    around = replace(around, face=face, depth=depth)
    image, weight = torch.rand(2, 2, height, width, 3, generator=torch.Generator().manual_seed(1)).to(scene.clip)
    colours, positions = image.clone().requires_grad_(), scene.clip.clone().requires_grad_()
    blended = backend.antialias(colours, inside, positions, scene.faces)
    halved = large.clip.clone().requires_grad_()
    spreads = spread(image).requires_grad_()
    expected = backend.antialias(spreads, around, halved, large.faces)
    cut = scenes.crop(expected, scene.size)
    assert torch.allclose(cut, blended, atol=1e-5, rtol=0)
    found = torch.autograd.grad((blended * weight).sum(), (positions, colours), materialize_grads=True)
    wanted = torch.autograd.grad((cut * weight).sum(), (halved, spreads), materialize_grads=True)
    scale = torch.tensor([0.5, 0.5, 1, 1]).to(scene.clip)
    assert torch.allclose(found[0], wanted[0] * scale, atol=1e-4 * float(found[0].abs().max()), rtol=0)
    ring = torch.zeros(height, width, dtype=torch.bool)
    ring[1:-1, 1:-1] = True
    assert torch.allclose(found[1][:, ring], scenes.crop(wanted[1], scene.size)[:, ring], atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("side", [-1, 1])
@backends
def test_an_edge_that_crosses_the_border_moves_the_picture_by_its_length_inside(backend, axis, side):
    """A half plane that reaches far over three borders: d(mean mask)/d(shift) = 1 / 2, whatever lies outside."""
    shift = torch.tensor(0.13, requires_grad=True)
    square = torch.tensor([[0.0, -3.0], [5.0, -3.0], [5.0, 3.0], [0.0, 3.0]]) * torch.tensor([side, 1.0])
    points = square + torch.stack([shift, torch.zeros(())])
    points = points if axis == 0 else points.flip(1)
    clip = torch.cat([points, torch.zeros(4, 1), torch.ones(4, 1)], 1)[None]
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    fragments = backend.rasterize(clip, faces, (12, 20))
    image = backend.interpolate(torch.ones(1, 4, 1), fragments, faces)
    blended = backend.antialias(image, fragments, clip, faces)
    blended.mean().backward()
    assert float(blended.detach().mean()) == pytest.approx(0.5 - side * 0.13 / 2, abs=1e-5)
    assert float(shift.grad) == pytest.approx(-side / 2, abs=1e-5)


# ---- near and far plane


def clipped(triangle):
    """A triangle [3,4] cut at w = 1e-7, z = -w and z = w, in float64 (Sutherland and Hodgman 1974): a polygon [P,4]."""
    polygon = list(triangle)
    for side in (lambda p: p[3] - 1e-7, lambda p: p[3] + p[2], lambda p: p[3] - p[2]):
        value, kept = [side(p) for p in polygon], []
        for k in range(len(polygon)):
            a, b, va, vb = polygon[k - 1], polygon[k], value[k - 1], value[k]
            if (va >= 0) != (vb >= 0):
                kept.append(a + (b - a) * va / (va - vb))
            if vb >= 0:
                kept.append(b)
        polygon = kept
    return np.array(polygon).reshape(-1, 4)


@backends
@settings(few, max_examples=40)
@given(seed=SEEDS)
def test_a_triangle_cut_by_near_and_far_plane_covers_the_clipped_polygon(backend, seed):
    """But within 1/32 pixel of its border, and where z/w of a corner at the camera is too large for float32."""
    rng, size = np.random.default_rng(seed), (24, 30)
    triangle = np.float32(rng.uniform([-1.5, -1.5, -2, -0.7], [1.5, 1.5, 2, 2.0], (3, 4))).astype(np.float64)
    clip = torch.tensor(triangle, dtype=torch.float32)[None]
    fragments = backend.rasterize(clip, torch.tensor([[0, 1, 2]]), size)
    seen = (fragments.face[0] == 0).numpy()
    polygon = clipped(triangle)
    if len(polygon) < 3:
        assert not seen.any()
        return
    points = (polygon[:, :2] / polygon[:, 3:] + 1) / 2 * [size[1], size[0]]
    after = np.roll(points, -1, 0)
    turn = np.sign((points[:, 0] * after[:, 1] - points[:, 1] * after[:, 0]).sum())
    x, y = np.arange(size[1]) + 0.5, np.arange(size[0])[:, None] + 0.5
    side, length = after - points, np.linalg.norm(after - points, axis=1)
    distance = [
        turn * (s[0] * (y - p[1]) - s[1] * (x - p[0])) / max(n, 1e-9)
        for s, p, n in zip(side, points, length, strict=True)
    ]
    least = np.min(distance, 0)
    assert seen[least > 1 / 32].all()
    assert not seen[least < -1 / 32].any()
    assert (fragments.depth.abs() <= 1 + 1e-6).all()


@backends
@pytest.mark.parametrize("w", [0.5, 1.0, 3.0, 0.7])
@pytest.mark.parametrize("z", [-1, 1])
def test_faces_in_the_near_and_far_plane_are_kept_and_those_just_beyond_are_not(backend, z, w):
    points = torch.tensor([[-0.9, -0.8], [0.8, -0.9], [0.1, 0.9]])
    shape = torch.cat([points, torch.zeros(3, 1), torch.ones(3, 1)], 1)[None] * w
    faces = torch.tensor([[0, 1, 2]])
    expected = backend.rasterize(shape, faces, (16, 16)).face
    assert (expected == 0).sum() > 50
    kept, left = shape.clone(), shape.clone()
    kept[..., 2], left[..., 2] = z * shape[..., 3], z * shape[..., 3] * 1.00001
    found = backend.rasterize(kept, faces, (16, 16))
    assert torch.equal(found.face, expected)
    assert torch.allclose(found.depth, z * (expected == 0).float(), atol=1e-6)
    assert (backend.rasterize(left, faces, (16, 16)).face == -1).all()
