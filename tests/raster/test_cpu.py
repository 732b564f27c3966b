"""The CPU rasteriser against analytic truths: coverage and silhouettes."""

import math

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from meshopt import raster
from meshopt.cameras import Camera

CPU, REFERENCE = raster.get("cpu"), raster.get("reference")


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


# ---- coverage


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from([1.0, 3.0]))
def test_a_triangulation_covers_each_pixel_exactly_once(seed, on_grid, w):
    """Each triangle drawn alone: the hits add up to one, also where corners and edges meet pixel centres."""
    rng, (height, width) = np.random.default_rng(seed), (24, 32)
    points = rng.uniform(-1, 1, (30, 2))
    if on_grid:  # multiples of half a pixel
        points = np.round(points * [width, height]) / [width, height]
    points = np.unique(np.concatenate([points, [[-2, -2], [2, -2], [2, 2], [-2, 2]]]), axis=0)
    faces = torch.tensor(Delaunay(points).simplices, dtype=torch.int32)
    clip = flat(points, w)
    hits = sum((CPU.rasterize(clip, face[None], (height, width)).face >= 0).int() for face in faces)
    assert torch.equal(hits, torch.ones(1, height, width, dtype=torch.int32))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_every_ray_meets_a_closed_mesh_an_even_number_of_times(seed):
    """Half of them on faces turned either way, as for every closed surface."""
    rng = np.random.default_rng(seed)
    vertices, faces = icosphere(1)
    vertices = vertices * torch.tensor(rng.uniform(0.3, 0.9, (len(vertices), 1)), dtype=torch.float32)
    clip = raster.transform(vertices, matrices(Camera.orbit("a", *rng.uniform(0, 90, 2), fov=40)))
    x, y, w = clip[0, faces.long()][..., [0, 1, 3]].double().unbind(-1)
    turn = torch.sign(torch.linalg.det(torch.stack([x, y, w], -1))).int()
    size = (33, 47)
    total = sum(t * (CPU.rasterize(clip, f[None], size).face >= 0).int() for t, f in zip(turn, faces, strict=True))
    assert torch.equal(total, torch.zeros_like(total))


def test_a_plane_through_the_camera_is_cut_at_the_image_and_not_cracked():
    """A ground plane that goes on behind the camera: below the horizon each pixel once, above it none."""
    size, rng = (32, 40), np.random.default_rng(3)
    ground = np.concatenate([rng.uniform(-8, 8, (20, 2)), [[-60, -60], [60, -60], [60, 60], [-60, 60]]])
    vertices = torch.tensor(np.insert(ground, 1, -0.5, axis=1), dtype=torch.float32)
    faces = torch.tensor(Delaunay(ground).simplices, dtype=torch.int32)
    camera = Camera.orbit("a", 20, 0, fov=60, distance=2)
    clip = raster.transform(vertices, torch.tensor(camera.clip_matrix(100.0)[None], dtype=torch.float32))
    assert (clip[..., 3] < 0).any()
    clip[..., 2] = 0  # no near and far plane here
    hits = sum((CPU.rasterize(clip, face[None], size).face >= 0).int() for face in faces)[0]
    rows = torch.arange(32)
    assert (hits[rows > 18] == 1).all()
    assert (hits[rows < 15] == 0).all()
    assert hits.max() == 1
    assert (CPU.rasterize(clip, faces, size).face[0, 19:] >= 0).all()


def test_near_and_far_plane_cut_faces():
    clip = torch.tensor([[[-1, -1, -3, 1], [1, -1, 3, 1], [1, 1, 3, 1], [-1, 1, -3, 1.0]]])
    fragments = CPU.rasterize(clip, torch.tensor([[0, 1, 2], [0, 2, 3]]), (3, 30))
    seen = fragments.face[0] >= 0
    assert torch.equal(seen[0], (torch.arange(30) >= 10) & (torch.arange(30) < 20))
    assert fragments.depth.abs().max() <= 1


def test_nearer_faces_hide_farther_ones_and_equal_ones_keep_the_first():
    quad = torch.tensor([[-0.9, -0.9], [0.9, -0.9], [0.0, 0.9]])
    clip = flat(quad.repeat(3, 1))
    clip[0, :3, 2] = 0.5
    faces = torch.tensor([[0, 1, 2], [5, 4, 3], [6, 7, 8]])
    assert set(CPU.rasterize(clip, faces, (16, 16)).face.unique().tolist()) == {-1, 1}
    assert set(CPU.rasterize(clip, faces[[0, 2, 1]], (16, 16)).face.unique().tolist()) == {-1, 1}
    clip[0, :3, 2] = -0.5
    assert set(CPU.rasterize(clip, faces, (16, 16)).face.unique().tolist()) == {-1, 0}


