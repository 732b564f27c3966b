"""Pictures of meshes whose every pixel is known: balls, squares, steps."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from meshopt import parallel, raster, snapshots
from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.mesh import Mesh, Shading, Texture
from meshopt.shading import creased
from meshopt.snapshots import Snapshot, SnapshotOptions, snapshot

RADIUS = 0.8
FRONT = Camera.orbit("front", 0)
ASKEW = Camera.orbit("askew", 30, 20, fov=30)
SHIFTED = replace(ASKEW, half_extent=(0.3, 0.2), centre=(0.1, -0.2))


@pytest.fixture(scope="module")
def ball() -> Mesh:
    """Fine, with the normals of a true ball, and colours linear in space."""
    shape = trimesh.creation.icosphere(subdivisions=6)
    unit = torch.tensor(shape.vertices)
    faces = torch.tensor(shape.faces, dtype=torch.int32)
    return Mesh((RADIUS * unit).float(), faces, ((unit + 1) / 2).float(), shading=Shading(unit, faces))


def square(z: float = 0.0, half: float = 0.5, flip: bool = False) -> Mesh:
    corners = torch.tensor([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
    return Mesh(corners, faces.flip(1) if flip else faces)


def hits(camera: Camera, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the rays through pixels' centres meet the ball (NaN: not), its normals there, and the depth."""
    origins, directions = camera.rays(*size)
    a = (directions**2).sum(-1)
    b = (origins * directions).sum(-1)
    c = (origins**2).sum(-1) - RADIUS**2
    with np.errstate(invalid="ignore"):
        depth = (-b - np.sqrt(b * b - a * c)) / a
    points = origins + depth[..., None] * directions
    return points, points / RADIUS, depth


@pytest.mark.parametrize(
    ("camera", "size"), [(FRONT, (96, 96)), (ASKEW, (96, 96)), (SHIFTED, (64, 96))], ids=["front", "askew", "shifted"]
)
def test_a_ball_is_a_ball(ball: Mesh, camera: Camera, size: tuple[int, int]) -> None:
    seen = snapshot(ball, camera, size)
    points, normals, depth = hits(camera, size)
    inside = np.isfinite(depth) & (seen.alpha.numpy() == 1)
    assert inside.mean() > 0.2
    facing = -(normals * camera.rays(*size)[1]).sum(-1) > 0.5  # further out, a pixel's mean is not its centre's
    angles = np.degrees(np.arccos(np.clip((normals * seen.normals.numpy()).sum(-1), -1, 1)))[inside & facing]
    assert angles.max() < 0.15
    assert np.abs(seen.depth.numpy() - depth)[inside & facing].max() < 3e-4
    assert np.abs(seen.rgb.numpy() - (points / RADIUS + 1) / 2)[inside & facing].max() < 2e-3
    assert ((seen.depth.numpy() > 0) != np.isfinite(depth)).mean() < 1e-3
    lengths = seen.normals.norm(dim=-1)
    assert torch.allclose(lengths[seen.alpha > 0], torch.ones(()), atol=1e-5)
    for image in (seen.normals, seen.rgb):
        assert not image[seen.alpha == 0].any()


def test_coverage_is_area(ball: Mesh) -> None:
    area = 4.0 * snapshot(ball, FRONT, (64, 64)).alpha.double().mean()
    assert float(area) == pytest.approx(math.pi * RADIUS**2, rel=1e-3)
    alpha = snapshot(square(half=0.25 * 1.25), FRONT, (8, 8)).alpha.numpy()  # its edges a quarter into pixels
    assert np.allclose(alpha[4], [0, 0, 0.25, 1, 1, 0.25, 0, 0])
    assert alpha[2, 2] == pytest.approx(1 / 16)


def test_perspective_silhouette_is_wider_than_the_ball(ball: Mesh) -> None:
    camera = Camera.orbit("near", 200, -35, fov=60, distance=2.0)
    area = 4.0 * snapshot(ball, camera, (64, 64)).alpha.double().mean()
    tangent = RADIUS / math.sqrt(2.0**2 - RADIUS**2)
    assert float(area) == pytest.approx(math.pi * (tangent / math.tan(math.radians(30))) ** 2, rel=1e-3)


