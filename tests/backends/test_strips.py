from __future__ import annotations

import itertools

import pytest

from mcc.backends.crossbar.strips import Axis, choose, runs


@pytest.mark.parametrize(
    ("size", "stride", "reach", "pad"),
    list(itertools.product([1, 5, 9], [1, 2, 3], [1, 3, 5], [0, 1, 4])),
)
def test_windows_name_what_positions_read(size: int, stride: int, reach: int, pad: int) -> None:
    axis = Axis(size, stride, reach, pad)
    for start, count in itertools.product(range(5), range(1, 4)):
        extent = axis.window(start, count)
        first = start * stride - pad
        read = range(first, first + (count - 1) * stride + reach)
        inside = [index for index in read if 0 <= index < size]
        assert extent.length == len(read)
        assert extent.count == len(inside)
        assert extent.before == sum(index < 0 for index in read)
        assert extent.after == sum(index >= size for index in read)
        if inside:
            assert extent.start == inside[0]


def test_runs_cover_every_position_once() -> None:
    axis = Axis(20, 1, 3, 1)
    for count in range(1, 21):
        covered: list[int] = []
        for run in runs(0, 20, count, axis):
            covered += range(run.start, run.start + run.count * run.trips)
            extents = [
                axis.window(run.start + trip * run.count, run.count) for trip in range(run.trips)
            ]
            assert len({(item.before, item.count, item.after) for item in extents}) == 1
        assert covered == list(range(20))
    assert len(runs(0, 1000, 3, Axis(1000, 1, 3, 1))) <= 4


def test_the_largest_strips_that_fit() -> None:
    assert choose((8, 10), (1, 1), lambda counts: counts[0] * counts[1] <= 100) == (8, 10)
    assert choose((8, 10), (1, 1), lambda counts: counts[0] * counts[1] <= 50) == (4, 10)
    assert choose((8, 10), (1, 1), lambda counts: counts[0] * counts[1] <= 7) == (1, 5)
    assert choose((8, 10), (0, 1), lambda counts: counts[0] * counts[1] <= 50) == (8, 5)
    assert choose((8, 10), (1, 2), lambda counts: counts[0] * counts[1] <= 5) == (1, 4)
    assert choose((8, 10), (0, 0), lambda counts: counts[0] * counts[1] <= 50) is None
