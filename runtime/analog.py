"""One tile as the cells of its macro multiply: real conductances, read noise, converters.

Reading a cell adds to its conductance an independent Gaussian of `read_noise` times its value. The
noise of a sum of such reads is a Gaussian too; it is drawn once per sum with the variance that
follows, `sum((read_noise * g * drive)**2)`.

The offset encoding subtracts the current of a reference column of cells at `g_min_siemens`, taken
as ideal (trimmed once per chip); the differential encoding subtracts the currents of its pairs.
Both happen before conversion.

Conductances keep 16 significant bits and variances 8, errors far below any write error: their
products with drives are then exact, and sums in the order of the rows are the same on every
processor.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Encoding, Target
from mcc.ir.hardware.conversion import code_range
from mcc.ir.hardware.encoding import row_groups, slices
from mcc.ir.program.tables import Tile
from mcc.runtime import _kernels
from mcc.runtime.devices import unit_siemens
from mcc.runtime.reads import Reads, drive_arguments, without_offset


@final
class AnalogTile:
    """One tile in the cells of a programmed macro."""

    def __init__(
        self,
        tile: Tile,
        target: Target,
        conductances: NDArray[np.float64],
        deviations: NDArray[np.float64] | None = None,
    ) -> None:
        """Take the cells of a tile.

        Args:
            tile: The block of weights.
            target: The chip.
            conductances: Of the cells (rows, physical columns), in siemens.
            deviations: Standard deviation of a read of each; `read_noise` times it if None.
        """
        self._tile, self._macro = tile, target.macro
        self._drive = drive_arguments(tile, target.macro)
        self._low, self._high = code_range(target.macro)
        weights, variances = digits_and_variances(conductances, target, deviations)
        noisy = target.cell.read_noise > 0
        flipped = tile.flipped(row_groups(target.macro, tile.rows), conductances.shape[1])
        self._packed = _kernels.pack_analog(
            weights,
            variances if noisy else None,
            slices=slices(target.macro, target.cell, tile.weight_bits),
            bits_per_cell=target.cell.bits,
            active_rows=target.macro.active_rows,
            flipped=flipped if flipped.any() else None,
        )

    def multiply(self, codes: NDArray[Any], reads: Reads) -> NDArray[np.int32]:
        """Return the sums (inputs, cols) of codes (inputs, rows)."""
        sums = _kernels.analog_product(
            codes,
            self._packed,
            **self._drive,
            shift=self._tile.shift,
            low=self._low,
            high=self._high,
            seed=reads.seed,
            place=reads.place,
            event=reads.event,
            sample=reads.sample,
            positions=reads.positions,
            threads=reads.threads,
        )
        return without_offset(sums, codes, self._tile, self._macro)


def digits_and_variances(
    conductances: NDArray[np.float64],
    target: Target,
    deviations: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the weight and the variance of a read of each analog sum's cells (rows, sums).

    They are in units of one digit (and its square); a differential pair is one column.
    """
    unit = unit_siemens(target.cell)
    currents = conductances / unit
    if deviations is None:
        variances = np.square(target.cell.read_noise * currents)
    else:
        variances = np.square(deviations / unit)
    if target.macro.encoding is Encoding.DIFFERENTIAL:
        digits = currents[:, 0::2] - currents[:, 1::2]
        variances = variances[:, 0::2] + variances[:, 1::2]
    else:
        digits = currents - target.cell.g_min_siemens / unit
    return significant(digits, 16), significant(variances, 8)


def significant(numbers: NDArray[np.float64], bits: int) -> NDArray[np.float32]:
    """Return the numbers rounded to that many significant bits; what is far below 1 becomes 0."""
    mantissas, exponents = np.frexp(numbers)
    rounded = np.ldexp(np.rint(np.ldexp(mantissas, bits)), exponents - bits)
    return np.where(np.abs(numbers) < 2.0**-40, 0, rounded).astype(np.float32)
