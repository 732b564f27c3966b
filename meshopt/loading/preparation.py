"""One view from its files: vectors as stored, mask and colours on one square pixel grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from meshopt import matting
from meshopt.cutout import mask_from_rembg
from meshopt.errors import InputError
from meshopt.frames import inspect, to_vectors
from meshopt.io.images import Picture, resample, resample_weighted, to_square
from meshopt.loading.layouts import Slot
from meshopt.loading.pictures import Pictures
from meshopt.matting import Matting

NEARLY_SQUARE = 0.02  # images of a rig may be so much off square: they are stretched
AGREEMENT = 0.9  # IoU of the two masks of a view from which on they count as the same
REACH = 3.0  # pixels: so far into the mask's rim normals are carried where they are missing
EMPTY, FULL = 1e-4, 0.999  # shares of the image at which a mask is no mask


@dataclass(frozen=True)
class MaskOptions:
    """How masks are made; see `LoadOptions`."""

    matting: Matting = "auto"
    model: str | None = None


@dataclass(frozen=True)
class Prepared:
    """One view on R x R pixels: vectors as stored (not normalised; zero without a normal map), coverage, sRGB
    colours, and what was done.
    """

    vectors: Float[np.ndarray, "R R 3"]
    mask: Float[np.ndarray, "R R"]
    rgb: Float[np.ndarray, "R R 3"] | None
    mask_from: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Mask:
    """A mask at its picture's resolution, where it comes from, and which picture that is."""

    values: Float[np.ndarray, "H W"]
    source: str
    picture: Literal["normals", "rgb", "none"]


@dataclass(frozen=True)
class _NormalMap:
    """A normal map and its vectors as stored."""

    picture: Picture
    stored: Float[np.ndarray, "H W 3"]


@dataclass(frozen=True)
class _Vectors:
    """A normal map's vectors, background removed, how much each pixel counts, and what was done, or nothing."""

    values: Float[np.ndarray, "H W 3"]
    weight: Float[np.ndarray, "H W"]
    sentence: str


@dataclass(frozen=True)
class Fitting:
    """How images come onto the common square grid of `resolution`: by padding to a square an image of the
    shape of `padded` (rows, columns), or, None, by stretching what is nearly square.
    """

    resolution: int
    padded: tuple[int, int] | None = None

    def square(self, image: Float[np.ndarray, "H W *C"]) -> Float[np.ndarray, "h w *C"]:
        """The image with the common grid's rectangle, at its own resolution."""
        if self.padded is None:
            return image
        side, longest = max(image.shape[:2]), max(self.padded)
        rows, columns = (round(side * size / longest) for size in self.padded)
        return to_square(resample(image, rows, columns))

    def plain(self, image: Float[np.ndarray, "H W *C"]) -> Float[np.ndarray, "R R *C"]:
        """The image on the common grid."""
        return resample(self.square(image), self.resolution, self.resolution)

    def weighted(
        self, image: Float[np.ndarray, "H W C"], weight: Float[np.ndarray, "H W"]
    ) -> Float[np.ndarray, "R R C"]:
        """As `plain`, each pixel counting by its weight."""
        premultiplied = self.square(np.where(weight[..., None] > 0, image, 0) * weight[..., None])
        mass = self.square(weight)
        pure = premultiplied / np.maximum(mass, 1e-6)[..., None]
        return resample_weighted(pure, mass, self.resolution, self.resolution)


def prepare(slot: Slot, pictures: Pictures, options: MaskOptions, fitting: Fitting) -> Prepared:
    """Reads, masks and resamples one view. Raises InputError, with its file's name, for an image that
    cannot be used.
    """
    picture = None if slot.normals is None else pictures.read(slot.normals)
    colour = None if slot.rgb is None else pictures.read(slot.rgb)
    try:
        normal = None if picture is None else _NormalMap(picture, _stored(picture))
        masks = _masks(slot, normal, colour, options)
        read = None if normal is None else _vectors(normal, masks)
    except InputError as error:
        if str(slot.image.path.parent) in str(error):
            raise
        raise InputError(f"{slot.image.path}: {error}") from error
    notes = [read.sentence] if read is not None and read.sentence else []
    fitted_masks = [_Mask(np.clip(fitting.plain(m.values), 0, 1), m.source, m.picture) for m in masks]
    mask, source = _combined(fitted_masks, notes)
    _check_coverage(slot, mask, source, options)
    vectors = np.zeros((*mask.shape, 3), np.float32) if read is None else _fitted_vectors(read, mask, fitting)
    rgb = None if colour is None else _colours(colour, masks, mask, fitting)
    return Prepared(vectors, mask, rgb, source, tuple(notes))


