"""OBJ's materials as other programs write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from meshopt.errors import InputError, MeshoptWarning
from meshopt.io.meshes import load_mesh
from meshopt.io.mtl import read_materials
from meshopt.mesh import Mesh

Find = Callable[[Mesh, int, np.ndarray], np.ndarray]
MIDDLE = np.full((1, 3), 1 / 3)
OBJ = """mtllib a.mtl
v 0 0 0
v 1 0 0
v 0 1 0
v 2 0 0
v 3 0 0
v 2 1 0
vt 0.1 0.6
vt 0.4 0.6
vt 0.1 0.9
usemtl {0}
f 1/1 2/2 3/3
usemtl {1}
f 4/1 5/2 6/3
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """An OBJ of two triangles, its MTL, and a picture tex.png: red, green; blue, white."""

    def save(mtl: str | None, first: str = "one", second: str = "two", obj: str = OBJ) -> Path:
        (tmp_path / "a.obj").write_text(obj.format(first, second))
        if mtl is not None:
            (tmp_path / "a.mtl").write_text(mtl)
        quarter = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
        Image.fromarray(quarter.repeat(8, 0).repeat(8, 1)).save(tmp_path / "tex.png")
        return tmp_path / "a.obj"

    return save


def test_an_image_and_a_colour(write: Callable[..., Path], colors_on: Find) -> None:
    path = write("newmtl one\nKd 0.1 0.1 0.1\nmap_Kd tex.png\n\nnewmtl two\nKd 0.2 0.4 0.6\n")
    mesh = load_mesh(path, textures=True)
    order = np.argsort(mesh.vertices[mesh.faces.long()].mean(1)[:, 0])
    assert np.allclose(colors_on(mesh, int(order[0]), MIDDLE), [1, 0, 0])  # upper left, for v points up; Kd left out
    assert np.allclose(colors_on(mesh, int(order[1]), MIDDLE), [0.2, 0.4, 0.6], atol=2e-3)  # as sRGB


@pytest.mark.parametrize(
    ("statement", "color"),
    [
        ("map_Kd tex.png", [1, 0, 0]),
        ("map_Kd -o 0.5 tex.png", [0, 1, 0]),
        ("map_Kd -o 0.5 0.5 0 -s 1 1 1 tex.png", [1, 1, 1]),
        ("map_Kd -s 2 1 tex.png", [1, 0, 0]),
        ("\tmap_kd -blendu on -mm 0 1 -clamp on -o 3 0 tex.png  ", [0, 1, 0]),
        ("map_Kd -o 3 0 tex.png", [1, 0, 0]),
        ("map_Kd .\\tex.png", [1, 0, 0]),
    ],
)
def test_options_of_maps(write: Callable[..., Path], colors_on: Find, statement: str, color: list[float]) -> None:
    mesh = load_mesh(write(f"newmtl one\n{statement}\nnewmtl two\n{statement}\n"), textures=True)
    for face in range(2):
        assert np.allclose(colors_on(mesh, face, MIDDLE), color)


def test_names_with_spaces(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write("newmtl my first\nmap_Kd -bm 1 my tex.png\n", "my first", "my first")
    (tmp_path / "tex.png").rename(tmp_path / "my tex.png")
    found = read_materials(path, lambda name: (tmp_path / name).read_bytes())
    assert list(found) == ["my first"]
    assert load_mesh(path, textures=True).texture is not None


def test_a_missing_material_file_or_image_is_one_sentence(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(None)
    with pytest.raises(InputError, match=r"a\.obj: refers to 'a\.mtl', which is not in its folder"):
        load_mesh(path, textures=True)
    write("newmtl one\nmap_Kd C:\\work\\tex.png\nnewmtl two\nmap_Kd tex.png\nnewmtl three\nmap_Kd other.png\n")
    with pytest.raises(InputError, match=r"a\.obj: refers to 'C:.*expected a file in its own folder"):
        load_mesh(path, textures=True)
    write("newmtl one\nmap_Kd gone.png\n")
    with pytest.raises(InputError, match=r"a\.obj: refers to 'gone\.png', which is not in its folder"):
        load_mesh(path, textures=True)
    write("newmtl one\nmap_Kd tex.png\nnewmtl three\nmap_Kd gone.png\n")
    assert load_mesh(path, textures=True).texture is not None  # nothing has the third
    assert load_mesh(path).texture is None


def test_materials_that_are_not_there_are_white(write: Callable[..., Path], colors_on: Find) -> None:
    mesh = load_mesh(write("newmtl one\nmap_Kd tex.png\n"), textures=True)
    found = sorted(colors_on(mesh, face, MIDDLE)[0].tolist() for face in range(2))
    assert np.allclose(found, [[1, 0, 0], [1, 1, 1]])


@pytest.mark.parametrize("statement", ["d 0.5", "Tr 0.5", "map_d tex.png", "d -halo 0.2"])
def test_transparency_is_said_to_be_left_out(write: Callable[..., Path], statement: str) -> None:
    path = write(f"newmtl one\nmap_Kd tex.png\n{statement}\nnewmtl two\nd 1\nTr 0\n")
    with pytest.warns(MeshoptWarning, match=r"transparent \('one'\), which is left out"):
        load_mesh(path, textures=True)


def test_vertices_keep_their_colours_beside_materials_without_images(write: Callable[..., Path]) -> None:
    colored = OBJ.replace("0 0\nv", "0 0 1 0.5 0.25\nv").replace("1 0\nv", "1 0 1 0.5 0.25\nv")
    colored = "\n".join(
        " ".join([*line.split()[:4], "1 0.5 0.25"]) if line.startswith("v ") else line for line in colored.split("\n")
    )
    bare = colored.replace("/1", "").replace("/2", "").replace("/3", "")
    mesh = load_mesh(write("newmtl one\nKd 0.7 0.7 0.7\nnewmtl two\nKd 0 0 0\n", obj=bare), textures=True)
    assert mesh.colors is not None
    assert np.allclose(mesh.colors, [1, 0.5, 0.25], atol=3e-3)
