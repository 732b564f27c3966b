"""A model that returns rendered views: what is written is read back without a flag, and reconstructs rightly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

import meshopt
from meshopt.errors import InputError
from meshopt.evaluate.geometry import compare
from meshopt.evaluate.surfaces import Surface
from meshopt.generate.preparation import Framing
from meshopt.generate.stage import GenerateOptions, generate
from meshopt.generate.weights import Places
from meshopt.generate.writing import write_views
from meshopt.views import load_views

RADII, MIDDLE = np.array([0.5, 0.75, 0.4]), np.array([0.08, -0.05, 0.1])
Made = Callable[..., Any]


def expected(camera: meshopt.Camera, size: int) -> np.ndarray:
    """World normals at the pixels' centres, 0 beside the ellipsoid."""
    origins, directions = camera.rays(size, size)
    o, d = (origins - MIDDLE) / RADII, directions / RADII
    a, b, c = (d * d).sum(-1), (o * d).sum(-1), (o * o).sum(-1) - 1
    square = b * b - a * c
    normals = (o - ((b + np.sqrt(np.maximum(square, 0))) / a)[..., None] * d) / RADII
    return normals / np.linalg.norm(normals, axis=-1, keepdims=True) * (square > 0)[..., None]


@pytest.mark.parametrize("rig", ["wonder3d", "era3d", "unique3d", "zero123plus", "imagedream"])
def test_views_are_read_back_as_they_were_made(rendered: Made, picture: Path, tmp_path: Path, rig: str) -> None:
    model = rendered(rig)
    done = generate(model, picture, Places(), GenerateOptions(), tmp_path / "out")
    views = load_views(tmp_path / "out")
    assert [camera.name for camera in views.cameras] == [v.name for v in meshopt.rigs.load_rig(rig).views]
    assert views.rgb is not None
    for camera, normals, mask in zip(views.cameras, views.normals, views.masks, strict=True):
        truth = expected(camera, 128)
        inside = (np.linalg.norm(truth, axis=-1) > 0) & (mask.numpy() == 1)
        assert inside.mean() > 0.1
        angles = np.degrees(np.arccos(np.clip((truth * normals.numpy()).sum(-1), -1, 1)))[inside]
        assert angles.mean() < 1
        covered = np.linalg.norm(truth, axis=-1) > 0
        assert (covered & (mask.numpy() > 0.5)).sum() / (covered | (mask.numpy() > 0.5)).sum() > 0.97
    assert all((tmp_path / "out" / name).is_file() for name in done.written.paths)
    assert any("stated" in note or "given" in note for note in views.notes if note.startswith("normals"))


def test_the_record_says_how_views_were_made(rendered: Made, picture: Path, tmp_path: Path) -> None:
    model = rendered()
    steps: list[tuple[str, int, int]] = []
    options = GenerateOptions(seed=7, guidance=3)
    generate(model, picture, Places(), options, tmp_path / "out", on_step=lambda *step: steps.append(step))
    record = json.loads((tmp_path / "out" / "cameras.json").read_text())
    assert record["rig"] == "wonder3d"
    assert (record["normal_frame"], record["normal_axes"]) == ("front", "opengl")
    made = record["generated"]
    assert (made["model"], made["seed"], made["steps"], made["guidance"]) == ("rendered", 7, 3, 3.0)
    assert made["picture"] == {"size": 64, "fill": 0.75, "background": 1.0}
    assert made["image"]["sha256"] == hashlib.sha256(picture.read_bytes()).hexdigest()
    assert steps == [("views", 1, 3), ("views", 2, 3), ("views", 3, 3)]
    ((seen, request),) = model.given
    assert (request.seed, request.steps, request.guidance) == (7, 3, 3.0)
    stored = np.asarray(Image.open(tmp_path / "out" / "input.png")) / 255
    np.testing.assert_allclose(stored, seen.rgb, atol=0.5 / 255 + 1e-6)


