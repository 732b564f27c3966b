"""Objects from meshes and folders: what is the reference, and where the true mesh stands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from meshopt.ablation.misalignment import misalignment
from meshopt.ablation.objects import ObjectOptions, Subject, ViewFiles, loaded, named_objects, rendered
from meshopt.errors import InputError
from meshopt.evaluate.view_sets import RenderOptions, write_views
from meshopt.io.meshes import load_mesh
from meshopt.mesh import Mesh
from meshopt.views import LoadOptions

WONDER = ObjectOptions("wonder3d", LoadOptions(resolution=64))
MeshFile = Callable[..., Path]


def test_rendered_normals_are_those_of_the_shape(subject: Subject) -> None:
    """An ellipsoid's normal points along (x / a^2, y / b^2, z / c^2)."""
    views, radii = subject.reference, np.array([0.5, 0.8, 0.6])
    for i, camera in enumerate(views.cameras):
        origins, directions = camera.rays(*views.resolution)
        o, d = origins / radii, directions / radii
        a, b, c = (d * d).sum(-1), (o * d).sum(-1), (o * o).sum(-1) - 1
        root = b * b - a * c
        points = origins + ((-b - np.sqrt(np.maximum(root, 0))) / a)[..., None] * directions
        true = points / radii**2
        true /= np.linalg.norm(true, axis=-1, keepdims=True)
        inner = views.masks[i].numpy() > 0.999
        cosine = (true * views.normals[i].numpy()).sum(-1)[inner]
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean() < 1.0


def test_a_mesh_that_no_view_sees(subject: Subject, egg: Mesh) -> None:
    with pytest.raises(InputError, match="no view sees the mesh"):
        rendered(subject.reference, replace(egg, vertices=egg.vertices + 50))


def test_meshes_are_rendered_as_the_rig_has_them(tmp_path: Path, mesh_file: MeshFile, subject: Subject) -> None:
    (found,) = named_objects([mesh_file("egg", 0.5, 0.8, 0.6)], tmp_path / "out", WONDER)
    assert found.name == "egg"
    assert {p.name for p in (tmp_path / "out/objects/egg").iterdir()} == {
        "rgb",
        "normals",
        "cameras.json",
        "rendered.json",
    }
    read = found.load()
    assert read.generated is None
    assert read.certain
    apart = misalignment(read.reference, subject.reference)
    assert (apart.mean_deg or 0) < 0.5  # eight bits
    assert apart.silhouette_iou > 0.995
    assert read.truth is not None
    assert torch.allclose(read.truth.vertices.abs().amax(0), torch.tensor([0.5, 0.8, 0.6]), atol=1e-6)


def test_views_that_are_there_are_not_rendered_again(tmp_path: Path, mesh_file: MeshFile) -> None:
    file, out = mesh_file("egg", 0.5, 0.8, 0.6), tmp_path / "out"
    picture = out / "objects/egg/normals"
    named_objects([file], out, WONDER)
    before = {p.name: p.stat().st_mtime_ns for p in picture.iterdir()}
    named_objects([file], out, WONDER)
    assert {p.name: p.stat().st_mtime_ns for p in picture.iterdir()} == before
    (again,) = named_objects([file], out, replace(WONDER, reading=LoadOptions(resolution=48)))
    assert again.load().reference.resolution == (48, 48)


def test_foreign_pictures_are_not_replaced(tmp_path: Path, mesh_file: MeshFile) -> None:
    file = mesh_file("egg", 0.5, 0.8, 0.6)
    write_views(load_mesh(file), RenderOptions("wonder3d", 64), tmp_path / "out/objects/egg")
    with pytest.raises(InputError, match="already holds a result"):
        named_objects([file], tmp_path / "out", WONDER)


def test_meshes_that_are_fitted_are_measured_where_they_were_put(tmp_path: Path, mesh_file: MeshFile) -> None:
    file = mesh_file("far", 5.0, 8.0, 6.0, shift=100.0)
    (found,) = named_objects([file], tmp_path / "out", replace(WONDER, fit="box"))
    read = found.load()
    assert read.truth is not None
    assert misalignment(rendered(read.reference, read.truth), read.reference).silhouette_iou > 0.99


def test_notes_of_rendering_are_kept(tmp_path: Path, mesh_file: MeshFile) -> None:
    file = mesh_file("large", 0.5, 1.3, 0.6)
    for _ in range(2):
        (found,) = named_objects([file], tmp_path / "out", WONDER)
        assert any("reaches beyond the images" in note for note in found.notes)


