"""The checks in order: what is found first is mended before the next looks, and is said once."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from meshopt.config import CheckConfig
from meshopt.consistency import examination
from meshopt.consistency.corrections import Mirrored, Placed, Turned, corrected
from meshopt.consistency.examination import Examination, examine
from meshopt.consistency.turns import rotation, vector_of
from meshopt.evaluate.corruptions import corrupt

GEOMETRY = {"rotated", "zoomed", "shifted", "mirrored", "swapped", "wrong_order", "flipped", "wrong_camera", "bent"}


def said(done: Examination) -> dict[str, set[str]]:
    """What was found of place, order and rotation, and where."""
    found: dict[str, set[str]] = {}
    for finding in done.findings:
        if finding.code in GEOMETRY and finding.severity != "note":
            found.setdefault(finding.code, set()).update(finding.views)
    return found


@pytest.fixture(scope="module")
def plain():
    """Without the checks of content and detail, which have tests of their own."""

    def examined(views, settings: CheckConfig | None = None) -> Examination:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("check_masks", "check_content", "check_detail"):
                patch.setattr(examination, name, lambda *_: [])
            return examine(replace(views, rgb=None), settings or CheckConfig())

    return examined


def test_clean_views_need_nothing(plain, small) -> None:
    done = plain(small("wonder3d"))
    assert said(done) == {}
    assert done.corrections == []
    assert torch.equal(done.views.normals, small("wonder3d").normals)
    assert done.degrees.shape == (6, 128, 128)
    assert np.nanmedian(done.degrees) < 5.0


def test_two_errors_of_two_views_are_each_said_once(plain, small) -> None:
    """A mirrored view and another's rotation: with the first mended, the second shows."""
    turn = np.radians(10.0) * np.array([0.0, 0.8, 0.6])
    views = corrupt(small("unique3d"), "mirrored", view="right").views
    done = plain(Turned(3, rotation(turn)).apply(views))
    assert said(done) == {"mirrored": {"right"}, "rotated": {"left"}}
    assert done.corrections[0] == Mirrored(1)
    assert isinstance(done.corrections[1], Turned)
    assert np.degrees(np.linalg.norm(vector_of(done.corrections[1].matrix) + turn)) < 2.0
    (rotated,) = [finding for finding in done.findings if finding.code == "rotated"]
    assert rotated.value == pytest.approx(10.0, abs=1.5)
    assert rotated.details["axis"] @ np.array([0.0, 0.8, 0.6]) == pytest.approx(1.0, abs=0.05)


def test_zoom_and_slide_of_one_view_are_one_correction(plain, shapes: SimpleNamespace) -> None:
    """front_left: what silhouettes tell, and along its horizon what the normals tell."""
    done = plain(shapes.damaged("wonder3d", shapes.FIGURE, 5, 1.04, 3.0, -2.0))
    assert said(done) == {"zoomed": {"front_left"}, "shifted": {"front_left"}}
    (placed,) = done.corrections
    assert isinstance(placed, Placed)
    assert placed.view == 5
    assert placed.zoom == pytest.approx(1 / 1.04, abs=0.004)
    assert 64 * placed.right == pytest.approx(-3.0 / 1.04, abs=0.5)
    assert 64 * placed.up == pytest.approx(-2.0 / 1.04, abs=0.3)
    (shifted,) = [finding for finding in done.findings if finding.code == "shifted"]
    assert shifted.value == pytest.approx(100 * np.hypot(3.0, 2.0) / 1.04 / 128, abs=0.5)


@pytest.mark.parametrize("seed", [3, 7])
def test_turned_normals_move_no_view(plain, small, seed: int) -> None:
    """Before they are turned back, they say that views have slid along their horizons."""
    done = plain(corrupt(small("wonder3d"), "rotate_all", 20, seed=seed).views)
    assert done.slides
    assert set(said(done)) == {"rotated"}
    assert {type(correction) for correction in done.corrections} == {Turned}
    assert all(np.array_equal(a.centre, b.centre) for a, b in zip(done.views.cameras, done.given.cameras, strict=True))


