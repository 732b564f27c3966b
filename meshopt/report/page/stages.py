"""The section of the stages: how long each took, what came of it, and how the losses fell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meshopt.report.page.document import Section
from meshopt.report.page.markup import Html, element, joined, table
from meshopt.report.page.plots import Curves, draw_plots

Plain = Mapping[str, Any]
_BAR = 120  # width of the longest bar


def stages_section(stages: Sequence[Plain], curves: Curves) -> Section:
    """A row for each stage, and a plot for each loss."""
    longest = max((stage["seconds"] for stage in stages), default=0.0)
    rows = [
        (
            stage["name"],
            f"{stage['seconds']:.2f}",
            _bar(stage["seconds"] / longest if longest else 0.0),
            f"{stage['faces']:,}" if stage.get("faces") else "–",
            _details(stage),
        )
        for stage in stages
    ]
    times = table(("stage", "seconds", "", "faces after it", "what else"), rows, "Stages in order", numbers=(1, 3))
    plots = draw_plots(curves)
    figures = [
        element("h3", "Convergence"),
        element("p", "Losses as they are added up, each over all steps.", class_="hint"),
        element("div", plots, class_="plots"),
    ]
    return Section("stages", "Stages", joined([times if rows else None, figures if plots else None]))


def _bar(share: float) -> Html:
    width = max(1, round(_BAR * share))
    rect = element("rect", width=width, height=10, rx=2)
    return element("svg", rect, viewBox=f"0 0 {_BAR} 10", width=_BAR, height=10, class_="bar", aria_hidden="true")


def _details(stage: Plain) -> str:
    """What the stage reports besides, in words."""
    words = []
    if "steps" in stage:
        words.append(f"{stage['steps']} steps")
    if stage.get("last_fall") is not None:
        words.append(f"the loss fell by {100 * stage['last_fall']:.1f} % in the last ten")
    for name, degrees in (stage.get("turned") or {}).items():
        words.append(f"normals of {name} turned back by {degrees:.1f}° before it")
    for key, what in (("crossing", "faces that cross others"), ("folded", "faces folded over")):
        if key in stage:
            words.append(f"{what}: {stage[key][0]} before, {stage[key][1]} after")
    if stage.get("cuts"):
        words.append(f"rounds of cutting out: {stage['cuts']}")
    return "; ".join(words)
