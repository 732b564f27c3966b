"""A mesh against views: views of the mesh itself, and views changed in known ways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from meshopt.evaluate.images import ImageScores, image_scores
from meshopt.mesh import Mesh
from meshopt.views import ViewSet


@pytest.fixture(scope="module")
def lump(shapes: Any) -> Mesh:
    """Coloured by place."""
    mesh = shapes.mesh_of(shapes.lump())
    points = 0.7 * mesh.vertices.float()
    return Mesh(points, mesh.faces.int(), (points + 1) / 2)


@pytest.fixture(scope="module")
def views(lump: Mesh, sphere: ViewSet) -> ViewSet:
    """Renders of it."""
    found = image_scores(lump, sphere).renders
    return replace(sphere, normals=found.normals * (found.masks > 0)[..., None], masks=found.masks, rgb=found.rgb)


def _scores(mesh: Mesh, views: ViewSet) -> tuple[Any, Any, Any]:
    whole = image_scores(mesh, views).whole
    assert whole.normals is not None
    assert whole.colors is not None
    return whole, whole.normals, whole.colors


def test_mesh_fits_its_own_renders(lump: Mesh, views: ViewSet) -> None:
    whole, normals, colors = _scores(lump, views)
    assert (whole.silhouette_iou, whole.missing_pixels, whole.extra_pixels) == (1, 0, 0)
    assert normals.p95_deg < 0.1
    assert (normals.under_10, normals.under_11_25) == (1, 1)
    assert normals.gradient == pytest.approx(0, abs=1e-5)
    assert (colors.psnr_db, colors.ssim) == (pytest.approx(100), pytest.approx(1))


def test_user_units_do_not_matter(lump: Mesh, views: ViewSet) -> None:
    scale, offset = 25.0, (3.0, -1.0, 7.0)
    moved = lump.with_vertices(lump.vertices.double() * scale + torch.tensor(offset))
    found, _, _ = _scores(moved, replace(views, scale=scale, offset=offset))
    assert found.silhouette_iou == pytest.approx(image_scores(lump, views).whole.silhouette_iou, abs=1e-3)


def test_turned_normals_are_off_by_their_angle(lump: Mesh, views: ViewSet) -> None:
    """About the axis of the front and back views, so that all angles there are at most 15 degrees."""
    turn = torch.tensor(Rotation.from_euler("z", 15, degrees=True).as_matrix()).float()
    turned = replace(views, normals=views.normals @ turn.T)
    found = image_scores(lump, turned)
    for view in found.views:
        assert view.normals is not None
        assert 0 < view.normals.mean_deg < view.normals.p95_deg < 15.01
        assert view.normals.median_deg < 15.01
        assert view.normals.under_10 < view.normals.under_11_25 < 1
    means = [view.normals.mean_deg for view in found.views if view.normals]
    assert found.whole.normals is not None
    assert found.whole.normals.mean_deg == pytest.approx(np.mean(means))
    shares = [view.normals.under_10 * view.core_pixels for view in found.views if view.normals]
    assert found.whole.normals.under_10 == pytest.approx(sum(shares) / found.whole.core_pixels)


def test_gradient_of_what_is_flat_is_that_of_the_given(lump: Mesh, views: ViewSet) -> None:
    """A plane across each view shows nothing of the given normals: its error is all of their gradient."""
    box = Mesh(
        torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]), torch.tensor([[0, 1, 2], [0, 2, 3]]).int()
    )
    front = replace(views, cameras=views.cameras[:1], normals=views.normals[:1], masks=views.masks[:1], rgb=None)
    found = image_scores(box, front).whole.normals
    assert found is not None
    assert found.gradient_share == pytest.approx(1)
    own = image_scores(lump, front).whole.normals
    assert own is not None
    assert own.gradient_share == pytest.approx(0, abs=1e-3)


def test_brighter_colours_have_the_psnr_of_the_difference(lump: Mesh, views: ViewSet) -> None:
    assert views.rgb is not None
    _, _, colors = _scores(lump, replace(views, rgb=views.rgb + 0.1))
    assert colors.psnr_db == pytest.approx(20, abs=1e-4)
    assert colors.ssim < 1
    changed = views.rgb.clone()
    changed[0] += 0.1
    found = image_scores(lump, replace(views, rgb=changed))
    first, whole = found.views[0], found.whole
    assert first.colors is not None
    assert whole.colors is not None
    share = first.core_pixels / whole.core_pixels
    assert whole.colors.psnr_db == pytest.approx(20 - 10 * np.log10(share), abs=1e-3)


def test_missing_and_extra_pixels(lump: Mesh, views: ViewSet) -> None:
    given = views.masks >= 0.5
    larger = torch.ones_like(views.masks)
    whole, _, _ = _scores(lump, replace(views, masks=larger))
    assert whole.extra_pixels == 0
    assert whole.missing_pixels == int((~given).sum())
    none = image_scores(lump, replace(views, masks=torch.zeros_like(views.masks))).whole
    assert none.silhouette_iou == 0
    assert none.missing_pixels == 0
    assert none.normals is None
    assert none.colors is None


def test_what_views_lack_is_not_measured(lump: Mesh, views: ViewSet) -> None:
    bare = replace(views, normals=torch.zeros_like(views.normals), rgb=None)
    found: ImageScores = image_scores(lump, bare)
    assert found.whole.normals is None
    assert found.whole.colors is None
    plain = found.as_plain()
    assert len(plain["views"]) == len(views)
    assert plain["all"]["silhouette_iou"] > 0.99


def test_nowhere_is_nothing(lump: Mesh, views: ViewSet) -> None:
    """A mesh outside every picture, and views that show nothing."""
    away = lump.with_vertices(lump.vertices + 100)
    assert image_scores(away, views).whole.silhouette_iou == 0
    assert image_scores(away, replace(views, masks=torch.zeros_like(views.masks))).whole.silhouette_iou is None


def test_perceptual_distance_sees_the_core_on_white(lump: Mesh, views: ViewSet) -> None:
    seen = []

    def distance(first: np.ndarray, second: np.ndarray) -> float:
        seen.append((first, second))
        return 0.25 * len(seen)

    found = image_scores(lump, views, perceptual=distance)
    assert [view.colors.lpips for view in found.views if view.colors] == [0.25 * (i + 1) for i in range(6)]
    assert found.whole.colors is not None
    assert found.whole.colors.lpips == pytest.approx(0.25 * 3.5)
    first, second = seen[0]
    core = views.masks[0].numpy() > 0.999
    assert (first[~core] == 1).all()
    assert (second[~core] == 1).all()
    assert np.allclose(first[core], views.rgb[0].numpy()[core], atol=1e-5)  # type: ignore[index]
