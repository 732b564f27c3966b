"""Masks: what others contradict is found in the right view; clean views and real holes are not."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from meshopt.config import HullChecks, MaskChecks
from meshopt.consistency.fringes import fringes
from meshopt.consistency.hulls import contradictions
from meshopt.consistency.masks import check_masks, holes
from meshopt.consistency.observation import observe
from meshopt.views import Source, ViewSet

RIGS = ["unique3d", "wonder3d", "zero123plus"]


def with_view(views: ViewSet, place: int, keep: np.ndarray) -> ViewSet:
    """One view with a smaller mask."""
    kept = torch.from_numpy(keep.astype(np.float32))
    masks, normals = views.masks.clone(), views.normals.clone()
    masks[place] *= kept
    normals[place] *= kept[..., None]
    return replace(views, masks=masks, normals=normals)


def disc(views: ViewSet, place: int, shift: tuple[float, float], radius: float) -> np.ndarray:
    """A disc at a place relative to the silhouette's box (0, 0: its middle; 1, 0: its right side)."""
    rows, columns = np.nonzero(views.masks[place].numpy() > 0.5)
    middle = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
    half = (rows.max() - rows.min()) / 2, (columns.max() - columns.min()) / 2
    r, c = np.ogrid[: views.resolution[0], : views.resolution[1]]
    return np.hypot(r - middle[0] - shift[1] * half[0], c - middle[1] - shift[0] * half[1]) <= radius


def codes(views: ViewSet) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for finding in check_masks(views, observe(views), MaskChecks()):
        if finding.severity != "note":
            found.setdefault(finding.code, set()).update(finding.views)
    return found


@pytest.mark.parametrize("rig", RIGS)
def test_clean_views_have_no_findings(scenery, rig: str) -> None:
    for views in (scenery.figure(rig), scenery.vase(rig)):
        assert codes(views) == {}


@pytest.mark.parametrize("rig", ["unique3d", "wonder3d"])
@pytest.mark.parametrize("name", ["back", "left"])
def test_bite_is_found_in_the_view_that_has_it(scenery, rig: str, name: str) -> None:
    views = scenery.figure(rig)
    place = next(i for i, camera in enumerate(views.cameras) if camera.name == name)
    bitten = with_view(views, place, ~disc(views, place, (0.0, 1.0), 22))
    assert codes(bitten) == {"mask_cuts": {name}}
    finding = next(f for f in check_masks(bitten, observe(bitten), MaskChecks()) if f.code == "mask_cuts")
    lost = 100 * float(1 - bitten.masks[place].sum() / views.masks[place].sum())
    assert finding.value == pytest.approx(lost, rel=0.4)
    assert finding.severity == "inconsistent"


def test_region_of_a_bite_is_where_it_is(scenery) -> None:
    views = scenery.figure("unique3d")
    gone = disc(views, 2, (0.0, 1.0), 22)
    found = contradictions(observe(with_view(views, 2, ~gone)), HullChecks())
    assert found[0].against[0] == 2
    bitten = gone & (views.masks[2].numpy() > 0.5)
    assert (found[0].missing & bitten).sum() / (found[0].missing | bitten).sum() > 0.6
    mirrored = bitten[:, ::-1]  # the front sees it from the other side
    assert found[0].view == 0
    assert (found[0].region & mirrored).sum() / (found[0].region | mirrored).sum() > 0.6


@pytest.mark.parametrize("rig", ["unique3d", "wonder3d"])
def test_false_hole_is_a_hole(scenery, rig: str) -> None:
    views = scenery.figure(rig)
    place = [camera.name for camera in views.cameras].index("back")
    assert codes(with_view(views, place, ~disc(views, place, (0.0, 0.3), 12))) == {"mask_hole": {"back"}}


def test_hole_that_no_other_view_contradicts_shows_by_its_normals(scenery) -> None:
    views = scenery.figure("wonder3d")
    place = [camera.name for camera in views.cameras].index("front_right")
    holed = with_view(views, place, ~disc(views, place, (0.0, 0.3), 10))
    assert codes(holed) == {"mask_hole": {"front_right"}}
    (hole,) = holes(observe(holed)[place], MaskChecks())
    assert hole.percent == pytest.approx(100 * np.pi * 10**2 / float(holed.masks[place].sum()), rel=0.1)


