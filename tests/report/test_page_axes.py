"""Axes of charts: a few round ticks from 0 on, logarithms where values differ widely, no number too large or small."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshopt.report.page.chart_axes import LARGEST, linear_axis, number, trimmed, usable, value_axis

SIZES = st.floats(-300, 300).map(lambda exponent: 10.0**exponent)
VALUES = st.one_of(SIZES, SIZES.map(lambda v: -v), st.just(0.0))


@pytest.mark.parametrize(
    ("high", "labels"),
    [
        (1.0, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0.3, ["0", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30"]),
        (0.62, ["0", "0.2", "0.4", "0.6", "0.8"]),
        (13.0, ["0", "5", "10", "15"]),
        (25.0, ["0", "5", "10", "15", "20", "25"]),
        (90.0, ["0", "20", "40", "60", "80", "100"]),
        (4100.0, ["0", "1,000", "2,000", "3,000", "4,000", "5,000"]),
        (4e-7, ["0", "1e−7", "2e−7", "3e−7", "4e−7"]),
        (4e7, ["0", "1e7", "2e7", "3e7", "4e7"]),
        (0.0, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    ],
)
def test_ticks_are_round(high: float, labels: list[str]) -> None:
    assert linear_axis([high / 2, high]).labels() == labels


def test_values_below_0_are_on_the_axis() -> None:
    axis = linear_axis([-0.5, 1.0])
    assert axis.labels() == ["−0.5", "0", "0.5", "1.0"]
    assert axis.share(0.25) == 0.5
    assert linear_axis([-3.0, -1.0]).high == 0


def test_an_axis_of_places_ends_with_them() -> None:
    assert trimmed([30.4]).labels() == ["0", "10", "20", "30"]
    assert trimmed([30.4]).high == 30.4
    assert trimmed([24.8]).high == 25  # so near that the tick stays


def test_wide_values_have_logarithms() -> None:
    axis = value_axis([0.1, 1.0, 10.1])
    assert axis.logarithmic
    assert (axis.low, axis.high) == pytest.approx((0.1, 20))
    assert axis.labels() == ["0.1", "0.2", "0.5", "1", "2", "5", "10", "20"]
    assert axis.share(1.0) - axis.share(0.1) == pytest.approx(math.log(10) / math.log(200))
    assert value_axis([1e-6, 1.0]).labels() == ["1e−6", "0.0001", "0.01", "1"]
    assert not value_axis([0.1, 10.0]).logarithmic
    assert not value_axis([0.0, 1.0, 1000.0]).logarithmic
    assert not value_axis([-1.0, 1000.0]).logarithmic


def test_a_spread_that_nearly_reaches_0_adds_a_decade_at_most() -> None:
    axis = value_axis([1.0, 1000.0], [1e-9, 0.0, 4000.0])
    assert (axis.low, axis.high) == pytest.approx((0.1, 5000))
    assert axis.share(0.0) == axis.share(-1.0) == 0


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_all_values_have_a_place(values: list[float]) -> None:
    for axis in (linear_axis(values), trimmed(values), value_axis(values)):
        assert axis.low < axis.high
        near = 1e-8 * (axis.high - axis.low)
        for value in values:
            assert axis.low - near <= value <= axis.high + near
            assert 0 <= axis.share(value) <= 1
        shares = [axis.share(tick) for tick in axis.ticks]
        assert shares == sorted(set(shares))
        assert 2 <= len(shares) <= 10
        assert len(set(axis.labels())) == len(shares)


@given(st.floats(1e-9, 1e9))
def test_linear_axes_have_4_to_7_ticks_and_little_room_to_spare(high: float) -> None:
    axis = linear_axis([high])
    assert 4 <= len(axis.ticks) <= 7
    assert 0.75 - 1e-6 < axis.share(high) <= 1


def test_what_counts_as_finite() -> None:
    assert [usable(v) for v in (math.nan, math.inf, -math.inf, 2 * LARGEST)] == [None] * 4
    assert [usable(v) for v in (1, -2.5, 5e-324)] == [1.0, -2.5, 0.0]
    assert [number(v) for v in (0.123456, -12345.0, 1e-7, 1234.0)] == ["0.1235", "−1.234e4", "1e−7", "1234"]
