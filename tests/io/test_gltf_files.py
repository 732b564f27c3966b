"""glTF's materials: which image, which places on it, and one sentence for what is missing or broken."""

from __future__ import annotations

import base64
import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from meshopt.errors import InputError
from meshopt.io.mesh_parts import read_parts
from meshopt.io.meshes import load_mesh, save_mesh
from meshopt.mesh import Mesh

Save = Callable[..., None]
UNIT = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], float)
MATERIAL = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
IMAGE = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))


def test_parts_know_their_material_and_their_places(tmp_path: Path, save_quads: Save) -> None:
    quads = [{"uv": UNIT, "material": {"name": "a"}}, {"uv": UNIT / 2, "material": MATERIAL | {"name": "b"}}]
    save_quads(tmp_path / "q.gltf", quads, (IMAGE,))
    first, second = read_parts(tmp_path / "q.gltf", materials=True)
    assert (first.material.name, first.material.image, first.uv) == ("a", None, None)
    assert second.material.image is not None
    assert second.material.image.size() == (8, 8)
    assert np.allclose(second.uv, UNIT / 2)
    plain = read_parts(tmp_path / "q.gltf")
    assert all(part.uv is None and part.material.image is None for part in plain)


@pytest.mark.parametrize(("kind", "most"), [("u1", 255), ("u2", 65535)])
def test_places_stored_as_integers_are_fractions(tmp_path: Path, save_quads: Save, kind: str, most: int) -> None:
    save_quads(tmp_path / "q.gltf", [{"uv": (UNIT * most).astype(kind), "material": MATERIAL}], (IMAGE,))
    (part,) = read_parts(tmp_path / "q.gltf", materials=True)
    assert np.array_equal(part.uv, UNIT)


def test_a_texture_may_have_its_own_set_of_places(tmp_path: Path, save_quads: Save) -> None:
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0, "texCoord": 1}}}
    save_quads(tmp_path / "q.gltf", [{"uv": UNIT, "uv1": UNIT / 4, "material": material}], (IMAGE,))
    (part,) = read_parts(tmp_path / "q.gltf", materials=True)
    assert np.allclose(part.uv, UNIT / 4)


def test_places_are_scaled_then_turned_then_shifted(tmp_path: Path, save_quads: Save) -> None:
    """By 90 degrees counter-clockwise seen on the image: what pointed right (u) points up (-v)."""
    transform = {"scale": [2, 3], "rotation": math.pi / 2, "offset": [0.5, 0.25]}
    material = {
        "pbrMetallicRoughness": {
            "baseColorTexture": {"index": 0, "extensions": {"KHR_texture_transform": transform}},
        }
    }
    save_quads(tmp_path / "q.gltf", [{"uv": UNIT, "material": material}], (IMAGE,))
    (part,) = read_parts(tmp_path / "q.gltf", materials=True)
    u, v = UNIT.T
    assert np.allclose(part.uv, np.stack([3 * v + 0.5, -2 * u + 0.25], 1))


def test_older_materials_have_a_diffuse_image(tmp_path: Path, save_quads: Save) -> None:
    older = {"diffuseTexture": {"index": 0}, "diffuseFactor": [0.5, 0.25, 1, 1]}
    material = {"extensions": {"KHR_materials_pbrSpecularGlossiness": older}}
    save_quads(tmp_path / "q.gltf", [{"uv": UNIT, "material": material}], (IMAGE,))
    (part,) = read_parts(tmp_path / "q.gltf", materials=True)
    assert part.material.image is not None
    assert part.material.factor == (0.5, 0.25, 1.0)


@pytest.mark.parametrize("where", ["data", "chunk", "folder", "webp"])
def test_images_may_lie_anywhere_in_file_and_folder(box: Mesh, tmp_path: Path, where: str) -> None:
    save_mesh(box, tmp_path / "box.glb" if where == "chunk" else tmp_path / "box.gltf")
    path = tmp_path / ("box.glb" if where == "chunk" else "box.gltf")
    if where == "data":
        data = base64.b64encode((tmp_path / "box_color.png").read_bytes()).decode()
        changed(path, lambda tree: tree["images"][0].update(uri="data:image/png;base64," + data))
        (tmp_path / "box_color.png").unlink()
    if where == "folder":
        (tmp_path / "my maps").mkdir()
        (tmp_path / "box_color.png").rename(tmp_path / "my maps" / "a b.png")
        changed(path, lambda tree: tree["images"][0].update(uri="my%20maps/a%20b.png"))
    if where == "webp":
        Image.open(tmp_path / "box_color.png").save(tmp_path / "c.webp", lossless=True)

        def replace(tree: dict[str, Any]) -> None:
            tree["images"].append({"uri": "c.webp"})
            tree["textures"][0] = {"extensions": {"EXT_texture_webp": {"source": 1}}}

        changed(path, replace)
        (tmp_path / "box_color.png").unlink()
    found = load_mesh(path, textures=True)
    assert found.texture is not None
    assert box.texture is not None
    colors = {tuple(c) for c in box.texture.color.reshape(-1, 3).tolist()}
    assert {tuple(c) for c in found.texture.color.reshape(-1, 3).tolist()} <= colors | {(0, 0, 0)}