@pytest.fixture
def folder(tmp_path: Path, mesh_file: MeshFile) -> Path:
    """An object's folder: slim views, and the true egg."""
    place = tmp_path / "object"
    slim, true = mesh_file("slim", 0.45, 0.8, 0.6), mesh_file("egg", 0.5, 0.8, 0.6)
    write_views(load_mesh(slim), RenderOptions("wonder3d", 64), place)
    write_views(load_mesh(true), RenderOptions("wonder3d", 64), tmp_path / "true")
    shutil.copytree(tmp_path / "true/normals", place / "gt_normals")
    shutil.copy(true, place / "gt_mesh.ply")
    return place


@pytest.mark.parametrize("left_out", [(), ("gt_normals",), ("gt_mesh.ply",)])
def test_folders_have_generated_and_true_normals(folder: Path, subject: Subject, left_out: tuple[str, ...]) -> None:
    for name in left_out:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (found,) = named_objects([folder], folder.parent / "out", ObjectOptions())
    read = found.load()
    assert (read.name, read.certain) == ("object", True)
    assert (read.truth is None) == ("gt_mesh.ply" in left_out)
    assert (misalignment(read.reference, subject.reference).mean_deg or 0) < 0.5
    assert read.generated is not None
    assert subject.generated is not None
    assert (misalignment(read.generated, subject.generated).mean_deg or 0) < 0.5
    assert (misalignment(read.generated, read.reference).mean_deg or 0) > 1


def test_without_a_truth_what_was_given_is_the_reference(folder: Path) -> None:
    shutil.rmtree(folder / "gt_normals")
    (folder / "gt_mesh.ply").unlink()
    read = named_objects([folder], folder.parent / "out")[0].load()
    assert (read.generated, read.truth, read.certain) == (None, None, False)


def test_true_views_must_be_the_same(folder: Path) -> None:
    next((folder / "gt_normals").iterdir()).unlink()
    for file in sorted((folder / "gt_normals").iterdir())[:1]:
        file.unlink()
    with pytest.raises(InputError, match=r"gt.normals"):
        named_objects([folder], folder.parent / "out", ObjectOptions("wonder3d"))[0].load()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("absent.ply", "no such file or folder"), ("notes.txt", "is no object, expected a mesh")],
)
def test_wrong_objects(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=sentence):
        named_objects([tmp_path / name], tmp_path / "out", WONDER)


def test_meshes_need_a_rig(tmp_path: Path, mesh_file: MeshFile) -> None:
    with pytest.raises(InputError, match="expected --rig"):
        named_objects([mesh_file("egg", 0.5, 0.8, 0.6)], tmp_path / "out", ObjectOptions())


def test_names_are_told_apart(tmp_path: Path, mesh_file: MeshFile) -> None:
    file = mesh_file("egg", 0.5, 0.8, 0.6)
    files = []
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        files.append(shutil.copy(file, tmp_path / place / "egg.ply"))
    assert [o.name for o in named_objects(files, tmp_path / "out", WONDER)] == ["a_egg", "b_egg"]
    with pytest.raises(InputError, match="two objects are called"):
        named_objects([file, file], tmp_path / "out", WONDER)


def test_fingerprints_are_of_what_is_there(subject: Subject, egg: Mesh) -> None:
    assert subject.fingerprint() == replace(subject, reference=replace(subject.reference)).fingerprint()
    others = [
        replace(subject, name="other"),
        replace(subject, generated=None),
        replace(subject, truth=replace(egg, vertices=egg.vertices * 1.001)),
        replace(subject, reference=replace(subject.reference, normals=subject.reference.normals.flip(0))),
        replace(subject, reference=replace(subject.reference, scale=2.0)),
    ]
    assert len({one.fingerprint() for one in [subject, *others]}) == 6


def test_files_of_one_object_are_read_once(folder: Path) -> None:
    (found,) = named_objects([folder], folder.parent / "out")
    again = ViewFiles(**{name: getattr(found, name) for name in found.__dataclass_fields__})
    assert loaded(found) is loaded(again)


def test_an_object_in_memory_is_its_own_source(subject: Subject) -> None:
    assert loaded(subject) is subject


def test_a_broken_mark_means_rendering_again(tmp_path: Path, mesh_file: MeshFile) -> None:
    file, out = mesh_file("egg", 0.5, 0.8, 0.6), tmp_path / "out"
    named_objects([file], out, WONDER)
    (out / "objects/egg/rendered.json").write_text("{")
    named_objects([file], out, WONDER)
    assert "key" in json.loads((out / "objects/egg/rendered.json").read_text())
