"""MTL files: the materials of OBJ files."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from meshopt.colorspace import srgb_to_linear
from meshopt.io.encoded_images import EncodedImage
from meshopt.io.materials import PLAIN, Material, Wrap

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
# options of a map statement: how many words follow at least and at most
_OPTIONS = {
    **dict.fromkeys(("-s", "-o", "-t"), (1, 3)),
    **dict.fromkeys(("-blendu", "-blendv", "-cc", "-clamp", "-texres", "-bm", "-boost", "-imfchan", "-type"), (1, 1)),
    "-mm": (2, 2),
}


@dataclass(frozen=True)
class MtlMaterial:
    """A material, and how its image lies: uv * scale + shift, v up, is where it is looked up."""

    material: Material
    scale: tuple[float, float] = (1.0, 1.0)
    shift: tuple[float, float] = (0.0, 0.0)

    def places(self, uv: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 2"]:
        """Of OBJ's texture coordinates (v up) those on the image, v down."""
        moved = uv * self.scale + np.asarray(self.shift)
        return np.stack([moved[:, 0], 1 - moved[:, 1]], axis=1)


PLAIN_MTL = MtlMaterial(PLAIN)


@dataclass
class _Entry:
    """A material's statements, as far as they matter."""

    diffuse: tuple[float, ...] = (1.0, 1.0, 1.0)
    image: str | None = None
    clamp: bool = False
    scale: tuple[float, float] = (1.0, 1.0)
    shift: tuple[float, float] = (0.0, 0.0)
    opacity: float = 1.0


def read_materials(path: Path, fetch: Callable[[str], bytes]) -> dict[str, MtlMaterial]:
    """The materials that the OBJ file `path` uses, by name; PLAIN_MTL for those that its MTL files do not have.

    Kd is sRGB, as viewers take it; beside an image it is left out, for what exporters write there varies. Raises
    InputError for an MTL file that cannot be fetched; images are fetched when they are needed.
    """
    text, entries = path.read_bytes(), dict[str, _Entry]()
    for library in _statements(text, b"mtllib"):
        entries |= _parsed(fetch(library))
    images = {e.image: _image(path, e.image, fetch) for e in entries.values() if e.image}
    used = _statements(text, b"usemtl")
    return {name: _material(name, entries[name], images) if name in entries else PLAIN_MTL for name in used}


def _statements(text: bytes, key: bytes) -> list[str]:
    """What stands behind a key word at the beginnings of lines, each once."""
    lines = re.findall(rb"^[ \t]*" + key + rb"[ \t](.*)$", text, re.MULTILINE)
    names = dict.fromkeys(line.strip(b" \t\r") for line in lines)
    return [name.decode("utf-8", "replace") for name in names if name]


def _image(path: Path, name: str, fetch: Callable[[str], bytes]) -> EncodedImage:
    return EncodedImage(f"{path}: image {name[:80]!r}", partial(fetch, name))


def _parsed(data: bytes) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    entry = _Entry()
    for line in data.decode("utf-8", "replace").replace("\\\n", " ").splitlines():
        key, *words = line.split()[:4] or [""]
        key, rest = key.lower(), line.strip()[len(key) :].strip()
        numbers = [float(word) for word in words if _NUMBER.fullmatch(word)]
        if key == "newmtl":
            entry = entries[rest] = _Entry()
        elif key == "kd" and len(numbers) == len(words) > 0:
            entry.diffuse = tuple(numbers) if len(numbers) == 3 else (numbers[0],) * 3
        elif key in ("d", "tr") and numbers:
            entry.opacity = numbers[0] if key == "d" else 1 - numbers[0]
        elif key == "map_d":
            entry.opacity = 0.0
        elif key == "map_kd":
            _read_map(entry, rest)
    return entries


def _material(name: str, entry: _Entry, images: dict[str, EncodedImage]) -> MtlMaterial:
    clear = entry.opacity < 1
    if entry.image:
        wrap: tuple[Wrap, Wrap] = ("clamp", "clamp") if entry.clamp else PLAIN.wrap
        return MtlMaterial(Material(name, images[entry.image], wrap=wrap, clear=clear), entry.scale, entry.shift)
    red, green, blue = (float(c) for c in srgb_to_linear(np.clip(entry.diffuse, 0, 1)))
    return MtlMaterial(Material(name, None, (red, green, blue), clear=clear))


def _read_map(entry: _Entry, text: str) -> None:
    """Takes the options of a map_Kd statement off its front; what is left is the file's name, spaces and all."""
    while text.startswith("-"):
        option, _, rest = text.partition(" ")
        if option not in _OPTIONS:
            break
        least, most = _OPTIONS[option]
        values: list[str] = []
        while len(values) < most:
            word, _, behind = rest.lstrip().partition(" ")
            if len(values) >= least and not _NUMBER.fullmatch(word):
                break
            values, rest = [*values, word], behind
        text = rest.lstrip()
        if option == "-clamp":
            entry.clamp = values[0].lower() == "on"
        elif option in ("-s", "-o") and all(_NUMBER.fullmatch(value) for value in values):
            rest_is = "1" if option == "-s" else "0"
            u, v = (float(value) for value in [*values, rest_is][:2])
            if option == "-s":
                entry.scale = (u, v)
            else:
                entry.shift = (u, v)
    entry.image = text or None
