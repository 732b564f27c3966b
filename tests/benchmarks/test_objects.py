"""benchmarks/objects.py: rigs beyond the presets, and meshes from files."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import objects
import pytest
import torch
import trimesh

import meshopt


def test_star_is_around_above_and_below() -> None:
    cameras = objects.rig_cameras("star:4x3@30")
    places = [(round(c.azimuth), round(c.elevation)) for c in cameras]
    assert places == [(a, e) for e in (-45, 0, 45) for a in (0, 90, 180, 270)]
    assert len({c.name for c in cameras}) == 12


@pytest.mark.parametrize("rig", ["unique3d@11.4", "wonder3d@40", "star:4x4@90"])
def test_unit_sphere_just_fits_in_perspective(rig: str) -> None:
    points = np.random.default_rng(0).normal(size=(20_000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    for camera in objects.rig_cameras(rig):
        assert camera.projection == "perspective"
        assert 0.98 < np.abs(camera.project(points)[0]).max() <= 1


def test_views_of_a_mesh_file_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trimesh.creation.box((1.0, 2.0, 3.0)).export(tmp_path / "box.obj")
    arguments = ["objects.py", tmp_path / "out", "--meshes", tmp_path, "--rigs", "star:2x2@40", "--size", "48"]
    monkeypatch.setattr(sys, "argv", [str(argument) for argument in arguments])
    objects.main()
    truth = meshopt.load_mesh(tmp_path / "out" / "meshes" / "box.ply")
    assert float(truth.vertices.norm(dim=1).max()) == pytest.approx(0.99)
    folder = tmp_path / "out" / "views" / "box" / "star2x2@40"
    views = meshopt.load_views(folder / "rgb", folder / "normals")
    expected = objects.rig_cameras("star:2x2@40")
    assert len(views) == 4
    for camera, wanted in zip(views.cameras, expected, strict=True):
        assert np.allclose(camera.rotation, wanted.rotation)
        assert np.allclose(camera.position * views.scale + np.array(views.offset), wanted.position)
        assert np.allclose(camera.half_extent, wanted.half_extent)
    facing = torch.stack([torch.from_numpy(c.rotation[2]).float() for c in views.cameras])
    turned = (views.normals * facing[:, None, None]).sum(-1)[views.masks > 0.5]
    assert (turned > -0.4).all()  # at most half the angle of view behind the image plane


def test_objects_and_meshes_are_chosen(tmp_path: Path) -> None:
    file = tmp_path / "thing.ply"
    file.touch()
    assert list(objects.sources(None, [])) == list(objects.OBJECTS)
    assert list(objects.sources(None, [file])) == ["thing"]
    assert list(objects.sources("blob", [tmp_path])) == ["thing", "blob"]
