"""One image for all materials of a mesh file.

Every material gets the part of its image that faces use, repeated as far as a face runs on beyond the edges, and some
texels around it that go on as the material does: looked up bilinearly, the sheet gives the material's own colours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8

from meshopt.colorspace import linear_to_srgb, srgb_to_linear
from meshopt.io.encoded_images import EncodedImage
from meshopt.io.materials import Material, Wrap
from meshopt.io.mesh_parts import Part
from meshopt.mesh import Texture

MAX_SIDE = 4096  # texels: larger images are reduced
MAX_TEXELS = 64 * 1024 * 1024  # of all pieces together: 192 MB
MAX_REPEATS = 16  # of an image along one side of a face; a face with more shows so many
PADDING = 8  # texels around a piece
_SLACK = 1e-3  # of an image: so far a face may reach over an edge and still count as within


@dataclass(frozen=True, eq=False)
class Sheet:
    """The texture, and what had to be changed for it, one sentence each."""

    texture: Texture
    notes: tuple[str, ...]


@dataclass(eq=False)
class _Look:
    """A material with an image, and the faces that have it: corners in images' widths and heights, v down."""

    image: EncodedImage
    factor: tuple[float, float, float]
    corners: Float[np.ndarray, "n 3 2"]
    faces: Int[np.ndarray, " n"]
    wrap: tuple[Wrap, Wrap]
    squeezed: int
    size: tuple[int, int] = (1, 1)  # rows and columns of the image as it is drawn

    def span(self) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
        """The rectangle that faces use."""
        return self.corners.min((0, 1)), self.corners.max((0, 1))

    def area(self) -> float:
        """In texels."""
        low, high = self.span()
        return float(np.prod(np.maximum((high - low) * self.size[::-1], 1.0)))


@dataclass(frozen=True, eq=False)
class _Piece:
    """A rectangle of the sheet: its rows and columns, what draws it, and where in it (x, y) the faces' corners lie."""

    shape: tuple[int, int]
    draw: Callable[[], UInt8[np.ndarray, "H W 3"]]
    places: Float[np.ndarray, "n 3 2"]
    faces: Int[np.ndarray, " n"]


def needs_sheet(parts: Sequence[Part]) -> bool:
    """Whether one colour per vertex cannot hold what the parts' materials say."""
    if any(_has_image(part) for part in parts):
        return True
    solid = {part.material.factor for part in parts if part.colors is None}
    return len(solid) > 1 or (bool(solid) and any(part.colors is not None for part in parts))


def vertex_colors(part: Part) -> Float[np.ndarray, "N 3"] | None:
    """A part's colours where no sheet is needed: its vertices' own, or its material's; None where it is just white."""
    if part.colors is not None or part.material.factor == (1.0, 1.0, 1.0):
        return part.colors
    return np.broadcast_to(_solid(part.material), part.vertices.shape).copy()


def texture_sheet(
    parts: Sequence[Part], kept: Sequence[Bool[np.ndarray, " _"]], vertices: Int[np.ndarray, "F 3"]
) -> Sheet:
    """The texture of a mesh that was put together from the `kept` faces of `parts`, in order.

    `vertices` are the mesh's faces. Vertex colours count where a part has no image. Raises InputError for an image that
    is missing or cannot be decoded.
    """
    starts = np.cumsum([0, *(int(k.sum()) for k in kept)])
    numbered = [(p, k, np.arange(a, b)) for p, k, a, b in zip(parts, kept, starts[:-1], starts[1:], strict=True)]
    numbered = [item for item in numbered if len(item[2])]
    looks = list(_looks(numbered))
    notes = _fit(looks) + _transparency([part for part, _, _ in numbered])
    if any(_has_image(part) and part.colors is not None for part, _, _ in numbered):
        notes.append("colours of vertices beside a texture are left out")
    pieces = [*map(_image_piece, looks), *_plain_pieces(numbered)]
    color, places = _laid_out(pieces, len(vertices))
    return Sheet(_texture(color, places, vertices), tuple(notes))


def _has_image(part: Part) -> bool:
    return part.material.image is not None and part.uv is not None


def _solid(material: Material) -> Float[np.ndarray, "3"]:
    """A material's colour, sRGB."""
    return linear_to_srgb(np.clip(material.factor, 0, 1))


Numbered = Sequence[tuple[Part, Bool[np.ndarray, " _"], Int[np.ndarray, " _"]]]  # kept faces, and their numbers


