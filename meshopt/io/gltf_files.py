"""What a glTF file says of colours: its materials, and of its primitives the places on them and colours of vertices."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from meshopt.errors import InputError
from meshopt.io.encoded_images import EncodedImage
from meshopt.io.materials import PLAIN, Material, Wrap

# how components are stored, and by what integers that stand for fractions are divided
_TYPES = {5120: ("<i1", 127), 5121: ("<u1", 255), 5122: ("<i2", 32767), 5123: ("<u2", 65535), 5126: ("<f4", 1)}
_WIDTHS = {"VEC2": 2, "VEC3": 3, "VEC4": 4}
_WRAPS: dict[int, Wrap] = {10497: "repeat", 33648: "mirror", 33071: "clamp"}
_DRAWN = (0, 1, 4, 5)  # modes of primitives that trimesh makes something of: points, lines, triangles, strips


@dataclass(frozen=True)
class Look:
    """A primitive's material, and its vertices' places on the material's image (v down) and colours (linear light)."""

    material: Material
    uv: Float[np.ndarray, "N 2"] | None
    colors: Float[np.ndarray, "N 3"] | None


@dataclass(frozen=True, eq=False)
class GltfFile:
    """A glTF file's JSON and, in a .glb, its binary chunk; `fetch` reads the files that it refers to."""

    path: Path
    tree: dict[str, Any]
    chunk: bytes
    fetch: Callable[[str], bytes]

    def looks(self) -> list[Look]:
        """Of every primitive that trimesh makes something of, in trimesh's order."""
        primitives = [p for mesh in self.tree.get("meshes", ()) for p in mesh["primitives"]]
        return [self._look(p) for p in primitives if p.get("mode", 4) in _DRAWN]

    def _look(self, primitive: dict[str, Any]) -> Look:
        attributes = primitive["attributes"]
        colors = self._array(attributes["COLOR_0"])[:, :3] if "COLOR_0" in attributes else None
        if "material" not in primitive:
            return Look(PLAIN, None, colors)
        texture, material = self._materials[primitive["material"]]
        place = _extension(texture, "KHR_texture_transform")
        name = f"TEXCOORD_{place.get('texCoord', texture.get('texCoord', 0))}"
        if material.image is None or name not in attributes:
            return Look(material, None, colors)
        uv = self._array(attributes[name])
        return Look(material, _moved(uv, place) if place else uv, colors)

    @cached_property
    def _materials(self) -> list[tuple[dict[str, Any], Material]]:
        return [self._material(item) for item in self.tree.get("materials", ())]

    def _material(self, item: dict[str, Any]) -> tuple[dict[str, Any], Material]:
        """A material, and what says which texture it has."""
        base, older = item.get("pbrMetallicRoughness", {}), _extension(item, "KHR_materials_pbrSpecularGlossiness")
        texture = older.get("diffuseTexture", {}) if older else base.get("baseColorTexture", {})
        factor = older.get("diffuseFactor") if older else base.get("baseColorFactor")
        red, green, blue, alpha = (float(f) for f in factor or (1, 1, 1, 1))
        image, wrap = self._texture(texture["index"]) if "index" in texture else (None, PLAIN.wrap)
        clear = item.get("alphaMode", "OPAQUE") != "OPAQUE"
        name = item.get("name", "")
        return texture, Material(name, image, (red, green, blue), wrap, clear and alpha < 1, clear)

    def _texture(self, index: int) -> tuple[EncodedImage, tuple[Wrap, Wrap]]:
        texture = self.tree["textures"][index]
        sampler = self.tree["samplers"][texture["sampler"]] if "sampler" in texture else {}
        wrap = _WRAPS[sampler.get("wrapS", 10497)], _WRAPS[sampler.get("wrapT", 10497)]
        sources = [_extension(texture, name).get("source") for name in ("EXT_texture_webp", "EXT_texture_avif")]
        source = next((s for s in (*sources, texture.get("source")) if s is not None), None)
        if source is None:
            kinds = ", ".join(texture.get("extensions", {})) or "no image"
            raise InputError(f"{self.path}: texture {index} has {kinds}, expected a PNG, JPEG or WebP image")
        return self._image(source), wrap

    def _image(self, index: int) -> EncodedImage:
        """An image inside the file or beside it; one object however often it is used."""
        if index not in self._images:
            item = self.tree["images"][index]
            uri = item.get("uri", "data:")
            label = f"{self.path}: image {index if uri.startswith('data:') else repr(uri[:80])}"
            read = partial(self._view, item["bufferView"]) if "bufferView" in item else partial(self._bytes, uri)
            self._images[index] = EncodedImage(label, read)
        return self._images[index]

    @cached_property
    def _images(self) -> dict[int, EncodedImage]:
        return {}

    def _array(self, index: int) -> Float[np.ndarray, "N C"]:
        """An accessor's rows; integers are fractions of their largest."""
        accessor = self.tree["accessors"][index]
        if "bufferView" not in accessor or "sparse" in accessor:
            raise InputError(
                f"{self.path}: texture coordinates or colours are sparse or compressed, expected plain ones"
            )
        (kind, most), width = _TYPES[accessor["componentType"]], _WIDTHS[accessor["type"]]
        item = np.dtype(kind)
        stride = self.tree["bufferViews"][accessor["bufferView"]].get("byteStride", width * item.itemsize)
        data = self._view(accessor["bufferView"])[accessor.get("byteOffset", 0) :]
        if accessor["count"] and len(data) < (accessor["count"] - 1) * stride + width * item.itemsize:
            raise ValueError("a buffer is shorter than its accessors")
        rows = np.ndarray((accessor["count"], width), item, data, strides=(stride, item.itemsize))
        return np.maximum(rows.astype(np.float64) / most, -1) if most > 1 else rows.astype(np.float64)

    def _view(self, index: int) -> bytes:
        view = self.tree["bufferViews"][index]
        start = view.get("byteOffset", 0)
        return self._buffers[view["buffer"]][start : start + view["byteLength"]]

    @cached_property
    def _buffers(self) -> list[bytes]:
        return [self._bytes(b["uri"]) if "uri" in b else self.chunk for b in self.tree.get("buffers", ())]

    def _bytes(self, uri: str) -> bytes:
        return base64.b64decode(uri.partition("base64,")[2]) if uri.startswith("data:") else self.fetch(uri)