def test_a_texture_is_looked_up_between_texels() -> None:
    """A ramp stays that ramp, upright; flat colours of vertices give way to it."""
    mesh = square()
    x, y = (np.arange(32) + 0.5) / 32, (np.arange(16) + 0.5) / 16
    ramp = np.zeros((16, 32, 3))
    ramp[..., 0], ramp[..., 1] = x[None] * 200 + 20, y[:, None] * 200 + 20
    uv = torch.tensor([[0.0, 1], [1, 1], [1, 0], [0, 0]])
    texture = Texture(uv, mesh.faces, torch.from_numpy(np.round(ramp).astype(np.uint8)))
    seen = snapshot(replace(mesh, texture=texture, colors=torch.zeros(4, 3)), FRONT, (64, 64)).rgb.numpy()[16:48, 16:48]
    place = (np.arange(32) + 0.5) / 32
    assert np.abs(seen[2:-2, 2:-2, 0] - (place[None, 2:-2] * 200 + 20) / 255).max() < 3e-3
    assert np.abs(seen[2:-2, 2:-2, 1] - (place[2:-2, None] * 200 + 20) / 255).max() < 3e-3
    assert not seen[..., 2].any()


def test_colours_are_means_of_srgb() -> None:
    """Half of every pixel black, half white: 0.5, not the 0.735 of half the light."""
    mesh = square(half=1.0)
    stripes = np.zeros((1, 32, 3), np.uint8)
    stripes[:, ::2] = 255
    texture = Texture(torch.tensor([[0.0, 1], [1, 1], [1, 0], [0, 0]]), mesh.faces, torch.from_numpy(stripes))
    seen = snapshot(replace(mesh, texture=texture), FRONT, (16, 16))
    assert torch.allclose(seen.rgb[:, 1:-1], torch.tensor(0.5), atol=0.01)


def test_without_colours_grey(ball: Mesh) -> None:
    seen = snapshot(replace(ball, colors=None), FRONT, (32, 32))
    assert torch.allclose(seen.rgb[seen.alpha > 0], torch.tensor(snapshots.GREY))


def test_both_sides_are_seen_and_turned_to_the_viewer_or_the_front_alone() -> None:
    near, far = square(0.4, 0.3, flip=True), square(-0.4)
    mesh = Mesh(torch.cat([near.vertices, far.vertices]), torch.cat([near.faces, far.faces + 4]))
    both = snapshot(mesh, FRONT, (32, 32))
    assert torch.allclose(both.normals[both.alpha > 0], torch.tensor([0.0, 0, 1]))
    assert both.depth[16, 16] == pytest.approx(9.6)
    front = snapshot(mesh, FRONT, (32, 32), SnapshotOptions(sides="front"))
    assert front.depth[16, 16] == pytest.approx(10.4)
    behind = snapshot(mesh, Camera.orbit("back", 180), (32, 32), SnapshotOptions(sides="front"))
    assert float(behind.alpha.mean()) == pytest.approx(0.3**2, rel=0.05)  # the small one, from its front
    assert torch.allclose(behind.normals[behind.alpha > 0], torch.tensor([0.0, 0, -1]))


def test_kinds_of_normals() -> None:
    shape = trimesh.creation.box((1, 1, 1))
    faces = torch.tensor(shape.faces, dtype=torch.int32)
    cube = Mesh(torch.tensor(shape.vertices).float(), faces)
    corner = Camera.orbit("corner", 45, 0)
    flat = snapshot(cube, corner, (64, 64), SnapshotOptions(normals="flat")).normals
    sharp = snapshot(cube, corner, (64, 64), SnapshotOptions(normals="creased")).normals
    smooth = snapshot(cube, corner, (64, 64), SnapshotOptions(normals="smooth")).normals
    assert torch.allclose(flat, sharp, atol=1e-6)
    assert torch.allclose(flat[32, 20], torch.tensor([0.0, 0, 1]), atol=1e-6)
    assert smooth[32, 31, 0] > 0.5
    assert torch.equal(snapshot(cube, corner, (64, 64)).normals, smooth)  # a mesh without any is smooth
    own = replace(cube, shading=creased(cube.vertices, cube.faces))
    assert torch.equal(snapshot(own, corner, (64, 64)).normals, sharp)


def test_depth_is_of_one_surface() -> None:
    """At an edge there is no depth in between, which a mean of samples would have."""
    near, far = square(0.5, half=0.33), square(-0.5, half=0.9)
    mesh = Mesh(torch.cat([near.vertices, far.vertices]), torch.cat([near.faces, far.faces + 4]))
    depth = snapshot(mesh, FRONT, (50, 50)).depth
    assert np.allclose(np.unique(depth.numpy().round(4)), [0, 9.5, 10.5])


