"""How the analog sums of a tile become its result: slices, signs and converters."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Target
from mcc.ir.hardware.encoding import paired, sum_values
from mcc.ir.hardware.significance import Adder
from mcc.ir.program.tables import Tile


@final
class Sums:
    """The analog sums that make up one column of weights.

    The kernels put together digits of growing powers of two, slices; what is worth anything else
    they return sum by sum, each as a slice of its own.
    """

    def __init__(self, tile: Tile, target: Target) -> None:
        """Take what each sum of the tile is worth."""
        values = sum_values(target.macro, target.cell, tile.weight_bits)
        powers = 2 ** (target.cell.bits * np.arange(len(values)))
        self._adder, self.count = Adder.of(values), len(values)
        """Analog sums of a weight."""
        self.slices = self.count if np.array_equal(values, powers) else 1
        """Slices that the kernel puts together."""

    def combined(self, sums: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the columns of weights (inputs, cols) for what the kernel returns."""
        return sums if self.slices == self.count else self.together(sums)

    def together(self, sums: NDArray[Any]) -> NDArray[np.int32]:
        """Return the columns of weights (inputs, cols) for analog sums (inputs, sums)."""
        parts = sums.reshape(len(sums), -1, self.count)
        return self._adder.rounded(parts @ self._adder.factors).astype(np.int32)


def converter_of(tile: Tile, target: Target, sums: int) -> NDArray[np.int32]:
    """Return the converter of the macro that each analog sum of a tile goes to (sums,)."""
    columns = tile.col + (2 if paired(target.macro) else 1) * np.arange(sums)
    return (columns // target.macro.adc.columns_per_adc).astype(np.int32)
