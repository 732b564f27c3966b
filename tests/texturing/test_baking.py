"""Textures show what was painted, know where it comes from, and make up only what no view sees."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch

from meshopt import parallel
from meshopt.cameras import Camera
from meshopt.colorspace import linear_to_srgb
from meshopt.mesh import Mesh
from meshopt.texturing import texels as texels_module
from meshopt.texturing.atlas import Atlas
from meshopt.texturing.baking import (
    FILLED,
    FIRST_VIEW,
    NOWHERE,
    Baked,
    Levels,
    bake,
    find_levels,
    linear_images,
    sharpened,
    srgb_bytes,
    unit,
)
from meshopt.texturing.hinges import hinges
from meshopt.texturing.lattice import make_lattice
from meshopt.texturing.observation import Observer
from meshopt.texturing.texels import Texels
from meshopt.views import ViewSet

SIZE = 192


def _baked(
    mesh: Mesh, atlas: Atlas, views: ViewSet, size: int = SIZE, trust: np.ndarray | None = None
) -> tuple[Baked, Levels]:
    assert views.rgb is not None
    observer = Observer(mesh, views, linear_images(views.rgb))
    lattice = make_lattice(mesh, atlas, 3 * float(observer.pixels.min()))
    levels = find_levels(lattice, observer, np.ones(len(views)) if trust is None else trust)
    uv, uv_faces = torch.from_numpy(lattice.uv), torch.from_numpy(lattice.uv_faces)
    texels = Texels(uv, uv_faces, size, hinges(lattice.points, lattice.faces))
    return bake(lattice, observer, levels, texels), levels


def _points(mesh: Mesh, atlas: Atlas, size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Texels strictly in charts, and the surface's points there."""
    values = torch.cat([mesh.vertices[atlas.vertices.long()], torch.ones(len(atlas.uv), 1)], dim=1)
    texels = Texels(atlas.uv, atlas.faces, size)
    inside, found = texels.at(values, 0, size)
    return inside, found[..., :3].astype(np.float64)


@pytest.mark.parametrize("fov", [None, 40.0])
@pytest.mark.parametrize("resolution", [(128, 128), (112, 144)])
def test_texture_shows_what_is_painted(scenes: ModuleType, fov: float | None, resolution: tuple[int, int]) -> None:
    mesh = scenes.sphere(3, 0.75)
    atlas = scenes.side_atlas(mesh)
    cameras = [*scenes.ring(6, 0, fov), Camera.orbit("top", 0, 90, fov=fov), Camera.orbit("bottom", 0, -90, fov=fov)]
    views = scenes.views(mesh, cameras, resolution=resolution)
    baked, levels = _baked(mesh, atlas, views)
    inside, points = _points(mesh, atlas)
    assert np.array_equal(baked.source != NOWHERE, inside)
    error = np.abs(baked.linear[inside] - scenes.smooth(points[inside]))
    assert levels.seen == pytest.approx(1)
    assert error.mean() < 0.004
    assert np.quantile(error, 0.99) < 0.03
    assert baked.confidence[inside].min() > 0


def test_source_is_the_view_that_sees_best(scenes: ModuleType) -> None:
    """Four views from the sides: the poles are seen by none."""
    mesh = scenes.sphere(3)
    atlas = scenes.side_atlas(mesh)
    views = scenes.views(mesh, scenes.ring(4), scenes.plain((0.3, 0.4, 0.5)))
    baked, levels = _baked(mesh, atlas, views)
    inside, points = _points(mesh, atlas)
    outward = points / np.maximum(np.linalg.norm(points, axis=-1, keepdims=True), 1e-9)
    facing = outward @ np.stack([camera.rotation[2] for camera in views.cameras]).T
    pole = np.abs(outward[..., 1]) > 0.999
    assert (inside & pole).sum() >= 8
    assert (baked.source[inside & pole] == FILLED).all()
    assert (baked.source[~inside] == NOWHERE).all()
    assert (baked.confidence[baked.source < FIRST_VIEW] == 0).all()
    assert (baked.confidence[baked.source >= FIRST_VIEW] > 0).mean() > 0.97  # less than a half of 255 may be 0
    best, second = np.sort(facing, axis=-1)[..., [3, 2]].transpose(2, 0, 1)
    clear = inside & (best > second + 0.15) & (best > 0.3)  # closer to a pole the colour is mostly filled in
    assert clear.sum() > 1000
    assert (baked.source[clear] == FIRST_VIEW + facing.argmax(-1)[clear]).all()
    # a sphere's zones go with their height
    shown = np.abs(points[inside & (baked.source >= FIRST_VIEW)][:, 1])
    assert levels.seen == pytest.approx(np.quantile(shown, 0.999) / 0.8, abs=0.03)
    assert 0.8 < levels.seen < 1
    frontal = inside & (best > 0.98)
    assert baked.confidence[frontal].min() > 230
    assert np.abs(baked.linear[inside] - [0.3, 0.4, 0.5]).max() < 0.03  # filled in, too


