"""report.html: whole and closed HTML, nothing from outside, text that is only text, the same bytes again."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from meshopt.cameras import Camera
from meshopt.config import Config, OptimizeConfig, OutputConfig
from meshopt.mesh import Mesh
from meshopt.report.findings import findings_record
from meshopt.report.page import check_page, result_page
from meshopt.report.page.corrections import described
from meshopt.report.page.markup import Html, element, joined
from meshopt.views import Source

VOID = {"img", "meta", "link", "br"}
HOSTILE = "</script><script>hacked = 1</script>\"'><img src=x onerror=hacked=1>"
FILES = ["mesh.glb", "report.html", "report.json"]


class Page(HTMLParser):
    """What a page consists of: its elements with their attributes, the text in them, the text of scripts and styles."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text, self.code = "", {"script": [""], "style": [""]}
        self.feed(content.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag in self.code:
            self.code[tag].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.code:
            self.code[self.open[-1]][-1] += data
        else:
            self.text += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        wanted = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
        return [found for name, found in self.elements if name == tag and wanted.items() <= found.items()]


def _record(result: SimpleNamespace) -> dict[str, Any]:
    return {**result.report, "files": FILES}


def _result_page(result: SimpleNamespace) -> bytes:
    return result_page(result, _record(result))


def _check_page(result: SimpleNamespace) -> bytes:
    return check_page(result.views, result.checked, findings_record(result.views, result.checked), ("check.json",))


PAGES = pytest.mark.parametrize("make", [_result_page, _check_page])


@PAGES
def test_nothing_is_asked_for_from_outside(make: Callable[..., bytes], rich: SimpleNamespace) -> None:
    content = make(rich)
    page = Page(content)
    addresses = [attrs[key] for _, attrs in page.elements for key in ("src", "href") if key in attrs]
    beside = {name for name in addresses if not name.startswith(("data:image/", "#"))}
    assert beside <= {*FILES, "check.json"}
    assert b"://" not in content
    assert b"@import" not in content
    assert b"url(" not in content
    assert {tag for tag, _ in page.elements} & {"link", "iframe", "object", "form", "base"} == set()


@PAGES
def test_policy_allows_its_own_code_alone(make: Callable[..., bytes], rich: SimpleNamespace) -> None:
    page = Page(make(rich))
    (policy,) = [attrs["content"] for attrs in page.all("meta", http_equiv="Content-Security-Policy")]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    hashes = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in _code(page)}
    assert set(re.findall(r"'sha256-([^']*)'", policy)) == hashes


def _code(page: Page) -> list[str]:
    kinds = [attrs.get("type") for tag, attrs in page.elements if tag == "script"]
    scripts = [text for text, kind in zip(page.code["script"][1:], kinds, strict=True) if kind is None]
    return [*scripts, *page.code["style"][1:]]


@PAGES
def test_structure(make: Callable[..., bytes], rich: SimpleNamespace) -> None:
    page = Page(make(rich))
    names = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert Counter(names).most_common(1)[0][1] == 1
    assert {link["href"][1:] for link in page.all("a") if link["href"].startswith("#")} <= set(names)
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("header")) == 1
    assert page.all("html")[0]["lang"] == "en"
    for attrs in page.all("section"):
        assert attrs["aria-labelledby"] in names
    for attrs in page.all("img"):
        assert attrs["alt"]
        assert int(attrs["width"]) > 0
    for attrs in page.all("th"):
        assert attrs["scope"] in ("row", "col")
    for attrs in page.all("button"):
        assert attrs["type"] == "button"
        assert attrs.get("aria-pressed") in (None, "true", "false")
    assert not [attrs for _, attrs in page.elements if "style" in attrs]


def test_sections_of_a_result_in_order(rich: SimpleNamespace) -> None:
    page = Page(_result_page(rich))
    assert [attrs["id"] for attrs in page.all("section")] == [
        *("findings", "views", "surface", "stages", "texture", "settings", "sources", "versions"),
    ]
    for words in ("inconsistent", "4 vertices, 4 faces, closed", "Apache-2.0", "rgb/front.png", "The hull was taken."):
        assert words in page.text
    assert "By how much10 ± 0.5 degrees; counts from 2.5 on" in page.text
    assert "right is turned." in page.text  # the view's name stays as it is
    assert page.text.index("right is turned.") < page.text.index("It is too large.") < page.text.index("All is a")
    for correction in rich.report["corrections"]:
        assert described(correction) in page.text


