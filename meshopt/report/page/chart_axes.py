"""Axes of charts: from which value to which, where the ticks are, and what they say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LARGEST, SMALLEST = 1e300, 1e-300  # magnitudes: what is above counts as infinite, what is below as 0
INTERVALS = 6  # between ticks, at most, on a linear axis; half as many at least where all values have one sign
WIDE = 100.0  # values that differ by this factor get a logarithmic axis
_MOST = 10  # ticks on a logarithmic axis
_NICE = (1, 2, 5)  # times powers of ten


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`; `ticks` are within."""

    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """How far along the axis it is: 0 at `low`, 1 at `high`, for what is beyond them too."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log10(low), math.log10(high), math.log10(max(value, low))
        return min(max((value - low) / (high - low), 0.0), 1.0)

    def labels(self) -> list[str]:
        """What the ticks say: all but 0 with the same number of digits after the point."""
        if self.logarithmic or len(self.ticks) < 2:
            return [number(tick) for tick in self.ticks]
        step = self.ticks[1] - self.ticks[0]
        if step < 1e-4 or max(map(abs, self.ticks)) >= 1e6:
            return [number(tick) for tick in self.ticks]
        digits = max(0, -math.floor(math.log10(step * 1.001)))
        return [f"{tick:,.{digits}f}".replace("-", "−") if tick else "0" for tick in self.ticks]


def usable(value: float) -> float | None:
    """A value as charts take it; None for what is not finite."""
    value = float(value)
    if not abs(value) <= LARGEST:
        return None
    return value if abs(value) >= SMALLEST else 0.0


def number(value: float) -> str:
    """A value in a few characters: four digits, a real minus, exponents without zeros."""
    mantissa, _, exponent = f"{value:.4g}".partition("e")
    text = f"{mantissa}e{int(exponent)}" if exponent else mantissa
    return text.replace("-", "−")


def linear_axis(values: Sequence[float]) -> Axis:
    """From 0, or from below where there are values below it, to the first tick that none is above."""
    low, high = min(0.0, *values), max(0.0, *values)
    if low == high:
        high = 1.0
    exponent = math.floor(math.log10(high - low)) - 1
    for factor in (f * 10**e for e in range(3) for f in _NICE):
        step = factor * 10.0**exponent
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first <= INTERVALS:
            break
    ticks = tuple(i * factor * 10.0**exponent for i in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def trimmed(values: Sequence[float]) -> Axis:
    """A linear axis that ends with the values, not at a tick, where the tick is far from them."""
    axis = linear_axis(values)
    ticks, far = list(axis.ticks), 0.4 * (axis.ticks[1] - axis.ticks[0])
    low, high = min(0.0, *values), max(0.0, *values)
    if axis.high - high > far and high > low:
        ticks.pop()
    if low - axis.low > far:
        ticks.pop(0)
    return Axis(min(low, ticks[0]), max(high, ticks[-1]), tuple(ticks))


def value_axis(values: Sequence[float], spreads: Sequence[float] = ()) -> Axis:
    """Linear; logarithmic where all values are above 0 and the largest is more than `WIDE` times the smallest.

    `spreads` are ends of bands: they widen the axis, a logarithmic one by a decade below the values at most.
    """
    smallest, largest = min(values), max(values)
    if not (smallest > 0 and largest / WIDE > smallest):
        return linear_axis([*values, *spreads])
    low = max(min([smallest, *(s for s in spreads if s > 0)]), smallest / 10)
    return _logarithmic_axis(low, max([largest, *spreads]))


def _logarithmic_axis(low: float, high: float) -> Axis:
    """From the last nice number at or below `low` to the first at or above `high`."""
    exponents = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    numbers = [factor * 10.0**e for e in exponents for factor in _NICE]
    first = max(n for n in numbers if n <= low * (1 + 1e-9))
    last = min(n for n in numbers if n >= high * (1 - 1e-9))
    ticks = [n for n in numbers if first <= n <= last]
    if len(ticks) > _MOST:
        powers = [10.0**e for e in exponents if first <= 10.0**e <= last]
        ticks = powers[:: math.ceil(len(powers) / INTERVALS)]
    return Axis(first, last, tuple(ticks), True)
