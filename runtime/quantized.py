"""One tile whose cells are ideal and whose converters have their bits."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Target
from mcc.ir.hardware.conversion import code_range
from mcc.ir.hardware.encoding import row_groups, sum_digits
from mcc.ir.program.tables import Tile
from mcc.runtime import _kernels
from mcc.runtime.reads import Reads, drive_arguments, without_offset
from mcc.runtime.sums import Sums


@final
class ConverterTile:
    """The digits of a tile; every analog sum passes a converter."""

    def __init__(self, tile: Tile, target: Target, cells: NDArray[np.uint8]) -> None:
        """Take the states (rows, physical columns) of the cells of the tile."""
        macro, cell = target.macro, target.cell
        self._tile, self._macro = tile, macro
        self._drive = drive_arguments(tile, macro)
        self._low, self._high = code_range(macro)
        flipped = tile.flipped(row_groups(macro, tile.rows), cells.shape[1])
        digits = sum_digits(cells.astype(np.int8), macro)
        self._sums = Sums(tile, target)
        count = self._sums.slices
        self._packed = _kernels.pack_digits(
            by_slice(digits, count),
            bits_per_cell=cell.bits,
            active_rows=macro.active_rows,
            flipped=by_slice(flipped, count).swapaxes(0, 1).copy() if flipped.any() else None,
        )

    def multiply(self, codes: NDArray[Any], reads: Reads) -> NDArray[np.int32]:
        """Return the sums (inputs, cols) of codes (inputs, rows)."""
        converted = _kernels.bit_plane_product(
            codes,
            self._packed,
            **self._drive,
            shift=self._tile.shift,
            low=self._low,
            high=self._high,
            threads=reads.threads,
        )
        sums = self._sums.combined(converted)
        return without_offset(sums, codes, self._tile, self._macro)


def by_slice(table: NDArray[Any], slices: int) -> NDArray[Any]:
    """Return a table (n, cols * slices) as (slices, n, cols)."""
    parts = table.reshape(len(table), -1, slices)
    return np.ascontiguousarray(parts.transpose(2, 0, 1))
