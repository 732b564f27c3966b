from types import SimpleNamespace

import numpy as np
import pytest
import torch

from meshopt.config import CheckConfig
from meshopt.consistency.corrections import Mirrored, Placed, Rearranged, Turned
from meshopt.consistency.examination import examine
from meshopt.consistency.scores import GROSS, NO_SURFACE, Scores, displacement, score, size_of
from meshopt.consistency.turns import rotation
from meshopt.evaluate.corruptions import corrupt
from meshopt.mesh import Mesh
from meshopt.views import ViewSet

STRENGTHS = {"rotate": (4.0, 25.0), "bend": (10.0, 40.0)}


def scored(views: ViewSet) -> Scores:
    return score(examine(views, CheckConfig()))


@pytest.fixture(scope="module")
def clean(scenery: SimpleNamespace) -> ViewSet:
    return scenery.figure("unique3d")


def test_clean_views_score_next_to_nothing(clean: ViewSet) -> None:
    assert scored(clean).total < 0.001


@pytest.mark.parametrize("kind", STRENGTHS)
def test_stronger_damage_scores_higher_most_of_it_in_the_damaged_view(kind: str, clean: ViewSet) -> None:
    name = clean.cameras[1].name
    weak, strong = (scored(corrupt(clean, kind, strength, seed=2, view=name).views) for strength in STRENGTHS[kind])
    assert strong.total > 1.2 * weak.total > 0
    for one in (weak, strong):
        assert one.views.min() >= 0
        assert one.views.sum() == pytest.approx(one.total)
        assert np.argmax(one.views) == 1


def test_sizes_of_corrections() -> None:
    turn = Turned(1, rotation(np.radians([0.0, 20.0, 0.0])))
    assert size_of(turn, 3) == pytest.approx([0, 20, 0])
    assert size_of(Turned(0, np.diag([-1.0, 1.0, 1.0])), 2) == pytest.approx([GROSS, 0])
    assert size_of(Mirrored(1), 2) == pytest.approx([0, GROSS])
    assert size_of(Rearranged((0, 2, 1), carried=True), 3) == pytest.approx([0, GROSS, GROSS])
    near, far = (size_of(Placed(0, 1.0, right, 0.0), 1)[0] for right in (0.02, 0.04))
    assert far == pytest.approx(2 * near)
    assert near > 0


def test_displacement_of_a_shifted_surface() -> None:
    rows, columns = np.mgrid[:40, :40] / 40
    points = np.stack([rows, columns, 0 * rows], -1).reshape(-1, 3)
    faces = torch.zeros((0, 3), dtype=torch.int64)
    one, other = (Mesh(torch.from_numpy(p).float(), faces) for p in (points, points + np.array([0, 0, 0.01])))
    assert displacement(one, other) == pytest.approx(100 * 0.01 / np.hypot(39 / 40, 39 / 40), rel=1e-4)
    assert displacement(one, None) == NO_SURFACE
