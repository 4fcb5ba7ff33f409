"""Every kind of converter: ideal elements give ideal codes, real ones err as the textbooks say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.ir.hardware import AdcKind
from mcc.runtime.converters.bank import LAWS
from mcc.runtime.converters.pipeline import staircase_of
from mcc.runtime.converters.staircase import (
    Draw,
    Staircase,
    convert,
    differential_nonlinearity,
    integral_nonlinearity,
    transitions,
)

REAL = [kind for kind in AdcKind if kind is not AdcKind.IDEAL]
RISING = [AdcKind.SAR, AdcKind.RAMP, AdcKind.FLASH]
CHIPS = 4000


def draw_of(seed: int) -> Draw:
    """Return a source of normal numbers; the first ones do not depend on how many are asked."""

    def draw(count: int) -> NDArray[np.float64]:
        return np.random.default_rng(seed).standard_normal(count)

    return draw


def made(kind: AdcKind, bits: int, mismatch: float, seed: int = 0) -> Staircase:
    return LAWS[kind](bits, mismatch, draw_of(seed))


def figures(
    kind: AdcKind, figure: Callable[[Staircase, int], NDArray[np.float64]], mismatch: float
) -> NDArray[np.float64]:
    """Return a figure of many converters of 6 bits (converters, codes)."""
    return np.stack([figure(made(kind, 6, mismatch, seed), 6) for seed in range(CHIPS)])


def assert_deviation(numbers: NDArray[np.float64], expected: float, unmodelled: float) -> None:
    """Compare a standard deviation with its formula, up to sampling and a relative remainder."""
    ratio = numbers.std() / expected
    assert abs(ratio - 1) < 5 / np.sqrt(2 * len(numbers)) + unmodelled


@pytest.mark.parametrize("kind", list(AdcKind))
@pytest.mark.parametrize("bits", [1, 2, 3, 8, 12])
def test_equal_elements_make_every_kind_ideal(kind: AdcKind, bits: int) -> None:
    found = made(kind, bits, 0)
    levels = np.arange(-3, 2**bits + 3, 1 / 41, dtype=np.float64)
    levels = levels[np.abs(levels - np.rint(levels)) > 1e-6]
    assert np.array_equal(convert(levels, found), np.clip(np.floor(levels), 0, 2**bits - 1))
    assert np.allclose(transitions(found, bits), np.arange(1, 2**bits, dtype=np.float64), atol=1e-9)


@pytest.mark.parametrize("kind", REAL)
def test_staircases_are_sorted_and_have_the_codes_of_their_bits(kind: AdcKind) -> None:
    for seed in range(50):
        found = made(kind, 8, 0.15, seed)
        assert len(found.codes) == len(found.breakpoints) + 1
        assert (np.diff(found.breakpoints) >= 0).all()
        assert 0 <= found.codes.min() <= found.codes.max() <= 255
        rises = (np.diff(found.codes) > 0).all()
        assert rises or kind not in RISING


def searched(level: float, capacitors: NDArray[np.float64], bits: int) -> int:
    """Convert as the circuit does: try each bit, and keep it where the level is not below."""
    code, taken = 0, 0.0
    for bit in reversed(range(bits)):
        if level >= 2**bits * (taken + capacitors[bit]) / capacitors.sum():
            code, taken = code + 2**bit, taken + capacitors[bit]
    return code


def test_sar_finds_the_codes_of_a_search_bit_by_bit() -> None:
    bits, mismatch = 7, 0.15
    for seed in range(10):
        units = np.append(2.0 ** np.arange(bits), 1)
        capacitors = units + np.sqrt(units) * mismatch * draw_of(seed)(bits + 1)
        levels = np.random.default_rng(seed).uniform(-2, 2**bits + 2, 500)
        expected = [searched(level, capacitors, bits) for level in levels]
        assert np.array_equal(convert(levels, made(AdcKind.SAR, bits, mismatch, seed)), expected)


def staged(level: float, ratios: NDArray[np.float64], bits: int) -> int:
    """Convert as the circuit does, stage after stage."""
    residue, code = level / 2 ** (bits - 1) - 1, 2 ** (bits - 1)
    for stage, ratio in enumerate(ratios):
        digit = int(residue >= 0.25) - int(residue < -0.25)
        residue = (1 + ratio) * residue - ratio * digit
        code += digit * 2 ** (bits - 2 - stage)
    return code - 2 + sum(residue >= threshold for threshold in (-0.5, 0, 0.5))


@pytest.mark.parametrize("kind", [AdcKind.PIPELINE, AdcKind.CYCLIC])
def test_stages_find_the_codes_of_residues_that_are_handed_on(kind: AdcKind) -> None:
    bits, mismatch = 8, 0.05
    for seed in range(10):
        pairs = 1 + mismatch * draw_of(seed)(12 if kind is AdcKind.PIPELINE else 2)
        ratios = np.resize(pairs[0::2] / pairs[1::2], bits - 2)
        levels = np.random.default_rng(seed).uniform(-5, 2**bits + 5, 500)
        expected = [staged(level, ratios, bits) for level in levels]
        assert np.array_equal(convert(levels, made(kind, bits, mismatch, seed)), expected)


def test_sar_has_its_worst_code_in_the_middle() -> None:
    """The deviation of its width is that of all unit capacitors together."""
    widths = figures(AdcKind.SAR, differential_nonlinearity, mismatch=0.01)
    assert_deviation(widths[:, 30], 0.01 * np.sqrt(63), unmodelled=0.02)
    assert widths.std(axis=0).argmax() == 30


def test_sar_loses_codes_where_its_elements_differ_too_much() -> None:
    lost = [len(np.unique(made(AdcKind.SAR, 8, it, 3).breakpoints)) for it in (0.0, 0.01, 0.15)]
    assert lost[0] == lost[1] == 255
    assert lost[2] < 255
    bad = made(AdcKind.SAR, 8, 0.15, 3)
    seen = np.unique(convert(np.linspace(-1, 257, 1_000_000), bad))
    assert len(seen) == lost[2] + 1


def test_ramp_errs_like_a_random_bridge() -> None:
    edges = np.stack([made(AdcKind.RAMP, 6, 0.02, it).breakpoints for it in range(CHIPS)])
    for code in (8, 32, 56):
        expected = 0.02 * np.sqrt(code * (1 - code / 64))
        assert_deviation(edges[:, code - 1] - code, expected, unmodelled=0.02)
    bend = figures(AdcKind.RAMP, integral_nonlinearity, mismatch=0.02)
    assert not bend[:, 0].any()
    assert np.abs(bend[:, -1]).max() < 1e-9
    assert abs(int(bend.std(axis=0).argmax()) - 31) < 8


def test_flash_errs_by_the_offsets_of_two_comparators() -> None:
    edges = np.stack([made(AdcKind.FLASH, 6, 0.05, it).breakpoints for it in range(CHIPS)])
    for code in (1, 32, 63):
        assert_deviation(edges[:, code - 1] - code, 0.05, unmodelled=0)
    assert_deviation(np.diff(edges)[:, 20] - 1, 0.05 * np.sqrt(2), unmodelled=0)


def test_a_bubble_of_a_flash_converter_is_counted_away() -> None:
    def draw(count: int) -> NDArray[np.float64]:
        return np.array([0, 1.5, -1.5, 0, 0, 0, 0])

    found = LAWS[AdcKind.FLASH](3, 1.0, draw)
    assert found.breakpoints.tolist() == [1, 1.5, 3.5, 4, 5, 6, 7]
    assert convert(np.array([1.2, 2.0, 3.7]), found).tolist() == [1, 2, 3]


@pytest.mark.parametrize("error", [-0.03, -0.001, 0.002, 0.05])
def test_first_stage_of_a_pipeline_jumps_by_a_quarter_of_the_range_times_its_error(
    error: float,
) -> None:
    """At its two decisions; the code is whole, so that the jump is, to less than one."""
    bits = 12
    found = staircase_of(bits, np.array([1 + error] + 9 * [1.0]))
    for decision in (0.75 * 2 ** (bits - 1), 1.25 * 2 ** (bits - 1)):
        below, above = convert(np.array([decision - 1e-6, decision + 1e-6]), found)
        assert abs(above - below + 2 ** (bits - 2) * error) <= 1 + 1e-3


def test_all_stages_of_a_cyclic_converter_are_one() -> None:
    pair = 1 + 0.05 * draw_of(4)(2)
    alike = staircase_of(9, np.full(7, pair[0] / pair[1]))
    assert np.array_equal(made(AdcKind.CYCLIC, 9, 0.05, 4).breakpoints, alike.breakpoints)
    assert not np.array_equal(made(AdcKind.PIPELINE, 9, 0.05, 4).breakpoints, alike.breakpoints)
