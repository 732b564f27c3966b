"""The pages in a real browser: no errors, a mesh that stands upright, buttons and keys that do what they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from meshopt.report.findings import findings_record
from meshopt.report.page import check_page, result_page

pytestmark = pytest.mark.browser
READY = "document.querySelector('.viewer').dataset.ready"
CANVAS = ".stage canvas"


@pytest.fixture
def page(browser: Any, rich: SimpleNamespace, tmp_path: Path) -> Iterator[Path]:
    """A result's page on the disk; in the end nothing may have gone wrong, and nothing else been asked for."""
    file = tmp_path / "report.html"
    file.write_bytes(result_page(rich, {**rich.report, "files": ["mesh.glb"]}))
    browser.errors.clear()
    browser.requests.clear()
    yield file
    assert browser.errors == []
    assert {url for url in browser.requests if not url.startswith("data:")} <= {file.as_uri()}


def _show(browser: Any, page: Path, **window: Any) -> Any:
    browser.open(page, **window)
    browser.wait(READY)
    return browser


def _pressed(browser: Any, selector: str) -> bool:
    return bool(browser.run(f"document.querySelector({selector!r}).getAttribute('aria-pressed') === 'true'"))


def _differ(first: np.ndarray, second: np.ndarray) -> float:
    """Share of the pixels."""
    return float((np.abs(first.astype(int) - second).max(-1) > 8).mean())


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_loads_and_draws(browser: Any, page: Path, dark: bool) -> None:
    picture = _show(browser, page, dark=dark).picture(CANVAS)
    height, width = picture.shape[:2]
    middle = picture[height // 3 : -height // 3, width // 2 - height // 6 : width // 2 + height // 6]
    assert len(np.unique(middle.reshape(-1, 3), axis=0)) > 200
    back = browser.picture("h1")[0, -1]
    assert bool(back.mean() < 60) is dark


def test_the_mesh_is_not_mirrored_and_stands_upright(browser: Any, page: Path) -> None:
    """A ball in the colours of its normals, from the front and from the right."""
    _show(browser, page).click("button[data-mode=normals]")
    browser.click("button[data-toggle=cameras]")
    for number, expected in ((0, ([235, 128, 180], [128, 235, 180])), (1, ([180, 128, 20], [180, 235, 128]))):
        browser.click(f".viewer button[data-camera='{number}']")
        browser.wait("true")
        picture = browser.picture(CANVAS)
        rows, columns = np.nonzero(np.abs(picture.astype(int) - picture[2, 2]).max(-1) > 8)
        reach = (rows.max() - rows.min()) / 2
        row, column = (rows.max() + rows.min()) / 2, (columns.max() + columns.min()) / 2
        right = picture[round(row), round(column + 0.84 * reach)]
        top = picture[round(row - 0.84 * reach), round(column)]
        assert np.abs(right.astype(int) - expected[0]).max() < 35
        assert np.abs(top.astype(int) - expected[1]).max() < 60


def test_every_mode_and_overlay_looks_different(browser: Any, page: Path) -> None:
    _show(browser, page)
    pictures = []
    for mode in ("colours", "normals", "shaded", "error"):
        browser.click(f"button[data-mode={mode}]")
        assert _pressed(browser, f"button[data-mode={mode}]")
        assert browser.run("document.querySelectorAll('button[data-mode][aria-pressed=true]').length") == 1
        assert browser.run(f"document.querySelector('.legend:not([hidden])[data-mode={mode}]') !== null")
        pictures.append(browser.picture(CANVAS))
    for toggle in ("wireframe", "cameras"):
        before = _pressed(browser, f"button[data-toggle={toggle}]")
        browser.click(f"button[data-toggle={toggle}]")
        assert _pressed(browser, f"button[data-toggle={toggle}]") is not before
        pictures.append(browser.picture(CANVAS))
    assert min(_differ(a, b) for i, a in enumerate(pictures) for b in pictures[:i]) > 0.002
    assert browser.run("[...document.querySelectorAll('.labels span')].every((label) => label.hidden)")


def test_mouse_and_keys_move_the_eye_and_reset_brings_it_back(browser: Any, page: Path) -> None:
    alone = _show(browser, page).picture(CANVAS)
    browser.run(f"document.querySelector({CANVAS!r}).focus()")
    browser.key("Shift")
    first = browser.picture(CANVAS)  # with the focus ring
    moves = [
        lambda: browser.drag(CANVAS, 80, 40),
        lambda: browser.key("ArrowLeft"),
        lambda: browser.key("ArrowUp"),
        lambda: browser.key("+", "+"),
        lambda: browser.key("-", "-"),
    ]
    before = first
    for move in moves:
        move()
        after = browser.picture(CANVAS)
        assert _differ(before, after) > 0.003
        before = after
    browser.key("0", "0")
    assert _differ(first, browser.picture(CANVAS)) < 0.001
    browser.key("ArrowRight")
    browser.click("button[data-action=reset]")
    assert _differ(alone, browser.picture(CANVAS)) < 0.001


def test_fingers_turn_and_pinch_and_do_not_scroll_the_page(browser: Any, page: Path) -> None:
    first = _show(browser, page).picture(CANVAS)
    place = browser.run("scrollY")
    browser.touch(CANVAS, ((-60, 0), (60, 50)))
    turned = browser.picture(CANVAS)
    assert _differ(first, turned) > 0.003
    browser.touch(CANVAS, ((-30, -10), (-110, -10)), ((30, 10), (110, 10)))
    nearer = browser.picture(CANVAS)
    assert _differ(turned, nearer) > 0.003
    browser.touch(CANVAS, ((-110, -10), (-30, -10)), ((110, 10), (30, 10)))
    assert _differ(turned, browser.picture(CANVAS)) < 0.5 * _differ(turned, nearer)  # about where it was
    assert browser.run("scrollY") == place


def test_layers_change_all_pictures(browser: Any, page: Path) -> None:
    _show(browser, page)
    shown = "[...document.querySelectorAll('.card img:not([hidden])')].map((image) => image.dataset.layer)"
    pictures = []
    for layer in browser.run(
        "[...document.querySelectorAll('.toolbar button[data-layer]')].map((b) => b.dataset.layer)"
    ):
        browser.click(f".toolbar button[data-layer={layer}]")
        assert browser.run(shown) == [layer] * 3
        assert browser.run(
            "[...document.querySelectorAll('#views .legend:not([hidden])')].map((l) => l.dataset.layer)"
        ) == [layer]
        pictures.append(browser.picture(".card .picture"))
    assert len(pictures) == 7
    assert min(_differ(a, b) for i, a in enumerate(pictures) for b in pictures[:i]) > 0.01


def test_outlines_can_be_hidden(browser: Any, page: Path) -> None:
    flagged = ".card:nth-child(2) .picture"
    first = _show(browser, page).picture(flagged)
    browser.click("button[data-flags]")
    assert not _pressed(browser, "button[data-flags]")
    assert _differ(first, browser.picture(flagged)) > 0.003


def test_pictures_are_enlarged_and_stepped_through_by_keys(browser: Any, page: Path) -> None:
    _show(browser, page)
    browser.run("document.querySelector('.card .enlarge').focus()")
    browser.key("Enter", "\r")
    browser.wait("document.querySelector('dialog').open")
    names = []
    for _ in range(3):
        names.append(browser.run("document.querySelector('dialog h3').textContent"))
        browser.key("ArrowRight")
    assert names == ["front", "right", "back"]
    browser.click("dialog button[data-layer=angle]")
    assert browser.run("document.querySelector('dialog .picture img').dataset.layer") == "angle"
    browser.key("Escape")
    browser.wait("!document.querySelector('dialog').open")


def test_a_card_leads_into_the_mesh(browser: Any, page: Path) -> None:
    first = _show(browser, page).picture(CANVAS)
    browser.click(".card:nth-child(3) button[data-camera]")
    assert browser.run("document.querySelector('.viewer').getBoundingClientRect().top") < 100
    assert _differ(first, browser.picture(CANVAS)) > 0.003


def test_a_telephone_has_room_for_all_and_for_fingers(browser: Any, page: Path) -> None:
    _show(browser, page, width=360, height=640)
    assert browser.run("document.documentElement.scrollWidth") <= 360
    small = "[...document.querySelectorAll('button')].filter((b) => b.offsetParent && b.offsetHeight < 44).length"
    assert browser.run(small) == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_has_contrast(browser: Any, page: Path, dark: bool) -> None:
    """4.5 to 1 or more (WCAG 2.2 AA), of every element that has text of its own, against what is behind it."""
    _show(browser, page, dark=dark)
    faint = browser.run(
        """(() => {
          const channels = (color) => color.match(/[\\d.]+/g).map(Number);
          const light = (color) => {
            const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            const [r, g, b] = channels(color).map((v) => linear(v / 255));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const behind = (part) => {
            for (let at = part; at; at = at.parentElement) {
              const color = getComputedStyle(at).backgroundColor;
              if (channels(color)[3] !== 0) return color;
            }
          };
          return [...document.querySelectorAll("body *")].filter((part) => {
            const own = [...part.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
            if (!own || !part.getClientRects().length || ["SCRIPT", "STYLE"].includes(part.tagName)) return false;
            const style = getComputedStyle(part);
            const [a, b] = [light(part instanceof SVGElement ? style.fill : style.color), light(behind(part))];
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
          }).map((part) => part.outerHTML.slice(0, 120));
        })()"""
    )
    assert faint == []


def test_without_scripts_the_first_layer_and_all_text_are_there(browser: Any, page: Path) -> None:
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page)
        shown = browser.run("document.querySelectorAll('.card img:not([hidden])').length")
        words = browser.run("document.body.innerText")
        buttons = browser.run("[...document.querySelectorAll('button')].filter((b) => b.offsetParent).length")
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)
    assert (shown, buttons) == (3, 0)
    assert "The 3D view needs JavaScript and WebGL 2." in words
    assert "right is turned." in words