@pytest.mark.parametrize("background", [(1.0, 0.0, 1.0), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)])
def test_nothing_of_the_background_arrives(scenes: ModuleType, background: tuple[float, float, float]) -> None:
    mesh = scenes.joined(scenes.torus(), scenes.sphere(2, 0.2))
    color = np.array([0.1, 0.4, 0.15])
    views = scenes.views(mesh, scenes.ring(5, 20), scenes.plain(color), (128, 128), background)
    baked, levels = _baked(mesh, scenes.face_atlas(mesh), views, 512)
    assert np.abs(baked.linear[baked.source != NOWHERE] - color).max() < 0.02
    assert levels.seen < 1


@pytest.mark.parametrize("front", [1, -1])
def test_nothing_of_the_front_is_printed_on_what_lies_behind(scenes: ModuleType, front: int) -> None:
    ball = scenes.sphere(2, 0.35, (0, 0, -0.35 * front))
    plate = scenes.box((0.9, 0.9, 0.1), (0.35, 0.1, 0.4 * front))
    scene = scenes.joined(ball, plate)

    def paint(points: np.ndarray) -> np.ndarray:
        return np.where((front * points[..., 2] > 0.2)[..., None], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8])

    views = scenes.views(scene, scenes.ring(4), paint, (256, 256))
    atlas = scenes.face_atlas(scene)
    baked, _ = _baked(scene, atlas, views, 512)
    number = atlas.chart.repeat_interleave(3).float()[:, None]
    inside, chart = Texels(atlas.uv, atlas.faces, 512).at(number, 0, 512)
    of_ball = inside & (chart[..., 0] < len(ball.faces) - 0.5)
    assert of_ball.sum() > 50_000
    assert baked.linear[of_ball][:, 0].max() < 0.25
    assert np.quantile(baked.linear[of_ball][:, 0], 0.999) < 0.13
    assert baked.linear[of_ball][:, 2].min() > 0.6
    assert (baked.source[of_ball] >= FIRST_VIEW).mean() > 0.7


def test_views_are_levelled(scenes: ModuleType) -> None:
    """Exposures up to a third apart: in the texture they are not."""
    mesh = scenes.sphere(3)
    atlas = scenes.side_atlas(mesh)
    color = np.array([0.3, 0.4, 0.35])
    exposure = (1.0, 1.3, 0.9, 1.15)
    views = scenes.views(mesh, scenes.ring(4), scenes.plain(color), (128, 128), exposure=exposure)
    baked, levels = _baked(mesh, atlas, views)
    product = levels.exposure * np.array(exposure)[:, None]
    assert product.max() / product.min() < 1.06
    found = baked.linear[baked.source != NOWHERE] / color
    assert found.max() / found.min() < 1.1
    assert 0.9 < found.mean() < 1.3


def test_views_without_trust_are_not_looked_at(scenes: ModuleType) -> None:
    mesh = scenes.sphere(3)
    atlas = scenes.side_atlas(mesh)
    cameras = scenes.ring(8)
    views = scenes.views(mesh, cameras)
    assert views.rgb is not None
    views.rgb[2] = 0.9  # of something else
    trust = np.where(np.arange(8) == 2, 0.0, 1.0)
    baked, levels = _baked(mesh, atlas, views, trust=trust)
    inside, points = _points(mesh, atlas)
    assert not (baked.source == FIRST_VIEW + 2).any()
    surely = inside & (baked.confidence > 60)
    error = np.abs(baked.linear[surely] / scenes.smooth(points[surely]) - 1)
    assert error.mean() < 0.06
    assert np.isfinite(levels.ratio).all()


def test_seams_do_not_show(scenes: ModuleType) -> None:
    """Along an edge between charts both sides' texels give the same colour, nearer than neighbouring texels are."""
    mesh = scenes.sphere(2)
    atlas = scenes.side_atlas(mesh)
    views = scenes.views(mesh, scenes.ring(6, 10), exposure=(1, 1.2, 0.9, 1, 1.1, 0.85))
    baked, _ = _baked(mesh, atlas, views, 256)
    corners = {}
    steps = []
    for face, rows in zip(mesh.faces.tolist(), atlas.faces.tolist(), strict=True):
        for k in range(3):
            edge, ends = (face[k], face[(k + 1) % 3]), (rows[k], rows[(k + 1) % 3])
            other = corners.get(edge[::-1])
            corners[edge] = ends
            if other and other != ends[::-1]:
                along = np.linspace(0.05, 0.95, 9)[:, None]
                places = [
                    (1 - along) * atlas.uv[a].numpy() + along * atlas.uv[b].numpy() for a, b in (ends, other[::-1])
                ]
                steps.append(np.abs(np.subtract(*(_lookup(baked.linear, place) for place in places))))
    inside = baked.source != NOWHERE
    both = inside[:, 1:] & inside[:, :-1]
    beside = np.abs(np.diff(baked.linear, axis=1))[both]
    assert len(steps) > 30
    assert np.concatenate(steps).mean() < 0.5 * beside.mean()
    assert np.concatenate(steps).max() < 0.02


