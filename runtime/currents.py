"""The analog sums of one tile as products of what drivers do with what cells do.

The current of a cell is a sum of few terms, each a function of its conductance times one of its
voltage (`runtime/devices/current.py`); that of a resistor has one. So the sums of a tile are one
product a term, whatever the drivers do to a digit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from mcc.runtime.drives import Driven, Drives, DriveTable, Matrix, rounded

SUM_BITS = 52
"""Bits of a whole number that float64 is sure to hold, sign aside."""


class Currents(Protocol):
    """The analog sums of one tile, in units of one digit."""

    @property
    def sums(self) -> int:
        """How many analog sums a row group has."""
        ...

    @property
    def noisy(self) -> bool:
        """Whether reads of the cells are noisy."""
        ...

    def of(self, driven: Driven) -> tuple[Matrix, Matrix]:
        """Return the sums (inputs, sums), and their variances from read to read."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Terms:
    """The analog sums of one tile: `sum over terms of drives @ weights`, and their variances."""

    table: DriveTable
    """What the drivers do for each digit."""
    weights: NDArray[np.floating]
    """What the cells of each sum do, in digits (terms, rows, sums)."""
    variances: NDArray[np.floating] | None
    """Of a read, for each of the `pairs` of terms, in squared digits (pairs, rows, sums)."""


@final
class TermCurrents:
    """Sums that are products, exact whatever the order of their additions.

    Drives, weights and variances are rounded to so many bits that float64 holds every partial sum,
    so that a matrix library may add in any order and results depend neither on it nor on which
    inputs are multiplied together. The largest weight of a tile keeps at least 16 bits.
    """

    def __init__(self, terms: Terms, lines: int) -> None:
        """Take the analog sums of a tile with at most `lines` rows in a row group."""
        bits = SUM_BITS - math.ceil(math.log2(lines))
        self._drives, self.sums = Drives(terms.table), terms.weights.shape[2]
        self._weights = [
            rounded(it, bits - self._drives.bits, _largest(it)) for it in terms.weights
        ]
        found = list[NDArray[np.floating]](() if terms.variances is None else terms.variances)
        self.noisy = any(it.any() for it in found)
        self._variances = [
            rounded(it, bits - self._drives.square_bits, _largest(it)) for it in found
        ]

    def of(self, driven: Driven) -> tuple[Matrix, Matrix]:
        """Return the sums (inputs, sums), and their variances from read to read."""
        drives, squares = self._drives.of(driven)
        sums, variances = np.zeros((2, len(driven.codes), self.sums))
        for drive, weights in zip(drives, self._weights, strict=True):
            sums += drive @ weights[driven.rows]
        if not self.noisy:
            return sums, variances
        for square, spread in zip(squares, self._variances, strict=True):
            variances += square @ spread[driven.rows]
        # Terms of opposite signs may leave the rounding of a variance that is 0.
        return sums, np.maximum(variances, 0)


def _largest(values: NDArray[np.floating]) -> float:
    return float(np.abs(values).max(initial=0))
