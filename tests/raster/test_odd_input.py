"""The CPU rasteriser and odd input: nothing at all, not finite, without area, of any scale, very many faces."""

import math

import numpy as np
import pytest
import torch
import trimesh

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.errors import InputError

CPU = raster.get("cpu")


def icosphere(subdivisions, radius=1.0):
    mesh = trimesh.creation.icosphere(subdivisions)
    return torch.tensor(mesh.vertices * radius, dtype=torch.float32), torch.tensor(mesh.faces, dtype=torch.int32)


def matrices(*cameras):
    return torch.tensor(np.stack([c.clip_matrix() for c in cameras]), dtype=torch.float32)


def flat(points, w=1.0):
    """Clip positions [1,N,4] of points in the image plane."""
    points = torch.as_tensor(np.asarray(points), dtype=torch.float32)
    return torch.cat([points * w, torch.zeros(len(points), 1), torch.full((len(points), 1), w)], 1)[None]


def mask(vertices, faces, m, size, antialias=True):
    clip = raster.transform(vertices, m)
    fragments = CPU.rasterize(clip, faces, size)
    image = CPU.interpolate(torch.ones(1, len(vertices), 1), fragments, faces)
    return CPU.antialias(image, fragments, clip, faces) if antialias else image


@pytest.mark.parametrize(("views", "count"), [(0, 5), (1, 0), (3, 0), (2, 5)])
def test_empty_meshes_and_no_views(views, count):
    clip, faces = torch.zeros(views, count, 4, requires_grad=True), torch.zeros(0, 3, dtype=torch.int32)
    fragments = CPU.rasterize(clip, faces, (5, 7))
    image = CPU.interpolate(torch.zeros(1, count, 3, requires_grad=True), fragments, faces)
    blended = CPU.antialias(image, fragments, clip, faces)
    assert blended.shape == (views, 5, 7, 3)
    assert (fragments.face == -1).all()
    assert not blended.any()
    blended.sum().backward()
    assert clip.grad.shape == clip.shape


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_faces_with_a_vertex_that_is_not_finite_are_left_out(bad):
    vertices, faces = icosphere(2, 0.8)
    m = matrices(Camera.orbit("a", 0))
    keep = (faces != 7).all(1)
    expected = mask(vertices, faces[keep], m, (40, 40), antialias=False)
    for axis in range(3):
        broken = vertices.clone()
        broken[7, axis] = bad
        broken.requires_grad_()
        image = mask(broken, faces, m, (40, 40))
        assert torch.equal(mask(broken, faces, m, (40, 40), antialias=False), expected)
        assert torch.isfinite(image).all()
        clip = raster.transform(broken, m).detach().requires_grad_()
        fragments = CPU.rasterize(clip, faces, (40, 40))
        (CPU.interpolate(torch.rand(1, len(vertices), 2), fragments, faces)).sum().backward()
        assert torch.isfinite(clip.grad).all()


def test_degenerate_faces_are_never_seen_and_do_no_harm():
    vertices, faces = icosphere(2, 0.8)
    extra = torch.tensor([[0, 0, 0], [3, 3, 5], [9, 4, 9], [1, 2, 2]], dtype=torch.int32)
    line = torch.stack([faces[0, 0], faces[0, 1], torch.tensor(len(vertices))])[None].int()
    more = torch.cat([vertices, vertices[faces[0, :2].long()].mean(0, keepdim=True)])
    m = matrices(Camera.orbit("a", 20, 30))
    expected = mask(vertices, faces, m, (40, 40))
    assert torch.equal(mask(vertices, torch.cat([faces, extra]), m, (40, 40)), expected)
    fragments = CPU.rasterize(raster.transform(more, m), torch.cat([extra, line, faces]), (40, 40))
    assert (fragments.face[fragments.face >= 0] >= 5).float().mean() > 0.99
    assert torch.isfinite(fragments.bary).all()
    assert torch.isfinite(fragments.depth).all()