def _lookup(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Bilinear, as renderers do."""
    size = len(image)
    x = places * size - 0.5
    first = np.clip(np.floor(x).astype(int), 0, size - 2)
    (a, b), (j, k) = (x - first).T[..., None], first.T
    upper, lower = ((1 - a) * image[row, j] + a * image[row, j + 1] for row in (k, k + 1))
    return (1 - b) * upper + b * lower


def test_part_that_no_view_sees(scenes: ModuleType) -> None:
    """A ball inside of a box takes the colour of what is nearest; a vertex without faces does no harm."""
    scene = scenes.joined(scenes.box((1, 1, 1)), scenes.sphere(1, 0.2))
    scene = Mesh(torch.cat([scene.vertices, torch.zeros(1, 3)]), scene.faces)
    views = scenes.views(scene, scenes.ring(4, 30), scenes.plain((0.2, 0.5, 0.3)))
    atlas = scenes.face_atlas(scene)
    baked, _ = _baked(scene, atlas, views)
    number = atlas.chart.repeat_interleave(3).float()[:, None]
    inside, chart = Texels(atlas.uv, atlas.faces, SIZE).at(number, 0, SIZE)
    hidden = inside & (chart[..., 0] > 11.5)
    assert (baked.source[hidden] == FILLED).all()
    assert np.abs(baked.linear[inside] - [0.2, 0.5, 0.3]).max() < 0.02


@pytest.mark.parametrize("count", [1, 16])
def test_any_number_of_views(scenes: ModuleType, count: int) -> None:
    mesh = scenes.sphere(2)
    baked, levels = _baked(mesh, scenes.side_atlas(mesh), scenes.views(mesh, scenes.ring(count, 10)))
    assert baked.source.max() == FIRST_VIEW + count - 1
    assert levels.exposure.shape == (count, 3)
    assert np.isfinite(baked.linear).all()
    assert (0.2 if count == 1 else 0.9) < levels.seen < (0.5 if count == 1 else 1)


def test_single_triangle(scenes: ModuleType) -> None:
    mesh = Mesh(torch.tensor([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0, 0.5, 0]]), torch.tensor([[0, 1, 2]]).int())
    views = scenes.views(mesh, (Camera.orbit("front", 0), Camera.orbit("back", 180)))
    baked, _ = _baked(mesh, scenes.face_atlas(mesh), views)
    inside, points = _points(mesh, scenes.face_atlas(mesh))
    assert set(np.unique(baked.source)) <= {NOWHERE, FILLED, FIRST_VIEW}  # filled: beside the chart
    error = np.abs(baked.linear[inside] - scenes.smooth(points[inside]))
    assert error.mean() < 0.02
    assert error.max() < 0.12  # the outermost pixels' colours are not taken


def test_same_bytes(scenes: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice, and with one thread."""
    monkeypatch.setattr(texels_module, "BAND", 16 * SIZE)
    mesh = scenes.torus()
    views = scenes.views(mesh, scenes.ring(4), exposure=(1, 1.2, 0.9, 1))
    results = [_baked(mesh, scenes.face_atlas(mesh), views)[0] for _ in range(2)]
    with parallel.limit(1):
        results.append(_baked(mesh, scenes.face_atlas(mesh), views)[0])
    for name in Baked.__dataclass_fields__:
        assert len({getattr(baked, name).tobytes() for baked in results}) == 1


def test_sharpened_keeps_the_strongest() -> None:
    weight = np.array([[0.2, 0, 0.5], [0.1, 0, 0.5]], np.float32)
    found = sharpened(weight)
    assert np.allclose(found, [[1, 0, 1], [1 / 16, 0, 1]])


def test_unit() -> None:
    vectors = np.random.default_rng(0).normal(size=(2, 50, 3)).astype(np.float32)
    vectors[0, 0] = 0
    length = np.linalg.norm(unit(vectors), axis=-1)
    assert length[0, 0] == 0
    assert np.abs(length.reshape(-1)[1:] - 1).max() < 1e-6


def test_bytes_are_srgb() -> None:
    """Every byte comes back, in between it is the nearest, and images of any type are read."""
    values = np.arange(256, dtype=np.uint8)
    rgb = torch.from_numpy(values.astype(np.float32) / 255)[:, None, None, None].expand(-1, 1, 1, 3)
    for dtype in (torch.float16, torch.float32, torch.float64):
        assert np.array_equal(srgb_bytes(linear_images(rgb.to(dtype)))[:, 0, 0, 0], values)
    linear = np.linspace(0, 1, 5000)
    assert np.abs(srgb_bytes(linear) - 255 * linear_to_srgb(linear)).max() < 0.6
    beyond = linear_images(torch.tensor([-0.2, 1.5, 0.5]).reshape(1, 1, 1, 3))
    assert (beyond.min(), beyond.max()) == (0, 1)