def _stored(normal: Picture) -> Float[np.ndarray, "H W 3"]:
    return 2 * normal.pixels - 1 if inspect(normal.pixels, normal.alpha).coded else normal.pixels


def _vectors(normal: _NormalMap, masks: list[_Mask]) -> _Vectors:
    """The vectors, where the mask tells what edge pixels are blended with."""
    pixels = normal.picture.pixels
    alpha = next((m.values for m in masks if m.picture == "normals"), normal.picture.alpha)
    if alpha is None:
        alpha = matting.mask_from_vectors(normal.stored)
    storage = inspect(pixels, alpha)
    vectors = to_vectors(pixels, alpha, storage)
    weight = (np.linalg.norm(vectors, axis=2) > 0.1) * (1.0 if alpha is None else alpha)
    return _Vectors(vectors, weight.astype(np.float32), storage.sentence)


def _fitted_vectors(read: _Vectors, mask: np.ndarray, fitting: Fitting) -> Float[np.ndarray, "R R 3"]:
    fitted = fitting.weighted(read.values, read.weight)
    fitted = _filled(fitted, np.linalg.norm(fitted, axis=2) > 0.1, mask > 0, REACH)
    return np.where(mask[..., None] > 0, fitted, 0)


def view_shapes(slot: Slot, pictures: Pictures, pad: bool) -> list[tuple[int, int]]:
    """Rows and columns of the view's images, the colour image first; raises InputError where shapes do not
    fit.
    """
    sizes = {tile: pictures.size(tile) for tile in (slot.rgb, slot.normals) if tile is not None}
    for tile, (height, width) in sizes.items():
        if not pad and abs(np.log(width / height)) > NEARLY_SQUARE:
            raise InputError(
                f"{tile.path} is {width} x {height} pixels, but the rig's views are square: crop or pad it, "
                "or describe its camera in a cameras file (--rig FILE.json)."
            )
    (first, a), *_, (last, b) = [*sizes.items(), *sizes.items()]
    if abs(np.log(a[1] * b[0] / (a[0] * b[1]))) > NEARLY_SQUARE:
        raise InputError(
            f"view {slot.name!r}: {first.path} is {a[1]} x {a[0]} pixels and {last.path} is {b[1]} x {b[0]}: "
            "expected the same shape (the size may differ)."
        )
    return list(sizes.values())


def _masks(slot: Slot, normal: _NormalMap | None, colour: Picture | None, options: MaskOptions) -> list[_Mask]:
    """The masks that the options allow, the most trusted first."""
    how = options.matting
    shown = normal.picture if normal is not None else colour
    assert shown is not None
    if how == "none":
        return [_Mask(np.ones(shown.shape, np.float32), "nothing: every pixel counts", "none")]
    found = [] if normal is None else _masks_of_normals(normal, how)
    if how in ("auto", "alpha") and colour is not None and colour.alpha is not None:
        found.append(_Mask(colour.alpha, "the colour image's alpha", "rgb"))
    if (how == "background" or (how == "auto" and not found)) and colour is not None:
        mask = matting.mask_from_background(colour.pixels)
        found += [] if mask is None else [_Mask(mask, "the colour image's solid background", "rgb")]
    if how == "rembg":
        kind: Literal["normals", "rgb"] = "normals" if colour is None else "rgb"
        pixels = shown.pixels if colour is None else colour.pixels
        if not shown.encoded and colour is None:
            pixels = (pixels + 1) / 2
        found.append(_Mask(mask_from_rembg(pixels, options.model), "rembg", kind))
    if not found:
        raise _no_mask(slot, how)
    return found


