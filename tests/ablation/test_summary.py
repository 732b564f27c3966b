"""Means over objects and seeds, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from meshopt.ablation.summary import curves, error_name, groups


def row(object_: str, input_: str, error: float | None, seed: int | None = None, **more: Any) -> dict[str, Any]:
    kind = input_.split()[0]
    found = {"object": object_, "input": input_, "kind": kind, "input_seed": seed, "input_deg": 2.0 * (seed or 0)}
    return found | {"visible_chamfer_pct": error, "closed": True, **more}


ROWS = [
    row("a", "reference", 1.0),
    row("a", "noise 5", 2.0, 1),
    row("a", "noise 5", 4.0, 2),
    row("b", "reference", 4.0),
    row("b", "noise 5", 4.0, 1),
    row("b", "noise 5", 6.0, 2),
]


def test_increases_are_of_means_and_of_single_objects() -> None:
    reference, noise = groups(ROWS, [])
    assert reference.increase_pct is None
    assert reference.figures["visible_chamfer_pct"] == pytest.approx(2.5)
    assert (noise.runs, noise.kind) == (4, "noise")
    assert noise.figures["visible_chamfer_pct"] == pytest.approx(4.0)  # of 3 and 5
    assert noise.increase_pct == pytest.approx(60.0)  # 8 over 5
    assert noise.increases == pytest.approx((25.0, 112.5, 200.0))


def test_objects_without_a_reference_are_not_compared() -> None:
    """The failed reference of b takes b out of the comparison, not out of the means."""
    noise = groups([r for r in ROWS if r["object"] == "a" or r["input"] != "reference"], [])[1]
    assert noise.increase_pct == pytest.approx(200.0)
    assert noise.figures["visible_chamfer_pct"] == pytest.approx(4.0)


def test_variants_are_compared_with_the_reference_of_the_same_settings() -> None:
    rows = [{**r, "check.correct": flag, "visible_chamfer_pct": r["visible_chamfer_pct"] * factor}
            for flag, factor in ((True, 1), (False, 10)) for r in ROWS]  # fmt: skip
    found = groups(rows, ["check.correct"])
    assert [group.variant for group in found] == [(("check.correct", True),)] * 2 + [(("check.correct", False),)] * 2
    assert [group.increase_pct for group in found] == [None, pytest.approx(60.0), None, pytest.approx(60.0)]
    assert "check.correct" not in found[0].figures


def test_yes_and_no_become_shares() -> None:
    rows = [*ROWS, row("c", "noise 5", 1.0, 1) | {"closed": False}]
    assert groups(rows, [])[1].figures["closed"] == pytest.approx(2 / 3)


def test_the_error_is_one_that_all_runs_have() -> None:
    assert error_name(ROWS) == "visible_chamfer_pct"
    bare = [{**r, "visible_chamfer_pct": None, "chamfer_pct": 1.0} for r in ROWS]
    assert error_name(bare) == "chamfer_pct"
    assert error_name([{**r, "view_normal_deg": 1.0} for r in [*ROWS, row("d", "noise 5", float("nan"), 1)]]) == (
        "view_normal_deg"
    )


def test_curves_have_the_spread_of_the_seeds() -> None:
    found = curves(ROWS, [])
    (point,) = found["noise", ""]
    assert (point.label, point.seeds) == ("noise 5", 2)
    assert (point.low, point.error, point.high) == pytest.approx((3.0, 4.0, 5.0))  # of 2 and 4, of 4 and 6
    assert point.degrees == pytest.approx(3.0)
    assert set(found) == {("reference", ""), ("noise", "")}


def test_plain_groups_are_for_json() -> None:
    plain = groups(ROWS, [])[1].as_plain()
    assert plain["increase_of_objects_pct"]["median"] == pytest.approx(112.5)
    assert plain["input"] == "noise 5"