def test_skipped_faces_are_counted_per_view():
    grid = torch.tensor([[0, 0], [1, 0], [0, 1], [0.25, 0.5], [0.5, 1], [0, 0]])
    clip = flat(grid).repeat(3, 1, 1)
    clip[1, 1, 2] = math.nan
    clip[2, 1, 0] = math.inf
    faces = torch.tensor([[0, 1, 2], [1, 2, 3], [2, 2, 3], [0, 3, 4], [0, 5, 2], [3, 4, 2]])
    # a repeated vertex, three points on a line, two vertices at one place; then two faces of vertex 1
    assert raster.count_skipped(clip, faces).tolist() == [3, 5, 5]
    assert raster.count_skipped(clip, faces[:0]).tolist() == [0, 0, 0]
    assert raster.count_skipped(clip[:0], faces).tolist() == []
    assert raster.count_skipped(torch.zeros(2, 0, 4), faces[:0]).tolist() == [0, 0]
    edge_on = torch.tensor([[[1.0, 0, 0, 1], [2, 0, 0, 2], [0, 0, 0, -1]]])  # in a plane through the camera
    assert raster.count_skipped(edge_on, faces[:1]).tolist() == [1]
    assert raster.count_skipped(edge_on + torch.tensor([0, 0, 1.0, 0]), faces[:1]).tolist() == [1]
    edge_on[0, 0, 1] = 1e-6
    assert raster.count_skipped(edge_on, faces[:1]).tolist() == [0]


@pytest.mark.parametrize("seed", range(6))
def test_skipped_faces_are_never_seen_and_the_others_do_not_need_them(scenes, seed):
    scene = scenes.scene("mixed", seed, size=(24, 32))
    skipped = torch.tensor([int(raster.count_skipped(scene.clip, face[None])) for face in scene.faces]) > 0
    assert skipped.sum() == raster.count_skipped(scene.clip, scene.faces)
    assert skipped.sum() > 5
    seen = CPU.rasterize(scene.clip, scene.faces, scene.size).face
    assert not torch.isin(seen, skipped.nonzero()[:, 0]).any()
    kept = (~skipped).nonzero()[:, 0].int()
    without = CPU.rasterize(scene.clip, scene.faces[~skipped], scene.size).face
    assert torch.equal(torch.where(without >= 0, kept[without.clamp(min=0).long()], -1), seen)


def test_depth_stays_within_the_view_volume():
    """Also where snapping keeps a pixel that lies a little beyond the near or far plane: nvdiffrast clamps it."""
    triangle = [[1.3, -1.1, 1.9, 1.8], [-1.3, -0.5, 0.4, 1.4], [-1.4, -0.2, 1.1, 0.9]]
    fragments = CPU.rasterize(torch.tensor([triangle]), torch.tensor([[0, 1, 2]]), (24, 30))
    assert (fragments.face == 0).any()
    assert fragments.depth.abs().max() <= 1


@pytest.mark.parametrize("kind", ["slivers", "near", "huge", "tiny", "grid", "mixed"])
@pytest.mark.parametrize("seed", range(5))
def test_gradients_are_finite(scenes, kind, seed):
    """Of everything, in scenes with faces of no area, far away, and not finite ones among others."""
    scene = scenes.scene(kind, seed, views=2)
    clip, attributes = scene.clip.clone().requires_grad_(), scene.attributes(2).requires_grad_()
    fragments = CPU.rasterize(clip, scene.faces, scene.size)
    image = CPU.interpolate(attributes, fragments, scene.faces)
    blended = CPU.antialias(image, fragments, clip, scene.faces)
    for value in (fragments.bary, fragments.depth, image, blended):
        assert torch.isfinite(value).all()
    for gradient in torch.autograd.grad(blended.square().sum(), (clip, attributes)):
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("scale", [2.0**-10, 2.0**20])
def test_clip_positions_may_have_any_scale(scale):
    """Homogeneous coordinates: the same picture; gradients shrink as positions grow."""
    vertices, faces = icosphere(2, 0.8)
    clip = raster.transform(vertices, matrices(Camera.orbit("a", 20, 30, fov=40)))
    pictures, gradients = [], []
    for factor in (1.0, scale):
        scaled = (clip * factor).requires_grad_()
        fragments = CPU.rasterize(scaled, faces, (40, 40))
        image = CPU.interpolate(vertices[None], fragments, faces)
        image = CPU.antialias(image, fragments, scaled, faces)
        (gradient,) = torch.autograd.grad(image.square().sum(), scaled)
        pictures.append(image)
        gradients.append(gradient * factor)
    assert torch.allclose(pictures[0], pictures[1], atol=1e-5)
    assert torch.allclose(gradients[0], gradients[1], atol=1e-3 * float(gradients[0].abs().max()))


