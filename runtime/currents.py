"""The analog sums of one tile, whatever its cells and lines are: the face, and its plain form."""

from __future__ import annotations

import math
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from mcc.runtime.drives import Driven, Drives, Matrix, rounded

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
class LinearCurrents:
    """Sums that are a product of drives and weights.

    Drives, weights and variances are rounded to so many bits that float64 holds every partial sum,
    so that a matrix library may add in any order and results depend neither on it nor on which
    inputs are multiplied together. The largest weight of a tile keeps at least 16 bits.
    """

    def __init__(
        self,
        weights: NDArray[np.float32],
        variances: NDArray[np.float32] | None,
        drives: Drives,
        lines: int,
    ) -> None:
        """Take the cells of each analog sum.

        Args:
            weights: In digits (rows, sums).
            variances: Of a read, in squared digits; None without read noise.
            drives: The drivers.
            lines: Most rows of a row group.
        """
        bits = SUM_BITS - math.ceil(math.log2(lines))
        self._drives, self.sums = drives, weights.shape[1]
        self._weights = rounded(weights, bits - drives.bits, _largest(weights))
        self.noisy = variances is not None and bool(variances.any())
        found = np.zeros_like(weights) if variances is None else variances
        self._variances = rounded(found, bits - drives.square_bits, _largest(found))

    def of(self, driven: Driven) -> tuple[Matrix, Matrix]:
        """Return the sums (inputs, sums), and their variances from read to read."""
        drives, squares = self._drives.of(driven)
        variances = np.zeros((len(drives), self.sums))
        if self.noisy:
            variances = squares @ self._variances[driven.rows]
        return drives @ self._weights[driven.rows], variances


def _largest(values: NDArray[np.float32]) -> float:
    return float(np.abs(values).max(initial=0))