def test_first_layer_is_there_without_scripts(rich: SimpleNamespace) -> None:
    page = Page(_result_page(rich))
    layers = [attrs["data-layer"] for attrs in page.all("button") if "data-layer" in attrs]
    assert layers[: len(layers) // 2] == [
        *("input-colour", "result-colour", "input-normals", "result-normals", "angle", "silhouettes", "disagreement"),
    ]
    pictures = [attrs for attrs in page.all("img") if "data-layer" in attrs]
    assert len(pictures) == 3 * 7
    assert {attrs["data-layer"] for attrs in pictures if "hidden" not in attrs} == {"input-colour"}
    assert len(page.all("noscript")) == 1
    assert len([attrs for tag, attrs in page.elements if tag == "svg" and attrs.get("class") == "flags"]) == 1


def test_a_check_shows_disagreement_first_and_no_mesh(rich: SimpleNamespace) -> None:
    page = Page(_check_page(rich))
    shown = {attrs["data-layer"] for attrs in page.all("img") if "data-layer" in attrs and "hidden" not in attrs}
    assert shown == {"disagreement"}
    assert page.all("canvas") == page.all("article", class_="card in-space") == []
    assert "meshopt reconstruct would apply 7 corrections." in page.text


@PAGES
def test_text_stays_text(make: Callable[..., bytes], rich: SimpleNamespace) -> None:
    harmless = Counter(tag for tag, _ in Page(make(rich)).elements)
    cameras = tuple(replace(camera, name=HOSTILE + camera.name) for camera in rich.views.cameras)
    sources = tuple(Source(HOSTILE, HOSTILE, HOSTILE, (HOSTILE,)) for _ in cameras)
    rich.views = replace(rich.views, cameras=cameras, sources=sources, rig=HOSTILE, notes=(HOSTILE,))
    findings = tuple(
        replace(finding, code=HOSTILE, message=HOSTILE, remedy=HOSTILE, unit=HOSTILE, threshold_from=HOSTILE)
        for finding in rich.checked.report.findings
    )
    verdicts = tuple(replace(v, name=HOSTILE + v.name) for v in rich.checked.report.views)
    report = replace(rich.checked.report, findings=findings, views=verdicts)
    rich.checked = replace(rich.checked, report=report, views=rich.views)
    rich.config = Config(optimize=OptimizeConfig(view_weights={HOSTILE: 0.5}))
    hostile = {"rig": HOSTILE, "notes": [HOSTILE], "device": HOSTILE, "version": HOSTILE, "topology_line": HOSTILE}
    named = [row | {"name": HOSTILE} for row in rich.report["views"]]
    stages = [{"name": HOSTILE, "seconds": 1.0, "faces": 3, "turned": {HOSTILE: 1.0}}]
    rich.report |= hostile | {"stages": stages, "views": named, "findings": report.as_plain()["findings"]}
    rich.curves = {HOSTILE: {HOSTILE: [1.0, 0.5]}}
    page = Page(make(rich))
    counts = Counter(tag for tag, _ in page.elements)
    assert {tag: counts[tag] for tag in ("script", "canvas", "style", "h1")} == {
        tag: harmless[tag] for tag in ("script", "canvas", "style", "h1")
    }
    assert not [key for _, attrs in page.elements for key in attrs if key.startswith("on")]
    assert all(attrs["src"].startswith("data:image/") for attrs in page.all("img"))
    assert page.text.count(HOSTILE) > 10


@PAGES
def test_same_input_same_bytes(make: Callable[..., bytes], rich: SimpleNamespace) -> None:
    assert make(rich) == make(rich)


def test_sparse_results_have_pages(result: SimpleNamespace) -> None:
    """No checks, no texture, no colours, no record, no mesh at all; a view whose name says nothing."""
    page = Page(_result_page(result))
    assert [attrs["id"] for attrs in page.all("section")] == [
        *("views", "surface", "stages", "settings", "sources", "versions"),
    ]
    assert "not checked" in page.text
    result.report, result.curves = {}, {}
    result.mesh = Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int32))
    page = Page(result_page(result, {}))
    assert "surface" not in [attrs["id"] for attrs in page.all("section")]


