"""Which page `meshopt view` opens, and the pages of mesh files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from meshopt.errors import InputError, MeshoptWarning
from meshopt.io.meshes import save_mesh
from meshopt.report import viewing
from meshopt.report.viewing import page_for


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary pages go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(viewing.tempfile, "tempdir", str(folder))
    return folder


def test_a_folder_s_report_comes_first(rich: SimpleNamespace, tmp_path: Path) -> None:
    save_mesh(rich.mesh, tmp_path / "mesh.glb")
    (tmp_path / "report.html").write_text("<p>")
    assert page_for(tmp_path) == tmp_path / "report.html"
    assert page_for(tmp_path / "report.html") == tmp_path / "report.html"


def test_a_folder_without_a_report_shows_its_mesh(rich: SimpleNamespace, tmp_path: Path, temporary: Path) -> None:
    save_mesh(rich.mesh, tmp_path / "mesh.glb")
    page = page_for(tmp_path)
    assert page.is_relative_to(temporary)
    content = page.read_text(encoding="utf-8")
    assert "<h1>mesh.glb</h1>" in content
    assert "1,280 faces, 642 vertices" in content
    assert 'id="scene-texture"' in content


@pytest.mark.parametrize("kind", ["glb", "gltf", "obj"])
def test_textures_are_shown(rich: SimpleNamespace, tmp_path: Path, kind: str) -> None:
    save_mesh(rich.mesh, tmp_path / f"mesh.{kind}")
    assert 'id="scene-texture"' in page_for(tmp_path / f"mesh.{kind}").read_text(encoding="utf-8")


def test_a_mesh_whose_texture_is_lost_is_shown_without(rich: SimpleNamespace, tmp_path: Path) -> None:
    save_mesh(rich.mesh, tmp_path / "mesh.gltf")
    (tmp_path / "mesh_color.png").unlink()
    with pytest.warns(MeshoptWarning, match="mesh_color.png.*; the mesh is shown without it"):
        page = page_for(tmp_path / "mesh.gltf")
    assert 'id="scene-texture"' not in page.read_text(encoding="utf-8").split("<script>")[0]


def test_meshes_without_a_texture_are_shown_too(rich: SimpleNamespace, tmp_path: Path) -> None:
    save_mesh(rich.mesh, tmp_path / "a <b>.ply")
    page = page_for(tmp_path / "a <b>.ply")
    content = page.read_text(encoding="utf-8")
    assert "<h1>a &lt;b&gt;.ply</h1>" in content
    assert "scene-texture" not in content.split("<script>")[0]


def test_what_cannot_be_shown_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("x")
    (tmp_path / "broken.glb").write_bytes(b"glTF")
    for target, words in (
        (tmp_path / "none", "no such file or folder"),
        (tmp_path, "holds neither report.html nor a mesh"),
        (tmp_path / "text.txt", "cannot be shown"),
        (tmp_path / "broken.glb", "cannot be read as a mesh"),
    ):
        with pytest.raises(InputError, match=words):
            page_for(target)
