"""The section of the views: a card for each, and buttons that say what all of them show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from meshopt.report.page.document import LAYERS, Section
from meshopt.report.page.images import encode_image, encode_images
from meshopt.report.page.layers import NEUTRAL, Layer
from meshopt.report.page.markup import Html, element, facts, joined
from meshopt.report.page.outlines import outline
from meshopt.report.page.scene import ramp
from meshopt.report.page.verdicts import badge
from meshopt.report.preview import EXTRA, MISSING
from meshopt.report.sheets import DEGREES, Color

Plain = Mapping[str, Any]


@dataclass(frozen=True)
class Pictures:
    """What is shown of some views: `numbers` of them, their `layers`, and what is `flagged`, where anything is."""

    numbers: Sequence[int]
    layers: Sequence[Layer]
    flagged: Bool[np.ndarray, "V h w"] | None = None


def views_section(rows: Sequence[Plain], pictures: Pictures, in_space: bool) -> Section:
    """`rows`: every view's entry of the report. `in_space`: the page has a 3D view, to which cards lead."""
    layers = pictures.layers
    images = [encode_images(layer.pictures, layer.flat) for layer in layers]
    flags = pictures.flagged if pictures.flagged is not None and pictures.flagged.any() else None
    cards = []
    for place, number in enumerate(pictures.numbers):
        addresses = [images[i][place] for i in range(len(layers))]
        region = None if flags is None or not flags[number].any() else flags[number]
        cards.append(
            _card(rows[number], number, _pictures(rows[number]["name"], layers, addresses, place, region), in_space)
        )
    left_out = len(rows) - len(pictures.numbers)
    note = f"{len(pictures.numbers)} of {len(rows)} views are shown." if left_out else None
    body = [
        element("p", note, class_="hint") if note else None,
        element("div", _buttons(layers, flags is not None), _legends(layers), class_="choice"),
        element("div", cards, class_="cards"),
        _enlarged(layers),
    ]
    return Section("views", "Views", joined(body), LAYERS)


def _buttons(layers: Sequence[Layer], flags: bool) -> Html:
    """One for each layer; and one for what the checks flagged."""
    outlines = element("button", "Outline what was flagged", type="button", data_flags=True, aria_pressed="true")
    groups = [_choice(layers), element("div", outlines, class_="buttons") if flags else None]
    return element("div", groups, class_="toolbar needs-script")


def _choice(layers: Sequence[Layer]) -> Html:
    """A button for each layer, the first pressed."""
    buttons = [
        element("button", layer.label, type="button", data_layer=layer.key, aria_pressed="false" if i else "true")
        for i, layer in enumerate(layers)
    ]
    return element("div", buttons, role="group", aria_label="What the pictures show", class_="buttons")


def _legends(layers: Sequence[Layer]) -> list[Html]:
    """What each layer shows and what its colours mean; the first is seen."""
    return [
        element(
            "p", element("span", layer.words), " ", _legend(layer), class_="legend", data_layer=layer.key, hidden=i > 0
        )
        for i, layer in enumerate(layers)
    ]


def _legend(layer: Layer) -> Html | None:
    if layer.legend == "heat":
        return heat_scale()
    if layer.legend == "normals":
        return element("span", "Red: right, green: up, blue: to the front.")
    if layer.legend == "silhouettes":
        key = ((NEUTRAL, "both"), (MISSING, "view only"), (EXTRA, "mesh only"))
        return joined([swatch(color, text) for color, text in key], between=" ")
    return None


def heat_scale() -> Html:
    """The colours of degrees, from 0 to what is the end of the scale."""
    strip = encode_image(np.ascontiguousarray(ramp()[None].repeat(2, 0)), lossless=True)
    image = element("img", src=strip, alt="from dark to light", width=128, height=12)
    return element("span", "0° ", image, f" {DEGREES:.0f}° or more", class_="scale")


def swatch(color: Color | UInt8[np.ndarray, "3"], text: str) -> Html:
    """A colour and what it stands for."""
    fill = "#" + bytes(int(part) for part in color).hex()
    square = element("svg", element("rect", width=12, height=12, fill=fill), viewBox="0 0 12 12", aria_hidden="true")
    return element("span", square, text, class_="swatch")


def _pictures(
    name: str, layers: Sequence[Layer], addresses: Sequence[str], place: int, region: np.ndarray | None
) -> Html:
    """A view's pictures on top of each other; the first is seen."""
    images = [
        element(
            "img", src=addresses[i], alt=f"{name}: {layer.label.lower()}", data_layer=layer.key, hidden=i > 0,
            width=layer.pictures[place].shape[1], height=layer.pictures[place].shape[0],
        )
        for i, layer in enumerate(layers)
    ]  # fmt: skip
    flags = None if region is None else outline(region, f"{name}: what was flagged")
    return element("div", images, flags, class_="picture")


def _card(row: Plain, number: int, pictures: Html, in_space: bool) -> Html:
    verdict = badge(row["verdict"]) if row.get("verdict") else None
    known = [
        (name, None if row.get(key) is None else f"{row[key]:{form}}{unit}")
        for name, key, form, unit in (
            ("IoU", "silhouette_iou", ".4f", ""),
            ("Normal error", "normal_error_deg", ".1f", "°"),
            ("Colours", "colour_psnr_db", ".1f", " dB"),
            ("Score", "score", ".2f", ""),
        )
    ]
    place = element("span", f" from {row['name']}", class_="spoken")
    look = element("button", "See in 3D", place, type="button", data_camera=number, class_="quiet needs-script")
    return element(
        "article",
        element("h3", element("span", row["name"]), verdict),
        pictures,
        facts([(name, value) for name, value in known if value is not None], "measures"),
        look if in_space else None,
        class_="card in-space" if in_space else "card",
    )


def _enlarged(layers: Sequence[Layer]) -> Html:
    """A dialog that shows one view's pictures as large as the window is."""
    steps = [
        element("button", text, type="button", data_step=step, aria_label=label)
        for text, step, label in (("←", -1, "Previous view"), ("→", 1, "Next view"))
    ]
    close = element("button", "Close", type="button", data_close=True)
    bar = element("div", element("h3"), steps, close, class_="bar")
    picture = element("div", class_="picture")
    return element("dialog", bar, picture, _choice(layers), class_="enlarged", aria_label="Enlarged picture")