def test_without_webgl_a_sentence_stands_for_the_mesh(browser_module: ModuleType, page: Path, tmp_path: Path) -> None:
    with browser_module.started(tmp_path / "profile", "--disable-3d-apis") as other:
        other.open(page)
        other.wait("!document.getElementById('no-webgl').hidden")
        assert other.run("document.querySelector('.viewer').hidden")
        assert other.run("[...document.querySelectorAll('.card button[data-camera]')].every((b) => b.hidden)")
        other.click(".toolbar button[data-layer=angle]")
        assert other.run("document.querySelectorAll('.card img:not([hidden])[data-layer=angle]').length") == 3


def test_hostile_names_do_nothing(browser: Any, page: Path, rich: SimpleNamespace) -> None:
    name = "</script><script>window.hacked = 1</script><img src=x onerror=window.hacked=1>"
    rich.views = replace(rich.views, notes=(name,), rig=name)
    cameras = tuple(replace(camera, name=name + camera.name) for camera in rich.views.cameras)
    rich.views = replace(rich.views, cameras=cameras)
    rich.report["views"] = [row | {"name": name} for row in rich.report["views"]]
    rich.report |= {"notes": [name], "rig": name}
    page.write_bytes(result_page(rich, rich.report))
    _show(browser, page)
    browser.click(".card .enlarge")
    assert browser.run("document.querySelector('dialog h3').textContent") == name
    assert browser.run("window.hacked") is None


def test_a_check_s_page_works_too(browser: Any, page: Path, rich: SimpleNamespace) -> None:
    page.write_bytes(check_page(rich.views, rich.checked, findings_record(rich.views, rich.checked)))
    browser.open(page)
    browser.click(".toolbar button[data-layer=input-normals]")
    assert browser.run("document.querySelectorAll('.card img:not([hidden])[data-layer=input-normals]').length") == 3
