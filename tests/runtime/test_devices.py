"""Laws of written cells: spread, clipping, stuck cells, and addresses of the random numbers."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from mcc.backends.crossbar import targets
from mcc.runtime import _kernels
from mcc.runtime.devices import stuck_cells, target_siemens, unit_siemens, written_siemens
from mcc.runtime.random import MacroPlace, Purpose, normal_numbers

CELL = targets.load("isaac").cell
PLACE = MacroPlace(seed=7, core=1, macro=2)
STATES = np.random.default_rng(0).integers(0, 4, (256, 256)).astype(np.uint8)


def test_states_are_evenly_spaced() -> None:
    states = np.arange(4, dtype=np.uint8)
    found = target_siemens(states, CELL)
    assert math.isclose(found[0], CELL.g_min_siemens)
    assert math.isclose(found[-1], CELL.g_max_siemens)
    assert np.allclose(np.diff(found), unit_siemens(CELL))


def test_write_error_is_relative_and_gaussian() -> None:
    cell = dataclasses.replace(CELL, write_error=0.1)
    relative = written_siemens(STATES, cell, PLACE) / target_siemens(STATES, cell) - 1
    count = relative.size
    assert abs(relative.mean()) < 5 * 0.1 / math.sqrt(count)
    assert abs(relative.var() / 0.01 - 1) < 5 * math.sqrt(2 / count)
    kurtosis = ((relative - relative.mean()) ** 4).mean() / relative.var() ** 2
    assert abs(kurtosis - 3) < 5 * math.sqrt(24 / count)
    for state in range(4):
        part = relative[STATES == state]
        assert abs(part.var() / 0.01 - 1) < 5 * math.sqrt(2 / part.size)


def test_conductance_is_never_negative() -> None:
    cell = dataclasses.replace(CELL, write_error=1.0)
    found = written_siemens(STATES, cell, PLACE)
    assert found.min() == 0
    below = 0.5 * math.erfc(1 / math.sqrt(2))
    spread = math.sqrt(below * (1 - below) / found.size)
    assert abs((found == 0).mean() - below) < 5 * spread


def test_stuck_cells_keep_their_conductance_in_every_image() -> None:
    cell = dataclasses.replace(CELL, stuck_low_fraction=0.02, stuck_high_fraction=0.05)
    low, high = stuck_cells(STATES.shape, cell, PLACE)
    for found, fraction in ((low, 0.02), (high, 0.05)):
        spread = math.sqrt(fraction * (1 - fraction) / found.size)
        assert abs(found.mean() - fraction) < 5 * spread
    assert not (low & high).any()
    for image in range(2):
        written = written_siemens(STATES, cell, PLACE, image)
        assert (written[low] == cell.g_min_siemens).all()
        assert (written[high] == cell.g_max_siemens).all()


def test_every_address_has_its_own_numbers() -> None:
    base = written_siemens(STATES, CELL, PLACE)
    assert np.array_equal(base, written_siemens(STATES, CELL, PLACE))
    others = [
        written_siemens(STATES, CELL, dataclasses.replace(PLACE, seed=8)),
        written_siemens(STATES, CELL, dataclasses.replace(PLACE, core=2)),
        written_siemens(STATES, CELL, dataclasses.replace(PLACE, macro=3)),
        written_siemens(STATES, CELL, PLACE, image=1),
        written_siemens(STATES, CELL, PLACE, earlier=1),
    ]
    for other in others:
        assert np.count_nonzero(base == other) < 10


def test_purposes_and_macros_do_not_share_numbers() -> None:
    places = [PLACE, MacroPlace(7, 1, 3), MacroPlace(7, 2, 2), MacroPlace(8, 1, 2)]
    drawn = [
        normal_numbers(place, purpose, (100, 100)).tobytes()
        for place in places
        for purpose in Purpose
    ]
    assert len(set(drawn)) == len(drawn)


def test_a_few_cells_can_be_drawn_alone() -> None:
    whole = normal_numbers(PLACE, Purpose.WRITE, (10, 7), item=3, event=1)
    assert np.array_equal(normal_numbers(PLACE, Purpose.WRITE, (3, 7), item=3, event=1), whole[:3])


def test_native_cells_equal_their_twin() -> None:
    targets, deviations = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 5.0, 0.1, 0.2])
    address: dict[str, Any] = {
        "seed": 7,
        "place": PLACE.word(Purpose.WRITE),
        "event": 2,
        "sample": 1,
    }
    numbers = normal_numbers(PLACE, Purpose.WRITE, STATES.shape, item=1, event=2)
    expected = np.maximum(targets[STATES] + deviations[STATES] * numbers.astype(np.float64), 0)
    for level in _kernels.levels():
        for threads in (1, 3):
            options: dict[str, Any] = {"threads": threads, "level": level}
            found = _kernels.written_cells(STATES, targets, deviations, **address, **options)
            assert np.array_equal(found, expected)
    with pytest.raises(ValueError, match="no target"):
        _kernels.written_cells(STATES, targets[:3], deviations[:3], **address)