def _masks_of_normals(normal: _NormalMap, how: Matting) -> list[_Mask]:
    alpha, found = normal.picture.alpha, []
    if how in ("auto", "alpha") and alpha is not None:
        values = matting.without_halo(alpha, _unmixed(normal))
        found.append(_Mask(values, "the normal map's alpha", "normals"))
    if (how == "auto" and alpha is None) or how == "normals":
        mask = matting.mask_from_vectors(normal.stored)
        found += [] if mask is None else [_Mask(mask, "the normal map's background", "normals")]
    return found


def _unmixed(normal: _NormalMap) -> np.ndarray:
    """Stored vectors of a picture with alpha, premultiplication undone."""
    pixels, alpha = normal.picture.pixels, normal.picture.alpha
    storage = inspect(pixels, alpha)
    return normal.stored if storage.blend is None else to_vectors(pixels, alpha, storage)


def _no_mask(slot: Slot, how: Matting) -> InputError:
    files = ", ".join(tile.label for tile in (slot.rgb, slot.normals) if tile is not None)
    missing = {
        "auto": "neither alpha nor a solid background was found",
        "alpha": "no alpha channel was found",
        "normals": "the normal map's border shows no solid background",
        "background": "the colour image is missing or its border shows no solid background",
    }[how]
    if how == "normals" and slot.normals is None:
        missing = "--matting normals needs a normal map"
    return InputError(
        f"view {slot.name!r} ({files} in {slot.image.path.parent}): {missing}; save the images with alpha, "
        "or use another --matting (rembg cuts out photographs)."
    )


def _combined(masks: list[_Mask], notes: list[str]) -> tuple[Float[np.ndarray, "R R"], str]:
    """One mask of those found: what all of them cover, unless they contradict each other; then the first
    one.
    """
    first = masks[0]
    if len(masks) == 1:
        return first.values, first.source
    second = masks[1]
    agreement = matting.iou(first.values, second.values)
    if agreement < AGREEMENT:
        notes.append(
            f"{first.source} and {second.source} disagree (IoU {agreement:.2f}): the former was used for the mask."
        )
        return first.values, first.source
    return np.minimum(first.values, second.values), f"{first.source} and {second.source}"


def _check_coverage(slot: Slot, mask: np.ndarray, source: str, options: MaskOptions) -> None:
    share = float((mask > 0.5).mean())
    if EMPTY < share < FULL or (options.matting == "none"):
        return
    what = "empty: it covers nothing" if share <= EMPTY else "full: it covers the whole image"
    raise InputError(
        f"view {slot.name!r}: the mask from {source} ({slot.image.path}) is {what}; check the image, or "
        "use another --matting."
    )


def _colours(colour: Picture, masks: list[_Mask], mask: np.ndarray, fitting: Fitting) -> Float[np.ndarray, "R R 3"]:
    """sRGB inside the mask, 0 outside: edge pixels freed of the background, gaps filled from the nearest
    pixel.
    """
    pixels = np.clip(colour.pixels, 0, 1)
    weight = colour.alpha
    if weight is None:
        weight = next((m.values for m in masks if m.picture == "rgb"), None)
        if weight is None:
            weight = matting.mask_from_background(pixels)
        if weight is None:
            weight = np.ones(colour.shape, np.float32)
        else:
            pixels = matting.unmix(pixels, weight, matting.border_background(pixels).colour)
    fitted = fitting.weighted(pixels, weight)
    fitted = _filled(fitted, fitting.plain(weight) > 0.1, mask > 0, np.inf)
    return np.where(mask[..., None] > 0, fitted, 0).astype(np.float32)


def _filled(image: np.ndarray, known: np.ndarray, wanted: np.ndarray, reach: float) -> np.ndarray:
    """The image with unknown pixels, where wanted, taken from the nearest known one within `reach` pixels."""
    gaps = wanted & ~known
    if not gaps.any() or not known.any():
        return image
    distance, (rows, columns) = ndimage.distance_transform_edt(~known, return_indices=True)
    gaps &= distance <= reach
    result = image.copy()
    result[gaps] = image[rows[gaps], columns[gaps]]
    return result
