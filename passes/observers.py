"""What calibration remembers of a stream of values, and the range it concludes from it.

A record never keeps the values: two numbers for the extremes, a few thousand counts for a
histogram. The result does not depend on how the stream was cut into batches, nor on its order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

BINS = 4096
"""Most bins of a histogram; its width is the power of two that brings the range under this."""

_LEAST_EXPONENT = -140
"""Bins are never narrower than 2**-140, just above float32's smallest number."""


_TURNS = 4
"""Most turns in the search of the range with the least error."""


@final
class Observer(StrEnum):
    """How the range of a value follows from what was seen of it."""

    MINMAX = "minmax"
    """Smallest and largest value seen."""
    PERCENTILE = "percentile"
    """Leaves out the same fraction of values at either end."""
    MSE = "mse"
    """The range with the least mean squared rounding and clipping error."""


@final
@dataclass(frozen=True)
class Range:
    """An interval of real numbers that codes are to cover; always contains zero."""

    low: float
    high: float

    def __post_init__(self) -> None:
        assert self.low <= 0.0 <= self.high, f"[{self.low}, {self.high}] leaves out zero"

    @staticmethod
    def around(low: float, high: float) -> Range:
        """Widen an interval until it contains zero, so that zero has a code."""
        return Range(min(low, 0.0), max(high, 0.0))


class Extremes:
    """Smallest and largest of all values added so far."""

    def __init__(self) -> None:
        self.count = 0
        self.low = math.inf
        self.high = -math.inf
        self.finite = True

    def add(self, values: Floats) -> None:
        """Take in one batch, of any shape."""
        if values.size == 0:
            return
        low, high = float(values.min()), float(values.max())
        self.finite = self.finite and math.isfinite(low) and math.isfinite(high)
        self.low = min(self.low, low)
        self.high = max(self.high, high)
        self.count += values.size

    def range(self) -> Range:
        """Cover everything that was seen, and zero."""
        return Range.around(self.low, self.high)


@final
class Histogram(Extremes):
    """Counts of all values added so far, in at most `BINS` bins `[i, i + 1) * 2**exponent`.

    Bins start at multiples of their width, so that two neighbours merge exactly into one of twice
    the width: the final histogram is that of the whole stream.
    """

    def __init__(self) -> None:
        super().__init__()
        self.exponent = _LEAST_EXPONENT
        self.first = 0
        self.counts = np.zeros(0, np.int64)

    @property
    def width(self) -> float:
        """Width of one bin."""
        return math.ldexp(1.0, self.exponent)

    def add(self, values: Floats) -> None:
        """Take in one batch, of any shape."""
        super().add(values)
        if not self.finite or values.size == 0:
            return
        self._widen(_exponent_for(self.low, self.high))
        index = np.floor(np.ldexp(values.astype(np.float64).ravel(), -self.exponent))
        index = index.astype(np.int64)
        first = int(index.min())
        self._merge(first, np.bincount(index - first))

    def centers(self) -> NDArray[np.float64]:
        """Middle of every bin."""
        index = np.arange(len(self.counts), dtype=np.float64)
        return (index + (self.first + 0.5)) * np.float64(self.width)

    def quantile(self, fraction: float) -> float:
        """Value below which `fraction` of the stream lies, linear inside its bin."""
        target = fraction * self.count
        total = np.cumsum(self.counts)
        index = min(int(np.searchsorted(total, target)), len(total) - 1)
        inside = (target - (total[index] - self.counts[index])) / max(int(self.counts[index]), 1)
        value = (self.first + index + float(inside)) * self.width
        return min(max(value, self.low), self.high)

    def _widen(self, exponent: int) -> None:
        if exponent <= self.exponent:
            return
        step = exponent - self.exponent
        if len(self.counts):
            index = (np.arange(len(self.counts)) + self.first) >> step
            first = int(index[0])
            merged = np.zeros(int(index[-1]) - first + 1, np.int64)
            np.add.at(merged, index - first, self.counts)
            self.first, self.counts = first, merged
        self.exponent = exponent

    def _merge(self, first: int, counts: NDArray[np.int64]) -> None:
        if not len(self.counts):
            self.first, self.counts = first, counts.astype(np.int64)
            return
        start = min(self.first, first)
        stop = max(self.first + len(self.counts), first + len(counts))
        merged = np.zeros(stop - start, np.int64)
        merged[self.first - start : self.first - start + len(self.counts)] += self.counts
        merged[first - start : first - start + len(counts)] += counts
        self.first, self.counts = start, merged


def _exponent_for(low: float, high: float) -> int:
    """Smallest exponent whose bins cover `[low, high]` with at most `BINS` of them."""
    spread = max(high - low, abs(low) * 2.0**-40, abs(high) * 2.0**-40)
    if spread == 0.0:
        return _LEAST_EXPONENT
    exponent = max(math.frexp(spread / BINS)[1] - 1, _LEAST_EXPONENT)
    while math.floor(math.ldexp(high, -exponent)) - math.floor(math.ldexp(low, -exponent)) >= BINS:
        exponent += 1
    return exponent


def record_for(observer: Observer) -> Extremes:
    """Start the record that an observer needs."""
    return Extremes() if observer is Observer.MINMAX else Histogram()


def percentile(record: Histogram, percent: float) -> Range:
    """Cover from the `100 - percent` to the `percent` percentile."""
    fraction = percent / 100.0
    return Range.around(record.quantile(1.0 - fraction), record.quantile(fraction))


def least_error(
    record: Histogram, round_trip: Callable[[Range, NDArray[np.float64]], NDArray[np.float64]]
) -> Range:
    """Search the range with the least mean squared error over the histogram.

    Both ends are shrunk together, then each alone, in turns, until neither helps; in steps of a
    fiftieth of the end that is shrunk.

    Args:
        record: What was seen.
        round_trip: Codes the values in a range and decodes them again.
    """
    whole = record.range()
    centers, counts = record.centers(), record.counts.astype(np.float64)

    def squared_error(candidate: Range) -> float:
        return float(counts @ (round_trip(candidate, centers) - centers) ** 2)

    steps = [step / 50.0 for step in range(50, 2, -1)]
    best = min((Range(whole.low * step, whole.high * step) for step in steps), key=squared_error)
    for _ in range(_TURNS):
        before = best
        best = min(
            (best, *(Range(best.low, whole.high * step) for step in steps)), key=squared_error
        )
        best = min(
            (best, *(Range(whole.low * step, best.high) for step in steps)), key=squared_error
        )
        if best == before:
            break
    return best
