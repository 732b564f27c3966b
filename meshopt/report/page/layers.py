"""What is shown of every view, layer by layer: colours, normals, angles between them, silhouettes, disagreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from meshopt.report.page.images import with_cover
from meshopt.report.preview import Pictures, angle_map, silhouettes
from meshopt.report.sheets import Color, array, heat
from meshopt.views import ViewSet

SIDE, SIDE_OF_MANY, MANY = 512, 320, 8  # pixels of a picture, fewer where there are more than MANY views
NEUTRAL: Color = (140, 147, 158)  # to be told from the page, light and dark, and from the scales
Legend = Literal["", "heat", "normals", "silhouettes"]


@dataclass(frozen=True)
class Layer:
    """One picture per view, RGBA. `words` say what it shows, `legend` what its colours stand for."""

    key: str
    label: str
    words: str
    pictures: list[UInt8[np.ndarray, "_ _ 4"]]
    legend: Legend = ""
    flat: bool = False  # few colours: kept exactly


def result_layers(
    views: ViewSet, renders: Pictures, degrees: Float[np.ndarray, "V h w"] | None, shown: Sequence[int]
) -> list[Layer]:
    """Of a result: what the views show and what it shows in their cameras. `degrees` as for `check_layers`."""
    side = _side(shown)
    wanted, found = array(views.masks, shown), array(renders.masks, shown)
    target, normals = array(views.normals, shown), array(renders.normals, shown)
    layers = _given(views, shown, side)
    if renders.rgb is not None:
        pictures = _covered(array(renders.rgb, shown), found, side)
        words = "The mesh in its colours, seen by the view's camera."
        layers.insert(1, Layer("result-colour", "Result colour", words, pictures))
    words = "The mesh's normals, seen by the view's camera."
    layers.append(Layer("result-normals", "Result normals", words, _covered(normals / 2 + 0.5, found, side), "normals"))
    if views.has_normals:
        layers.append(_angles(target, normals, (wanted > 0.5) & (found > 0.5), side))
    words = "Where view and mesh cover the same pixels, and where only one does."
    outlines = [_silhouettes(m > 0.5, n > 0.5, side) for m, n in zip(wanted, found, strict=True)]
    layers.append(Layer("silhouettes", "Silhouettes", words, outlines, "silhouettes", flat=True))
    return layers if degrees is None else [*layers, _disagreement(degrees[list(shown)], wanted, side)]


def check_layers(views: ViewSet, degrees: Float[np.ndarray, "V h w"], shown: Sequence[int]) -> list[Layer]:
    """Of views alone. `degrees`: from each pixel's normal to what the other views show there; NaN: none sees it."""
    side = _side(shown)
    layers = [*_given(views, shown, side), _disagreement(degrees[list(shown)], array(views.masks, shown), side)]
    return [layers[-1], *layers[:-1]]  # first what the page is about


def _side(shown: Sequence[int]) -> int:
    return SIDE if len(shown) <= MANY else SIDE_OF_MANY


def _given(views: ViewSet, shown: Sequence[int], side: int) -> list[Layer]:
    """Colours and normals of the input."""
    masks = array(views.masks, shown)
    layers = []
    if views.rgb is not None:
        pictures = _covered(array(views.rgb, shown), masks, side)
        layers.append(Layer("input-colour", "Input colour", "The view's colours inside its mask.", pictures))
    if views.has_normals:
        pictures = _covered(array(views.normals, shown) / 2 + 0.5, masks, side)
        words = "The view's normals in the world's frame."
        layers.append(Layer("input-normals", "Input normals", words, pictures, "normals"))
    return layers


def _angles(
    target: Float[np.ndarray, "V H W 3"],
    normals: Float[np.ndarray, "V H W 3"],
    inside: Bool[np.ndarray, "V H W"],
    side: int,
) -> Layer:
    """Between the views' normals and the mesh's, where both are."""
    pictures = [_heat(angle_map(a, b), mask, side) for a, b, mask in zip(target, normals, inside, strict=True)]
    words = "Degrees between the view's normals and the mesh's. Grey: the view's normal is unknown or not trusted."
    return Layer("angle", "Normal error", words, pictures, "heat")


def _disagreement(degrees: Float[np.ndarray, "V h w"], masks: Float[np.ndarray, "V H W"], side: int) -> Layer:
    size = degrees.shape[2], degrees.shape[1]
    small = [cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 0.5 for mask in masks]
    pictures = [_heat(angles, mask, side) for angles, mask in zip(degrees, small, strict=True)]
    words = "Degrees between the view's normals and what the other views show at the same point. Grey: none sees it."
    return Layer("disagreement", "Disagreement", words, pictures, "heat")


def _covered(
    images: Float[np.ndarray, "V H W 3"], masks: Float[np.ndarray, "V H W"], side: int
) -> list[UInt8[np.ndarray, "_ _ 4"]]:
    return [with_cover(image, mask, side) for image, mask in zip(images, masks, strict=True)]


def _heat(degrees: Float[np.ndarray, "H W"], inside: Bool[np.ndarray, "H W"], side: int) -> UInt8[np.ndarray, "h w 4"]:
    """Degrees in the scale's colours; grey where there are none."""
    return with_cover(heat(degrees, inside, unknown=NEUTRAL), inside.astype(np.float32), side)


def _silhouettes(wanted: Bool[np.ndarray, "H W"], found: Bool[np.ndarray, "H W"], side: int) -> np.ndarray:
    return with_cover(silhouettes(wanted, found, NEUTRAL), (wanted | found).astype(np.float32), side)
