"""Records of calibration against direct formulas over the whole stream."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.passes.observers import (
    BINS,
    Extremes,
    Histogram,
    Observer,
    Range,
    least_error,
    percentile,
    record_for,
)
from mcc.passes.quantize_arithmetic import Mapping, mapping_for

Floats = NDArray[np.float32]


def stream(seed: int, parts: int = 5) -> list[Floats]:
    generator = np.random.default_rng(seed)
    scales = 10.0 ** generator.uniform(-3, 3, parts)
    return [(generator.normal(0.3, 1, (7, 50)) * s).astype(np.float32) for s in scales]


def histogram(parts: list[Floats]) -> Histogram:
    record = Histogram()
    for part in parts:
        record.add(part)
    return record


@pytest.mark.parametrize("seed", range(5))
def test_histogram_does_not_depend_on_batches_or_their_order(seed: int) -> None:
    parts = stream(seed)
    whole = histogram([np.concatenate(parts)])
    for order in (parts, parts[::-1]):
        record = histogram(order)
        assert record.exponent == whole.exponent
        assert record.first == whole.first
        assert np.array_equal(record.counts, whole.counts)


@pytest.mark.parametrize("seed", range(5))
def test_histogram_counts_what_lies_in_its_bins(seed: int) -> None:
    values = np.concatenate(stream(seed)).ravel()
    record = histogram(stream(seed))
    edges = (np.arange(len(record.counts) + 1) + record.first) * record.width
    right_open = np.searchsorted(np.sort(values), edges, side="left")
    assert np.array_equal(record.counts, np.diff(right_open))
    assert record.counts.sum() == record.count == values.size
    assert len(record.counts) <= BINS < 4 * (values.max() - values.min()) / record.width


def test_extremes_are_those_of_the_stream() -> None:
    parts = stream(1)
    for record in (Extremes(), Histogram()):
        for part in parts:
            record.add(part)
        assert record.low == min(float(part.min()) for part in parts)
        assert record.high == max(float(part.max()) for part in parts)
        assert record.finite
        assert record.range() == Range(record.low, record.high)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_records_notice_what_is_not_finite(bad: float) -> None:
    for observer in Observer:
        record = record_for(observer)
        record.add(np.array([1.0, bad], np.float32))
        record.add(np.array([2.0], np.float32))
        assert not record.finite


def test_empty_batches_change_nothing() -> None:
    record = Histogram()
    record.add(np.zeros((0, 3), np.float32))
    assert record.count == 0


@pytest.mark.parametrize(
    "values", [[0.0], [5.0], [-2.5], [1e-45], [-3e38, 3e38], [1e30, 1.0000001e30], [0.0, 1e-40]]
)
def test_histogram_of_odd_ranges(values: list[float]) -> None:
    array = np.array(values, np.float32)
    record = histogram([array])
    assert record.counts.sum() == len(values)
    assert len(record.counts) <= BINS
    wanted = Range.around(float(array.min()), float(array.max()))
    assert percentile(record, 100.0) == wanted


@pytest.mark.parametrize("percent", [90.0, 99.0, 99.9, 100.0])
def test_percentile_lies_between_its_neighbours(percent: float) -> None:
    values = np.random.default_rng(3).normal(0, 1, 20000).astype(np.float32)
    record = histogram(np.split(values, 10))
    found = percentile(record, percent)
    for value, rank in ((found.low, 100.0 - percent), (found.high, percent)):
        below = np.percentile(values, rank, method="lower")
        above = np.percentile(values, rank, method="higher")
        assert below - record.width <= value <= above + record.width


def test_percentile_of_rectified_values_starts_at_zero() -> None:
    values = np.maximum(np.random.default_rng(3).normal(0, 1, 5000), 0).astype(np.float32)
    found = percentile(histogram([values]), 99.0)
    assert found.low == 0.0
    assert found.high < values.max()


def mean_squared_error(mapping: Mapping, values: Floats) -> float:
    return float(np.square(mapping.decode(mapping.encode(values)) - values).mean())


@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_least_error_beats_minmax_and_percentiles(bits: int, unsigned: bool) -> None:
    values = np.random.default_rng(4).standard_t(3, 30000).astype(np.float32)
    record = histogram([values])

    def round_trip(seen: Range, x: NDArray[np.float64]) -> NDArray[np.float64]:
        mapping = mapping_for(seen, bits, unsigned)
        return mapping.decode(mapping.encode(x.astype(np.float32))).astype(np.float64)

    best = mapping_for(least_error(record, round_trip), bits, unsigned)
    others = [record.range(), *(percentile(record, p) for p in (99.0, 99.9, 99.99))]
    for seen in others:
        other = mean_squared_error(mapping_for(seen, bits, unsigned), values)
        assert mean_squared_error(best, values) <= other * 1.02


def test_a_range_without_zero_is_refused() -> None:
    with pytest.raises(AssertionError):
        Range(1.0, 2.0)
    assert Range.around(1.0, 2.0) == Range(0.0, 2.0)
    assert math.copysign(1.0, Range.around(-1.0, -0.5).high) == 1.0
