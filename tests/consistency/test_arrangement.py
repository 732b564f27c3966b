"""Pictures in the wrong places, and mirrored ones: what mends them is found, and nothing where nothing is wrong."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from meshopt.config import CheckConfig
from meshopt.consistency.arrangement import Arrangement, hull_misfit, rearranged
from meshopt.consistency.corrections import Mirrored, Rearranged
from meshopt.evaluate.corruptions import corrupt
from meshopt.views import ViewSet


def found(shapes: SimpleNamespace, views: ViewSet) -> Arrangement | None:
    small, surface, _ = shapes.compared(views)
    return rearranged(small, surface, hull_misfit(small), CheckConfig().uncovered)


def exchanged(views: ViewSet, i: int, j: int) -> ViewSet:
    order = list(range(len(views)))
    order[i], order[j] = j, i
    return Rearranged(tuple(order), carried=True).apply(views)


@pytest.mark.parametrize("rig", ["unique3d", "zero123plus"])
def test_clean_views_stay(shapes: SimpleNamespace, small, rig: str) -> None:
    assert found(shapes, small(rig)) is None


@pytest.mark.parametrize(("rig", "pair"), [("unique3d", (1, 3)), ("wonder3d", (3, 5))])
def test_exchanged_pictures_are_put_back(shapes: SimpleNamespace, small, rig: str, pair: tuple[int, int]) -> None:
    views = small(rig)
    arrangement = found(shapes, exchanged(views, *pair))
    assert arrangement is not None
    assert isinstance(arrangement.correction, Rearranged)
    assert {k for k, i in enumerate(arrangement.correction.order) if i != k} == set(pair)
    mended = arrangement.correction.apply(exchanged(views, *pair))
    assert torch.allclose(mended.normals, views.normals, atol=1e-5)
    assert arrangement.degrees[1] < arrangement.degrees[0]


def test_corruption_swapped_camera_is_found(shapes: SimpleNamespace, small) -> None:
    views = small("unique3d")
    wrong = corrupt(views, "swapped_camera", seed=1)
    arrangement = found(shapes, wrong.views)
    assert arrangement is not None
    assert isinstance(arrangement.correction, Rearranged)
    moved = {views.cameras[k].name for k, i in enumerate(arrangement.correction.order) if i != k}
    assert moved == set(wrong.truth.views)


@pytest.mark.parametrize(("rig", "name"), [("unique3d", "right"), ("wonder3d", "front_right")])
def test_mirrored_view_is_found(shapes: SimpleNamespace, small, rig: str, name: str) -> None:
    wrong = corrupt(small(rig), "mirrored", view=name).views
    arrangement = found(shapes, wrong)
    assert arrangement is not None
    assert isinstance(arrangement.correction, Mirrored)
    assert small(rig).cameras[arrangement.correction.view].name == name
    before, after = arrangement.uncovered
    assert after <= before


def test_the_first_view_stays_on_ties(shapes: SimpleNamespace, small) -> None:
    """Front and back mirrored each other: mirroring either mends silhouettes as well; the front shows what was asked
    for."""
    wrong = Mirrored(2).apply(small("unique3d"))
    arrangement = found(shapes, wrong)
    assert arrangement is not None
    assert arrangement.correction == Mirrored(2)


def test_one_and_two_views(shapes: SimpleNamespace, small) -> None:
    views = small("unique3d")
    for places in ([0], [0, 1]):
        some = ViewSet(tuple(views.cameras[k] for k in places), views.normals[places], views.masks[places])
        assert found(shapes, some) is None
