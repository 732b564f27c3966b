"""From a mesh and views to a textured mesh, and what is said where that cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch

from meshopt import hardware, parallel, raster
from meshopt.cameras import Camera
from meshopt.colorspace import srgb_to_linear
from meshopt.config import TextureConfig
from meshopt.errors import InputError
from meshopt.mesh import Mesh
from meshopt.rendering import render_views
from meshopt.texturing import Textured, make_texture, stage
from meshopt.texturing.texels import Texels
from meshopt.views import ViewSet

SMALL = TextureConfig(size=512)
BAKES = ("blend", "optimize")


@pytest.fixture(scope="module")
def ball(scenes: ModuleType) -> Mesh:
    return scenes.sphere(2)


@pytest.fixture(scope="module")
def views(scenes: ModuleType, ball: Mesh) -> ViewSet:
    return scenes.views(ball, scenes.ring(4, 10))


@pytest.fixture(scope="module")
def textured(ball: Mesh, views: ViewSet) -> Textured:
    return make_texture(ball, views, SMALL)


def _bytes(found: Textured) -> tuple[bytes, ...]:
    image = found.mesh.texture
    assert image is not None
    parts = [image.uv, image.faces, image.color, found.source, found.confidence]
    return tuple(t.numpy().tobytes() for t in (parts if image.normals is None else [*parts, image.normals]))


def _surface(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Texels on the surface or beside it, and its points there."""
    image = mesh.texture
    assert image is not None
    corners = torch.zeros(len(image.uv), 3)
    corners[image.faces.reshape(-1).long()] = mesh.vertices.float()[mesh.faces.reshape(-1).long()]
    return Texels(image.uv, image.faces, len(image.color)).at(corners, 0, len(image.color))


def test_mesh_has_the_colours_of_the_views(scenes: ModuleType, ball: Mesh, textured: Textured) -> None:
    image = textured.mesh.texture
    assert image is not None
    assert textured.mesh.vertices is ball.vertices
    assert textured.mesh.faces is ball.faces
    assert image.color.shape == (512, 512, 3)
    assert image.normals is None
    inside, points = _surface(textured.mesh)
    seen = inside & (textured.confidence.numpy() > 80)
    error = np.abs(srgb_to_linear(image.color.numpy() / 255.0)[seen] - scenes.smooth(points.astype(float))[seen])
    assert error.mean() < 0.005
    assert error.max() < 0.05
    assert ((textured.source.numpy() > 0) != inside).mean() < 1e-4  # as found by the lattice's faces
    assert textured.source.shape == textured.confidence.shape == inside.shape


def test_texels_off_the_surface_continue_it(textured: Textured) -> None:
    """So that mipmaps and compression blend charts with nothing else."""
    image = textured.mesh.texture
    assert image is not None
    on = {tuple(c) for c in image.color[textured.source > 0].tolist()}
    assert {tuple(c) for c in image.color[textured.source == 0].tolist()} <= on


def test_figures_are_plain_data(textured: Textured) -> None:
    numbers = textured.figures
    assert json.loads(json.dumps(numbers, allow_nan=False)).keys() == numbers.keys()
    assert {"size", "method", "charts", "stretch", "coverage", "seen", "exposure", "trust"} <= set(numbers)
    assert numbers["size"] == 512
    assert numbers["charts"] >= 1
    assert numbers["overlaps"] == 0
    assert 0.5 < numbers["seen"] < 1
    assert np.shape(numbers["exposure"]) == (4, 3)
    assert np.abs(np.array(numbers["exposure"]) - 1).max() < 0.03
    assert numbers["trust"] == [SMALL.front_weight, 1.0, 1.0, 1.0]


def test_same_bytes(ball: Mesh, views: ViewSet, textured: Textured) -> None:
    assert _bytes(make_texture(ball, views, SMALL)) == _bytes(textured)
    with parallel.limit(1):
        assert _bytes(make_texture(ball, views, SMALL)) == _bytes(textured)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_views_of_other_types(ball: Mesh, views: ViewSet, textured: Textured, dtype: torch.dtype) -> None:
    found = make_texture(ball, views.to("cpu", dtype), SMALL)
    assert found.mesh.texture is not None
    assert textured.mesh.texture is not None
    off = (found.mesh.texture.color.int() - textured.mesh.texture.color.int()).abs()
    assert off.float().mean() < 0.2
    assert off.max() <= 8
    if dtype == torch.float64:
        assert off.max() == 0


