"""A result's colours: an image, the vertices or nothing; and what becomes of a texture that cannot be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import meshopt
from meshopt import pipeline
from meshopt.config import Config, load_config
from meshopt.errors import InputError
from meshopt.views import LoadOptions, ViewSet, load_views

DRAGON = Path(__file__).parents[1] / "data" / "dragon" / "wonder3d"
QUICK = (
    *("initial.grid=40", "initial.depth=40", "optimize.resolution=64", "check.enabled=false", "texture.size=512"),
    *("optimize.coarse_steps=5", "optimize.fine_steps=3", "optimize.refine_steps=2"),
)


@pytest.fixture(scope="module")
def views() -> ViewSet:
    return load_views(DRAGON / "rgb", DRAGON / "normals", options=LoadOptions(resolution=96))


def quick(*overrides: str) -> Config:
    return load_config(None, [*QUICK, *overrides])


@pytest.mark.parametrize("kind", ["atlas", "vertex", "none"])
def test_what_carries_the_colours(views: ViewSet, kind: str) -> None:
    found = meshopt.reconstruct(views, quick(f"texture.kind={kind}"))
    assert (found.mesh.texture is not None) == (kind == "atlas")
    assert (found.mesh.colors is not None) == (kind != "none")
    assert (found.renders.rgb is not None) == (kind != "none")
    assert ("texture" in found.report) == (kind == "atlas")
    assert [stage["name"] for stage in found.report["stages"]][-1] == {"atlas": "texture", "vertex": "color"}.get(
        kind, "untangle"
    )
    if kind == "atlas":
        assert found.textured is not None
        assert found.world_mesh.texture is found.mesh.texture
        assert found.report["texture"]["overlaps"] == 0


def test_low_poly_with_a_normal_map(views: ViewSet) -> None:
    found = meshopt.reconstruct(views, quick("output.faces=800", "texture.normals=true"))
    assert len(found.mesh.faces) == pytest.approx(800, rel=0.05)
    texture = found.mesh.texture
    assert texture is not None
    assert texture.normals is not None
    assert found.report["stages"][-4]["name"] == "faces"  # untangle, color, texture after it
    assert texture.normals.float().reshape(-1, 3).std(dim=0)[:2].min() > 4


def test_normal_map_without_colours(views: ViewSet) -> None:
    alone = replace(views, rgb=None)
    found = meshopt.reconstruct(alone, quick("output.faces=800", "texture.normals=true"))
    assert found.mesh.texture is not None
    assert found.mesh.texture.normals is not None
    grey = found.mesh.texture.color[found.textured.source > 0].float()  # type: ignore[union-attr]
    assert float(grey.std()) < 1
    assert meshopt.reconstruct(alone, quick()).mesh.texture is None


def test_a_mesh_made_here_is_never_lost_for_its_texture(views: ViewSet, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object, **more: object) -> None:
        raise InputError("the charts do not fit")

    monkeypatch.setattr(pipeline, "make_texture", refuse)
    found = meshopt.reconstruct(views, quick())
    assert found.mesh.texture is None
    assert found.mesh.colors is not None
    assert "no texture, but colours of the vertices: the charts do not fit" in found.report["notes"]
    with pytest.raises(InputError, match="the charts do not fit"):
        meshopt.texture(found.world_mesh, views, quick())


def test_too_large_a_texture_is_refused_before_the_work(views: ViewSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshopt.hardware.memory", lambda: 0.001)
    stages: list[str] = []
    with pytest.raises(InputError, match=r"takes about .* GiB of memory"):
        meshopt.reconstruct(views, quick(), lambda progress: stages.append(progress.stage))
    assert not stages


def test_texture_keeps_the_mesh_in_the_users_units(views: ViewSet) -> None:
    mesh = meshopt.reconstruct(views, quick("texture.kind=none")).mesh
    scaled = replace(views, scale=2.5, offset=(1.0, -2.0, 30.0))
    given = mesh.with_vertices(mesh.vertices * 2.5 + torch.tensor([1.0, -2.0, 30.0]))
    found = meshopt.texture(given, scaled, quick())
    assert torch.allclose(found.world_mesh.vertices, given.vertices, atol=1e-5)
    assert torch.equal(found.mesh.faces, given.faces)
    same = meshopt.texture(mesh, views, quick())
    assert found.report["views"][0]["silhouette_iou"] == pytest.approx(
        same.report["views"][0]["silhouette_iou"], abs=1e-3
    )


def test_a_texture_that_was_there_before_goes(views: ViewSet) -> None:
    textured = meshopt.reconstruct(views, quick()).world_mesh
    assert textured.texture is not None
    assert views.rgb is not None
    red = replace(views, rgb=torch.zeros_like(views.rgb) + torch.tensor([1.0, 0, 0]))
    painted = meshopt.texture(textured, red, quick("texture.kind=vertex")).mesh
    assert painted.texture is None
    assert painted.colors is not None
    assert torch.allclose(painted.colors, torch.tensor([1.0, 0, 0]).expand_as(painted.colors), atol=1e-4)
    assert meshopt.texture(textured, red, quick("texture.kind=none")).mesh.texture is None
    again = meshopt.texture(textured, red, quick()).mesh.texture
    assert again is not None
    assert (again.color == torch.tensor([255, 0, 0], dtype=torch.uint8)).all()


def test_what_cannot_be_is_said_before_the_work(views: ViewSet, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = meshopt.Mesh(torch.eye(3), torch.tensor([[0, 1, 2]], dtype=torch.int32))
    monkeypatch.setattr(pipeline, "check", None)
    for wrong, words in (
        (["texture.view_weights={frnt: 0}"], r"texture\.view_weights names frnt"),
        (["texture.view_weights={frnt: 0}", "texture.kind=vertex"], r"texture\.view_weights names frnt"),
        (["texture.normals=true", "texture.kind=vertex"], r"a normal map .* --texture is vertex"),
    ):
        for work in (lambda c: meshopt.reconstruct(views, c), lambda c: meshopt.texture(mesh, views, c)):
            with pytest.raises(InputError, match=words):
                work(quick(*wrong))
    monkeypatch.setattr("meshopt.hardware.memory", lambda: 0.001)
    with pytest.raises(InputError, match=r"takes about .* GiB of memory"):
        meshopt.texture(mesh, views, quick())


def test_vertex_colours_follow_the_weights_of_views_and_say_what_is_not_for_them(views: ViewSet) -> None:
    mesh = meshopt.reconstruct(views, quick("texture.kind=none")).world_mesh
    mesh = replace(mesh, vertices=mesh.vertices.double())
    assert views.rgb is not None
    wrong = views.rgb.clone()
    wrong[0] = torch.tensor([1.0, 0, 1.0])
    name = views.cameras[0].name
    settings = quick("texture.kind=vertex", f"texture.view_weights={{{name}: 0}}", "texture.bake=optimize")
    found = [meshopt.texture(mesh, replace(views, rgb=rgb), settings) for rgb in (views.rgb, wrong)]
    assert torch.equal(found[0].mesh.colors, found[1].mesh.colors)
    assert any("--bake optimize is for an atlas" in note for note in found[0].report["notes"])


def test_texture_needs_colours_and_a_normal_map_normals(views: ViewSet) -> None:
    mesh = meshopt.Mesh(torch.eye(3), torch.tensor([[0, 1, 2]], dtype=torch.int32))
    with pytest.raises(InputError, match="the views have no colours"):
        meshopt.texture(mesh, replace(views, rgb=None), quick())
    with pytest.raises(InputError, match="the views have no normals, which a normal map needs"):
        meshopt.texture(mesh, replace(views, normals=0 * views.normals), quick("texture.normals=true"))