def open_gltf(path: Path, fetch: Callable[[str], bytes]) -> GltfFile:
    """Reads the JSON, of a .glb also the chunk behind it. Raises whatever a broken file leads to."""
    with path.open("rb") as file:
        head = file.read(20)
        binary = head[:4] == b"glTF"
        text = file.read(struct.unpack_from("<I", head, 12)[0]) if binary else head + file.read()
        place, chunk = file.read(8) if binary else b"", b""
        if len(place) == 8 and place[4:] == b"BIN\0":
            chunk = file.read(struct.unpack("<I4s", place)[0])
    tree = json.loads(text)
    if not isinstance(tree, dict):
        raise TypeError("its JSON is no object")
    return GltfFile(path, tree, chunk, fetch)


def _extension(item: dict[str, Any], name: str) -> dict[str, Any]:
    found = item.get("extensions", {}).get(name, {})
    return found if isinstance(found, dict) else {}


def _moved(uv: Float[np.ndarray, "N 2"], place: dict[str, Any]) -> Float[np.ndarray, "N 2"]:
    """Where KHR_texture_transform puts them: scaled, turned counter-clockwise seen on the image, shifted."""
    turn = float(place.get("rotation", 0.0))
    cosine, sine = math.cos(turn), math.sin(turn)
    scaled = uv * np.asarray(place.get("scale", (1, 1)), np.float64)
    turned = scaled @ np.array([[cosine, -sine], [sine, cosine]])  # u' = cos u + sin v
    return turned + np.asarray(place.get("offset", (0, 0)), np.float64)