def test_a_view_that_has_slid_is_moved_though_another_is_turned(plain, shapes: SimpleNamespace) -> None:
    views = shapes.damaged("wonder3d", shapes.FIGURE, 5, 1.0, 5.0, 0.0)
    done = plain(Turned(2, rotation(np.radians(15.0) * np.array([0.0, 0.8, 0.6]))).apply(views))
    assert said(done) == {"shifted": {"front_left"}, "rotated": {"right"}}
    assert [type(correction) for correction in done.corrections] == [Placed, Turned]


def test_flipped_normals_are_nothing_else(plain, small) -> None:
    views = small("unique3d")
    done = plain(Turned(1, np.diag([1.0, -1.0, 1.0])).apply(views))
    assert said(done) == {"flipped": {"right"}}
    assert torch.allclose(done.views.normals, views.normals, atol=1e-6)


def test_thresholds_are_the_settings(plain, small) -> None:
    views = Turned(2, rotation(np.radians([0.0, 6.0, 0.0]))).apply(small("unique3d"))
    done = plain(views, CheckConfig(rotation=9.0))
    assert said(done) == {}
    assert done.corrections == []
    assert said(plain(views, CheckConfig(rotation=4.0))) == {"rotated": {"back"}}


def test_mended_views_are_the_corrections_applied(plain, small) -> None:
    views = Turned(2, rotation(np.radians([0.0, 12.0, 3.0]))).apply(small("unique3d"))
    done = plain(views)
    assert done.corrections
    assert torch.allclose(done.views.normals, corrected(views, done.corrections).normals, atol=1e-5)


def test_a_bent_patch_is_found_and_counts_no_more(plain, small) -> None:
    wrong = corrupt(small("unique3d"), "patch", 40, view="right", seed=1)
    done = plain(wrong.views)
    (finding,) = [finding for finding in done.findings if finding.code == "bent_patch"]
    assert finding.views == ("right",)
    true = wrong.truth.degrees > 20
    assert (true & done.flagged).sum() / (true | done.flagged).sum() > 0.5
    assert not done.views.normals[1][torch.from_numpy(done.flagged[1])].any()
    assert torch.equal(done.views.masks, wrong.views.masks)


def test_noise_is_bending_in_every_view(plain, small) -> None:
    done = plain(corrupt(small("unique3d"), "noise", 15, seed=1).views)
    assert said(done).get("bent") == {"front", "right", "back", "left"}


def test_what_is_known_of_the_views_is_forgotten_with_them(small) -> None:
    done = Examination(small("unique3d"), CheckConfig())
    before = done.small, done.surface
    assert done.small is before[0]
    done.mend(Mirrored(1))
    assert done.corrections == [Mirrored(1)]
    assert done.small is not before[0]
    assert done.surface is not before[1]
    done.change(Mirrored(1))
    assert done.corrections == [Mirrored(1)]
    assert done.scale == 1.0


def test_a_rotation_that_makes_views_agree_worse_is_taken_back(plain, small, monkeypatch: pytest.MonkeyPatch) -> None:
    """Views and map of disagreement are those from before; the finding stays, and says so."""
    views, before = small("unique3d"), plain(small("unique3d"))
    real = examination.estimate_turns
    wrong = np.radians([0.0, 20.0, 0.0])
    monkeypatch.setattr(
        examination,
        "estimate_turns",
        lambda *given: [replace(turn, vector=wrong) if v == 2 else turn for v, turn in enumerate(real(*given))],
    )
    done = plain(views)
    assert said(done) == {"rotated": {"back"}}
    assert "so they are not" in done.findings[-1].remedy
    assert done.corrections == []
    assert torch.equal(done.views.normals, views.normals)
    assert np.array_equal(done.degrees, before.degrees, equal_nan=True)
