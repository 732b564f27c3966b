"""The section of the findings: what does not fit, where, by how much, what mends it, and what was mended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meshopt.report.findings_sheet import SEVERITIES
from meshopt.report.page.corrections import belonging, described
from meshopt.report.page.document import Section
from meshopt.report.page.markup import Html, element, facts, joined, sentences
from meshopt.report.page.verdicts import badge

Plain = Mapping[str, Any]


def findings_section(findings: Sequence[Plain], corrections: Sequence[Plain], late: int | None) -> Section:
    """Worst first, notes folded away. `late`: how many of the corrections, the last ones, were made while the mesh was
    fitted; None where none was made: they would be."""
    done, early = late is not None, corrections[: len(corrections) - (late or 0)]
    ranked = sorted(findings, key=lambda finding: SEVERITIES.index(finding["severity"]))
    notes = [_finding(f, early, done) for f in ranked if f["severity"] == "note"]
    listed = [_finding(f, early, done) for f in ranked if f["severity"] != "note"]
    count = f"{len(notes)} note{'' if len(notes) == 1 else 's'}, which do not count for the verdict"
    body = [
        None if listed else element("p", "Nothing was found that does not fit."),
        element("ol", listed, class_="findings") if listed else None,
        element("details", element("summary", count), element("ol", notes, class_="findings")) if notes else None,
    ]
    claimed = [id(c) for finding in findings for c in belonging(finding, early)]
    more = "Corrected besides" if done else "Would be corrected besides"
    for title, rest in (
        (more, [c for c in early if id(c) not in claimed]),
        ("Corrected while the mesh was fitted", corrections[len(early) :]),
    ):
        body += [element("h3", title), sentences(map(described, rest))] if rest else []
    return Section("findings", "Findings", joined(body))


def _finding(finding: Plain, corrections: Sequence[Plain], done: bool) -> Html:
    views = ", ".join(finding["views"]) or "all views"
    heading = element(
        "h3", badge(finding["severity"]), " ", element("code", finding["code"]), " ", element("span", views)
    )
    rows = [("By how much", _quantity(finding)), ("What to do", _capital(finding["remedy"], finding["views"]))]
    mended = [described(c) for c in belonging(finding, corrections)]
    if mended:
        rows.append(("Corrected" if done else "Would be corrected", sentences(mended)))
    known = [(name, value) for name, value in rows if value]
    where = "On the finished mesh, after all corrections." if finding.get("details", {}).get("on") == "mesh" else ""
    if where:
        known.append(("Found", where))
    return element(
        "li",
        heading,
        element("p", _capital(finding["message"], finding["views"])),
        facts(known),
        class_=finding["severity"],
    )


def _quantity(finding: Plain) -> Html | None:
    """Value, uncertainty, unit, and from what on it counts."""
    value, uncertainty, threshold = (finding.get(key) for key in ("value", "uncertainty", "threshold"))
    if value is None:
        return None
    text = f"{value:.3g}" + ("" if uncertainty is None else f" ± {uncertainty:.2g}") + f" {finding.get('unit', '')}"
    if threshold is None:
        return joined([text.rstrip()])
    origin = finding.get("threshold_from") or ""
    setting = [" (", element("code", origin), ")"] if origin else []
    return joined([f"{text.rstrip()}; counts from {threshold:.3g} on", *setting])


def _capital(text: str, names: Sequence[str] = ()) -> str:
    """The first letter large, unless the text begins with one of the names."""
    return text if not text or text.split()[0] in names else text[0].upper() + text[1:]
