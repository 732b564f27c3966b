"""The section of the 3D view: a canvas, what it can show, and where the cameras stand."""

from __future__ import annotations

from collections.abc import Sequence

from meshopt.cameras import Camera
from meshopt.report.page.document import VIEWER, Section
from meshopt.report.page.markup import Html, element, joined
from meshopt.report.page.scene import Surface, scene_blocks
from meshopt.report.page.views import heat_scale

_HOW = (
    "Drag to turn, drag with Shift or the right button to move, pinch or scroll to zoom (scrolling: after a click into"
    " the view, or with Ctrl). Keys: arrows turn, Shift and arrows move, + and − zoom, 0 resets."
)
_ABOUT = {
    "colours": "The mesh's colours, without any light.",
    "normals": "Normals in the world's frame. Red: right, green: up, blue: to the front.",
    "shaded": "The shape in grey, lit from the viewer. Red is the inside.",
    "error": "Degrees between the mesh's normals and the views', mean over the views. Grey: no view tells.",
}
_LABELS = {"colours": "Colours", "normals": "Normals", "shaded": "Shape", "error": "Normal error"}


def surface_section(surface: Surface, cameras: Sequence[Camera] = (), file: str = "the mesh file") -> Section:
    """The mesh in 3D, with the cameras; `file` is what else to open where that does not work."""
    modes = [key for key in _LABELS if _shows(surface, key)]
    lost = f"The 3D view needs JavaScript and WebGL 2. {file[0].upper() + file[1:]} opens in any viewer."
    reduced = f"Of {surface.whole:,} faces, {len(surface.faces):,} are left here, to keep the page small."
    body = [
        element("noscript", element("p", lost, class_="hint")),
        element("p", lost, class_="hint", id="no-webgl", hidden=True),
        element("p", reduced, class_="hint") if surface.whole else None,
        element(
            "div", _bar(modes, bool(cameras)), _legends(modes), _stage(), _views(cameras), class_="viewer", hidden=True
        ),
        scene_blocks(surface, cameras),
    ]
    return Section("surface", "Mesh in 3D", joined(body), VIEWER)


def _shows(surface: Surface, mode: str) -> bool:
    if mode == "colours":
        return surface.uv is not None or surface.colors is not None
    return mode != "error" or surface.degrees is not None


def _bar(modes: Sequence[str], cameras: bool) -> Html:
    surfaces = [
        element("button", _LABELS[mode], type="button", data_mode=mode, aria_pressed="false" if i else "true")
        for i, mode in enumerate(modes)
    ]
    overlays = [_toggle("Wireframe", "wireframe", False), _toggle("Cameras", "cameras", True) if cameras else None]
    actions = [
        element("button", "Reset", type="button", data_action="reset"),
        element("button", "Full screen", type="button", data_action="fullscreen", hidden=True),
    ]
    return element(
        "div",
        element("div", surfaces, role="group", aria_label="What the surface shows", class_="buttons"),
        element("div", overlays, role="group", aria_label="What is drawn over it", class_="buttons"),
        element("div", actions, class_="buttons"),
        class_="toolbar",
    )


def _toggle(label: str, key: str, pressed: bool) -> Html:
    return element("button", label, type="button", data_toggle=key, aria_pressed="true" if pressed else "false")


def _legends(modes: Sequence[str]) -> list[Html]:
    return [
        element(
            "p", element("span", _ABOUT[mode]), " ", heat_scale() if mode == "error" else None,
            class_="legend", data_mode=mode, hidden=i > 0,
        )
        for i, mode in enumerate(modes)
    ]  # fmt: skip


def _stage() -> Html:
    label = "The mesh in 3D. Arrow keys turn it, plus and minus zoom, Shift and arrows move it, 0 resets."
    canvas = element("canvas", tabindex=0, role="img", aria_label=label)
    return element("div", canvas, element("div", class_="labels", aria_hidden="true"), class_="stage")


def _views(cameras: Sequence[Camera]) -> list[Html | None]:
    """Buttons that look from each camera, and how to move."""
    buttons = [
        element("button", camera.name, type="button", data_camera=i, class_="quiet") for i, camera in enumerate(cameras)
    ]
    looks = element(
        "div", element("span", "Look from"), buttons, role="group", aria_label="Look from", class_="buttons"
    )
    drawn = " Cameras are drawn at one distance, as boxes where they see along parallel lines." if cameras else ""
    return [looks if cameras else None, element("p", _HOW + drawn, class_="hint")]
