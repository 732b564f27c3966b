"""The page around its sections: head, contents, styles and scripts, all in one file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from meshopt.report.page.markup import Html, element

STYLES = ("theme.css", "sections.css", "pictures.css", "charts.css", "figures.css", "media.css")
LAYERS, VIEWER = ("layers.js",), ("orbit.js", "renderer.js", "viewer.js")  # what sections can need


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading; `scripts` are the files of this package that it needs."""

    name: str  # in the address, as in report.html#views
    title: str
    body: Html
    scripts: tuple[str, ...] = ()


def encode_page(title: str, head: Html, sections: Sequence[Section], foot: Html) -> bytes:
    """The file's bytes: `head` first, then the contents and the sections.

    Whatever it shows is in it. Its policy forbids all else: other scripts and styles than its own, which are named by
    their hashes, and any request.
    """
    style = "\n".join(map(asset, STYLES))
    scripts = tuple(dict.fromkeys(name for section in sections for name in section.scripts))
    code = _code(scripts)
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    policy += f"; script-src {_hash(code)}" if scripts else ""
    body = (
        element("header", head),
        _contents(sections),
        element("main", [_section(section) for section in sections]),
        element("footer", foot),
        element("script", Html(code)) if scripts else None,
    )
    page = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=policy),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("title", title),
            element("style", Html(style)),
        ),
        element("body", body),
        lang="en",
    )
    return f"<!doctype html>\n{page}\n".encode("utf-8", "replace")


def data_block(name: str, content: str, kind: str = "text/plain") -> Html:
    """Data for a script, which finds it by its id; no browser runs it. `content` must not contain `<`."""
    if "<" in content:
        raise ValueError("data in a page must not contain '<'")
    return element("script", Html(content), type=kind, id=name)


def data_uri(content: bytes, kind: str) -> str:
    """The content as an address."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@cache
def asset(name: str) -> str:
    """The text of a style or script of this package."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _section(section: Section) -> Html:
    heading = element("h2", section.title, id=f"{section.name}-title")
    return element("section", heading, section.body, id=section.name, aria_labelledby=f"{section.name}-title")


def _contents(sections: Sequence[Section]) -> Html | None:
    """Links to the sections, where there are several."""
    if len(sections) < 2:
        return None
    links = [element("li", element("a", section.title, href=f"#{section.name}")) for section in sections]
    return element("nav", element("ul", links), aria_label="Contents")


def _code(scripts: Sequence[str]) -> str:
    """The scripts as one, with names of their own."""
    return '"use strict";\n(() => {\n' + "\n".join(map(asset, scripts)) + "})();\n"


def _hash(text: str) -> str:
    """As a content security policy names inline code."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