def test_sixteen_million_faces():
    """2^24, all but the last few without area: their indices come through, also those beyond 2^23."""
    count = 2**24
    clip = flat([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    faces = torch.zeros(count, 3, dtype=torch.int32)
    faces[2**23 + 1] = torch.tensor([0, 1, 2], dtype=torch.int32)
    faces[count - 1] = torch.tensor([0, 2, 3], dtype=torch.int32)
    clip.requires_grad_()
    fragments = CPU.rasterize(clip, faces, (8, 8))
    assert fragments.face.unique().tolist() == [2**23 + 1, count - 1]
    image = CPU.interpolate(clip.detach(), fragments, faces)
    centres = (2 * torch.arange(8) + 1) / 8 - 1
    assert torch.allclose(image[0, :, :, 0], centres.expand(8, 8), atol=1e-6)
    (fragments.bary.sum()).backward()
    assert (clip.grad[..., :2] != 0).any(-1).all()


@pytest.mark.slow
def test_antialias_with_sixteen_million_faces():
    """Their edges are sorted, too: needs 1 GB."""
    count = 2**24
    clip = flat([[-0.7, -0.7], [0.7, -0.7], [0.7, 0.7], [-0.7, 0.7]])
    faces = torch.zeros(count, 3, dtype=torch.int32)
    faces[2**23 + 1] = torch.tensor([0, 1, 2], dtype=torch.int32)
    faces[count - 1] = torch.tensor([0, 2, 3], dtype=torch.int32)
    fragments = CPU.rasterize(clip, faces, (9, 9))
    blended = CPU.antialias((fragments.face >= 0)[..., None].float(), fragments, clip, faces)
    assert blended.mean().item() == pytest.approx(0.49, abs=0.01)


def test_faces_must_index_vertices():
    with pytest.raises(InputError, match="index vertices 0 to 5, but there are 5"):
        CPU.rasterize(torch.zeros(1, 5, 4), torch.tensor([[0, 1, 5]]), (4, 4))
    with pytest.raises(InputError, match="-1"):
        CPU.rasterize(torch.zeros(1, 5, 4), torch.tensor([[0, 1, -1]]), (4, 4))


def test_attributes_must_be_one_set_or_one_per_view():
    clip, faces = flat([[-1, -1], [1, -1], [0, 1]]).repeat(3, 1, 1), torch.tensor([[0, 1, 2]])
    fragments = CPU.rasterize(clip, faces, (4, 4))
    with pytest.raises(InputError, match="for 2 views, but 3"):
        CPU.interpolate(torch.zeros(2, 3, 1), fragments, faces)


def test_other_dtypes_and_layouts_are_taken():
    vertices, faces = icosphere(1, 0.8)
    m = matrices(Camera.orbit("a", 0), Camera.orbit("b", 90))
    clip = raster.transform(vertices, m)
    expected = CPU.rasterize(clip, faces, (16, 20))
    strided = torch.stack([clip, clip], -1)[..., 0]
    found = CPU.rasterize(strided.double(), faces.long(), (16, 20))
    assert torch.equal(found.face, expected.face)
    image = CPU.interpolate(torch.rand(1, len(vertices), 3).double().transpose(0, 0), found, faces.long())
    assert image.dtype == torch.float64
    assert CPU.antialias(image, found, clip, faces.long()).dtype == torch.float64
