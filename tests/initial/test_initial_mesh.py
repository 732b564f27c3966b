"""Initial meshes of analytic shapes: sound, near to the truth where views show it, and as the settings ask."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from meshopt import parallel
from meshopt.config import InitialConfig
from meshopt.errors import InputError
from meshopt.initial import initial_mesh

VOXEL = 2 / 48


def same(one, two) -> bool:
    """Same bytes, kind and notes."""
    meshes = torch.equal(one.mesh.vertices, two.mesh.vertices) and torch.equal(one.mesh.faces, two.mesh.faces)
    return meshes and (one.kind, one.notes) == (two.kind, two.notes)


@pytest.mark.parametrize("shape", ["ball", "ellipsoid"])
def test_carving_takes_away_what_the_hull_has_too_much(studio, sound, overlap, shape: str) -> None:
    truth = getattr(studio, shape)
    views = studio.four(truth)
    carved, hull = studio.made(views), studio.made(views, "hull")
    assert (carved.kind, hull.kind) == ("carved", "hull")
    found = sound(carved.mesh)
    assert (found.components, found.genus) == (1, 0)
    assert found.volume == pytest.approx(truth.volume, rel=0.03)
    assert sound(hull.mesh).volume > 1.2 * truth.volume  # 16/3 against 4 pi/3
    assert overlap(carved.mesh, views).min() > 0.98
    assert overlap(hull.mesh, views).min() > 0.98


def test_carved_surface_is_near(studio) -> None:
    vertices = studio.made(studio.four(studio.ellipsoid), "carved").mesh.vertices
    place = (vertices.double().numpy() - studio.ellipsoid.centre) / studio.ellipsoid.axes
    away = np.abs((place**2).sum(-1) - 1) / (2 * np.linalg.norm(place / studio.ellipsoid.axes, axis=-1))
    assert np.median(away) < 0.25 * VOXEL
    assert np.percentile(away, 95) < VOXEL


def test_perspective_views(studio, sound, overlap) -> None:
    views = studio.views(studio.oblique(), studio.ellipsoid)
    made = studio.made(views)
    assert (made.kind, made.notes) == ("carved", ())
    assert sound(made.mesh).volume == pytest.approx(studio.ellipsoid.volume, rel=0.04)
    assert overlap(made.mesh, views).min() > 0.97


def test_separate_parts_stay_separate(studio, sound, overlap) -> None:
    """The nearer ball hides the other one from the front and the back."""
    views = studio.four(*studio.pair)
    made = studio.made(views)
    found = sound(made.mesh)
    assert (found.components, found.genus) == (2, 0)
    assert found.volume == pytest.approx(sum(ball.volume for ball in studio.pair), rel=0.08)
    assert overlap(made.mesh, views).min() > 0.97


def test_phantoms_of_the_hull_are_left_out(studio, sound, overlap) -> None:
    """Two balls at opposite corners, whose cylinders meet at the other two corners as well; each reaches higher or
    lower than what it meets."""
    views = studio.four(*studio.staggered)
    made = studio.made(views, "hull")
    assert sound(made.mesh).components == 2
    assert made.notes == ("loose parts that no view needs and that were left out: 2.",)
    assert (made.mesh.vertices[:, 0] * made.mesh.vertices[:, 2] > 0).all()
    assert overlap(made.mesh, views).min() > 0.97


@pytest.mark.xfail(
    strict=True,
    reason="needed_parts drops at once all parts that any other part covers, also those that cover each other",
)
def test_hull_covers_all_silhouettes(studio, overlap) -> None:
    """The smaller ball and the phantoms hide each other: one of them has to stay."""
    views = studio.four(*studio.diagonal)
    assert overlap(studio.made(views, "hull").mesh, views).min() > 0.9


def test_torus_keeps_its_hole(studio, sound, overlap) -> None:
    views = studio.views(studio.turntable(0, 60, 120, 180, 240, 300), studio.torus)
    made = studio.made(views)
    found = sound(made.mesh)
    assert (found.components, found.genus) == (1, 1)
    assert found.volume == pytest.approx(studio.torus.volume, rel=0.08)
    assert overlap(made.mesh, views).min() > 0.95


@pytest.mark.parametrize("number", [0, 3])
def test_damaged_mask_is_tolerated(studio, sound, overlap, number: int) -> None:
    """A quarter of one view's image erased: the mesh covers all undamaged silhouettes, and that view's, too."""
    views = studio.views(studio.oblique(), studio.ellipsoid)
    half = slice(0, views.resolution[0] // 2)
    made = studio.made(studio.without(views, number, half, half))
    assert sound(made.mesh).components == 1
    assert overlap(made.mesh, views).min() > 0.96
    assert any(f"view {views.cameras[number].name} " in note for note in made.notes)


def test_one_view_makes_a_relief_with_a_guessed_back(studio, sound, overlap) -> None:
    views = studio.views(studio.turntable(0), studio.ellipsoid)
    made = studio.made(views)
    assert made.kind == "normals"
    assert "at0" in made.notes[0]
    assert "guess" in made.notes[0]
    found = sound(made.mesh)
    assert (found.components, found.genus) == (1, 0)
    assert overlap(made.mesh, views).min() > 0.98
    depth = made.mesh.vertices[:, 2].max() - made.mesh.vertices[:, 2].min()
    assert float(depth) == pytest.approx(2 * studio.ellipsoid.axes[2], rel=0.35)


def test_front_and_back_make_two_reliefs(studio, sound, overlap) -> None:
    views = studio.views(studio.turntable(0, 180), studio.ellipsoid)
    made = studio.made(views)
    assert made.kind == "normals"
    assert "at0 and at180" in made.notes[0]
    assert sound(made.mesh).components == 1
    assert overlap(made.mesh, views).min() > 0.98


def test_relief_uses_the_first_view_and_the_one_behind(studio, sound, overlap) -> None:
    views = studio.four(studio.ball)
    made = studio.made(views, "normals")
    assert made.kind == "normals"
    assert "at0 and at180" in made.notes[0]
    found = sound(made.mesh)
    assert (found.components, found.genus) == (1, 0)
    assert overlap(made.mesh, views)[::2].min() > 0.97
    assert 0.5 < found.volume / studio.ball.volume < 1.5  # no view tells how thick it is


def test_sphere_is_as_large_as_the_hull(studio, sound) -> None:
    views = studio.four(studio.ball)
    made = studio.made(views, "sphere")
    found = sound(made.mesh)
    assert made.kind == "sphere"
    assert (found.components, found.genus) == (1, 0)
    assert found.volume == pytest.approx(sound(studio.made(views, "hull").mesh).volume, rel=0.05)
    centre = made.mesh.vertices.double().mean(dim=0).numpy()
    assert np.abs(centre - studio.ball.centre).max() < VOXEL
    radius = (made.mesh.vertices.double() - torch.tensor(centre)).norm(dim=1)
    assert float(radius.max() - radius.min()) < 1e-5


@pytest.mark.parametrize("changes", [{"smoothing": 0.0}, {"rounds": 0}, {"sweeps": 1}, {"grid": 33, "depth": 31}])
def test_settings_at_their_ends(studio, sound, changes: dict[str, float]) -> None:
    views = studio.four(studio.ellipsoid)
    found = sound(studio.made(views, "carved", **changes).mesh)
    assert found.components == 1
    assert found.volume == pytest.approx(studio.ellipsoid.volume, rel=0.1)


def test_finer_grid_makes_more_faces(studio) -> None:
    views = studio.four(studio.ellipsoid)
    coarse, fine = (len(studio.made(views, "hull", grid=grid).mesh.faces) for grid in (24, 48))
    assert fine == pytest.approx(4 * coarse, rel=0.2)


def test_given_mesh_is_used(studio) -> None:
    views = studio.four(studio.ball)
    ball = studio.made(views, "sphere").mesh
    made = initial_mesh(views, InitialConfig(method="hull"), given=ball)
    assert (made.kind, made.notes) == ("given", ())
    assert torch.equal(made.mesh.vertices, ball.vertices)
    assert torch.equal(made.mesh.faces, ball.faces)


def test_unknown_method_is_refused(studio) -> None:
    with pytest.raises(InputError, match=r"'potato' is unknown.*carved.*mesh file"):
        studio.made(studio.four(studio.ball), "potato")


@pytest.mark.parametrize("method", ["carved", "hull", "normals", "sphere"])
def test_empty_mask_is_refused_by_name(studio, method: str) -> None:
    views = studio.without(studio.four(studio.ball), 2, slice(None), slice(None))
    with pytest.raises(InputError, match=r"view at180 is empty.*--matting"):
        studio.made(views, method)


def test_masks_without_a_common_volume_are_refused(studio, sound) -> None:
    views = studio.four(studio.ball)
    middle = views.resolution[0] // 2
    broken = studio.without(views, 0, slice(0, middle + 4), slice(None))
    broken = studio.without(broken, 1, slice(middle, None), slice(None))
    for method in ("carved", "hull"):
        with pytest.raises(InputError, match="at0 and at90 share no volume"):
            studio.made(broken, method)
    made = studio.made(broken, "sphere")
    assert sound(made.mesh).components == 1
    assert made.notes == ("the masks share no volume.",)


@pytest.mark.parametrize("method", ["carved", "hull", "normals", "sphere"])
def test_same_bytes_for_any_number_of_threads(studio, method: str) -> None:
    views = studio.views(studio.oblique(), studio.ellipsoid)
    with parallel.limit(1):
        one, again = studio.made(views, method), studio.made(views, method)
    with parallel.limit(2):
        two = studio.made(views, method)
    assert same(one, again)
    assert same(one, two)


def test_same_bytes_where_rays_are_asked_back(studio) -> None:
    """Several views' votes meet in one cost."""
    views = studio.four(*studio.pair)
    with parallel.limit(1):
        one = studio.made(views)
    with parallel.limit(2):
        assert same(one, studio.made(views))


def test_views_are_left_as_they_are(studio) -> None:
    views = studio.four(studio.ellipsoid)
    normals, masks = views.normals.clone(), views.masks.clone()
    studio.made(views, "carved")
    assert torch.equal(views.normals, normals)
    assert torch.equal(views.masks, masks)