def bomb() -> bytes:
    """A small PNG that says it is 60000 x 60000 pixels."""
    stream = io.BytesIO()
    Image.new("1", (60000, 60000)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("uri", "content", "words"),
    [
        ("gone.png", None, "refers to 'gone.png', which is not in its folder"),
        ("../secret.png", None, "refers to '../secret.png', expected a file in its own folder"),
        ("http://localhost/x.png", None, "expected a file in its own folder"),
        ("bad.png", b"no picture", "image 'bad.png' is not an image that can be read"),
        ("bad.png", b"", "image 'bad.png' is not an image that can be read"),
        ("bad.png", "cut", "image 'bad.png' is damaged or truncated"),
        ("bad.png", "bomb", r"image 'bad.png' (has|is) .* million"),
        ("data:image/png;base64,x", None, "image 0 is not in the file as it should be"),
    ],
)
def test_a_missing_or_broken_image_is_one_sentence_and_only_where_textures_are_asked_for(
    box: Mesh, tmp_path: Path, uri: str, content: bytes | str | None, words: str
) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    save_mesh(box, folder / "box.gltf")
    picture = (folder / "box_color.png").read_bytes()
    (tmp_path / "secret.png").write_bytes(picture)
    if content is not None:
        blob = {"cut": picture[: len(picture) // 2], "bomb": bomb() if content == "bomb" else b""}
        (folder / "bad.png").write_bytes(blob[content] if isinstance(content, str) else content)
    changed(folder / "box.gltf", lambda tree: tree["images"][0].update(uri=uri))
    assert len(load_mesh(folder / "box.gltf").faces) == len(box.faces)
    with pytest.raises(InputError, match=words) as caught:
        load_mesh(folder / "box.gltf", textures=True)
    assert str(folder / "box.gltf") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree["textures"].clear(),
        lambda tree: tree["textures"][0].update(source=7),
        lambda tree: tree["textures"][0].update(sampler=7),
        lambda tree: tree["textures"][0].update(source="x"),
        lambda tree: tree["materials"][0].update(pbrMetallicRoughness={"baseColorFactor": [1]}),
        lambda tree: tree["materials"].clear(),
        lambda tree: tree["samplers"][0].update(wrapS=1),
        lambda tree: tree["accessors"][-2].update(count=10**6),
    ],
)
def test_broken_references_are_one_sentence(box: Mesh, tmp_path: Path, change: Callable[[Any], None]) -> None:
    save_mesh(box, tmp_path / "box.gltf")
    changed(tmp_path / "box.gltf", change)
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "box.gltf"))) as caught:
        load_mesh(tmp_path / "box.gltf", textures=True)
    assert "\n" not in str(caught.value)


def test_a_kind_of_image_that_nobody_reads_is_named(box: Mesh, tmp_path: Path) -> None:
    save_mesh(box, tmp_path / "box.gltf")
    basis = {"extensions": {"KHR_texture_basisu": {"source": 0}}}
    changed(tmp_path / "box.gltf", lambda tree: tree.update(textures=[basis]))
    with pytest.raises(InputError, match="texture 0 has KHR_texture_basisu, expected a PNG, JPEG or WebP image"):
        load_mesh(tmp_path / "box.gltf", textures=True)


def test_an_image_that_no_face_uses_may_be_missing(box: Mesh, tmp_path: Path) -> None:
    save_mesh(box, tmp_path / "box.gltf")

    def add(tree: dict[str, Any]) -> None:
        tree["images"].append({"uri": "gone.png"})
        tree["textures"].append({"source": 1})
        tree["materials"].append({"pbrMetallicRoughness": {"baseColorTexture": {"index": 1}}})

    changed(tmp_path / "box.gltf", add)
    assert load_mesh(tmp_path / "box.gltf", textures=True).texture is not None


def test_points_and_lines_between_the_triangles(tmp_path: Path, save_quads: Save) -> None:
    save_quads(tmp_path / "q.gltf", [{"uv": UNIT, "material": MATERIAL}] * 4, (IMAGE,))

    def thin(tree: dict[str, Any]) -> None:
        for primitive, mode in zip(tree["meshes"][0]["primitives"], (0, 1, 2, 4), strict=True):
            primitive["mode"] = mode

    changed(tmp_path / "q.gltf", thin)
    (part,) = read_parts(tmp_path / "q.gltf", materials=True)
    assert part.material.image is not None
    assert np.allclose(part.uv, UNIT)
    assert part.vertices[:, 0].min() == 3


def test_parts_are_placed_and_mirrored_with_their_places(tmp_path: Path, save_quads: Save) -> None:
    save_quads(tmp_path / "q.gltf", [{"uv": UNIT, "material": MATERIAL}], (IMAGE,))
    changed(tmp_path / "q.gltf", lambda tree: tree["nodes"][0].update(scale=[-1, 2, 1], translation=[5, 0, 0]))
    (part,) = read_parts(tmp_path / "q.gltf", materials=True)
    assert np.allclose(part.vertices[:, :2], [[5, 0], [4, 0], [4, 2], [5, 2]])
    assert np.allclose(part.uv, UNIT)