@pytest.mark.parametrize(("size", "subdivisions"), [((130, 100), 4), ((33, 260), 5), ((16, 16), 4)])
def test_any_order_and_any_part_of_many_faces_gives_the_same_picture(size, subdivisions):
    """Three lumpy spheres in one another, drawn at once, shuffled, and in parts of which the nearest is taken."""
    rng = np.random.default_rng(subdivisions)
    vertices, faces = icosphere(subdivisions)
    radius = 0.8 + 0.1 * np.sin(5 * vertices.numpy() @ rng.normal(size=(3, 3)))  # [N,3]
    layers = [vertices * torch.tensor(radius[:, k : k + 1], dtype=torch.float32) for k in range(3)]
    clip = raster.transform(torch.cat(layers), matrices(Camera.orbit("a", 30, 40, fov=40)))
    faces = torch.cat([faces + k * len(vertices) for k in range(3)])
    whole = CPU.rasterize(clip, faces, size)
    assert (whole.face >= 0).float().mean() > 0.3

    order = torch.tensor(rng.permutation(len(faces)))
    shuffled = CPU.rasterize(clip, faces[order], size)
    assert torch.equal(torch.where(shuffled.face >= 0, order[shuffled.face.clamp(min=0).long()], -1), whole.face.long())
    assert torch.equal(shuffled.depth, whole.depth)

    nearest = torch.full(whole.depth.shape, torch.inf)
    for part in faces.split(1000):
        found = CPU.rasterize(clip, part, size)
        nearest = torch.minimum(nearest, torch.where(found.face >= 0, found.depth, torch.inf))
    depth = torch.where(whole.face >= 0, whole.depth, torch.inf)
    # where faces meet or pass through each other, the order is that of depths on snapped faces
    assert ((nearest == depth) | ((nearest - depth).abs() < 1e-3)).all()
    assert (nearest == depth).float().mean() > 0.99


def test_perspective_correct_weights_and_depth():
    """A slanted quad: the interpolated clip positions lie on the pixel's ray."""
    vertices, faces = (
        torch.tensor([[-1, -1, -1], [1, -1, 0.9], [1, 1, 0.9], [-1, 1, -1.0]]),
        [[0, 1, 2], [0, 2, 3]],
    )
    clip = raster.transform(vertices, matrices(Camera.orbit("a", 10, 5, fov=50, distance=3)))
    fragments = CPU.rasterize(clip, torch.tensor(faces), (20, 30))
    x, y, z, w = CPU.interpolate(clip, fragments, torch.tensor(faces)).unbind(-1)
    seen = fragments.face >= 0
    assert seen.sum() > 100
    column, row = (2 * torch.arange(30) + 1) / 30 - 1, (2 * torch.arange(20) + 1) / 20 - 1
    assert torch.allclose((x / w)[seen], column.expand(1, 20, 30)[seen], atol=1e-5)
    assert torch.allclose((y / w)[seen], row[:, None].expand(1, 20, 30)[seen], atol=1e-5)
    assert torch.allclose((z / w)[seen], fragments.depth[seen], atol=1e-5)
    assert (fragments.depth[~seen] == 0).all()
    assert (fragments.bary[~seen] == 0).all()


# ---- silhouettes


@pytest.mark.parametrize("subdivisions", [4, 5, 6])
def test_sphere_silhouette_gradient_of_scale_is_analytic(subdivisions):
    """d(mean mask)/d(scale) = 2 pi r / 4 under an orthographic camera, within 1 %; faces down to a pixel."""
    vertices, faces = icosphere(subdivisions)
    radius = torch.tensor(0.7, requires_grad=True)
    image = mask(vertices * radius, faces, matrices(Camera.orbit("a", 10, 7)), (512, 512))
    image.mean().backward()
    assert float(radius.grad) == pytest.approx(2 * math.pi * 0.7 / 4, rel=0.01)
    assert float(image.detach().mean()) == pytest.approx(math.pi * 0.49 / 4, rel=0.002)


def test_sphere_silhouette_gradient_under_perspective():
    vertices, faces = icosphere(5)
    camera, radius = Camera.orbit("b", 33, 20, fov=40, distance=4), torch.tensor(0.7, requires_grad=True)
    image = mask(vertices * radius, faces, matrices(camera), (384, 512))
    image.mean().backward()

    def area(r):
        return math.pi * (r / math.sqrt(16 - r * r) / math.tan(math.radians(20))) ** 2 / 4

    assert float(radius.grad) == pytest.approx((area(0.701) - area(0.699)) / 0.002, rel=0.01)
    assert float(image.detach().mean()) == pytest.approx(area(0.7), rel=0.002)


@pytest.mark.parametrize("axis", [0, 1])
def test_moving_a_half_covered_image_changes_the_mask_by_its_border(axis):
    """A sphere reaching over one border: d(mean mask)/d(shift) = the border's chord / the image's area."""
    vertices, faces = icosphere(5)
    shift = torch.zeros(3, requires_grad=True)
    offset = torch.eye(3)[axis]
    image = mask(vertices * 0.8 + offset + shift, faces, matrices(Camera.orbit("a", 0)), (256, 256))
    image.mean().backward()
    assert float(shift.grad[axis]) == pytest.approx(-1.6 / 4, rel=0.01)
    assert float(shift.grad[1 - axis]) == pytest.approx(0.0, abs=0.004)