def test_tensors_that_want_gradients(ball: Mesh, views: ViewSet, textured: Textured) -> None:
    assert views.rgb is not None
    mesh = Mesh(ball.vertices.clone().requires_grad_(), ball.faces)
    found = make_texture(mesh, replace(views, rgb=views.rgb.clone().requires_grad_()), SMALL)
    assert _bytes(found) == _bytes(textured)
    double = make_texture(Mesh(ball.vertices.double(), ball.faces.long()), views, SMALL)
    assert double.mesh.texture is not None
    assert double.mesh.vertices.dtype == torch.float64


def test_mesh_moves_with_its_texture(textured: Textured) -> None:
    moved = textured.mesh.to("meta")
    image = moved.texture
    assert image is not None
    assert image.color.device.type == image.uv.device.type == image.faces.device.type == "meta"


def test_normals_are_baked_when_asked_for(ball: Mesh, views: ViewSet, scenes: ModuleType) -> None:
    """Of the finer mesh, too."""
    settings = TextureConfig(size=512, normals=True, roughness=0.4, metallic=0.2)
    found = make_texture(ball, views, settings).mesh.texture
    assert found is not None
    assert found.normals is not None
    assert found.normals.shape == (512, 512, 3)
    assert (found.roughness, found.metallic) == (0.4, 0.2)
    coarse = scenes.apart(scenes.sphere(1))
    fine = scenes.sphere(4)
    shown = scenes.views(fine, scenes.ring(4, 10))
    result = make_texture(coarse, shown, settings, detail=fine)
    image = result.mesh.texture
    assert image is not None
    assert image.normals is not None
    assert len(result.mesh.faces) == 80
    length = torch.linalg.vector_norm(2 * image.normals.double() / 255 - 1, dim=-1)
    assert (length - 1).abs().max() < 0.02
    assert (image.normals.int() - torch.tensor([128, 128, 255])).abs().max() > 20
    assert _bytes(make_texture(coarse, shown, settings, detail=fine)) == _bytes(result)


def _view_error(found: Textured, views: ViewSet) -> float:
    """Root of the mean squared difference, sRGB in [0, 1], between the textured mesh's renders and the views, away from
    silhouettes.
    """
    assert views.rgb is not None
    shown = render_views(raster.get("cpu"), found.mesh, views)
    assert shown.rgb is not None
    inner = -torch.nn.functional.max_pool2d(-torch.minimum(shown.masks, views.masks)[:, None], 9, 1, 4)[:, 0] > 0.999
    return float((shown.rgb - views.rgb)[inner].square().mean().sqrt())


def _stripes(points: np.ndarray) -> np.ndarray:
    return 0.4 + 0.3 * np.sin(17 * points + points[..., [1, 2, 0]])


def test_optimized_is_closer_to_the_views(scenes: ModuleType, ball: Mesh, views: ViewSet, textured: Textured) -> None:
    """Where there is detail that looking up blurs, and no worse where there is none."""
    detailed = scenes.views(ball, views.cameras, _stripes)
    plain, better = (make_texture(ball, detailed, TextureConfig(size=512, bake=b)) for b in BAKES)
    assert torch.equal(plain.source, better.source)
    assert _view_error(better, detailed) < 0.7 * _view_error(plain, detailed)
    smooth = make_texture(ball, views, TextureConfig(size=512, bake="optimize"))
    assert _view_error(smooth, views) < 1.01 * _view_error(textured, views)


def test_optimized_is_closer_on_a_coarse_mesh_of_a_fine_one(scenes: ModuleType) -> None:
    """What is rendered is the coarse mesh, wherever its colours were looked up."""
    coarse, fine = scenes.sphere(1), scenes.sphere(4)
    views = scenes.views(fine, scenes.ring(6))
    plain, better = (make_texture(coarse, views, TextureConfig(size=512, bake=b), detail=fine) for b in BAKES)
    assert _view_error(better, views) < 0.8 * _view_error(plain, views)


