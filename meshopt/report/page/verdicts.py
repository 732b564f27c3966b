"""Verdicts and severities: their words, and marks that differ in shape as well as colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meshopt.report.page.markup import Html, element

_SHAPES = {  # in a square of 16; as on check.png: a disc, a triangle, a cross
    "ok": "M8 1a7 7 0 1 0 0 14a7 7 0 1 0 0-14zM7 11.5L3.8 8.3l1.2-1.2L7 9.1l4-4.1l1.2 1.2z",
    "suspect": "M8 1L15.5 14.5H.5zM7.2 6v4h1.6V6zM7.2 11.2v1.6h1.6v-1.6z",
    "inconsistent": "M3 1L8 6L13 1L15 3L10 8L15 13L13 15L8 10L3 15L1 13L6 8L1 3z",
    "note": "M1 6.5h14v3H1z",
}
_WORDS = {
    "ok": "The views fit each other.",
    "suspect": "Some of the views may not fit the others.",
    "inconsistent": "The views contradict each other.",
}


def mark(verdict: str) -> Html:
    """The shape alone."""
    path = element("path", d=_SHAPES.get(verdict, _SHAPES["note"]), fill_rule="evenodd")
    return element("svg", path, viewBox="0 0 16 16", class_="mark", aria_hidden="true")


def badge(verdict: str, text: str = "") -> Html:
    """The shape and a word in its colour."""
    return element("span", mark(verdict), text or verdict, class_=f"badge {_class(verdict)}")


def banner(record: Mapping[str, Any], mended: str) -> Html:
    """What the checks come to; `mended`: how corrections are spoken of, with `{}` for their number."""
    verdict = record.get("verdict")
    if verdict is None:
        text = "The views were not checked against each other."
        return element("p", mark("note"), element("span", element("b", "not checked"), " ", text), class_="verdict")
    words = [_WORDS.get(verdict, "")]
    notes = sum(finding["severity"] == "note" for finding in record.get("findings", ()))
    count = len(record.get("findings", ())) - notes
    if count or notes:
        found = [counted(number, word) for number, word in ((count, "finding"), (notes, "note")) if number]
        words.append(f"{' and '.join(found)}, listed below.".capitalize())
    if record.get("corrections"):
        words.append(mended.format(counted(len(record["corrections"]), "correction")))
    if record.get("score") is not None:
        words.append(f"Score {record['score']:.2f} (surface error to be expected, in % of the diagonal).")
    text = element("span", element("b", verdict), " ", " ".join(words))
    return element("p", mark(verdict), text, class_=f"verdict {_class(verdict)}")


def _class(verdict: str) -> str:
    return verdict if verdict in _SHAPES else "note"


def counted(number: int, noun: str) -> str:
    """As `3 findings`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
