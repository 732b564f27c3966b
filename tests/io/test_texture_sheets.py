"""Materials of mesh files in one image: what is looked up on it is what each material shows on its own."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from meshopt.colorspace import linear_to_srgb, srgb_to_linear
from meshopt.errors import MeshoptWarning
from meshopt.io import texture_sheets
from meshopt.io.meshes import load_mesh, save_mesh
from meshopt.mesh import Mesh

Save, Find = Callable[..., None], Callable[[Mesh, int, np.ndarray], np.ndarray]
LookUp = Callable[[np.ndarray, np.ndarray, tuple[str, str]], np.ndarray]
UNIT = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], float)  # uv of a quad that shows its image upright
CODES = {"repeat": 10497, "mirror": 33648, "clamp": 33071}
RED, GREEN = (np.full((8, 8, 3), color, np.uint8) for color in ((255, 0, 0), (0, 255, 0)))


def textured(index: int = 0, **base: Any) -> dict[str, Any]:
    return {"pbrMetallicRoughness": {"baseColorTexture": {"index": index}, **base}}


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def barycentric(count: int = 200) -> np.ndarray:
    inside = np.random.default_rng(1).dirichlet((1, 1, 1), count)
    return np.concatenate([inside, np.eye(3)])


def corners_uv(uv: np.ndarray, face: int) -> np.ndarray:
    """The uv of one of a quad's two faces."""
    return uv[[0, 1, 2]] if face % 2 == 0 else uv[[0, 2, 3]]


@pytest.mark.parametrize("wrap", list(product(CODES, CODES)))
@pytest.mark.parametrize("place", [(0.0, 0.0), (-0.7, 0.4), (5.3, -3.6), (-2.0, 1.0)])
def test_beyond_its_edges_an_image_goes_on_as_the_file_says(
    tmp_path: Path,
    save_quads: Save,
    colors_on: Find,
    look_up: LookUp,
    wrap: tuple[str, str],
    place: tuple[float, float],
) -> None:
    image, uv = noise(12, 20), UNIT * (1.9, 1.3) + place
    sampler = {"wrapS": CODES[wrap[0]], "wrapT": CODES[wrap[1]]}
    more = {"textures": [{"source": 0, "sampler": 0}], "samplers": [sampler]}
    save_quads(tmp_path / "a.gltf", [{"uv": uv, "material": textured()}], (image,), **more)
    mesh = load_mesh(tmp_path / "a.gltf", textures=True)
    bary = barycentric()
    for face in range(2):
        expected = look_up(image / 255, bary @ corners_uv(uv.astype("f4").astype(float), face), wrap)
        assert np.abs(colors_on(mesh, face, bary) - expected).max() < 2e-3