def test_a_close_up_leaves_the_rest_as_it_was(scenes: ModuleType, ball: Mesh) -> None:
    """Its pixels are finer by 10, its weight where it sees something larger by 100: nobody else is less sure for it."""
    cameras = scenes.ring(8)
    gains = [1.2, 0.8] * 4
    close = replace(Camera.orbit("close", 20.0), half_extent=(0.1, 0.1))
    far = make_texture(ball, scenes.views(ball, cameras, exposure=gains), SMALL)
    both = make_texture(ball, scenes.views(ball, (*cameras, close), exposure=[*gains, 1.0]), SMALL)
    assert both.figures["seen"] == pytest.approx(far.figures["seen"], abs=1e-3)
    assert np.abs(np.array(both.figures["exposure"])[:8] / far.figures["exposure"] - 1).max() < 0.05
    elsewhere = (both.source != 10) & (both.source > 0)
    assert (both.confidence.int() - far.confidence.int()).abs()[elsewhere].float().mean() < 1
    assert both.mesh.texture is not None
    assert far.mesh.texture is not None
    off = (both.mesh.texture.color.int() - far.mesh.texture.color.int()).abs().amax(-1)[elsewhere]
    assert np.quantile(off.numpy(), 0.99) <= 4


def test_what_only_a_distrusted_view_shows_is_taken_from_it(scenes: ModuleType, ball: Mesh) -> None:
    views = scenes.views(ball, scenes.ring(2))
    trusted, poor = (make_texture(ball, views, SMALL, scores=[0.0, score]) for score in (0.0, 30.0))
    assert torch.equal(poor.confidence, trusted.confidence)
    alone = poor.source == 3
    assert alone.float().mean() > 0.9 * (trusted.source == 3).float().mean()
    assert poor.mesh.texture is not None
    assert trusted.mesh.texture is not None
    assert (poor.mesh.texture.color.int() - trusted.mesh.texture.color.int()).abs()[alone].float().mean() < 1


def test_confidence_is_how_well_a_point_is_seen_whatever_counts_more(ball: Mesh, views: ViewSet) -> None:
    one, other = (make_texture(ball, views, TextureConfig(size=512, front_weight=w)) for w in (1.0, 900.0))
    assert torch.equal(one.confidence, other.confidence)


def test_only_one_view_is_the_front(scenes: ModuleType, ball: Mesh) -> None:
    cameras = tuple(Camera.orbit(str(turn), turn, 3.0) for turn in (-9.0, 4.0, 12.0, 100.0, 190.0, 280.0))
    assert make_texture(ball, scenes.views(ball, cameras), SMALL).figures["trust"] == [1, 2, 1, 1, 1, 1]
    assert make_texture(ball, scenes.views(ball, cameras[3:]), SMALL).figures["trust"] == [1, 1, 1]


def test_scores_weigh_views_against_each_other(scenes: ModuleType, ball: Mesh) -> None:
    cameras = scenes.ring(8)
    views = scenes.views(ball, cameras)
    found = make_texture(ball, views, SMALL, scores=[0.1] * 7 + [30.0])
    assert found.figures["trust"][7] < 0.02 < 0.9 < found.figures["trust"][0]
    assert (found.source == 2 + 7).float().mean() < 0.01  # where no other sees anything
    poor = make_texture(ball, views, SMALL, scores=[20.0] * 8)  # all alike
    same = make_texture(ball, views, SMALL)
    assert poor.figures["seen"] == pytest.approx(same.figures["seen"])
    assert poor.mesh.texture is not None
    assert same.mesh.texture is not None
    assert (poor.mesh.texture.color.int() - same.mesh.texture.color.int()).abs().max() <= 2


