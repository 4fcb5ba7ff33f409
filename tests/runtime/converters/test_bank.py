"""The converters of a macro: their common errors, their addresses, who serves which column."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.ir.diagnostics import MccError
from mcc.ir.hardware import AdcKind, Macro
from mcc.ir.hardware.conversion import code_range
from mcc.runtime.converters.bank import bank_of, staircase_of
from mcc.runtime.converters.drivers import driver_levels
from mcc.runtime.random import MacroPlace

PLACE = MacroPlace(seed=7, core=1, macro=2)
REAL = [kind for kind in AdcKind if kind is not AdcKind.IDEAL]
MANY = 2000


def macro_of(**changes: Any) -> Macro:
    """Return a macro with 64 columns and 6-bit converters."""
    values = {"macro.cols": 64, "macro.adc.bits": 6, "macro.adc.columns_per_adc": 2}
    named = {f"macro.{key.replace('__', '.')}": value for key, value in changes.items()}
    return targets.load("rram40nm").with_values(values | named).macro


def breakpoints(macro: Macro, count: int = MANY) -> NDArray[np.float64]:
    return np.stack([staircase_of(macro, PLACE, index).breakpoints for index in range(count)])


def ideal(macro: Macro) -> NDArray[np.float64]:
    low, high = code_range(macro)
    return np.arange(low, high, dtype=np.float64) + 0.5


@pytest.mark.parametrize("encoding", ["differential", "offset"])
def test_codes_change_halfway_between_steps(encoding: str) -> None:
    macro = macro_of(encoding=encoding)
    found, (low, high) = staircase_of(macro, PLACE, 0), code_range(macro)
    assert np.array_equal(found.breakpoints, ideal(macro))
    assert (found.codes[0], found.codes[-1]) == (low, high)
    assert bank_of(macro, PLACE) is None


def test_offset_moves_all_levels_of_a_converter_alike() -> None:
    moved = breakpoints(macro := macro_of(adc__offset=0.5)) - ideal(macro)
    assert np.ptp(moved, axis=1).max() < 1e-12
    assert abs(moved[:, 0].mean()) < 5 * 0.5 / np.sqrt(MANY)
    assert abs(moved[:, 0].std() / 0.5 - 1) < 5 / np.sqrt(2 * MANY)


def test_gain_stretches_levels_from_zero() -> None:
    macro = macro_of(adc__gain_error=0.02)
    gains = breakpoints(macro) / ideal(macro) - 1
    assert np.ptp(gains, axis=1).max() < 1e-12
    assert abs(gains[:, 0].std() / 0.02 - 1) < 5 / np.sqrt(2 * MANY)


def test_nonlinearity_is_a_parabola_of_its_height() -> None:
    macro = macro_of(adc__nonlinearity=1.5, encoding="offset")
    bend = breakpoints(macro, 3) - ideal(macro)
    assert np.array_equal(bend[0], bend[2])
    assert abs(bend[0].max() - 1.5) < 1e-12
    assert bend[0].argmax() == 31
    assert np.allclose(np.diff(bend[0], 3), 0, atol=1e-12)


def test_errors_of_a_converter_are_independent_of_each_other() -> None:
    changes: dict[str, Any] = {"adc__gain_error": 0.05, "adc__offset": 0.3}
    macro = macro_of(**changes, adc__kind="flash", adc__mismatch=0.2)
    moved = breakpoints(macro) - ideal(macro)
    expected = 0.05**2 * ideal(macro) ** 2 + 0.3**2 + 0.2**2
    assert np.abs(moved.var(axis=0) / expected - 1).max() < 6 * np.sqrt(2 / MANY) + 0.01


@pytest.mark.parametrize("kind", REAL)
def test_bank_holds_the_staircase_of_every_converter(kind: AdcKind) -> None:
    macro = macro_of(adc__kind=kind.value, adc__mismatch=0.1, adc__offset=0.3)
    bank = bank_of(macro, PLACE)
    assert bank is not None
    assert bank.breakpoints.shape[0] == 32
    assert bank.codes.shape == (32, bank.breakpoints.shape[1] + 1)
    levels = np.random.default_rng(0).uniform(-40, 40, (500, 5))
    of = np.array([3, 0, 31, 3, 7], np.int32)
    found = bank.convert(levels, of)
    for column, index in enumerate(of):
        alone = staircase_of(macro, PLACE, int(index))
        single = alone.breakpoints.astype(np.float32)
        steps = np.searchsorted(single, levels[:, column], side="right")
        assert np.array_equal(found[:, column], alone.codes[steps])


@pytest.mark.parametrize("kind", [kind for kind in AdcKind if kind is not AdcKind.IDEAL])
@pytest.mark.parametrize("reach", [0.1, 5.0, 1e9])
def test_less_of_a_bank_converts_the_same(kind: AdcKind, reach: float) -> None:
    bank = bank_of(macro_of(adc__kind=kind.value, adc__mismatch=0.1, adc__offset=2.0), PLACE)
    assert bank is not None
    of = np.array([3, 30, 31, 3, 7], np.int32)
    less, places = bank.within(reach, of)
    levels = np.random.default_rng(0).uniform(-min(reach, 300), min(reach, 300), (500, 5))
    assert np.array_equal(less.convert(levels, places), bank.convert(levels, of))
    assert len(less.breakpoints) == 4
    assert reach > 5 or less.breakpoints.shape[1] < bank.breakpoints.shape[1]


def test_every_converter_of_every_macro_of_every_chip_is_its_own() -> None:
    macro = macro_of(adc__kind="sar", adc__mismatch=0.05)
    base = staircase_of(macro, PLACE, 3).breakpoints
    assert np.array_equal(base, staircase_of(macro, PLACE, 3).breakpoints)
    places = [replace(PLACE, seed=8), replace(PLACE, core=2), replace(PLACE, macro=3)]
    others = [staircase_of(macro, place, 3).breakpoints for place in places]
    others.append(staircase_of(macro, PLACE, 4).breakpoints)
    for other in others:
        assert np.count_nonzero(base == other) < 3


def test_levels_of_a_driver_deviate_by_the_root_of_their_digit() -> None:
    macro = macro_of(dac__mismatch=0.05, dac_bits=4, rows=16384)
    levels = driver_levels(macro, PLACE)
    assert levels is not None
    assert levels.shape == (16384, 16)
    assert not levels[:, 0].any()
    for digit in (1, 2, 7, 8, 15):
        moved = levels[:, digit] - digit
        assert abs(moved.mean()) < 5 * moved.std() / 128
        assert abs(moved.std() / (0.05 * np.sqrt(digit)) - 1) < 5 / np.sqrt(2 * 16384)
    assert np.allclose(levels[:, 5], levels[:, 4] + levels[:, 1])
    assert driver_levels(macro_of(), PLACE) is None


def test_pulses_of_a_driver_are_alike() -> None:
    macro = macro_of(dac__mismatch=0.05, dac_bits=4, input_coding="pulse_width", rows=16384)
    levels = driver_levels(macro, PLACE)
    assert levels is not None
    assert np.allclose(levels, levels[:, 1:2] * np.arange(16))
    assert abs((levels[:, 1] - 1).std() / 0.05 - 1) < 5 / np.sqrt(2 * 16384)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"adc__mismatch": 0.1}, "no elements that could differ"),
        ({"adc__mismatch": 0.2, "adc__kind": "sar"}, "at most 15 percent"),
        ({"dac__mismatch": 0.2}, "at most 15 percent"),
        ({"adc__gain_error": 0.11}, "at most 10 percent"),
        ({"adc__nonlinearity": 4.1}, "a sixteenth of its range"),
        ({"adc__bits": 17, "adc__kind": "ramp", "adc__mismatch": 0.1}, "at most 16 bits"),
        ({"adc__bits": 17, "adc__offset": 0.1}, "at most 16 bits"),
        ({"adc__noise": -0.1}, "adc.noise"),
    ],
)
def test_what_no_converter_can_be_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(MccError, match=sentence):
        macro_of(**changes)
