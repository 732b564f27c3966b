"""The page of an ablation: what inputs cost, the error over the normals' misalignment, meshes side by side, runs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

import meshopt
from meshopt.ablation.ablation import Ablation
from meshopt.ablation.plan import shown
from meshopt.ablation.runs import Row
from meshopt.ablation.summary import REFERENCE, Group, Spread, curves
from meshopt.config import Config
from meshopt.report.page.charts import Chart, Line, Point, chart_figure
from meshopt.report.page.document import Section, encode_page
from meshopt.report.page.images import encode_image
from meshopt.report.page.markup import Content, Html, element, facts, joined, sentences, table
from meshopt.report.page.provenance import foot, settings_section, versions_section
from meshopt.report.page.verdicts import counted

ERRORS = {  # what is compared: its name, form and unit; in titles
    "visible_chamfer_pct": ("Chamfer distance", ".3f", "% of the diagonal"),
    "chamfer_pct": ("Chamfer distance", ".3f", "% of the diagonal"),
    "view_normal_deg": ("angle of normals in the views", ".2f", "degrees"),
}
MOST_SHEETS = 12  # in the page
COLUMNS = (  # of the table of inputs: figure, head, form
    ("input_deg", "normals off, °", ".1f"),
    ("visible_chamfer_pct", "Chamfer, %", ".3f"),
    ("visible_fscore_0.5pct", "F 0.5 %", ".3f"),
    ("visible_normal_deg", "angle, °", ".1f"),
    ("view_normal_deg", "in views, °", ".2f"),
    ("silhouette_iou", "IoU", ".4f"),
    ("psnr_db", "PSNR, dB", ".1f"),
)
_RUN_COLUMNS = (
    ("input_deg", "normals off, °", ".1f"),
    ("mended_deg", "after mending, °", ".1f"),
    ("visible_chamfer_pct", "Chamfer, %", ".3f"),
    ("view_normal_deg", "in views, °", ".2f"),
    ("verdict", "verdict", ""),
    ("seconds", "seconds", ".1f"),
)


def ablation_page(ablation: Ablation, settings: Config, sheets: Mapping[str, bytes]) -> bytes:
    """`sheets`: PNG bytes by object."""
    record = {"version": meshopt.__version__}
    groups = ablation.groups
    sections = [
        _inputs(ablation, groups),
        _charts(ablation),
        _sheets(sheets),
        _runs(ablation),
        settings_section(settings),
        versions_section(record, ("ablation.csv", "ablation.json")),
    ]
    title = f"Ablation of {counted(len(ablation.plan.views), 'object')}"
    return encode_page(f"{title} · meshopt", _head(ablation, groups, title), [s for s in sections if s], foot(record))


def charts(ablation: Ablation) -> list[Chart]:
    """The error over how far the normals of the inputs are off: a line for each kind, for each variant of settings."""
    found = curves(ablation.sound, ablation.plan.varied)
    kinds = list(dict.fromkeys(kind for kind, _ in found if kind != REFERENCE))
    variants = list(dict.fromkeys(variant for _, variant in found))
    lines = [
        Line(", ".join(filter(None, (kind, variant))), _points(found[kind, variant]), series, number % 4)
        for series, kind in enumerate(kinds)
        for number, variant in enumerate(variants)
        if (kind, variant) in found
    ]
    if not lines:
        return []
    base = next((points[0].error for (kind, _), points in found.items() if kind == REFERENCE), None)
    name, _, unit = ERRORS[ablation.error]
    title = f"{name[0].upper()}{name[1:]} over misalignment"
    across = None if base is None else (_reference(ablation), base)
    return [Chart(title, "mean angle between input and true normals, degrees", f"{name}, {unit}", lines, across)]


def _points(spreads: Sequence[Spread]) -> list[Point]:
    return [Point(s.degrees, s.error, s.low, s.high, f"{s.label}, {counted(s.seeds, 'seed')}") for s in spreads]


def headline(ablation: Ablation, groups: Sequence[Group]) -> str:
    """What generated normals cost, else what the worst input costs; empty where there is nothing to compare."""
    known = [group for group in groups if group.increase_pct is not None]
    chosen = [group for group in known if group.input == "generated"][:1] or sorted(
        known, key=lambda group: group.increase_pct or 0.0
    )[-1:]
    if not chosen:
        return ""
    group, (name, form, _) = chosen[0], ERRORS[ablation.error]
    assert group.increase_pct is not None
    figure = group.figures[ablation.error]
    settings = "".join(f", {key}={shown(value)}" for key, value in group.variant)
    who = "Generated normals give" if group.input == "generated" else f"The worst input, {group.input}{settings}, gives"
    more = "more" if group.increase_pct >= 0 else "less"
    return f"{who} {abs(group.increase_pct):.0f} % {more} {name} than {_reference(ablation)} ({figure:{form}})."


def _reference(ablation: Ablation) -> str:
    return "ground truth" if ablation.plan.certain else "the normals as given"


def _head(ablation: Ablation, groups: Sequence[Group], title: str) -> Html:
    failed = len(ablation.rows) - len(ablation.sound)
    figures = [
        ("Runs", _figure(len(ablation.rows), f"{failed} failed" if failed else "none failed")),
        ("Objects", _figure(len(ablation.plan.views), ", ".join(ablation.plan.views))),
        ("Inputs", _figure(len({row["input"] for row in ablation.rows}), f"{_reference(ablation)} and others")),
    ]
    said = headline(ablation, groups)
    return joined(
        [
            element("p", f"meshopt {meshopt.__version__}", class_="over"),
            element("h1", title),
            element("p", said, class_="topology") if said else None,
            facts(figures, "figures"),
            sentences(ablation.plan.notes),
        ]
    )


def _inputs(ablation: Ablation, groups: Sequence[Group]) -> Section | None:
    if not groups:
        return None
    columns = [column for column in COLUMNS if any(column[0] in group.figures for group in groups)]
    first = 1 + next((i for i, column in enumerate(columns) if column[0] == ablation.error), -1)
    varied = ablation.plan.varied
    names = [name for _, name, _ in columns]
    head = ["input", *varied, *names[:first], "more error", "objects", *names[first:], "runs"]
    rows = [_row(ablation, group, columns, first) for group in groups]
    what = ERRORS[ablation.error][0]
    hint = (
        f"Means over objects of the means over seeds. More error: {what} over that of {_reference(ablation)} with the"
        " same settings; objects: the least and the largest of single ones. Chamfer, F and angle: of what is seen from"
        " outside."
    )
    whole = table(head, rows, "Figures by input", range(1 + len(varied), len(head)))
    return Section("inputs", "What the input costs", joined([whole, element("p", hint, class_="hint")]))


def _row(ablation: Ablation, group: Group, columns: Sequence[tuple[str, str, str]], first: int) -> Sequence[Content]:
    """Of the table of inputs; what the input costs stands after `first` figures."""
    figures = [_number(group.figures.get(name), form) for name, _, form in columns]
    least, _, most = map(_percent, group.increases or (None, None, None))
    return [
        _reference(ablation) if group.input == REFERENCE else group.input,
        *(shown(value) for _, value in group.variant),
        *figures[:first],
        _percent(group.increase_pct),
        f"{least} to {most}" if least else "",
        *figures[first:],
        group.runs,
    ]


def _charts(ablation: Ablation) -> Section | None:
    drawn = [chart_figure(chart) for chart in charts(ablation)]
    if not drawn:
        return None
    hint = "Bands: the least and the largest mean over the objects of one seed."
    return Section(
        "misalignment",
        "Error over misalignment",
        joined([element("div", drawn, class_="charts"), element("p", hint, class_="hint")]),
    )


def _sheets(sheets: Mapping[str, bytes]) -> Section | None:
    if not sheets:
        return None
    figures = [
        element(
            "figure",
            element("figcaption", element("b", name)),
            element(
                "div",
                element("img", src=_embedded(content), alt=f"Normals, meshes and errors of {name}"),
                class_="scroll",
                tabindex=0,
                role="region",
                aria_label=name,
            ),
            class_="sheet",
        )
        for name, content in list(sheets.items())[:MOST_SHEETS]
    ]
    left = len(sheets) - len(figures)
    more = element("p", f"{counted(left, 'more object')} in the folder comparison.", class_="hint") if left else None
    return Section("meshes", "Side by side", joined([*figures, more]))


def _runs(ablation: Ablation) -> Section:
    columns = [column for column in _RUN_COLUMNS if any(column[0] in row for row in ablation.rows)]
    head = ["object", "input", "seed", *ablation.plan.varied, *(name for _, name, _ in columns), "mesh"]
    rows = [
        [row["object"], row["input"], row["input_seed"] or "", *(shown(row.get(key)) for key in ablation.plan.varied),
         *(_number(row.get(name), form) for name, _, form in columns), _mesh(row)]
        for row in ablation.rows
    ]  # fmt: skip
    whole = table(head, rows, "All runs", range(2, len(head) - 1))
    return Section("runs", "Runs", element("details", element("summary", f"All {len(rows)} runs"), whole))


def _mesh(row: Row) -> Html | str:
    if "error" in row:
        return str(row["error"])
    return element("a", "mesh.glb", href=f"{row['folder']}/mesh.glb")


def _embedded(png: bytes) -> str:
    """The picture as an address."""
    with Image.open(io.BytesIO(png)) as image:
        return encode_image(np.asarray(image))


def _figure(value: float, small: str) -> Html:
    return joined([element("span", f"{value:,}", class_="value"), element("small", small)])


def _number(value: Any, form: str) -> str:
    if value is None:
        return "–"
    return f"{value:{form}}" if form else str(value)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:+.0f} %"