def test_settings_weigh_views(ball: Mesh, views: ViewSet) -> None:
    """The front, so that a face is taken from one view as far as may be, and any by its name."""
    shares = [
        float((make_texture(ball, views, TextureConfig(size=512, front_weight=weight)).source == 2).float().mean())
        for weight in (0.5, 1.0, 3.0)
    ]
    assert shares[0] < 0.95 * shares[1] < 0.9 * shares[2]
    weighted = TextureConfig(size=512, view_weights={views.cameras[1].name: 0.0})
    assert not (make_texture(ball, views, weighted).source == 3).any()


@pytest.mark.parametrize("fov", [None, 30.0])
def test_views_that_are_not_square(scenes: ModuleType, fov: float | None) -> None:
    mesh = scenes.torus()
    cameras = tuple(
        replace(camera, half_extent=(camera.half_extent[0] * 1.25, camera.half_extent[1]))
        for camera in scenes.ring(3, 25, fov)
    )
    found = make_texture(mesh, scenes.views(mesh, cameras, resolution=(96, 120)), SMALL)
    inside, points = _surface(found.mesh)
    assert found.mesh.texture is not None
    seen = inside & (found.confidence.numpy() > 80)
    error = np.abs(
        srgb_to_linear(found.mesh.texture.color.numpy() / 255.0)[seen] - scenes.smooth(points.astype(float))[seen]
    )
    assert seen.sum() > 10_000
    assert np.quantile(error, 0.99) < 0.03


def test_odd_meshes(scenes: ModuleType, ball: Mesh, views: ViewSet) -> None:
    """A box of 12 faces, one triangle, parts that no view sees, vertices that no face uses, faces without area."""
    box = scenes.box()
    triangle = Mesh(torch.tensor([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0, 0.5, 0]]), torch.tensor([[0, 1, 2]]).int())
    inner = scenes.joined(ball, scenes.sphere(1, 0.2))
    unused = Mesh(torch.cat([ball.vertices, torch.tensor([[5.0, 5, 5], [torch.nan] * 3, [torch.inf] * 3])]), ball.faces)
    flat = Mesh(ball.vertices, torch.cat([ball.faces, torch.tensor([[0, 0, 1], [2, 2, 2]]).int()]))
    cameras = scenes.ring(3, 20)
    for mesh in (box, triangle, inner, unused, flat):
        seen = scenes.views(Mesh(mesh.vertices.nan_to_num(0, 0, 0), mesh.faces), cameras)
        found = make_texture(mesh, seen, TextureConfig(size=512, normals=True, bake="optimize"), detail=mesh)
        assert found.mesh.texture is not None
        assert found.mesh.texture.uv.isfinite().all()
        assert (found.source >= 2).any()


def test_thin_wires(scenes: ModuleType) -> None:
    """Two pixels wide, everything is close to a border, and nothing better is to be had."""
    wires = scenes.joined(scenes.box((1.6, 0.06, 0.06)), scenes.box((0.06, 1.6, 0.06), (0, 0, 0.1)))
    green = scenes.views(wires, scenes.ring(4), scenes.plain((0.1, 0.5, 0.1)), (64, 64))
    found = make_texture(wires, green, TextureConfig(size=512, least_fit=0.1))
    assert found.mesh.texture is not None
    color = found.mesh.texture.color[found.source > 0].int()
    assert (color - torch.tensor([89, 188, 89])).abs().max() <= 2


@pytest.mark.parametrize("bake", ["blend", "optimize"])
def test_wires_thinner_than_a_pixel(scenes: ModuleType, bake: str) -> None:
    """No pixel shows them alone: the views say next to nothing, and that is no error."""
    wire = scenes.box((1.6, 0.024, 0.024), (0, 0.016, 0))  # along the middle of a row
    views = scenes.views(wire, scenes.ring(2), resolution=(64, 64))
    found = make_texture(wire, views, TextureConfig(size=512, least_fit=0.0, bake=bake))
    assert found.mesh.texture is not None


def test_one_view_and_many(scenes: ModuleType, ball: Mesh) -> None:
    for count in (1, 16):
        found = make_texture(ball, scenes.views(ball, scenes.ring(count), resolution=(64, 64)), SMALL)
        assert found.source.max() == 1 + count