def test_the_same_seed_gives_the_same_bytes(rendered: Made, picture: Path, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder, seed in zip(folders, (3, 3, 4), strict=True):
        torch.rand(5)  # what was drawn before does not matter
        generate(rendered(), picture, Places(), GenerateOptions(seed=seed), folder)
    bytes_of = [{p.relative_to(f): p.read_bytes() for p in f.rglob("*.*")} for f in folders]
    assert bytes_of[0] == bytes_of[1]
    assert bytes_of[0].keys() == bytes_of[2].keys()
    assert bytes_of[0] != bytes_of[2]


def test_what_others_draw_is_left_alone(rendered: Made, picture: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    generate(rendered(), picture, Places(), GenerateOptions(), tmp_path / "out")
    assert torch.equal(torch.rand(3), wanted)


def test_colours_alone(rendered: Made, picture: Path, tmp_path: Path) -> None:
    done = generate(rendered(with_normals=False), picture, Places(), GenerateOptions(), tmp_path / "out")
    assert not done.written.has_normals
    assert not (tmp_path / "out" / "normals").exists()
    assert "normal_frame" not in json.loads((tmp_path / "out" / "cameras.json").read_text())
    assert not load_views(tmp_path / "out", normal_maps="optional").has_normals


def test_older_views_need_overwrite_and_go(rendered: Made, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    generate(rendered("wonder3d"), picture, Places(), GenerateOptions(), out)
    (out / "mine.txt").write_text("kept")
    with pytest.raises(InputError, match=r"already holds a result .*--overwrite"):
        generate(rendered("unique3d"), picture, Places(), GenerateOptions(), out)
    generate(rendered("unique3d"), picture, Places(), GenerateOptions(), out, overwrite=True)
    names = sorted(str(p.relative_to(out)) for p in out.rglob("*.*"))
    own = [f"{layer}/{i:03d}.png" for layer in ("normals", "rgb") for i in range(4)]
    assert names == ["cameras.json", "input.png", "mine.txt", *own]


def test_views_that_the_rig_has_not(rendered: Made, tmp_path: Path) -> None:
    views = rendered().decode(0.0)
    few = type(views)(views.rig, views.rgb[:4], None, "front")
    with pytest.raises(InputError, match="gave 4 views of 128 x 128 pixels, expected 6 square ones for rig wonder3d"):
        write_views(few, None, {}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "--steps 0 is out of range, expected 1 to 1000"),
        ({"seed": -1}, "--seed -1 is out of range"),
        ({"fill": 2.0}, "--fill 2.0 is out of range, expected 0.1 to 1"),
        ({"guidance": 101.0}, "--guidance 101.0 is out of range"),
        ({"matting": "magic"}, "--matting 'magic' is unknown"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        GenerateOptions(**options)


def test_fill_is_heard(rendered: Made, picture: Path, tmp_path: Path) -> None:
    model = rendered()
    generate(model, picture, Places(), GenerateOptions(fill=0.5), tmp_path / "out")
    seen = model.given[0][0]
    rows = np.flatnonzero((seen.alpha > 0.5).any(axis=1))
    assert seen.framing == Framing(64, 0.5, 1.0)
    assert len(rows) == pytest.approx(32, abs=1)


@pytest.mark.slow
@pytest.mark.parametrize("rig", ["wonder3d", "zero123plus"])
def test_the_folder_reconstructs_the_object(rendered: Made, picture: Path, tmp_path: Path, rig: str) -> None:
    generate(rendered(rig), picture, Places(), GenerateOptions(), tmp_path / "out")
    config = meshopt.load_config(overrides=["quality=fast", "texture.kind=none", "output.faces=2000"])
    result = meshopt.reconstruct(load_views(tmp_path / "out"), config)
    shape = result.report["topology"]
    assert (shape["boundary_edges"], shape["nonmanifold_edges"], shape["components"], shape["genus"]) == (0, 0, 1, 0)
    vertices = result.world_mesh.vertices.double().numpy()
    off = np.abs(np.linalg.norm((vertices - MIDDLE) / RADII, axis=1) - 1)  # of the local radius
    assert off.mean() < 0.02
    assert off.max() < 0.1
    ball = trimesh.creation.icosphere(subdivisions=5)
    truth = Surface(np.asarray((ball.vertices * RADII + MIDDLE)[ball.faces], np.float64))
    scores = compare(Surface.of(result.world_mesh), truth, 20_000).everything
    assert scores.point_to_surface.accuracy < 0.002  # the Chamfer distance, each way; the longest radius is 0.75
    assert scores.point_to_surface.completeness < 0.002
    assert scores.normal_angle.mean < 5