def test_many_materials_in_one_file(tmp_path: Path, save_quads: Save, colors_on: Find, look_up: LookUp) -> None:
    images = noise(16, 8), noise(5, 31, 1)
    shades = np.random.default_rng(2).random((4, 3))
    quads = [
        {"uv": UNIT, "material": textured(0)},
        {"uv": UNIT[:, ::-1], "material": textured(1)},
        {"material": {"pbrMetallicRoughness": {"baseColorFactor": [0.2, 0.5, 1, 1]}}},
        {"colors": shades},
        {"uv": UNIT * 0.5, "material": textured(0)},
    ]
    save_quads(tmp_path / "a.gltf", quads, images)
    mesh = load_mesh(tmp_path / "a.gltf", textures=True)
    assert mesh.colors is None
    bary = barycentric()
    for face in range(10):
        quad = quads[face // 2]
        if "uv" in quad:
            index = quad["material"]["pbrMetallicRoughness"]["baseColorTexture"]["index"]
            expected = look_up(images[index] / 255, bary @ corners_uv(quad["uv"], face), ("repeat", "repeat"))
        elif "colors" in quad:
            expected = bary @ linear_to_srgb(corners_uv(shades, face))
        else:
            expected = np.broadcast_to(linear_to_srgb(np.array([0.2, 0.5, 1])), (len(bary), 3))
        assert np.abs(colors_on(mesh, face, bary) - expected).max() < 6e-3


def test_neighbours_on_the_sheet_do_not_bleed(tmp_path: Path, save_quads: Save, colors_on: Find) -> None:
    quads = [{"uv": UNIT, "material": textured(i)} for i in range(2)]
    save_quads(tmp_path / "a.gltf", quads, (RED, GREEN))
    mesh = load_mesh(tmp_path / "a.gltf", textures=True)
    for face in range(4):
        color = (1, 0, 0) if face < 2 else (0, 1, 0)
        assert np.abs(colors_on(mesh, face, barycentric()) - color).max() < 1e-5


def test_rows_of_uv_belong_to_one_vertex(tmp_path: Path, save_quads: Save) -> None:
    """As `Texture` promises, even where all corners show the same place of an image."""
    save_quads(tmp_path / "a.gltf", [{"uv": UNIT * 0, "material": textured()}] * 3, (RED,))
    mesh = load_mesh(tmp_path / "a.gltf", textures=True)
    assert mesh.texture is not None
    pairs = {(int(row), int(v)) for row, v in zip(mesh.texture.faces.flatten(), mesh.faces.flatten(), strict=True)}
    assert len({row for row, _ in pairs}) == len(pairs) == len(mesh.texture.uv) == len(mesh.vertices) == 8


def test_a_factor_multiplies_light_not_numbers(tmp_path: Path, save_quads: Save, colors_on: Find) -> None:
    image = np.full((4, 4, 3), 188, np.uint8)
    quad = {"uv": UNIT, "material": textured(baseColorFactor=[0.5, 1, 0, 1])}
    save_quads(tmp_path / "a.gltf", [quad], (image,))
    found = colors_on(load_mesh(tmp_path / "a.gltf", textures=True), 0, barycentric(4))
    expected = linear_to_srgb(srgb_to_linear(np.full(3, 188 / 255)) * [0.5, 1, 0])
    assert np.abs(found - expected).max() < 0.5 / 255 + 1e-6


def test_colours_of_vertices_are_enough_where_there_is_no_image(tmp_path: Path, save_quads: Save) -> None:
    solid = {"material": {"pbrMetallicRoughness": {"baseColorFactor": [0.5, 0.5, 0, 1]}}}
    save_quads(tmp_path / "a.gltf", [solid, solid])
    mesh = load_mesh(tmp_path / "a.gltf", textures=True)
    assert mesh.texture is None
    assert mesh.colors is not None
    assert torch.allclose(mesh.colors, torch.tensor(linear_to_srgb(np.array([0.5, 0.5, 0]))).float(), atol=1e-6)
    save_quads(tmp_path / "b.gltf", [{}])
    assert load_mesh(tmp_path / "b.gltf", textures=True).colors is None  # it is just white
    shades = np.full((4, 3), 0.01)
    save_quads(tmp_path / "c.gltf", [{"colors": shades, **solid}])
    mesh = load_mesh(tmp_path / "c.gltf", textures=True)
    assert mesh.colors is not None
    assert np.allclose(mesh.colors, linear_to_srgb(np.array([0.005, 0.005, 0])), atol=1e-5)  # no 8 bits in between


def test_vertex_colours_beside_a_texture_are_said_to_be_left_out(tmp_path: Path, save_quads: Save) -> None:
    save_quads(tmp_path / "a.gltf", [{"uv": UNIT, "colors": np.zeros((4, 3)), "material": textured()}], (RED,))
    with pytest.warns(MeshoptWarning, match=r"a\.gltf: colours of vertices beside a texture are left out"):
        load_mesh(tmp_path / "a.gltf", textures=True)


@pytest.mark.parametrize("kind", ["image", "material"])
def test_transparency_is_said_to_be_left_out(tmp_path: Path, save_quads: Save, kind: str) -> None:
    alpha = np.full((8, 8, 1), 255, np.uint8)
    alpha[2, 2] = 100 if kind == "image" else 255
    factor = [1, 1, 1, 0.5 if kind == "material" else 1]
    material = textured(baseColorFactor=factor) | {"name": "glass"}
    save_quads(tmp_path / "a.gltf", [{"uv": UNIT, "material": material}], (np.concatenate([RED, alpha], -1),))
    load_mesh(tmp_path / "a.gltf", textures=True)  # opaque, says the file: alpha means nothing
    material["alphaMode"] = "BLEND"
    save_quads(tmp_path / "a.gltf", [{"uv": UNIT, "material": material}], (np.concatenate([RED, alpha], -1),))
    with pytest.warns(MeshoptWarning, match=r"a\.gltf: some of it is transparent \('glass'\), which is left out"):
        load_mesh(tmp_path / "a.gltf", textures=True)


def test_large_images_are_reduced_and_that_is_said(
    tmp_path: Path, save_quads: Save, colors_on: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texture_sheets, "MAX_SIDE", 32)
    ramp = np.tile(np.linspace(0, 255, 128).astype(np.uint8)[None, :, None], (64, 1, 3))
    save_quads(tmp_path / "a.gltf", [{"uv": UNIT, "material": textured()}], (ramp,))
    words = r"a\.gltf: image 'a0\.png' is reduced from 128 x 64 to 32 x 16 pixels"
    with pytest.warns(MeshoptWarning, match=words):
        mesh = load_mesh(tmp_path / "a.gltf", textures=True)
    bary = np.array([[0.25, 0.5, 0.25]])  # u = 0.75
    assert colors_on(mesh, 0, bary)[0, 0] == pytest.approx(0.75, abs=0.01)


def test_all_pieces_together_stay_within_a_limit(
    tmp_path: Path, save_quads: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest give way; small ones keep their size."""
    monkeypatch.setattr(texture_sheets, "MAX_TEXELS", 4096)
    quads = [{"uv": UNIT * 8, "material": textured(0)}, {"uv": UNIT, "material": textured(1)}]
    save_quads(tmp_path / "a.gltf", quads, (noise(64, 64), noise(16, 16)))
    with pytest.warns(MeshoptWarning) as caught:
        mesh = load_mesh(tmp_path / "a.gltf", textures=True)
    assert mesh.texture is not None
    assert len(caught) == 1
    assert re.search(r"a0\.png' is reduced from 64 x 64 to 7 x 7", str(caught[0].message))
    assert mesh.texture.color[..., 0].numel() < 3 * 4096  # and padding


@pytest.mark.parametrize(("wrap", "bound"), [("repeat", 17), ("clamp", 34), ("mirror", 19)])
def test_no_face_makes_the_sheet_huge(tmp_path: Path, save_quads: Save, wrap: str, bound: int) -> None:
    uv = UNIT * 1e7 - 5
    more = {"textures": [{"source": 0, "sampler": 0}], "samplers": [{"wrapS": CODES[wrap], "wrapT": CODES[wrap]}]}
    save_quads(tmp_path / "a.gltf", [{"uv": uv, "material": textured()}], (noise(8, 8),), **more)
    with pytest.warns(MeshoptWarning, match="2 faces repeat image .* more than 16 times"):
        mesh = load_mesh(tmp_path / "a.gltf", textures=True)
    assert mesh.texture is not None
    assert max(mesh.texture.color.shape[:2]) <= 8 * bound + 4 * texture_sheets.PADDING


def test_places_that_are_no_numbers_do_no_harm(tmp_path: Path, save_quads: Save) -> None:
    uv = UNIT.copy()
    uv[1], uv[2] = np.nan, np.inf
    save_quads(tmp_path / "a.gltf", [{"uv": uv, "material": textured()}], (RED,))
    texture = load_mesh(tmp_path / "a.gltf", textures=True).texture
    assert texture is not None
    assert bool(texture.uv.isfinite().all())


@pytest.mark.parametrize("kind", ["glb", "gltf", "obj"])
def test_what_was_written_is_read(
    box: Mesh, tmp_path: Path, colors_on: Find, paint: Callable[[np.ndarray], np.ndarray], kind: str
) -> None:
    save_mesh(box, tmp_path / f"box.{kind}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = load_mesh(tmp_path / f"box.{kind}", textures=True)
    bary = barycentric(8)
    assert len(found.faces) == len(box.faces)
    for face in range(len(found.faces)):
        points = bary @ found.vertices.double().numpy()[found.faces[face].numpy()]
        assert np.abs(colors_on(found, face, bary) - paint(points)).max() < 0.01
    again = load_mesh(tmp_path / f"box.{kind}", textures=True)
    assert found.texture is not None
    assert again.texture is not None
    assert torch.equal(found.texture.color, again.texture.color)
    assert torch.equal(found.texture.uv, again.texture.uv)
