"""The top of the page: what it is about, the verdict, the key figures, the topology."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from meshopt.report.page.markup import Html, element, facts, joined
from meshopt.report.page.verdicts import banner

Plain = Mapping[str, Any]


def result_head(record: Plain, made: str) -> Html:
    """Of a run that gave a mesh; `made` says how, as "Reconstruction from"."""
    views, topology = record.get("views", ()), record.get("topology") or {}
    figures: list[tuple[str, Html | None]] = [
        ("Faces", _figure(topology.get("faces"), ",.0f", f"{topology.get('vertices', 0):,} vertices")),
        ("Silhouette IoU", _mean(views, "silhouette_iou", ".3f", worst=min)),
        ("Normal error", _mean(views, "normal_error_deg", ".1f", "°", worst=max)),
        ("Colours", _mean(views, "colour_psnr_db", ".1f", " dB", worst=min)),
        ("Time", _seconds(record.get("stages", ()))),
    ]
    line = record.get("topology_line")
    return joined(
        [
            _titles(record, made, len(views)),
            banner(record, "{} applied."),
            facts([(name, value) for name, value in figures if value], "figures"),
            _topology(str(line)) if line else None,
        ]
    )


def check_head(record: Plain) -> Html:
    """Of a check of views alone."""
    verdicts = [view["verdict"] for view in record["views"]]
    bad = [view["name"] for view in record["views"] if view["verdict"] != "ok"]
    fine = element("span", f"{verdicts.count('ok')} of {len(verdicts)}", class_="value")
    figures = [
        ("Views that fit", joined([fine, element("small", f"not: {', '.join(bad)}") if bad else None])),
        ("Score", _figure(record["score"], ".2f", "% of the diagonal")),
    ]
    return joined(
        [
            _titles(record, "Check of", len(verdicts)),
            banner(record, "meshopt reconstruct would apply {}."),
            facts(figures, "figures"),
        ]
    )


def rig_name(record: Plain) -> str:
    """The rig, or the cameras file with its folder alone."""
    return "/".join(Path(record.get("rig") or "").parts[-2:])


def _titles(record: Plain, made: str, count: int) -> Html:
    rig = rig_name(record)
    over = " · ".join(text for text in (f"meshopt {record.get('version', '')}".strip(), rig) if text)
    title = f"{made} {count} view{'' if count == 1 else 's'}"
    return joined([element("p", over, class_="over"), element("h1", title)])


def _figure(value: float | None, form: str, small: str = "", unit: str = "") -> Html | None:
    if value is None:
        return None
    number = element("span", f"{value:{form}}{unit}", class_="value")
    return joined([number, element("small", small) if small else None])


def _mean(views: Sequence[Plain], key: str, form: str, unit: str = "", *, worst: Any) -> Html | None:
    """Over the views, and that of the view which is worst."""
    known = [(view[key], view["name"]) for view in views if view.get(key) is not None]
    if not known:
        return None
    value, name = worst(known, key=lambda pair: pair[0])
    small = f"worst {value:{form}}{unit}, {name}" if len(known) > 1 else ""
    return _figure(fmean(pair[0] for pair in known), form, small, unit)


def _seconds(stages: Sequence[Plain]) -> Html | None:
    if not stages:
        return None
    longest = max(stages, key=lambda stage: stage["seconds"])
    return _figure(
        sum(s["seconds"] for s in stages), ".1f", f"longest: {longest['name']} {longest['seconds']:.1f} s", " s"
    )


def _topology(line: str) -> Html:
    """The sentence: what kind of surface, then the numbers."""
    kind, _, numbers = line.partition(": ")
    return element("p", element("b", kind), f": {numbers}" if numbers else "", class_="topology")