def _looks(parts: Numbered) -> Iterator[_Look]:
    """One for parts that have the same image, times the same factor, going on in the same way."""
    groups: dict[tuple[int, object, object], list[int]] = {}
    for i, (part, _, _) in enumerate(parts):
        if _has_image(part):
            key = id(part.material.image), part.material.factor, part.material.wrap
            groups.setdefault(key, []).append(i)
    for members in groups.values():
        material = parts[members[0]][0].material
        corners = np.concatenate([np.asarray(p.uv)[p.faces[kept]] for p, kept, _ in (parts[i] for i in members)])
        corners, squeezed = _into_reach(corners, material.wrap)
        faces = np.concatenate([parts[i][2] for i in members])
        assert material.image is not None
        yield _Look(material.image, material.factor, corners, faces, material.wrap, squeezed)


def _into_reach(corners: Float[np.ndarray, "n 3 2"], wrap: tuple[Wrap, Wrap]) -> tuple[Float[np.ndarray, "n 3 2"], int]:
    """Every face moved by whole periods to the image's beginning, and how many had to be made smaller on it."""
    moved, squeezed = np.nan_to_num(corners, nan=0.0, posinf=0.0, neginf=0.0), np.zeros(len(corners), bool)
    for axis, kind in enumerate(wrap):
        along = moved[..., axis]
        if kind == "clamp":
            beyond = (along < -MAX_REPEATS) | (along > MAX_REPEATS + 1)
            squeezed |= beyond.any(1) & (along.min(1) < 1) & (along.max(1) > 0)
            along = np.clip(along, -MAX_REPEATS, MAX_REPEATS + 1)
            outside = np.where(along.min(1) >= 1, 1.0, np.where(along.max(1) <= 0, 0.0, np.nan))[:, None]
            moved[..., axis] = np.where(np.isnan(outside), along, outside)  # one colour: its edge will do
            continue
        period = 2 if kind == "mirror" else 1
        along = along - period * np.floor((along.min(1, keepdims=True) + _SLACK) / period)
        low, span = along.min(1, keepdims=True), np.ptp(along, axis=1, keepdims=True)
        squeezed |= (span > MAX_REPEATS)[:, 0]
        moved[..., axis] = low + (along - low) * np.minimum(1, MAX_REPEATS / np.maximum(span, 1e-9))
    return moved, int(squeezed.sum())


def _fit(looks: Sequence[_Look]) -> list[str]:
    """Sizes at which images are drawn, so that all pieces together stay within MAX_TEXELS: the largest give way.

    Gives a sentence for each look that has lost something.
    """
    for look in looks:
        look.size = _capped(look.image.size())
    areas = sorted(look.area() for look in looks)
    left, most = float(MAX_TEXELS), math.inf
    for k, area in enumerate(areas):
        if area * (len(areas) - k) > left:
            most = left / (len(areas) - k)
            break
        left -= area
    notes = []
    for look in looks:
        share = math.sqrt(min(1.0, most / look.area()))
        full, name = look.image.size(), look.image.label.rpartition(": ")[2]
        look.size = max(1, int(look.size[0] * share)), max(1, int(look.size[1] * share))
        if look.size != full:
            sizes = f"{full[1]} x {full[0]} to {look.size[1]} x {look.size[0]}"
            notes.append(f"{name} is reduced from {sizes} pixels")
        if look.squeezed:
            over = f"more than {MAX_REPEATS} times, or run far over its edge"
            notes.append(f"{look.squeezed} faces repeat {name} {over}: they show it larger")
    return notes


def _capped(size: tuple[int, int]) -> tuple[int, int]:
    share = min(1.0, MAX_SIDE / max(size))
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))


def _image_piece(look: _Look) -> _Piece:
    size = np.array(look.size[::-1])
    low, high = look.span()
    first = np.floor(low * size).astype(int) - PADDING
    columns, rows = np.ceil(high * size).astype(int) + PADDING - first
    indices = [
        _continued(np.arange(start, start + count), int(length), kind)
        for start, count, length, kind in zip(first, (columns, rows), size, look.wrap, strict=True)
    ]
    draw = partial(_cut, look, indices[1], indices[0])
    return _Piece((int(rows), int(columns)), draw, look.corners * size - first, look.faces)


def _continued(index: Int[np.ndarray, " n"], length: int, kind: Wrap) -> Int[np.ndarray, " n"]:
    """Texels of an axis of `length` texels that stand for those of any number."""
    if kind == "clamp":
        return np.clip(index, 0, length - 1)
    if kind == "repeat":
        return index % length
    index = index % (2 * length)
    return np.minimum(index, 2 * length - 1 - index)


def _cut(look: _Look, rows: Int[np.ndarray, " h"], columns: Int[np.ndarray, " w"]) -> UInt8[np.ndarray, "h w 3"]:
    image, _ = look.image.pixels(*look.size)
    if look.factor != (1.0, 1.0, 1.0):
        levels = srgb_to_linear(np.arange(256) / 255)
        tables = [np.round(255 * linear_to_srgb(np.clip(levels * f, 0, 1))).astype(np.uint8) for f in look.factor]
        image = np.stack([table[image[..., c]] for c, table in enumerate(tables)], axis=-1)
    return image[rows][:, columns]


