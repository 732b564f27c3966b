"""The section of the texture: its figures, the picture, where each texel is from and how surely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from meshopt.report.page.document import Section
from meshopt.report.page.images import encode_image, smaller
from meshopt.report.page.markup import Html, element, facts, joined
from meshopt.report.page.views import swatch
from meshopt.report.palette import source_palette
from meshopt.texturing import Textured

Plain = Mapping[str, Any]
SIDE, SMALL = 1024, 512  # pixels of the texture and of the maps beside it


def atlas_section(textured: Textured, figures: Plain, names: Sequence[str]) -> Section:
    """`figures` as in the report; `names` are the views'."""
    texture = textured.mesh.texture
    assert texture is not None
    source = textured.source.cpu().numpy()
    pictures = [
        _figure(texture_image(texture.color.cpu().numpy()), _caption("Colours", source.shape[0])),
        _figure(_map(_sources(source), "Source of every texel", lossless=True), _key(source, names)),
        _figure(
            _map(smaller(textured.confidence.cpu().numpy(), SMALL), "Confidence"),
            element("figcaption", element("b", "Confidence"), " Black: not seen. White: seen frontally."),
        ),
    ]
    if texture.normals is not None:
        image = _map(smaller(texture.normals.cpu().numpy(), SMALL), "Normal map")
        pictures.append(_figure(image, _caption("Normal map", source.shape[0])))
    return Section("texture", "Texture", joined([_facts(figures), element("div", pictures, class_="maps")]))


def texture_image(image: UInt8[np.ndarray, "H W 3"]) -> Html:
    """The picture that the viewer takes its colours from, too."""
    image = smaller(image, SIDE)
    return element(
        "img",
        src=encode_image(image),
        alt="The texture",
        id="scene-texture",
        width=image.shape[1],
        height=image.shape[0],
    )


def _figure(image: Html, caption: Html) -> Html:
    return element("figure", image, caption)


def _caption(name: str, size: int) -> Html:
    return element("figcaption", element("b", name), f" {size} × {size}, smaller here." if size > SIDE else "")


def _map(image: np.ndarray, alt: str, lossless: bool = False) -> Html:
    return element("img", src=encode_image(image, lossless), alt=alt, width=image.shape[1], height=image.shape[0])


def _sources(source: UInt8[np.ndarray, "T T"]) -> UInt8[np.ndarray, "t t 3"]:
    """Every few texels one, in the palette's colours."""
    step = max(1, source.shape[0] // SMALL)
    return source_palette()[source[step // 2 :: step, step // 2 :: step]]


def _key(source: UInt8[np.ndarray, "T T"], names: Sequence[str]) -> Html:
    """Which colour is which view, and how much of the surface's texels it gave."""
    counts = np.bincount(source.reshape(-1), minlength=2 + len(names))
    covered = max(1, int(counts[1:].sum()))
    palette = source_palette()
    entries = [(palette[2 + k], f"{name} {100 * counts[2 + k] / covered:.0f} %") for k, name in enumerate(names)]
    entries.append((palette[1], f"filled in {100 * counts[1] / covered:.0f} %"))
    keys = joined([swatch(color, text) for color, text in entries], between=" ")
    return element("figcaption", element("b", "Source"), " ", keys)


def _facts(figures: Plain) -> Html:
    known = [
        ("Size", f"{figures['size']} × {figures['size']}"),
        ("Charts", f"{figures['charts']} ({figures['method']})"),
        ("Overlaps", figures["overlaps"]),
        ("Covered", f"{100 * figures['coverage']:.0f} %"),
        ("Stretch", f"{figures['stretch']:.2f}"),
        ("Surface seen", f"{100 * figures['seen']:.0f} %"),
    ]
    return facts(known, "figures small")