def test_extra_part_is_found(scenery) -> None:
    views = scenery.figure("wonder3d")
    place = [camera.name for camera in views.cameras].index("left")
    extra = disc(views, place, (0.0, -1.0), 20) & (views.masks[place].numpy() < 0.5)
    masks, normals = views.masks.clone(), views.normals.clone()
    masks[place][torch.from_numpy(extra)] = 1.0
    side = torch.from_numpy((views.cameras[place].rotation.T @ [0.0, 1.0, 0.1]).astype(np.float32))
    normals[place][torch.from_numpy(extra)] = side / side.norm()
    assert codes(replace(views, masks=masks, normals=normals)) == {"mask_extra": {"left"}}


def test_fringe_is_found_with_its_colour_and_width(scenery) -> None:
    views = scenery.figure("unique3d")
    solid = np.pad(views.masks[1].numpy(), 1).astype(np.uint8)
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 5)[1:-1, 1:-1]
    rgb = views.rgb.clone()
    rgb[1][torch.from_numpy((depth > 0) & (depth <= 2.0))] = torch.tensor([1.0, 1.0, 1.0])
    fringed = replace(views, rgb=rgb)
    assert codes(fringed) == {"mask_fringe": {views.cameras[1].name}}
    found = fringes(fringed)[1]
    assert found.colour == pytest.approx((1, 1, 1), abs=0.02)
    assert 1 <= found.width <= 4


def test_views_without_colours_have_no_fringes(scenery) -> None:
    assert fringes(replace(scenery.figure("unique3d"), rgb=None)) == []


def test_object_cut_off_by_the_image_is_told_with_its_sides(scenery) -> None:
    views = scenery.figure("unique3d")
    rows = np.flatnonzero(views.masks[0].numpy().any(axis=1))
    low = rows[-1] - 30
    shifted = torch.zeros_like(views.masks)
    shifted[:, -low:] = views.masks[:, :low]
    found = [
        f for f in check_masks(replace(views, masks=shifted), observe(views), MaskChecks()) if f.code == "mask_cut_off"
    ]
    assert {f.views[0] for f in found} == {camera.name for camera in views.cameras}
    assert all(list(f.details["sides"]) == ["bottom"] for f in found)


def test_specks_are_noted(scenery) -> None:
    views = scenery.figure("unique3d")
    masks = views.masks.clone()
    masks[1, 2:4, 2:4] = 1.0
    found = [
        f for f in check_masks(replace(views, masks=masks), observe(views), MaskChecks()) if f.code == "mask_specks"
    ]
    assert [(f.views, f.severity, f.details["count"]) for f in found] == [((views.cameras[1].name,), "note", 1)]


def test_masks_that_the_loader_found_different_are_told(scenery) -> None:
    views = scenery.figure("unique3d")
    note = "the normal map's alpha and the colour image's alpha disagree (IoU 0.71): the former was used for the mask."
    sources = tuple(Source(camera.name, notes=(note,) if i == 2 else ()) for i, camera in enumerate(views.cameras))
    (found,) = [
        f
        for f in check_masks(replace(views, sources=sources), observe(views), MaskChecks())
        if f.code == "masks_differ"
    ]
    assert found.views == (views.cameras[2].name,)
    assert found.value == pytest.approx(0.71)


def test_two_views_cannot_contradict_each_other(scenery) -> None:
    views = scenery.figure("unique3d")
    assert contradictions(observe(views)[:2], HullChecks()) == ()


def test_hole_in_a_flat_side_is_a_note(scenery) -> None:
    """A plate: its outline faces the camera as much as the hole does."""
    view = observe(scenery.figure("unique3d"))[0]
    rows, columns = np.mgrid[: view.mask.shape[0], : view.mask.shape[1]] / view.mask.shape[0] - 0.5
    mask = ((np.abs(rows) < 0.3) & (np.abs(columns) < 0.3) & (np.hypot(rows, columns - 0.1) > 0.08)).astype(np.float32)
    plate = replace(view, mask=mask, normals=mask[..., None] * np.array([0.3, 0.0, 0.954], np.float32))
    (hole,) = holes(plate, MaskChecks())
    assert not hole.sure
    assert hole.percent == pytest.approx(100 * np.pi * 0.08**2 / (0.36 - np.pi * 0.08**2), rel=0.1)
    waves = np.stack([np.sin(40 * columns), np.cos(40 * columns) * 0, np.cos(40 * columns)], -1)
    assert holes(replace(plate, normals=(mask[..., None] * waves).astype(np.float32)), MaskChecks()) == []
