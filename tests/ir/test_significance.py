"""Slices of any ratio: digits miss a number by half the lowest, and are decoded to it again."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mcc.backends.crossbar import targets
from mcc.ir.hardware import Cell, Differential, Encoding, Macro
from mcc.ir.hardware.encoding import decode, digit_values, encode, flipped, weight_offset
from mcc.ir.hardware.significance import Adder, largest_digit, significances, slice_ratio, slices

BASE = targets.load("rram40nm")
RATIOS = [
    (1, 0.5, 1),
    (1, 0.4, 6),
    (1, 0.6, 2),
    (1, 0.99, 1),
    (2, 0.3, 1),
    (2, 2.5, 4),
    (4, 7.2, 1),
]
"""Bits of a cell, overlap and guard slices."""
WHOLE = [(1, 0.0, 0), (1, 0.0, 3), (2, 1.0, 0), (2, 1.0, 2), (4, 5.0, 1)]


def hardware(
    bits: int, overlap: float, guards: int, encoding: Encoding = Encoding.OFFSET
) -> tuple[Macro, Cell]:
    macro = dataclasses.replace(
        BASE.macro, encoding=encoding, slice_overlap=overlap, guard_slices=guards, active_rows=16
    )
    return macro, dataclasses.replace(BASE.cell, bits=bits)


def every_weight(encoding: Encoding, bits: int) -> np.ndarray:
    low = -(2 ** (bits - 1)) + (encoding is Encoding.DIFFERENTIAL)
    return np.arange(low, 2 ** (bits - 1), dtype=np.int8)[:, None]


@pytest.mark.parametrize("layout", RATIOS + WHOLE)
@pytest.mark.parametrize("weight_bits", [2, 3, 5, 8])
@pytest.mark.parametrize(
    ("encoding", "form", "flip"),
    [
        (Encoding.OFFSET, Differential.ONE_SIDED, False),
        (Encoding.OFFSET, Differential.ONE_SIDED, True),
        (Encoding.DIFFERENTIAL, Differential.ONE_SIDED, False),
        (Encoding.DIFFERENTIAL, Differential.TWO_SIDED, False),
    ],
)
def test_cells_miss_at_most_half_the_lowest_slice(
    layout: tuple[int, float, int],
    weight_bits: int,
    encoding: Encoding,
    form: Differential,
    flip: bool,
) -> None:
    macro, cell = hardware(*layout, encoding)
    macro = dataclasses.replace(macro, differential=form, column_flip=flip)
    weights = every_weight(encoding, weight_bits)
    encoded = encode(weights, macro, cell, weight_bits)
    assert encoded.cells.max() <= largest_digit(cell)
    states = flipped(encoded.cells, encoded.flips, macro, cell)
    values = digit_values(macro, cell, weight_bits)
    held = states @ values - weight_offset(macro, weight_bits)
    missed = np.abs(held - weights[:, 0]).max()
    assert missed <= np.abs(values).min() / 2 < 0.5 or missed == 0
    assert np.array_equal(decode(encoded.cells, encoded.flips, macro, cell, weight_bits), weights)


@pytest.mark.parametrize("layout", RATIOS)
def test_each_slice_is_worth_the_ratio_times_the_one_before(
    layout: tuple[int, float, int],
) -> None:
    macro, cell = hardware(*layout)
    worths = significances(macro, cell, 8)
    assert len(worths) == slices(macro, cell, 8)
    assert worths[macro.guard_slices] == 1
    np.testing.assert_allclose(worths[1:] / worths[:-1], slice_ratio(macro, cell), rtol=1e-4)
    assert (
        largest_digit(cell) * worths.sum()
        >= 255
        > largest_digit(cell) * worths[macro.guard_slices : -1].sum()
    )


def test_guard_slices_bring_cells_as_near_as_one_likes() -> None:
    """Halfway between two weights or nearer by the ratio with every guard slice."""
    for guards in range(1, 13):
        macro, cell = hardware(1, 0.5, guards)
        weights = every_weight(macro.encoding, 8)
        held = encode(weights, macro, cell, 8).cells @ digit_values(macro, cell, 8) - 128
        assert 0 < np.abs(held - weights[:, 0]).max() <= 0.5 / 1.5**guards + 2**-20


def test_whole_numbers_leave_guard_slices_empty() -> None:
    macro, cell = hardware(2, 0.0, 2)
    cells = encode(every_weight(macro.encoding, 8), macro, cell, 8).cells
    plain, _ = hardware(2, 0.0, 0)
    assert not cells[:, :2].any()
    assert np.array_equal(
        cells[:, 2:], encode(every_weight(macro.encoding, 8), plain, cell, 8).cells
    )


def test_the_adder_rounds_exact_sums() -> None:
    values = significances(*hardware(1, 0.4, 3), 8)
    parts = np.random.default_rng(1).integers(-(2**24), 2**24, (100, len(values)))
    adder = Adder.of(values)
    total = (parts * values).astype(np.longdouble).sum(axis=1)
    assert np.array_equal(adder.rounded(parts @ adder.factors), np.floor(total + 0.5))
    whole = Adder.of(np.array([1.0, -2.0, 4.0]))
    assert whole.bits == 0
    assert whole.rounded(np.array([3, 5, 7]) @ whole.factors) == 21