def test_any_scene_and_any_number_of_bands(ball: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ball of 1e4 units far from the origin, in bands of two rows on two threads."""
    whole = snapshot(ball, ASKEW, (40, 40))
    monkeypatch.setattr(snapshots, "BAND", 2 * 16 * 40)
    offset = np.array([3e4, -2e4, 1e4])
    moved = replace(ball, vertices=ball.vertices.double() * 1e4 + torch.tensor(offset))
    with parallel.limit(2):
        seen = snapshot(moved, ASKEW.transformed(1e4, -offset / 1e4), (40, 40))
    assert (seen.alpha - whole.alpha).abs().max() <= 1 / 16 + 1e-6
    assert ((seen.alpha - whole.alpha).abs() > 0).float().mean() < 0.01
    inside = (seen.alpha == 1) & (whole.alpha == 1)
    assert torch.allclose(seen.normals[inside], whole.normals[inside], atol=5e-3)
    assert torch.allclose(seen.depth[inside] / 1e4, whole.depth[inside], atol=1e-4)


def test_threads_do_not_change_a_byte(ball: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "BAND", 1 << 13)
    found: list[Snapshot] = []
    for count in (1, 3):
        with parallel.limit(count):
            found.append(snapshot(ball, ASKEW, (64, 64)))
    for name in ("rgb", "normals", "alpha", "depth"):
        assert torch.equal(getattr(found[0], name), getattr(found[1], name))


@pytest.mark.parametrize("samples", [1, 3])
def test_kernels_do_what_the_rasteriser_and_torch_do(ball: Mesh, samples: int) -> None:
    """The slow twin: all samples at once, interpolated, normalised, averaged."""
    size, texture = (24, 32), np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    uv = ((ball.vertices[:, :2] + 1) / 2).contiguous()
    mesh = replace(ball, texture=Texture(uv, ball.faces, torch.from_numpy(texture)))
    seen = snapshot(mesh, SHIFTED, size, SnapshotOptions(samples=samples))
    backend = raster.get("cpu")
    clip = raster.transform(ball.vertices, torch.from_numpy(SHIFTED.clip_matrix())[None].float())
    fragments = backend.rasterize(clip, ball.faces, (size[0] * samples, size[1] * samples))
    covered = (fragments.face >= 0)[..., None].float()
    assert ball.shading is not None
    normals = backend.interpolate(ball.shading.normals.float()[None], fragments, ball.faces)
    normals = torch.nn.functional.normalize(normals, dim=-1) * covered
    places = backend.interpolate(uv[None], fragments, ball.faces)
    image = torch.from_numpy(texture).float().movedim(-1, 0)[None] / 255
    colours = torch.nn.functional.grid_sample(image, 2 * places - 1, align_corners=False, padding_mode="border")
    pool = torch.nn.AvgPool2d(samples, divisor_override=1)
    count = pool(covered.movedim(-1, 1))
    rgb = (pool(colours * covered.movedim(-1, 1)) / count.clamp_min(1))[0].movedim(0, -1)
    total = torch.nn.functional.normalize(pool(normals.movedim(-1, 1)), dim=1)[0].movedim(0, -1)
    same = seen.alpha == count[0, 0] / samples**2
    assert same.float().mean() > 0.99
    assert torch.allclose(seen.rgb[same], rgb[same], atol=2e-3)
    assert torch.allclose(seen.normals[same], total[same], atol=1e-3)


def test_nothing_to_see(ball: Mesh) -> None:
    seen = snapshot(replace(ball, vertices=ball.vertices + 50), FRONT, (16, 16))
    behind = snapshot(replace(ball, vertices=ball.vertices + 100 * torch.tensor(ASKEW.rotation[2])), ASKEW, (16, 16))
    for found in (seen, behind):
        assert not any(bool(getattr(found, name).any()) for name in ("rgb", "normals", "alpha", "depth"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"samples": 0}, "--supersampling 0 is out of range, expected 1 to 16"),
        ({"normals": "round"}, "--normals 'round' is unknown, expected file, smooth, creased or flat"),
        ({"sides": "back"}, "--sides 'back' is unknown, expected both or front"),
    ],
)
def test_bad_options(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        SnapshotOptions(**change)