def _plain_pieces(parts: Numbered) -> Iterator[_Piece]:
    """Parts without an image: a patch for every colour, and cells for colours of vertices."""
    solids: dict[tuple[float, float, float], list[Int[np.ndarray, " n"]]] = {}
    for part, kept, faces in parts:
        if not _has_image(part) and part.colors is None:
            solids.setdefault(part.material.factor, []).append(faces)
        elif not _has_image(part):
            yield _cells(np.clip(np.asarray(part.colors)[part.faces[kept]], 0, 1), faces)
    side = 2 * PADDING
    for factor, members in solids.items():
        color = np.round(255 * linear_to_srgb(np.clip(factor, 0, 1))).astype(np.uint8)
        faces = np.concatenate(members)
        middle = np.full((len(faces), 3, 2), float(PADDING))
        yield _Piece((side, side), partial(np.tile, color, (side, side, 1)), middle, faces)


def _cells(colors: Float[np.ndarray, "n 3 3"], faces: Int[np.ndarray, " n"]) -> _Piece:
    """2 x 2 texels for every face, its corners in the middles of three: bilinear between them is linear on the face."""
    across = math.ceil(math.sqrt(len(faces)))
    down = -(-len(faces) // across)
    a, b, c = colors[:, 0], colors[:, 1], colors[:, 2]
    texels = np.zeros((down * across, 2, 2, 3), np.uint8)
    texels[: len(faces)] = np.round(255 * np.clip(np.stack([a, b, c, b + c - a], 1), 0, 1)).reshape(-1, 2, 2, 3)
    image = texels.reshape(down, across, 2, 2, 3).swapaxes(1, 2).reshape(2 * down, 2 * across, 3)
    row, column = np.divmod(np.arange(len(faces)), across)
    corner = np.stack([2.0 * column + 0.5, 2.0 * row + 0.5], axis=1)[:, None]
    return _Piece(image.shape[:2], lambda: image, corner + np.array([[0, 0], [1, 0], [0, 1]]), faces)


def _laid_out(pieces: Sequence[_Piece], count: int) -> tuple[UInt8[np.ndarray, "H W 3"], Float[np.ndarray, "F 3 2"]]:
    """The pieces on shelves, the highest first, and where on the sheet (x, y in texels) the corners lie."""
    total = sum(math.prod(piece.shape) for piece in pieces)
    width = max(math.ceil(math.sqrt(total)), *(piece.shape[1] for piece in pieces))
    x = y = shelf = 0
    corners: list[tuple[int, int]] = [(0, 0)] * len(pieces)
    for i in sorted(range(len(pieces)), key=lambda i: -pieces[i].shape[0]):
        rows, columns = pieces[i].shape
        if x + columns > width:
            x, y, shelf = 0, y + shelf, 0
        corners[i], x, shelf = (x, y), x + columns, max(shelf, rows)
    sheet, places = np.zeros((y + shelf, width, 3), np.uint8), np.zeros((count, 3, 2))
    for piece, (left, top) in zip(pieces, corners, strict=True):
        sheet[top : top + piece.shape[0], left : left + piece.shape[1]] = piece.draw()
        places[piece.faces] = piece.places + np.array([left, top])
    return sheet, places


def _texture(
    color: UInt8[np.ndarray, "H W 3"], places: Float[np.ndarray, "F 3 2"], vertices: Int[np.ndarray, "F 3"]
) -> Texture:
    """Corners of one vertex at one place share a row."""
    rows, columns = color.shape[:2]
    uv = (places.reshape(-1, 2) / (columns, rows)).astype(np.float32)
    keys = np.concatenate([vertices.reshape(-1, 1).astype(np.float64), uv], axis=1)
    _, first, index = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return Texture(
        torch.from_numpy(uv[first]),
        torch.from_numpy(index.reshape(-1, 3).astype(np.int32)),
        torch.from_numpy(color),
    )


def _transparency(parts: Sequence[Part]) -> list[str]:
    """A sentence where a material is not opaque."""
    materials = {id(part.material): part.material for part in parts}.values()
    clear = [material.name for material in materials if material.clear or _shines_through(material)]
    if not clear:
        return []
    names = ", ".join(repr(name) for name in dict.fromkeys(clear) if name)
    which = f" ({names})" if names else ""
    return [f"some of it is transparent{which}, which is left out: it is drawn as if it were solid"]


def _shines_through(material: Material) -> bool:
    """Whether its image's alpha counts, and is below 1 somewhere."""
    return material.see_through and material.image is not None and material.image.pixels(64, 64)[1]
