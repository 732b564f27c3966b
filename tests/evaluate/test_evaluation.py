"""All figures together: what is there, what is refused, what is noted."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from meshopt.config import EvaluateConfig
from meshopt.errors import InputError
from meshopt.evaluate import evaluate
from meshopt.mesh import Mesh
from meshopt.views import ViewSet

FEW = EvaluateConfig(samples=2000)


@pytest.fixture(scope="module")
def ball(shapes: Any) -> Mesh:
    mesh: Mesh = shapes.mesh_of(shapes.ball(0.7, 4))
    return mesh


def _colored(mesh: Mesh) -> Mesh:
    return replace(mesh, colors=(0.5 + 0.4 * mesh.vertices / 0.7).float())


def test_everything_of_a_good_mesh(ball: Mesh, sphere: ViewSet) -> None:
    found = evaluate(_colored(ball), ball, sphere, FEW)
    assert found.geometry is not None
    assert found.geometry.everything.point_to_surface.mean < 1e-12
    assert found.images is not None
    assert found.images.whole.normals is not None
    assert found.images.whole.normals.mean_deg < 0.5
    assert found.images.whole.colors is not None
    assert found.images.whole.colors.psnr_db > 30
    assert found.notes == ()
    plain = json.loads(json.dumps(found.as_plain()))
    assert plain["alignment"] == {
        "method": "none",
        "matrix": np.eye(4).tolist(),
        "scale": 1,
        "rotation_deg": 0,
        "translation": [0, 0, 0],
    }
    assert plain["topology"]["genus"] == 0
    assert plain["topology_line"].startswith("closed, 2-manifold")
    assert plain["geometry"]["samples"] == 2000


def test_parts_that_were_not_asked_for_are_missing(ball: Mesh, sphere: ViewSet) -> None:
    assert evaluate(ball, truth=ball, settings=FEW).images is None
    assert evaluate(ball, views=sphere).geometry is None


@pytest.mark.parametrize("how", ["bbox", "icp"])
def test_alignment_comes_first(ball: Mesh, sphere: ViewSet, how: str) -> None:
    """A mesh in other units is laid on the truth, then compared with it and with the views."""
    far = ball.with_vertices(1000 * ball.vertices + 55)
    found = evaluate(far, ball, sphere, EvaluateConfig(samples=2000, align=how))  # type: ignore[arg-type]
    assert found.alignment.scale == pytest.approx(1e-3, rel=1e-3)
    assert found.geometry is not None
    assert found.geometry.everything.point_to_surface.mean < 1e-3
    assert found.images is not None
    assert found.images.whole.silhouette_iou == pytest.approx(1, abs=0.01)
    assert not any("--align" in note for note in found.notes)


def test_thresholds_are_settings(ball: Mesh) -> None:
    found = evaluate(ball, ball, settings=EvaluateConfig(samples=500, thresholds=(0.1, 3.0)))
    assert found.geometry is not None
    assert [score.percent for score in found.geometry.everything.fscores] == [0.1, 3.0]


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda v: 55 * v, "The mesh is 55 times as large as the true one: --align bbox or --align icp"),
        (lambda v: v / 4, "The mesh is 4 times smaller than the true one: --align bbox or --align icp"),
        (lambda v: v + 5, "The mesh lies 3.6 of the true one's diagonals away from it: --align bbox or --align icp"),
        (lambda v: v[:, [1, 0, 2]], "The normals point against those of the true mesh"),
    ],
)
def test_what_makes_figures_meaningless_is_noted(ball: Mesh, change: Any, note: str) -> None:
    found = evaluate(ball.with_vertices(change(ball.vertices)), ball, settings=FEW)
    assert any(line.startswith(note) for line in found.notes)


def test_views_that_show_something_else_or_lack_something_are_noted(ball: Mesh, sphere: ViewSet) -> None:
    found = evaluate(ball.with_vertices(ball.vertices + 10), views=sphere)
    assert found.notes[0].startswith("The mesh hardly covers what the views show (silhouette IoU 0.000)")
    assert found.notes[1] == "The mesh has no colours: PSNR and SSIM are not measured."
    bare = replace(sphere, normals=torch.zeros_like(sphere.normals), rgb=None)
    found = evaluate(_colored(ball), views=bare)
    assert found.notes[0].startswith("The views have no normals")
    assert found.notes[1] == "The views have no colours: PSNR and SSIM are not measured."


@pytest.mark.parametrize(
    ("settings", "with_views", "message"),
    [
        (EvaluateConfig(), False, "nothing to compare the mesh with: expected --gt, a mesh, or --views"),
        (EvaluateConfig(align="icp"), True, "--align icp lays the mesh on the true one: give that with --gt"),
    ],
)
def test_without_a_truth(ball: Mesh, sphere: ViewSet, settings: EvaluateConfig, with_views: bool, message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(ball, views=sphere if with_views else None, settings=settings)


def test_lpips_needs_views_and_colours(ball: Mesh, sphere: ViewSet, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EvaluateConfig(samples=500, lpips=True)
    with pytest.raises(InputError, match="--lpips compares pictures: expected --views"):
        evaluate(ball, ball, settings=settings)
    assert evaluate(ball, views=sphere, settings=settings).notes == (
        "The mesh has no colours: PSNR, SSIM and LPIPS are not measured.",
    )
    module = ModuleType("lpips")
    module.LPIPS = lambda net, verbose: torch.nn.MSELoss()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lpips", module)
    monkeypatch.setattr(torch.nn.MSELoss, "forward", lambda self, a, b, normalize: (a - b).abs().mean())
    found = evaluate(_colored(ball), views=sphere, settings=settings, download=True)
    assert found.images is not None
    assert found.images.whole.colors is not None
    assert found.images.whole.colors.lpips is not None
    assert 0 < found.images.whole.colors.lpips < 0.1


def test_mesh_without_faces_is_refused(ball: Mesh) -> None:
    empty = Mesh(torch.zeros(3, 3), torch.zeros(0, 3, dtype=torch.int32))
    with pytest.raises(InputError, match="the mesh has no faces, expected a triangle mesh"):
        evaluate(empty, ball)
    with pytest.raises(InputError, match="the true mesh has no faces"):
        evaluate(ball, empty)