def test_view_that_does_not_see_the_mesh(scenes: ModuleType, ball: Mesh) -> None:
    """One camera of three looks past it."""
    aside = replace(Camera.orbit("aside", 0), centre=(3.0, 0.0))
    views = scenes.views(ball, (*scenes.ring(3), aside))
    for bake in ("blend", "optimize"):
        found = make_texture(ball, views, TextureConfig(size=512, bake=bake))
        assert not (found.source == 2 + 3).any()
        assert found.figures["seen"] > 0.5


def test_views_without_colours(ball: Mesh, views: ViewSet) -> None:
    with pytest.raises(InputError, match="colours"):
        make_texture(ball, replace(views, rgb=None), SMALL)


def test_views_of_something_else(scenes: ModuleType, ball: Mesh, views: ViewSet) -> None:
    bar = scenes.box((0.1, 1.8, 0.1))
    with pytest.raises(InputError, match=r"do not show this mesh.*--rig"):
        make_texture(bar, views, SMALL)
    make_texture(bar, views, TextureConfig(size=512, least_fit=0.0))


def test_views_without_masks(scenes: ModuleType, ball: Mesh, views: ViewSet) -> None:
    """Nothing is to be told from silhouettes; those that have a mask are judged."""
    opaque = replace(views, masks=torch.ones_like(views.masks))
    found = make_texture(ball, opaque, SMALL)
    assert any("no masks" in note and "--matting" in note for note in found.notes)
    some = torch.cat([opaque.masks[:2], views.masks[2:]])
    assert make_texture(ball, replace(views, masks=some), SMALL).notes == ()
    with pytest.raises(InputError, match="do not show this mesh"):
        make_texture(scenes.box((0.1, 1.8, 0.1)), replace(views, masks=some), SMALL)


@pytest.mark.parametrize("least", [0.5, 0.0])
def test_mesh_outside_of_all_views(ball: Mesh, views: ViewSet, least: float) -> None:
    with pytest.raises(InputError, match=r"no view sees.*--rig"):
        make_texture(Mesh(ball.vertices + 50, ball.faces), views, TextureConfig(size=512, least_fit=least))


def test_mesh_that_is_none(ball: Mesh, views: ViewSet) -> None:
    for mesh, words in (
        (Mesh(ball.vertices, ball.faces[:0]), "no faces"),
        (Mesh(ball.vertices * torch.nan, ball.faces), "not finite"),
        (Mesh(ball.vertices, ball.faces + 1), "not there"),
    ):
        with pytest.raises(InputError, match=rf"the mesh has .*{words}"):
            make_texture(mesh, views, SMALL)
        with pytest.raises(InputError, match=rf"the finer mesh has .*{words}"):
            make_texture(ball, views, SMALL, detail=mesh)


@pytest.mark.parametrize("scores", [[0.0] * 3, [0.0, 0.0, np.nan, 0.0], [0.0] * 5])
def test_scores_that_are_none(ball: Mesh, views: ViewSet, scores: list[float]) -> None:
    with pytest.raises(InputError, match="expected a number for each"):
        make_texture(ball, views, SMALL, scores=scores)


def test_wrong_settings_are_said_before_any_work(ball: Mesh, views: ViewSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "Observer", None)
    with pytest.raises(InputError, match=r"texture\.view_weights names frnt"):
        make_texture(ball, views, TextureConfig(size=512, view_weights={"frnt": 0.0}))


def test_too_large_for_the_memory(ball: Mesh, views: ViewSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "memory", lambda: 2.0)
    with pytest.raises(InputError, match=r"8192 x 8192.*3\.\d GiB.*2\.0.*--texture-size"):
        make_texture(ball, views, TextureConfig(size=8192))
    blank = torch.zeros(1, 1, 1, 1).expand(4, 8192, 8192, 3)  # nothing of it is allocated
    many = replace(views, rgb=blank, normals=blank, masks=blank[..., 0])
    with pytest.raises(InputError, match=r"512 x 512 texels from 4 views .*--resolution"):
        make_texture(ball, many, SMALL)
    monkeypatch.setattr(hardware, "memory", lambda: None)  # unknown
    assert make_texture(ball, views, SMALL).figures["size"] == 512
