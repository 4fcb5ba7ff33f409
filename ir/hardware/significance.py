"""What the slices of a weight are worth, and the digital adder that puts their codes together.

Slice `i` from the lowest is worth `ratio**(i - guard_slices)`, as a multiple of `2**-20`, so that
sums of them are exact in float64.

With digits from 0 to `D >= ratio - 1`, a slice is worth at most as much as all lower ones hold, and
the lowest once more: `ratio**i <= D * (ratio**i - 1) / (ratio - 1) + 1`. So what a slice leaves
exceeds what the lower ones hold by less than the lowest, and in the end is less than that: the
expansions of Renyi (Acta Math. Acad. Sci. Hung. 8, 477, 1957), cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware.choices import Encoding
from mcc.ir.hardware.schema import Cell, Macro

FACTOR_BITS = 20
"""Bits below one of the factors of the digital adder, where slices are worth no whole numbers."""


def largest_digit(cell: Cell) -> int:
    """Return the highest state index of a cell."""
    return 2**cell.bits - 1


def slice_ratio(macro: Macro, cell: Cell) -> float:
    """Return how often a slice counts what the one before it does."""
    return 2**cell.bits - macro.slice_overlap


def slices(macro: Macro, cell: Cell, weight_bits: int) -> int:
    """Return the number of digits of a weight."""
    bits = weight_bits - 1 if macro.encoding is Encoding.DIFFERENTIAL else weight_bits
    worth, held, count = 1.0, 0.0, 0
    while held < 2**bits - 1:
        held += largest_digit(cell) * worth
        worth *= slice_ratio(macro, cell)
        count += 1
    return count + macro.guard_slices


def significances(macro: Macro, cell: Cell, weight_bits: int) -> NDArray[np.float64]:
    """Return what one unit of the digit of each slice is worth, the lowest first (slices,)."""
    exponents = np.arange(slices(macro, cell, weight_bits)) - macro.guard_slices
    powers = np.float64(slice_ratio(macro, cell)) ** exponents
    return np.ldexp(np.rint(np.ldexp(powers, FACTOR_BITS)), -FACTOR_BITS)


def digits_of(
    values: NDArray[np.int32], significances: NDArray[np.float64], cell: Cell
) -> NDArray[np.int32]:
    """Return the digits (..., slices) of numbers from 0 to what all slices hold together.

    The highest slice is decided first and takes as much as it can hold; the next one sees what is
    left. Half the lowest slice is added before, so that cells miss at most that much of a number,
    whether they hold too much or too little.
    """
    digits = np.empty((*values.shape, len(significances)), np.int32)
    rest = values + significances[0] / 2
    for index in reversed(range(len(significances))):
        whole = np.floor(rest / significances[index])
        digits[..., index] = np.minimum(whole, largest_digit(cell))
        rest -= digits[..., index] * significances[index]
    return digits


@final
@dataclass(frozen=True)
class Adder:
    """The digital arithmetic that multiplies codes by what their slices are worth and adds them.

    Its factors are whole where slices are worth whole numbers; else they have `FACTOR_BITS` bits
    below one, and the sum is rounded to a whole number, up where it lies in the middle.
    """

    factors: NDArray[Any]
    """In units of `2**-bits` (sums of a weight,)."""
    bits: int

    @staticmethod
    def of(values: NDArray[np.float64]) -> Adder:
        """Return the adder for what the analog sums of a weight are worth (sums of a weight,)."""
        if np.array_equal(values, np.rint(values)):
            return Adder(values.astype(np.int32), 0)
        return Adder(np.rint(np.ldexp(values, FACTOR_BITS)).astype(np.int64), FACTOR_BITS)

    def factor(self, value: float) -> int:
        """Return the factor for what is worth some value."""
        return round(value * 2**self.bits)

    def rounded(self, totals: Any) -> Any:
        """Return the whole numbers nearest to sums of products with the factors."""
        return (totals + (1 << self.bits - 1)) >> self.bits if self.bits else totals
