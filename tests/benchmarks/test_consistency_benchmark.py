"""The consistency benchmark: rows judged by hand-made truths, curves of known samples, and a small run that goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import consistency
import consistency_curves
import consistency_rows
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from meshopt.rigs import load_rig
from meshopt.views import ViewSet


def finding(code: str, *views: str, value: float | None = None, severity: str = "suspect") -> dict[str, Any]:
    return {"code": code, "views": list(views), "value": value, "severity": severity, "unit": ""}


def row(kind: str, views: list[str], findings: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    counting = [f for f in findings if f["severity"] != "note"]
    return {
        "object": "spot", "rig": "unique3d", "kind": kind, "strength": None, "seed": 0, "sensitive": False,
        "effect": 0.5, "views": views, "truth": {}, "findings": findings, "score": 0.0, "iou": None,
        "verdict": "suspect" if counting else "ok", "seconds": 1.0, "cpu_seconds": 1.0,
    } | more  # fmt: skip


def test_halves_keep_look_alikes_together_and_are_of_equal_size() -> None:
    assert all(consistency_rows.half(f"creature{k}") == consistency_rows.half(f"creature{k + 4}") for k in range(4))
    for family, count in (("creature", 8), ("machine", 6)):
        assert [consistency_rows.half(f"{family}{k}") for k in range(count)].count("even") == count // 2
    assert {consistency_rows.half(name) for name in ("armadillo", "flight_helmet", "spot")} == {"even"}
    assert consistency_rows.half("an object nobody knows") in ("even", "odd")


def test_what_counts_as_found_and_named() -> None:
    right = row("rotate", ["b"], [finding("rotated", "b", value=4.5)], strength=5.0, truth={"b": {"degrees": 5.0}})
    assert consistency_rows.detected(right)
    assert consistency_rows.named(right)
    assert consistency_rows.right_view(right)
    assert not consistency_rows.others(right)
    assert not consistency_rows.missed(right)
    assert consistency_rows.off(right) == pytest.approx(0.5)

    other = row("rotate", ["b"], [finding("rotated", "c", value=4.5)], strength=5.0, truth={"b": {"degrees": 5.0}})
    assert consistency_rows.detected(other)
    assert not consistency_rows.right_view(other)
    assert consistency_rows.others(other)
    assert consistency_rows.off(other) is None
    assert consistency_rows.missed(other)

    wrong_name = row("mirrored", ["b"], [finding("swapped", "b", "c")])
    assert consistency_rows.right_view(wrong_name)
    assert not consistency_rows.named(wrong_name)
    assert consistency_rows.missed(wrong_name)


def test_notes_neither_find_nor_alarm() -> None:
    assert not consistency_rows.missed(row("clean", [], [finding("detail", "a", severity="note")], effect=0.0))
    assert consistency_rows.missed(row("clean", [], [finding("rotated", "a")], effect=0.0))
    assert not consistency_rows.named(row("rotate", ["b"], [finding("rotated", "b", severity="note")]))


@pytest.mark.parametrize(("truth", "value"), [(0.97, -3.0), (1.03, 3.0)])
def test_zooms_are_compared_with_their_sign(truth: float, value: float) -> None:
    zoomed = row("zoom", ["b"], [finding("zoomed", "b", value=value)], strength=3.0, truth={"b": {"zoom": truth}})
    assert consistency_rows.off(zoomed) == pytest.approx(0, abs=1e-9)
    inverse = row("zoom", ["b"], [finding("zoomed", "b", value=-value)], strength=3.0, truth={"b": {"zoom": truth}})
    assert consistency_rows.off(inverse) == pytest.approx(6)


def test_the_table_leaves_out_damage_without_consequence() -> None:
    rows = [
        row("clean", [], [], effect=0.0),
        row("clean", [], [finding("rotated", "a", value=3.0)], effect=0.0, object="fox"),
        row("mirrored", ["b"], [finding("mirrored", "b")]),
        row("mirrored", ["b"], [], effect=0.001, object="fox"),
        row("mirrored", ["b"], [finding("mirrored", "b")], sensitive=True),
    ]
    text = consistency_rows.table(rows)
    assert "| mirrored | unique3d | 1 | 100 | 100 | 100 | 0 |" in text
    assert "False alarms: 1 of 2 clean sets." in text
    assert "fox, unique3d: rotated a 3.00" in text
    assert "False alarms: 0 of 1" in consistency_rows.table(rows, "even")


values = st.lists(st.floats(0, 10, allow_nan=False), min_size=1, max_size=30)


@given(values, values, st.floats(0.01, 10))
def test_a_curve_counts(clean: list[float], damaged: list[float], threshold: float) -> None:
    found = consistency_curves.points(clean, damaged)
    assert (np.diff(found.alarms) >= 0).all()
    assert (np.diff(found.found) >= 0).all()
    alarms, share = found.at(threshold)
    assert alarms == pytest.approx(100 * np.mean(np.array(clean) >= threshold))
    assert share == pytest.approx(100 * np.mean(np.array(damaged) >= threshold))


def test_a_curve_of_samples_that_do_not_mix_is_perfect() -> None:
    found = consistency_curves.points([0.1, 0.2, 0.0], [3.0, 4.0])
    assert found.best() == (pytest.approx(1.6), 100.0)


def test_curves_are_drawn() -> None:
    pytest.importorskip("matplotlib")
    rows = [row("clean", [], [finding("rotated", "a", value=0.3)], effect=0.0, sensitive=True)]
    rows += [row("rotate", ["b"], [finding("rotated", "b", value=4.8)], strength=5.0, sensitive=True)]
    assert consistency_curves.draw(rows).startswith(b"\x89PNG")


def blank(rig: str) -> ViewSet:
    cameras = load_rig(rig).cameras()
    return ViewSet(cameras, torch.zeros(len(cameras), 8, 8, 3), torch.zeros(len(cameras), 8, 8), None)


def test_pictures_moved_on_around_an_even_circle_only_turn_the_world() -> None:
    assert consistency.turns_the_world(blank("unique3d"))
    assert not consistency.turns_the_world(blank("wonder3d"))
    assert not consistency.turns_the_world(blank("zero123plus"))


def sphere(folder: Path, size: int = 64) -> None:
    """Views of a ball, in a folder as the benchmark reads it."""
    y, x = (1 - (2 * np.mgrid[:size, :size] + 1) / size) * np.array([1, -1])[:, None, None]
    square = (x**2 + y**2) / 0.6**2
    local = np.stack([x / 0.6, y / 0.6, np.sqrt(np.maximum(1 - square, 0))], -1)
    (folder / "normals").mkdir(parents=True)
    views = []
    for azimuth, camera in zip((0, 90, 180, 270), load_rig("unique3d").cameras(), strict=True):
        colour = np.round(127.5 * (local @ camera.rotation + 1)).clip(0, 255)
        image = np.dstack([colour, 255.0 * (square < 1)]).astype(np.uint8)
        Image.fromarray(image).save(folder / "normals" / f"{camera.name}.png")
        view = {"name": camera.name, "normal": f"{camera.name}.png", "type": "ortho", "half": 1.0, "frame": "world"}
        views.append(view | {"azimuth": azimuth, "elevation": 0})
    (folder / "cameras.json").write_text(json.dumps({"views": views}))


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sphere(tmp_path / "views" / "spot" / "unique3d")
    out, text = tmp_path / "rows.jsonl", tmp_path / "table.md"
    command = ["consistency.py", str(tmp_path), "--json", str(out), "--table", str(text), "--kinds"]
    monkeypatch.setattr(sys, "argv", [*command, "shift:10,order"])
    consistency.main()
    rows = consistency.read(out)
    assert [consistency_rows.label(r) for r in rows] == ["clean", "shift:10"]  # order: nothing is wrong there
    assert rows[1]["effect"] > 0.01
    assert rows[1]["views"]
    assert rows[1]["cpu_seconds"] > 0
    monkeypatch.setattr(sys, "argv", [*command, "shift:10,zoom:20"])
    consistency.main()
    more = consistency.read(out)
    assert more[:2] == rows
    assert [consistency_rows.label(r) for r in more[2:]] == ["zoom:20"]
    assert "| shift:10 | unique3d | 1 |" in text.read_text()


def test_a_kind_that_is_none_is_named() -> None:
    with pytest.raises(SystemExit, match="rotatoe"):
        consistency.Damage.of("rotatoe:5")


def test_thresholds_are_chosen_on_one_half_and_reported_on_the_other() -> None:
    rows = []
    for name, clean, damaged in (("spot", 1.0, 4.0), ("fox", 2.0, 5.0)):  # even, odd
        for kind, strength, value in (("clean", None, clean), ("rotate", 5.0, damaged)):
            more = {"strength": strength, "object": name, "sensitive": True}
            rows.append(row(kind, ["b"], [finding("rotated", "b", value=value)], **more))
    text = consistency_curves.chosen(rows)
    assert "| rotate:5 | rotated | even | 2.50 | 100 | 100 | 0 | 2.5 | 100 | 0 |" in text
    assert "| rotate:5 | rotated | odd | 3.50 | 100 | 100 | 0 | 2.5 | 100 | 0 |" in text
    assert consistency_curves.chosen(rows[:2]) == ""