def test_of_many_views_some_are_shown(rich: SimpleNamespace) -> None:
    which = torch.arange(60) % 3
    cameras = tuple(Camera.orbit(f"{i:03d}", 6.0 * i) for i in range(60))
    given = rich.views
    rich.views = replace(
        given, cameras=cameras, normals=given.normals[which], masks=given.masks[which], rgb=given.rgb[which], sources=()
    )
    renders = rich.renders
    rich.renders = SimpleNamespace(normals=renders.normals[which], masks=renders.masks[which], rgb=renders.rgb[which])
    rich.checked = replace(
        rich.checked, degrees=rich.checked.degrees[which.numpy()], flagged=rich.checked.flagged[which.numpy()]
    )
    bad = {17, 40}
    rich.report["views"] = [
        {"name": f"{i:03d}", "verdict": "suspect" if i in bad else "ok", "score": 0.0} for i in range(60)
    ]
    page = Page(_result_page(rich))
    assert len(page.all("article")) == 24
    assert "24 of 60 views are shown." in page.text
    names = {attrs["alt"].split(":")[0] for attrs in page.all("img") if "data-layer" in attrs}
    assert {"017", "040"} <= names


def test_settings_that_differ_come_first(rich: SimpleNamespace) -> None:
    rich.config = Config(seed=7, output=OutputConfig(faces=3000))
    page = Page(_result_page(rich))
    section = page.text.split("Settings that differ from the defaults")[1]
    assert section.index("seed70") < section.index("output.faces3000null") < section.index("All settings")


def test_views_without_normals_have_no_normal_error(rich: SimpleNamespace) -> None:
    rich.views = replace(rich.views, normals=torch.zeros_like(rich.views.normals))
    rich.checked = None
    page = Page(_result_page(rich))
    assert {attrs["data-layer"] for attrs in page.all("img") if "data-layer" in attrs} == {
        *("input-colour", "result-colour", "result-normals", "silhouettes"),
    }
    assert {attrs["data-mode"] for attrs in page.all("button") if "data-mode" in attrs} == {
        *("colours", "normals", "shaded"),
    }


def test_points_that_are_nowhere_do_no_harm(rich: SimpleNamespace) -> None:
    vertices = rich.mesh.vertices.clone()
    vertices[5] = float("nan")
    rich.mesh = replace(rich.mesh, vertices=vertices)
    assert Page(_result_page(rich)).all("canvas")


@pytest.mark.parametrize(
    ("side", "subdivisions", "limit"), [(512, 0, 1.5), (512, 6, 3.5)], ids=["few faces", "82 thousand"]
)
def test_size(rich: SimpleNamespace, side: int, subdivisions: int, limit: float) -> None:
    """Three noisy views of 512 x 512: in megabytes."""
    import trimesh

    generator = torch.Generator().manual_seed(0)
    noise = torch.nn.functional.interpolate(torch.rand(3, 3, 64, 64, generator=generator), side, mode="bicubic")
    images = noise.movedim(1, -1).clamp(0, 1)
    masks = torch.ones(3, side, side)
    normals = torch.nn.functional.normalize(images * 2 - 1, dim=-1)
    rich.views = replace(rich.views, rgb=images, masks=masks, normals=normals)
    rich.renders = SimpleNamespace(normals=-normals, masks=masks, rgb=1 - images)
    if subdivisions:
        ball = trimesh.creation.icosphere(subdivisions=subdivisions)
        vertices = torch.from_numpy(np.asarray(ball.vertices)).float()
        rich.mesh = Mesh(vertices, torch.from_numpy(np.asarray(ball.faces)).int(), vertices / 2 + 0.5)
    assert len(_result_page(rich)) < limit * 1e6


def test_markup_escapes_text_and_keeps_markup() -> None:
    made = element("p", "a < b & 'c'", Html("<b>d</b>"), 3, None, ["x", ["<"]], title='"', hidden=True, id=None)
    assert made == '<p title="&quot;" hidden>a &lt; b &amp; &#x27;c&#x27;<b>d</b>3x&lt;</p>'
    assert joined(["<", Html("<br>")], between=" ") == "&lt; <br>"
