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

PLANE_BITS = 4
"""Bits of the widest digit of which tables of sums are made."""


@final
class ConverterTile:
    """The digits of a tile; every analog sum passes a converter.

    Narrow digits are looked up in tables. Wide ones are multiplied by the kernel of real cells, to
    which they are conductances without noise: sums below `2**24` are exact there.
    """

    def __init__(self, tile: Tile, target: Target, cells: NDArray[np.uint8]) -> None:
        """Take the states (rows, physical columns) of the cells of the tile."""
        macro = target.macro
        self._tile, self._macro = tile, macro
        self._drive = drive_arguments(tile, macro)
        self._low, self._high = code_range(macro)
        self._sums = Sums(tile, target)
        flipped = tile.flipped(row_groups(macro, tile.rows), cells.shape[1])
        flips = flipped if flipped.any() else None
        wide = target.cell.bits > PLANE_BITS
        self._packed = (self._packed_cells if wide else self._packed_planes)(cells, flips, target)

    def _packed_planes(
        self, cells: NDArray[np.uint8], flips: NDArray[np.bool_] | None, target: Target
    ) -> _kernels.PackedDigits:
        count = self._sums.slices
        return _kernels.pack_digits(
            by_slice(sum_digits(cells.astype(np.int8), self._macro, self._sums.count), count),
            bits_per_cell=target.cell.bits,
            active_rows=self._macro.active_rows,
            flipped=None if flips is None else by_slice(flips, count).swapaxes(0, 1).copy(),
        )

    def _packed_cells(
        self, cells: NDArray[np.uint8], flips: NDArray[np.bool_] | None, target: Target
    ) -> _kernels.PackedAnalog:
        digits = sum_digits(cells.astype(np.float32), self._macro, self._sums.count)
        return _kernels.pack_analog(
            np.ascontiguousarray(digits),
            None,
            slices=self._sums.slices,
            bits_per_cell=target.cell.bits,
            active_rows=self._macro.active_rows,
            dac_bits=self._drive["dac_bits"],
            flipped=flips,
        )

    def multiply(self, codes: NDArray[Any], reads: Reads) -> NDArray[np.int32]:
        """Return the sums (inputs, cols) of codes (inputs, rows)."""
        sums = self._sums.combined(self._converted(codes, reads.threads))
        return without_offset(sums, codes, self._tile, self._macro)

    def _converted(self, codes: NDArray[Any], threads: int) -> NDArray[np.int32]:
        shift, low, high = self._tile.shift, self._low, self._high
        if isinstance(self._packed, _kernels.PackedDigits):
            return _kernels.bit_plane_product(
                codes,
                self._packed,
                **self._drive,
                shift=shift,
                low=low,
                high=high,
                threads=threads,
            )
        return _kernels.analog_product(
            codes,
            self._packed,
            input_bits=self._drive["input_bits"],
            sign_magnitude=self._drive["sign_magnitude"],
            shift=shift,
            low=low,
            high=high,
            threads=threads,
        )


def by_slice(table: NDArray[Any], slices: int) -> NDArray[Any]:
    """Return a table (n, cols * slices) as (slices, n, cols)."""
    parts = table.reshape(len(table), -1, slices)
    return np.ascontiguousarray(parts.transpose(2, 0, 1))