def test_moving_a_quad_inside_changes_nothing_and_its_edge_is_blended_exactly():
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    for left in (-0.52, -0.47, -0.4):
        x = torch.tensor(left, requires_grad=True)
        clip = flat([[0, -2], [2, -2], [2, 2], [0, 2]]) + torch.stack([x, x * 0, x * 0, x * 0])
        fragments = CPU.rasterize(clip, faces, (8, 10))
        image = CPU.interpolate(torch.ones(1, 4, 1), fragments, faces)
        blended = CPU.antialias(image, fragments, clip, faces)
        assert blended.mean().item() == pytest.approx((1 - left) / 2, abs=1e-6)
        blended.mean().backward()
        assert float(x.grad) == pytest.approx(-0.5, abs=1e-6)


@pytest.mark.parametrize(("z", "shown"), [(-0.5, 1.0), (0.5, 0.0)])
def test_inner_silhouettes_blend_between_surfaces(z, shown):
    """A small square before a large one: the mean follows its area. Hidden behind, its edges do nothing."""
    half = torch.tensor(0.51, requires_grad=True)
    square = torch.tensor([[-1, -1], [1, -1], [1, 1], [-1, 1.0]])
    depth = torch.tensor([0, 0, 0, 0, z, z, z, z])[:, None]
    clip = torch.cat([torch.cat([square * 3, square * half]), depth, torch.ones(8, 1)], 1)[None]
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    fragments = CPU.rasterize(clip, faces, (64, 64))
    values = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1.0])[None, :, None]
    mean = CPU.antialias(CPU.interpolate(values, fragments, faces), fragments, clip, faces).mean()
    mean.backward()
    assert mean.item() == pytest.approx(shown * 0.51**2, abs=2e-3)
    assert half.grad.item() == pytest.approx(shown * 2 * 0.51, rel=0.02)


@pytest.mark.parametrize(
    "backend",
    [CPU, REFERENCE],
    ids=["cpu", "reference"],
)
@pytest.mark.parametrize("mirror", [1, -1])
@pytest.mark.parametrize("nudge", [0.0, 3e-4, -3e-4, 1e-6, -1e-6])
@pytest.mark.parametrize("axis", [0, 1])
def test_an_edge_through_pixel_centres_is_blended_like_any_other(backend, axis, nudge, mirror):
    """Whichever pixel the top-left rule and snapping (1/512 pixel at most) give the centre to."""
    x = torch.tensor(-0.5 + nudge, requires_grad=True)
    points = (torch.tensor([[0, -2], [2, -2], [2, 2], [0, 2.0]]) + torch.stack([x, x * 0])) * torch.tensor([mirror, 1])
    points = points if axis == 0 else points.flip(1)
    clip = torch.cat([points, torch.zeros(4, 1), torch.ones(4, 1)], 1)[None]
    faces, size = torch.tensor([[0, 1, 2], [0, 2, 3]]), (10, 10)  # column 2's centre is at -0.5
    fragments = backend.rasterize(clip, faces, size)
    blended = backend.antialias(backend.interpolate(torch.ones(1, 4, 1), fragments, faces), fragments, clip, faces)
    blended.mean().backward()
    assert blended.mean().item() == pytest.approx(0.75 - nudge / 2, abs=1 / 2560)
    assert float(x.grad) == pytest.approx(-0.5, abs=1e-5)


@pytest.mark.parametrize(
    "backend",
    [CPU, REFERENCE],
    ids=["cpu", "reference"],
)
@pytest.mark.parametrize(
    "copies",
    [
        pytest.param(lambda f: f, id="itself"),
        pytest.param(lambda f: f.flip(1), id="turned over"),
        pytest.param(lambda f: f.roll(1, 1), id="turned round"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_copies_of_faces_make_no_silhouettes(backend, copies, first):
    """A double-sided mesh is antialiased as a single one; nvdiffrast tells faces at an edge by their third vertex."""
    vertices, faces = icosphere(2, 0.8)
    clip = raster.transform(vertices, matrices(Camera.orbit("a", 20, 30)))
    more = torch.cat([faces, copies(faces)] if first else [copies(faces), faces]).contiguous()
    image = torch.rand(1, 40, 44, 2, generator=torch.Generator().manual_seed(0))
    expected = backend.antialias(image, backend.rasterize(clip, faces, (40, 44)), clip, faces)
    found = backend.antialias(image, backend.rasterize(clip, more, (40, 44)), clip, more)
    assert torch.allclose(found, expected, atol=1e-6)


def test_inner_edges_of_a_surface_are_left_alone():
    vertices, faces = icosphere(3, 3.0)  # fills the image
    clip = raster.transform(vertices, matrices(Camera.orbit("a", 0))) * torch.tensor([1, 1, 0.1, 1])
    fragments = CPU.rasterize(clip, faces, (64, 64))
    assert (fragments.face >= 0).all()
    image = torch.rand(1, 64, 64, 3)
    assert torch.equal(CPU.antialias(image, fragments, clip, faces), image)
