"""The files of an ablation, from rows that are made up: tables, charts, pictures, and the page in a browser."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from meshopt.ablation.ablation import Ablation, Plan
from meshopt.ablation.objects import ViewFiles
from meshopt.ablation.plan import Damage, Input, Variant
from meshopt.ablation.runs import Row, Run
from meshopt.config import Config, load_config
from meshopt.report import ablations
from meshopt.report.ablations import draw_sheets, encode_table, write_ablation
from meshopt.report.comparison import SIDE, encode_tiles
from meshopt.report.page import ablation
from meshopt.report.page.ablation import charts, headline
from meshopt.report.sheets import GAP, LEFT

VIEWS = ("front", "right", "back")
INPUTS = [Input("reference"), Input("generated")] + [
    Input("corrupted", (Damage("noise", strength),), seed) for strength in (5.0, 10.0) for seed in (1, 2)
]
Make = Callable[..., Ablation]


@pytest.fixture
def make(tmp_path: Path, result: SimpleNamespace) -> Make:
    """An ablation of two objects; noise n gives an error of 1 + n / 5, that of the reference is 1."""

    def made(*variants: Variant, certain: bool = True) -> Ablation:
        runs = [
            Run(ViewFiles(name, None), "content", start, variant)
            for name in ("a", "b<c>")
            for start in INPUTS
            for variant in variants or (Variant(Config()),)
        ]
        plan = Plan(tuple(runs), {}, certain, ("a: something is to be known.",), {"a": VIEWS, "b<c>": VIEWS})
        return Ablation(plan, tuple(row(run) for run in runs), tmp_path / "out")

    def row(run: Run) -> Row:
        strength = sum(damage.strength or 0 for damage in run.input.damages)
        place = tmp_path / "out/runs" / run.name
        place.mkdir(parents=True, exist_ok=True)
        (place / "tiles.png").write_bytes(encode_tiles(result.views, result.views, result.renders))
        return {
            **run.facts,
            "input_deg": strength,
            "input_worst_view": "right",
            "mended_deg": strength,
            "visible_chamfer_pct": 1 + strength / 5 + run.input.seed / 100,
            "chamfer_pct": 1.0,
            "view_normal_deg": 2.0,
            "closed": True,
            "seconds": 3.0,
            "folder": f"runs/{run.name}",
        }

    return made


def test_the_table_has_a_line_per_run_and_all_columns(make: Make) -> None:
    done = make()
    failed = {**done.plan.runs[0].facts, "error": "it failed, badly."}
    read = list(csv.DictReader(io.StringIO(encode_table([failed, *done.rows[1:]]).decode())))
    assert len(read) == len(done.rows)
    assert read[0]["error"] == "it failed, badly."
    assert (read[0]["visible_chamfer_pct"], read[0]["input_seed"]) == ("", "")
    assert [float(line["visible_chamfer_pct"]) for line in read[1:]] == pytest.approx(
        [row["visible_chamfer_pct"] for row in done.rows[1:]]
    )
    assert read[1]["closed"] == "true"


def test_all_files_are_there_and_agree(make: Make) -> None:
    done = make()
    files = {str(path.relative_to(done.folder)) for path in write_ablation(done, Config())}
    assert files == {
        "ablation.html", "ablation.csv", "ablation.json", "charts/chamfer-distance-over-misalignment.svg",
        "comparison/a.png", "comparison/b-c.png",
    }  # fmt: skip
    record = json.loads((done.folder / "ablation.json").read_text())
    assert record["error"] == "visible_chamfer_pct"
    assert record["reference"] == "ground truth"
    assert len(record["runs"]) == 12
    by_input = {group["input"]: group for group in record["groups"]}
    assert by_input["noise 5"]["increase_pct"] == pytest.approx(101.5)  # seeds 1 and 2 of two equal objects
    assert by_input["generated"]["increase_pct"] == pytest.approx(0.0)
    ET.fromstring((done.folder / "charts/chamfer-distance-over-misalignment.svg").read_bytes())


def test_files_of_an_older_ablation_go(make: Make) -> None:
    done = make()
    write_ablation(done, Config())
    (done.folder / "comparison/mine.txt").write_text("x")
    fewer = replace(done, plan=replace(done.plan, views={"a": VIEWS}))
    write_ablation(fewer, Config())
    assert {path.name for path in (done.folder / "comparison").iterdir()} == {"a.png", "mine.txt"}


def test_the_chart_has_a_line_per_kind_and_variant(make: Make) -> None:
    variants = [
        Variant(load_config(None, [f"check.correct={word}"]), (("check.correct", word == "true"),))
        for word in ("true", "false")
    ]
    (chart,) = charts(make(*variants))
    assert [line.name for line in chart.lines] == [
        "generated, check.correct=true", "generated, check.correct=false",
        "noise, check.correct=true", "noise, check.correct=false",
    ]  # fmt: skip
    assert [(line.series, line.variant) for line in chart.lines] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert chart.base == ("ground truth", pytest.approx(1.0))
    assert [(p.x, p.low, p.y, p.high) for p in chart.lines[2].points] == [
        (5.0, pytest.approx(2.01), pytest.approx(2.015), pytest.approx(2.02)),
        (10.0, pytest.approx(3.01), pytest.approx(3.015), pytest.approx(3.02)),
    ]


def test_without_damages_there_is_no_chart(make: Make) -> None:
    done = make()
    rows = tuple(row for row in done.rows if row["input"] == "reference")
    assert charts(replace(done, rows=rows)) == []


def test_the_headline_is_of_generated_normals(make: Make) -> None:
    done = make()
    assert headline(done, done.groups) == "Generated normals give 0 % more Chamfer distance than ground truth (1.000)."
    others = replace(done, rows=tuple(row for row in done.rows if row["input"] != "generated"))
    assert headline(others, others.groups).startswith("The worst input, noise 10, gives 201 % more")
    given = make(certain=False)
    assert "than the normals as given" in headline(given, given.groups)


def test_sheets_have_generated_views_and_the_worst_of_damaged_ones(make: Make) -> None:
    sheets = draw_sheets(make())
    assert set(sheets) == {"a", "b-c"}
    with Image.open(io.BytesIO(sheets["a"])) as image:
        rows = (image.height - 64 - 26 - 34) / (SIDE + GAP)
        assert rows == 5  # three views of generated normals; noise 5 and 10 of the first seed
        assert image.width > LEFT + 6 * SIDE


def test_tiles_are_the_normals_and_the_error(result: SimpleNamespace) -> None:
    """The renders are turned by 30 degrees, the top of the scale."""
    with Image.open(io.BytesIO(encode_tiles(result.views, result.views, result.renders))) as image:
        tiles = np.asarray(image)
    assert tiles.shape == (3 * SIDE, 3 * SIDE, 3)
    middle = SIDE // 2
    assert tiles[middle, middle] == pytest.approx([128, 128, 255], abs=1)
    assert tiles[SIDE + middle, middle] == pytest.approx([191, 128, 238], abs=1)
    assert tiles[2 * SIDE + middle, middle] == pytest.approx([252, 255, 164], abs=3)  # inferno's end


def test_errors_are_shown_only_where_both_are(result: SimpleNamespace) -> None:
    renders = SimpleNamespace(normals=result.renders.normals, masks=torch.zeros_like(result.renders.masks), rgb=None)
    with Image.open(io.BytesIO(encode_tiles(result.views, result.views, renders))) as image:
        assert len(np.unique(np.asarray(image)[2 * SIDE :].reshape(-1, 3), axis=0)) == 1


def test_many_rows_are_cut(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablations, "MOST_ROWS", 2)
    with Image.open(io.BytesIO(draw_sheets(make())["a"])) as image:
        assert (image.height - 64 - 26 - 34) / (SIDE + GAP) == 2


def test_a_page_has_a_limited_number_of_sheets(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablation, "MOST_SHEETS", 1)
    done = make()
    page = ablation.ablation_page(done, Config(), draw_sheets(done)).decode()
    assert page.count("<img") == 1
    assert "1 more object in the folder comparison." in page


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (360, True)])
def test_the_page_in_a_browser(make: Make, browser: Any, width: int, dark: bool) -> None:
    done = make()
    failed = {**done.plan.runs[3].facts, "error": "nothing <was> seen."}
    write_ablation(replace(done, rows=(*done.rows[:3], failed, *done.rows[4:])), Config())
    page = done.folder / "ablation.html"
    browser.errors.clear()
    browser.requests.clear()
    browser.open(page, width=width, dark=dark)
    assert browser.errors == []
    assert [address for address in browser.requests if not address.startswith("data:")] == [page.as_uri()]
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert browser.run("[...document.images].every((image) => image.complete && image.naturalWidth > 500)")
    assert browser.run('document.querySelectorAll("figure.chart > svg .dot").length') == 3
    assert browser.run('document.querySelector("h1").textContent') == "Ablation of 2 objects"
    assert browser.run('document.querySelectorAll("#inputs tbody tr").length') == 4
    assert "nothing <was> seen." in browser.run('document.querySelector("#runs").textContent')
    assert browser.run('document.querySelector("#runs a").getAttribute("href")').startswith("runs/a_reference")
    assert len(np.unique(browser.picture("figure.sheet img").reshape(-1, 3), axis=0)) > 50
